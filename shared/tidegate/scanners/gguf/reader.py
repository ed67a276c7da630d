"""The parts of a GGUF file, each held to the specification (docs/gguf.md of ggml).

A file is a header with two counts, the metadata (keys with typed values), the tensors' names,
shapes, types and places, and the tensors' bytes, each padded to the alignment. Version 1 has
32-bit counts and lengths; the byte order shows in the version.

Always holds: values are given as they are read and not kept, except for those that say how the
rest is laid out; no count in the file makes memory grow; tensors lie one after another in the
file, and what lies between and behind them is padding of zeros.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import BinaryIO

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.streams import shown

_VERSIONS = range(1, 4)
_MAX_KEY = 65_535
_MAX_NAME = 255
_MAX_DIMENSIONS = 4
_MAX_NESTING = 4
_MAX_ALIGNMENT = 1 << 20
_MAX_TEXT = 16 << 20
_MAX_TENSORS = 1 << 20
_DEFAULT_ALIGNMENT = 32
_CHUNK = 1 << 20

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip
_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UINT8, _INT8, _UINT32, _BOOL, _TEXT, _ARRAY = 0, 1, 4, 7, 8, 9


class HiddenError(Exception):
    """Bytes that belong to nothing; the message says where."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the metadata, under its key. `in_array` where it is one of many."""

    key: str
    data: bytes
    in_array: bool


@dataclass(frozen=True, slots=True)
class Blob:
    """Raw bytes of the metadata: an array of bytes, by its place in the file."""

    key: str
    at: int
    size: int


@cache
def tensor_types() -> dict[int, tuple[str, int, int]]:
    """By number: the type's name, and how many elements and bytes a block of it has."""
    table = files("tidegate.scanners").joinpath("data/ggml_types.json").read_text("utf-8")
    return {int(number): tuple(row) for number, row in json.loads(table)["types"].items()}


