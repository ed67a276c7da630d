"""Tables of a flatbuffer, read where they lie: Arrow's metadata and CatBoost's models.

Always holds: every offset is checked against the buffer before it is followed, and nothing is
followed unless it is asked for, so reading is as bounded as its caller's loops.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from tidegate.scanners.cursor import BrokenError

_LONGEST_TEXT = 64 << 20


class Buffer:
    """A flatbuffer: `size` bytes of the stream from `start`."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream, self._start, self.size = stream, start, size

    def bytes_at(self, at: int, count: int) -> bytes:
        """Exactly those bytes."""
        if at < 0 or count < 0 or at + count > self.size:
            raise BrokenError(f"An offset leads to byte {at}, outside of the flatbuffer.")
        self._stream.seek(self._start + at)
        data = self._stream.read(count)
        if len(data) < count:
            raise BrokenError("The flatbuffer breaks off.")
        return data

    def number_at(self, at: int, layout: str) -> int:
        """One little-endian number of a struct layout."""
        layout = "<" + layout
        return int(struct.unpack(layout, self.bytes_at(at, struct.calcsize(layout)))[0])

    def root(self) -> Table:
        """The table that the buffer begins with."""
        return Table(self, self.number_at(0, "I"))


class Table:
    """One table: its fields by their place in the schema."""

    def __init__(self, buffer: Buffer, at: int) -> None:
        self.buffer, self.at = buffer, at
        self._fields_at = at - buffer.number_at(at, "i")
        self._fields_size = buffer.number_at(self._fields_at, "H")
        if self._fields_size < 4 or self._fields_size % 2:
            raise BrokenError(f"The table at byte {at} of the flatbuffer has no fields' places.")

    def place(self, field: int) -> int | None:
        """Where the field's value or offset lies, or None where the table leaves it out."""
        slot = 4 + 2 * field
        if slot + 2 > self._fields_size:
            return None
        offset = self.buffer.number_at(self._fields_at + slot, "H")
        return self.at + offset if offset else None

    def number(self, field: int, layout: str, default: int = 0) -> int:
        """A number in the table itself."""
        place = self.place(field)
        return default if place is None else self.buffer.number_at(place, layout)

    def _target(self, field: int) -> int | None:
        place = self.place(field)
        return None if place is None else place + self.buffer.number_at(place, "I")

    def table(self, field: int) -> Table | None:
        """The table that the field leads to."""
        target = self._target(field)
        return None if target is None else Table(self.buffer, target)

    def text(self, field: int) -> bytes | None:
        """The text that the field leads to."""
        target = self._target(field)
        return None if target is None else text_at(self.buffer, target)

    def vector(self, field: int, item: int) -> tuple[int, int]:
        """Where the vector's items of `item` bytes begin, and how many there are."""
        target = self._target(field)
        if target is None:
            return 0, 0
        count = self.buffer.number_at(target, "I")
        if target + 4 + count * item > self.buffer.size:
            raise BrokenError(f"A vector of {count} items leaves the flatbuffer.")
        return target + 4, count

    def tables(self, field: int) -> list[Table]:
        """The tables of a vector of tables."""
        start, count = self.vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self.buffer, at + self.buffer.number_at(at, "I")) for at in places]

    def texts(self, field: int) -> list[bytes]:
        """The texts of a vector of texts."""
        start, count = self.vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [text_at(self.buffer, at + self.buffer.number_at(at, "I")) for at in places]


def text_at(buffer: Buffer, at: int) -> bytes:
    """The text whose length stands there."""
    length = buffer.number_at(at, "I")
    if length > _LONGEST_TEXT:
        raise BrokenError(f"A text of the flatbuffer claims {length} bytes.")
    return buffer.bytes_at(at + 4, length)
