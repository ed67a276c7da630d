"""A position in a stream of known size: what readers of binary formats take their fields from.

Always holds: no read goes past the end, no claim in the file makes memory grow past `take`'s
bound, and whatever breaks a format is one `BrokenError`, whose text is fit for a finding.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

_MOST_AT_ONCE = 16 << 20


class BrokenError(Exception):
    """The bytes are not what the format says; the message is a sentence for a person."""


class Cursor:
    """Reads fields one after another; `at` is the next byte's offset, `size` the end."""

    def __init__(self, stream: BinaryIO, size: int, *, at: int = 0, order: str = "<") -> None:
        self._stream = stream
        self.at, self.size, self._order = at, size, order
        stream.seek(at)

    @property
    def left(self) -> int:
        """How many bytes remain."""
        return self.size - self.at

    def take(self, count: int, most: int = _MOST_AT_ONCE) -> bytes:
        """The next `count` bytes; a claim of more than `most` or than there are is broken."""
        if count < 0 or count > self.left:
            raise BrokenError(f"{count} bytes are claimed at byte {self.at}, and fewer remain.")
        if count > most:
            raise BrokenError(f"One field at byte {self.at} claims {count} bytes.")
        parts, missing = [], count
        while missing and (data := self._stream.read(missing)):
            parts.append(data)
            missing -= len(data)
        if missing:
            raise BrokenError(f"The bytes end at byte {self.at + count - missing}.")
        self.at += count
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over `count` bytes that are there."""
        if count < 0 or count > self.left:
            raise BrokenError(f"{count} bytes are claimed at byte {self.at}, and fewer remain.")
        self.seek(self.at + count)

    def seek(self, at: int) -> None:
        """Go on at that offset, which must lie inside."""
        if not 0 <= at <= self.size:
            raise BrokenError(f"Something is said to lie at byte {at}, outside of the file.")
        self.at = at
        self._stream.seek(at)

    def peek(self, count: int) -> bytes:
        """Up to `count` next bytes, which stay to be read."""
        at = self.at
        data = self.take(min(count, self.left))
        self.seek(at)
        return data

    def unpack(self, layout: str) -> tuple[Any, ...]:
        """The fields of a struct layout, in this cursor's byte order."""
        layout = self._order + layout
        return struct.unpack(layout, self.take(struct.calcsize(layout)))

    def number(self, layout: str) -> int:
        """One number of a struct layout."""
        return int(self.unpack(layout)[0])

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def expect_end(self, what: str) -> None:
        """Hold the file to its end: nothing may follow what was read."""
        if self.left:
            raise BrokenError(f"{self.left} bytes follow the end of {what} at byte {self.at}.")