class GgufReader:
    """Reads one file, once, from front to back."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        little = Cursor(stream, size)
        if little.take(4) != b"GGUF":
            raise BrokenError("The file does not begin as GGUF.")
        version = little.number("I")
        self.big_endian = version & 0xFFFF == 0
        if self.big_endian:
            version = int.from_bytes(version.to_bytes(4, "little"), "big")
        if version not in _VERSIONS:
            raise BrokenError(f"There is no version {version} of the format.")
        self._in = Cursor(stream, size, at=8, order=">" if self.big_endian else "<")
        self._length = "I" if version == 1 else "Q"
        self._alignment = _DEFAULT_ALIGNMENT
        self._numbers: dict[str, int] = {}
        self.tensor_count = self._count(24)
        self.value_count = self._count(13)

    def _count(self, least: int) -> int:
        """A count of things that take at least `least` bytes each, so that the file can't lie."""
        count = self._in.number(self._length)
        if count * (least if self._length == "Q" else least // 2) > self._in.left:
            raise BrokenError(
                f"The header claims {count} entries, more than the file has room for."
            )
        return count

    def values(self) -> Iterator[Text | Blob]:
        """Every text and every array of bytes of the metadata, in order."""
        seen: set[str] = set()
        for _ in range(self.value_count):
            key = self._name(_MAX_KEY, "key")
            if key in seen:
                raise BrokenError(
                    f"The key {shown(key)} stands twice, and readers choose differently."
                )
            seen.add(key)
            kind = self._in.number("I")
            if key == "general.alignment":
                self._read_alignment(kind)
            else:
                yield from self._value(key, kind, 0)
        self._check_split()

    def _read_alignment(self, kind: int) -> None:
        if kind != _UINT32:
            raise BrokenError("general.alignment is of another type than the format says.")
        self._alignment = value = self._in.number("I")
        if value & (value - 1) or not 0 < value <= _MAX_ALIGNMENT:
            raise BrokenError(f"An alignment of {value} bytes can't be.")

    def _check_split(self) -> None:
        number, count = self._numbers.get("split.no"), self._numbers.get("split.count")
        if number is not None and count is not None and not 0 <= number < max(count, 1):
            raise BrokenError(f"The file is part {number} of {count}.")

    def _name(self, most: int, what: str) -> str:
        data = self._text(most)
        try:
            name = data.decode("utf-8")
        except UnicodeDecodeError:
            raise BrokenError(f"A {what} is not UTF-8: {shown(repr(data))}.") from None
        if not name or not name.isprintable():
            raise BrokenError(f"A {what} is empty or can't be printed: {shown(name)}.")
        return name

    def _text(self, most: int) -> bytes:
        return self._in.take(self._in.number(self._length), most)

    def _value(self, key: str, kind: int, depth: int) -> Iterator[Text | Blob]:
        if kind == _TEXT:
            yield Text(key, self._text(_MAX_TEXT), depth > 0)
        elif kind == _ARRAY:
            yield from self._array(key, depth)
        elif kind == _BOOL:
            if self._in.byte() > 1:
                raise BrokenError(f"The truth value under {shown(key)} is neither 0 nor 1.")
        elif kind in _SCALARS:
            number = self._in.unpack(_SCALARS[kind])[0]
            if key.startswith("split."):
                self._numbers[key] = int(number) if math.isfinite(number) else -1
        else:
            raise BrokenError(
                f"The value under {shown(key)} is of type {kind}, which there is not."
            )

    def _array(self, key: str, depth: int) -> Iterator[Text | Blob]:
        if depth >= _MAX_NESTING:
            raise BrokenError(f"The array under {shown(key)} nests too deep.")
        kind = self._in.number("I")
        count = self._in.number(self._length)
        if (width := _WIDTHS.get(kind)) is not None:
            if kind in {_UINT8, _INT8, _BOOL} and count:
                yield Blob(key, self._in.at, count)
            self._in.skip(count * width)
            return
        if kind not in {_TEXT, _ARRAY}:
            raise BrokenError(
                f"The array under {shown(key)} is of type {kind}, which there is not."
            )
        if count * 4 > self._in.left:
            raise BrokenError(f"The array under {shown(key)} claims {count} entries.")
        for _ in range(count):
            yield from self._value(key, kind, depth + 1)

    def check_tensors(self) -> None:
        """Read the tensors' entries and hold their places to each other and to the file's end.

        Raises BrokenError or HiddenError. To be called after all of `values` was read.
        """
        if self.tensor_count > _MAX_TENSORS:
            raise BrokenError(f"The file claims {self.tensor_count} tensors.")
        names: set[str] = set()
        places = []
        for _ in range(self.tensor_count):
            name = self._name(_MAX_NAME, "tensor's name")
            if name in names:
                raise BrokenError(f"The tensor {shown(name)} stands twice.")
            names.add(name)
            places.append(self._place(name))
        data = self._padding(self._in.at, self._in.at)
        reached = data
        for start, size, name in sorted(places):
            if start % self._alignment:
                raise BrokenError(f"The tensor {shown(name)} is not aligned.")
            if data + start < reached:
                raise BrokenError(f"The tensor {shown(name)} overlaps the one before it.")
            if data + start + size > self._in.size:
                raise BrokenError(f"The tensor {shown(name)} ends outside of the file.")
            if data + start > reached:
                raise HiddenError(f"{data + start - reached} bytes before the tensor {shown(name)}")
            reached = self._padding(data + start + size, data + start + size)
        if reached < self._in.size:
            raise HiddenError(f"{self._in.size - reached} bytes behind the last tensor")

    def _place(self, name: str) -> tuple[int, int, str]:
        dimensions = self._in.number("I")
        if dimensions > _MAX_DIMENSIONS:
            raise BrokenError(f"The tensor {shown(name)} has {dimensions} dimensions.")
        shape = [self._in.number(self._length) for _ in range(dimensions)]
        number = self._in.number("I")
        start = self._in.number("Q")
        told = tensor_types().get(number)
        if told is None:
            raise BrokenError(f"The tensor {shown(name)} is of type {number}, which there is not.")
        _, elements, size = told
        count = math.prod(shape)
        if count >= 1 << 62 or start >= 1 << 62:
            raise BrokenError(f"The tensor {shown(name)} is larger than can be counted.")
        if (shape[0] if shape else 1) % elements:
            raise BrokenError(f"The rows of tensor {shown(name)} are no whole blocks of its type.")
        return start, count // elements * size, name

    def _padding(self, end: int, at: int) -> int:
        """Where what ends at `end` is padded to, once the padding was seen to be zeros."""
        stop = min(-(-end // self._alignment) * self._alignment, self._in.size)
        self._in.seek(at)
        while self._in.at < stop:
            if self._in.take(min(_CHUNK, stop - self._in.at)).strip(b"\0"):
                raise HiddenError(f"padding at byte {end} that is not zero")
        return stop
