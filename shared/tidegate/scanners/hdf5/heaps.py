"""Heaps: the local heap of names, global heaps of variable lengths, fractal heaps of records."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.scanners.hdf5.space import MAX_READ, BrokenError, Cursor, Space, TooMuchError
from tidegate.scanners.hdf5.trees import records_of

_MAX_COLLECTION = 1 << 32


def local_heap(space: Space, address: int) -> bytes:
    """The data of a local heap, in which names stand by their offset."""
    cursor = space.cursor(address, 8 + 2 * space.length + space.offset, b"HEAP")
    cursor.skip(4)
    size = cursor.size()
    cursor.size()
    return space.at(cursor.address(), size)


def name_in(heap: bytes, offset: int) -> bytes:
    """The name that stands at the offset of a local heap."""
    end = heap.find(b"\0", offset)
    if not 0 <= offset < len(heap) or end < 0:
        raise BrokenError("a name outside its heap")
    return heap[offset:end]


def global_places(space: Space, address: int) -> dict[int, tuple[int, int]]:
    """The objects of the collection at the address: index to address and size."""
    if (known := space.heaps.get(address)) is not None:
        return known
    cursor = space.cursor(address, 8 + space.length, b"GCOL")
    if cursor.number(1) != 1:
        raise BrokenError("a global heap of unknown version")
    cursor.skip(3)
    size = cursor.size()
    if size > _MAX_COLLECTION or space.base + address + size > space.size:
        raise BrokenError("a global heap that reaches past the end of the file")
    head = 8 + space.length
    at, end = address + head, address + size
    found: dict[int, tuple[int, int]] = {}
    while at + head <= end:
        entry = Cursor(space.at(at, head), space)
        index = entry.number(2)
        entry.skip(6)
        count = entry.size()
        if index == 0:
            break
        if at + head + count > end:
            raise BrokenError("an object that reaches past its global heap")
        found[index] = (at + head, count)
        at += head + count + -count % 8
        if len(found) > 65_536:
            raise BrokenError("a global heap with more objects than it can number")
    if len(space.heaps) > 64:
        space.heaps.clear()
    space.heaps[address] = found
    return found


def global_object(space: Space, address: int, index: int) -> bytes:
    """One object of a global heap."""
    place = global_places(space, address).get(index)
    if place is None:
        raise BrokenError("a reference to nothing in a global heap")
    return space.at(*place)


@dataclass(frozen=True, slots=True)
class FractalHeap:
    """The header of a fractal heap, as far as its objects are found by it."""

    space: Space
    address: int
    filtered: bool
    huge_tree: int
    width: int
    start: int
    largest: int
    offset_size: int
    length_size: int
    root: int
    rows: int
    id_length: int

    def object(self, identity: bytes) -> bytes:
        """The object of that heap ID."""
        if len(identity) < 2:
            raise BrokenError("a heap ID that is cut off")
        kind = identity[0] >> 4 & 3
        if identity[0] >> 6:
            raise BrokenError("a heap ID of unknown version")
        if kind == 0:
            offset = int.from_bytes(identity[1 : 1 + self.offset_size], "little")
            rest = identity[1 + self.offset_size :]
            return self._managed(offset, int.from_bytes(rest[: self.length_size], "little"))
        if kind == 1:
            return self._huge(identity[1:])
        if kind == 2:
            wide = self.id_length > 17
            count = (identity[0] & 15) << 8 | identity[1] if wide else identity[0] & 15
            return identity[2 if wide else 1 :][: count + 1]
        raise BrokenError("a heap ID of unknown kind")

    def _managed(self, offset: int, count: int) -> bytes:
        if self.filtered:
            raise TooMuchError("a heap whose blocks are compressed")
        address, rows, start = self.root, self.rows, 0
        for _ in range(64):
            if rows == 0:
                self._check(address, b"FHDB")
                return self.space.at(address + offset - start, count)
            address, rows, start = self._child(address, rows, start, offset)
        raise BrokenError("a heap whose blocks nest without end")

    def _child(self, address: int, rows: int, start: int, offset: int) -> tuple[int, int, int]:
        """The block below the indirect block at `address` in which the offset lies."""
        head = 5 + self.space.offset + self.offset_size
        direct_rows = (self.largest // self.start).bit_length() + 1
        index, at = 0, start
        for row in range(rows):
            size = self.start if row < 2 else self.start << (row - 1)
            if offset >= at + size * self.width:
                at += size * self.width
                index += self.width
                continue
            column = (offset - at) // size
            at += column * size
            place = address + head + (index + column) * self.space.offset
            child = Cursor(self.space.at(place, self.space.offset), self.space).address()
            if row < direct_rows:
                return child, 0, at
            self._check(child, b"FHIB")
            below = (size // (self.start * self.width)).bit_length()
            return child, below, at
        raise BrokenError("an object outside its heap")

    def _check(self, address: int, signature: bytes) -> None:
        self.space.cursor(address, 4, signature)

    def _huge(self, identity: bytes) -> bytes:
        space = self.space
        if self.filtered:
            raise TooMuchError("a heap whose large objects are compressed")
        direct = space.offset + space.length
        if self.id_length - 1 >= direct:
            cursor = Cursor(identity, space)
            return space.at(cursor.address(), cursor.size())
        wanted = int.from_bytes(identity, "little")
        for record in records_of(space, self.huge_tree):
            cursor = Cursor(record, space)
            address, count, key = cursor.address(), cursor.size(), cursor.size()
            if key == wanted:
                return space.at(address, min(count, MAX_READ + 1))
        raise BrokenError("a large object that its heap does not have")


def fractal_heap(space: Space, address: int) -> FractalHeap:
    """The heap whose header stands at the address."""
    size = 22 + 12 * space.length + 3 * space.offset
    cursor = space.cursor(address, size, b"FRHP")
    if cursor.number(1) != 0:
        raise BrokenError("a fractal heap of unknown version")
    id_length, filters = cursor.number(2), cursor.number(2)
    cursor.skip(1)
    max_managed = cursor.number(4)
    cursor.size()
    huge = cursor.address()
    cursor.size()
    cursor.address()
    for _ in range(8):
        cursor.size()
    width, start, largest = cursor.number(2), cursor.size(), cursor.size()
    bits = cursor.number(2)
    cursor.skip(2)
    root, rows = cursor.address(), cursor.number(2)
    if not (width > 0 and 0 < start <= largest and bits <= 64 and id_length):
        raise BrokenError("a fractal heap whose numbers make no sense")
    by_block = (largest.bit_length() - 1 + 7) // 8
    by_object = (max(1, max_managed).bit_length() - 1) // 8 + 1
    return FractalHeap(
        space, address, filters > 0, huge, width, start, largest, (bits + 7) // 8,
        min(by_block, by_object), root, rows, id_length,
    )  # fmt: skip
