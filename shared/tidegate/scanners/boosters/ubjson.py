"""Universal Binary JSON, as XGBoost writes models and boosters' states (its `ubj` format).

Read as a stream of values with a list for the open containers, no recursion; arrays of numbers
are passed over by their length. Specification: ubjson.org, draft 12.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.markup.tables import CODE

_WIDTHS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8, b"d": 4, b"D": 8, b"C": 1}
_COUNTS = {b"i": "b", b"U": "B", b"I": "h", b"l": "i", b"L": "q"}
_PLAIN = frozenset({b"Z", b"N", b"T", b"F"})
_FILES = (b"\x80", b"PK\3\4", b"\x7fELF", b"MZ", b"(", b"c", b"\x1f\x8b")
_MAX_DEPTH = 200
_LONG_TEXT = 32 << 20
_MOST_VALUES = 20_000_000
_KEPT_KEYS = 1000


@dataclass(slots=True)
class _Container:
    is_object: bool
    kind: bytes | None = None
    count: int | None = None


class UbjsonReader:
    """Reads one document; `paths` are the keys of the outer two levels, joined by dots."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._open: list[_Container] = []
        self._keys: list[str] = []
        self._values = 0
        self.paths: set[str] = set()
        self.odd_texts: list[tuple[int, bytes]] = []
        """Texts that hold control bytes, each with its offset: XGBoost writes none."""
        self.coded: list[tuple[int, bytes]] = []
        """Texts that read like code."""

    def read(self) -> None:
        """Read the document; BrokenError where it is none. The cursor then stands behind it."""
        self._value(self._cursor.take(1))
        while self._open:
            self._step()

    def _step(self) -> None:
        cursor, top = self._cursor, self._open[-1]
        if top.count is None:
            if cursor.peek(1) == (b"}" if top.is_object else b"]"):
                cursor.skip(1)
                self._close()
                return
        elif top.count == 0:
            self._close()
            return
        else:
            top.count -= 1
        if top.is_object:
            self._key(cursor.take(self._count(cursor.take(1)), _LONG_TEXT))
        self._value(cursor.take(1) if top.kind is None else top.kind)

    def _close(self) -> None:
        self._open.pop()

    def _key(self, raw: bytes) -> None:
        depth = sum(one.is_object for one in self._open)
        if depth > 2 or len(self._open) != depth:
            return
        del self._keys[depth - 1 :]
        self._keys.append(raw.decode("utf-8", errors="replace"))
        path = ".".join(self._keys)
        if path in self.paths:
            raise BrokenError(f"The key {path[:60]!r} stands twice.")
        if len(self.paths) < _KEPT_KEYS:
            self.paths.add(path)

    def _value(self, marker: bytes) -> None:
        cursor = self._cursor
        self._values += 1
        if self._values > _MOST_VALUES:
            raise BrokenError(f"It has more than {_MOST_VALUES} values.")
        if marker in _PLAIN:
            return
        if (width := _WIDTHS.get(marker)) is not None:
            cursor.skip(width)
        elif marker in {b"S", b"H"}:
            at = cursor.at
            text = cursor.take(self._count(cursor.take(1)), _LONG_TEXT)
            if len(self.coded) < 10 and CODE.search(text.decode("latin-1")):
                self.coded.append((at, text))
            if re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", text) and len(self.odd_texts) < 100:
                self.odd_texts.append((at, text))
        elif marker in {b"[", b"{"}:
            self._begin(is_object=marker == b"{")
        else:
            raise BrokenError(f"No value has the marker {marker!r} (byte {cursor.at - 1}).")

    def _begin(self, *, is_object: bool) -> None:
        cursor, kind, count = self._cursor, None, None
        if cursor.peek(1) == b"$":
            cursor.skip(1)
            kind = cursor.take(1)
            if cursor.peek(1) != b"#":
                raise BrokenError(f"An array has a type and no count (byte {cursor.at}).")
        if cursor.peek(1) == b"#":
            cursor.skip(1)
            count = self._count(cursor.take(1))
        if kind is not None and count is not None and not is_object and kind in _WIDTHS:
            self._numbers(count, _WIDTHS[kind])
            return
        if kind in _PLAIN:
            raise BrokenError(f"A container is typed as values without bytes (byte {cursor.at}).")
        if count is not None and count > cursor.left:
            raise BrokenError(f"A container claims {count} values at byte {cursor.at}.")
        if len(self._open) >= _MAX_DEPTH:
            raise BrokenError("It nests too deep.")
        self._open.append(_Container(is_object, kind, count))

    def _numbers(self, count: int, width: int) -> None:
        """Pass over numbers; single bytes that begin like a file are kept to be looked at."""
        at, size = self._cursor.at, count * width
        if width == 1 and self._cursor.peek(4).startswith(_FILES):
            data = self._cursor.take(min(size, self._cursor.left, _LONG_TEXT), _LONG_TEXT)
            self.odd_texts.append((at, data))
            self._cursor.seek(at)
        self._cursor.skip(size)

    def _count(self, marker: bytes) -> int:
        if marker not in _COUNTS:
            raise BrokenError(f"A length has the marker {marker!r} (byte {self._cursor.at - 1}).")
        count = self._cursor.number(_COUNTS[marker])
        if count < 0:
            raise BrokenError(f"A length is negative (byte {self._cursor.at}).")
        return count
