"""The primitives of R's serialisation, in its three spellings: XDR, native binary, and text.

R Internals, section 1.8, and `src/main/serialize.c`.
"""

from __future__ import annotations

import re
from typing import Protocol

from tidegate.scanners.cursor import BrokenError, Cursor

_LONGEST_TEXT = 16 << 20
_LINE = 1 << 16
_NA = -(1 << 31)
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[ntvbrfa\\?'\"])")


class Primitives(Protocol):
    """How numbers and texts are read."""

    def number(self) -> int:
        """One integer."""

    def text(self, length: int) -> bytes:
        """The bytes of a text."""

    def numbers(self, count: int, width: int) -> None:
        """Pass over `count` values of `width` bytes in the binary spellings."""

    def raw(self, count: int) -> bytes | None:
        """Raw bytes; None where they were passed over for their length."""


class BinaryPrimitives:
    """XDR and the native spelling, which differ in the order of bytes."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def number(self) -> int:
        """Four bytes."""
        return self._cursor.number("i")

    def text(self, length: int) -> bytes:
        """As they stand."""
        return self._cursor.take(length, _LONGEST_TEXT)

    def numbers(self, count: int, width: int) -> None:
        """No need to look at them."""
        self._cursor.skip(count * width)

    def raw(self, count: int) -> bytes | None:
        """As they stand."""
        if count <= _LONGEST_TEXT:
            return self._cursor.take(count, _LONGEST_TEXT)
        self._cursor.skip(count)
        return None


class TextPrimitives:
    """Every value on a line of its own."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._kept = b""

    def _line(self) -> bytes:
        while b"\n" not in self._kept:
            if len(self._kept) > _LONGEST_TEXT or not self._cursor.left:
                raise BrokenError(f"No line ends before byte {self._cursor.at}.")
            self._kept += self._cursor.take(min(_LINE, self._cursor.left))
        line, _, self._kept = self._kept.partition(b"\n")
        return line.strip()

    @property
    def left(self) -> int:
        """How many bytes are not read yet."""
        return self._cursor.left + len(self._kept)

    def number(self) -> int:
        """Digits, or NA."""
        line = self._line()
        if line == b"NA":
            return _NA
        try:
            return int(line[:40])
        except ValueError:
            raise BrokenError("A line is no number.") from None

    def text(self, length: int) -> bytes:
        """With escapes for what could break a line."""
        line = _ESCAPE.sub(b"?", self._line())
        if len(line) > length:
            raise BrokenError("A text is longer than it claims.")
        return line

    def numbers(self, count: int, width: int) -> None:
        """A line each, two for a complex number."""
        for _ in range(count * (2 if width == 16 else 1)):
            self._line()

    def raw(self, count: int) -> bytes | None:
        """Two hexadecimal digits a line."""
        try:
            return bytes(int(self._line(), 16) for _ in range(min(count, self.left)))
        except ValueError:
            raise BrokenError("A raw byte is none.") from None
