"""The tensors of an ONNX model: their sizes, and the files in which their data lie.

A tensor's bytes must be as many as its shape and type make them. Data in another file are
claimed for the model (`Report.claim`), so that the engine can check that they are there; where
the place leads out of the model's folder, or is none, that is a finding here.
"""

from __future__ import annotations

import re
from typing import Any

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.protobuf.tree import Frame
from tidegate.scanners.streams import shown

_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64,
    15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2,
}  # fmt: skip
"""Bits of one element by `TensorProto.DataType`; a string (8) has no fixed size."""

_STRING = 8
_EXTERNAL = 1
_KEYS = frozenset({"location", "offset", "length", "checksum", "basepath"})
_PREPACKED = re.compile(r"prepacked_\d{1,9}")
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# torch and onnx round the starts of large tensors up to this.
_ALIGNMENT = 64 << 10


def place_problem(location: str) -> str | None:
    """Why a place beside the model is none."""
    parts = location.replace("\\", "/").split("/")
    if not location:
        return "has no name"
    if location.startswith("*"):
        return "is an address in the loader's memory"
    if _SCHEME.match(location):
        return "is a drive or a URL"
    if location.startswith(("/", "\\", "~")):
        return "is an absolute path"
    if ".." in parts:
        return "climbs out of the folder"
    if "\\" in location or any(not character.isprintable() for character in location):
        return "has characters that no exporter writes"
    return None


class Tensors:
    """Collects the tensors of one model."""

    def __init__(self, subject: Subject, report: Report) -> None:
        self._subject, self._report = subject, report
        self._ranges: dict[str, list[tuple[int, int]]] = {}

    def add(self, frame: Frame) -> None:
        """Judge one complete TensorProto."""
        kind = (frame.all("data_type") or [0])[-1]
        dims = frame.all("dims")
        count = 1
        for dim in dims:
            if dim >> 63:
                self._malformed(frame, "has a negative dimension")
                return
            count = min(count * dim, 1 << 63)
        bits = _BITS.get(kind)
        expected = None if bits is None else (count * bits + 7) // 8
        entries = frame.all("external_data")
        external = _EXTERNAL in frame.all("data_location")
        if entries or external:
            self._add_external(frame, entries, expected, used=external)
        for raw in frame.all("raw_data"):
            if kind == _STRING:
                self._malformed(frame, "holds strings as raw bytes")
            elif expected is None:
                self._malformed(frame, f"has raw bytes of an unknown type ({kind})")
            elif raw.size != expected:
                self._malformed(
                    frame, f"has {raw.size} bytes, and its shape and type make {expected}"
                )

    def _add_external(
        self, frame: Frame, entries: list[Any], expected: int | None, *, used: bool
    ) -> None:
        named: dict[str, str] = {}
        for key, value in entries:
            if key not in _KEYS and not _PREPACKED.fullmatch(key):
                self._external(f"The place of a tensor's data has a key {shown(key)}", key)
            if key in named:
                self._external(f"The place of a tensor's data has its {shown(key)} twice", key)
            named[key] = value
        location = named.get("location", "")
        if named.get("basepath") and (problem := place_problem(named["basepath"])):
            self._external(f"The folder of a tensor's data {problem}", named["basepath"])
        problem = place_problem(location)
        if problem is not None:
            self._external(f"A tensor's data lie in {shown(location)!r}, which {problem}", location)
            return
        offset, length = named.get("offset", "0"), named.get("length")
        if not _NUMBER.fullmatch(offset) or (length is not None and not _NUMBER.fullmatch(length)):
            self._external("A tensor's data have no readable place in their file", location)
            return
        if expected is None:
            self._malformed(frame, "has data in another file, of a type that has no fixed size")
            return
        size = expected if length is None else int(length)
        if size != expected:
            self._malformed(frame, f"has {size} bytes, and its shape and type make {expected}")
        if used and len(frame.all("raw_data")) == 0:
            self._ranges.setdefault(location, []).append((int(offset), size))

    def _external(self, message: str, detail: str) -> None:
        self._report.found(
            "ONNX-EXTERNAL-DATA", self._subject, f"{message}.", detail=shown(detail, 200)
        )

    def _malformed(self, frame: Frame, what: str) -> None:
        name = shown(frame.text("name"), 40)
        self._report.found(
            "ONNX-MALFORMED", self._subject, f"The tensor {name!r} {what}.", offset=frame.offset
        )

    def claim(self) -> None:
        """Say which stretches of which files the model describes."""
        for location, ranges in sorted(self._ranges.items()):
            self._report.claim(self._subject, location, ranges, alignment=_ALIGNMENT)
