"""The bytes of one HDF5 file, by address.

Always holds: a read outside the file, or of more than `MAX_READ` bytes, is `BrokenError`, so a
length that a file claims never costs more memory than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from tidegate.scanners.streams import read_exactly

MAX_READ = 16 << 20
MAX_NODES = 200_000
"""How many structures (objects, heaps, tree nodes) are read in one file."""


class BrokenError(Exception):
    """The file breaks the format here; the message says how."""


class TooMuchError(Exception):
    """The file has more in it than is read."""


@dataclass(slots=True)
class Space:
    """The address space of a file: addresses count from `base`, and take `offset` bytes.

    `length` is the size of a length in the file.
    """

    stream: BinaryIO
    size: int
    base: int = 0
    offset: int = 8
    length: int = 8
    nodes: int = 0
    heaps: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)

    @property
    def undefined(self) -> int:
        """The address that stands for none."""
        return (1 << (8 * self.offset)) - 1

    def at(self, address: int, count: int) -> bytes:
        """Exactly `count` bytes from that address."""
        start = self.base + address
        if count > MAX_READ:
            raise TooMuchError(f"a structure of {count} bytes")
        if address < 0 or count < 0 or start + count > self.size:
            raise BrokenError(f"a structure at {address} reaches past the end of the file")
        self.stream.seek(start)
        data = read_exactly(self.stream, count)
        if len(data) != count:
            raise BrokenError(f"the file breaks off at {start}")
        return data

    def cursor(self, address: int, count: int, signature: bytes = b"") -> Cursor:
        """A cursor over those bytes, which begin with the signature; counts one structure."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise TooMuchError(f"more than {MAX_NODES} structures")
        cursor = Cursor(self.at(address, count), self)
        if signature and cursor.take(len(signature)) != signature:
            raise BrokenError(f"no {signature.decode()} structure at {address}")
        return cursor


class Cursor:
    """Reads a structure field by field; running out of it is `BrokenError`."""

    def __init__(self, data: bytes, space: Space) -> None:
        self.data = data
        self.space = space
        self.place = 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return len(self.data) - self.place

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count < 0 or count > self.left:
            raise BrokenError("a structure is shorter than its fields")
        data = self.data[self.place : self.place + count]
        self.place += count
        return data

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        self.take(count)

    def number(self, count: int) -> int:
        """The next `count` bytes as a number."""
        return int.from_bytes(self.take(count), "little")

    def address(self) -> int:
        """The next address."""
        return self.number(self.space.offset)

    def size(self) -> int:
        """The next length."""
        return self.number(self.space.length)

    def text(self) -> bytes:
        """The bytes up to the next NUL, which is passed over."""
        end = self.data.find(b"\0", self.place)
        if end < 0:
            raise BrokenError("a name does not end")
        return self.take(end + 1 - self.place)[:-1]


def is_defined(address: int, space: Space) -> bool:
    """Whether the address stands for a place."""
    return address != space.undefined
