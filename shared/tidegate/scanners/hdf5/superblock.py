"""The superblock: where the file's address space begins and where its root group stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tidegate.scanners.hdf5.space import BrokenError, Cursor, Space
from tidegate.scanners.streams import read_exactly

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SIZES = frozenset({2, 4, 8, 16, 32})
_LARGEST = 176


@dataclass(frozen=True, slots=True)
class Superblock:
    """What one superblock says. `place` is its offset in the file, `end` the file's end by it.

    `extension` is the address of the object that holds its further messages, if there is one;
    `has_driver` says that a driver block asks for more files than this one.
    """

    place: int
    version: int
    space: Space
    root: int
    end: int
    extension: int | None = None
    has_driver: bool = False


def places(stream: BinaryIO, size: int) -> Iterator[int]:
    """Where the library looks for a superblock and one stands: at 0, and at 512 and its doubles."""
    at = 0
    while at + 8 <= size:
        stream.seek(at)
        if read_exactly(stream, 8) == SIGNATURE:
            yield at
        at = max(512, at * 2)


def read_superblock(stream: BinaryIO, size: int, place: int) -> Superblock:
    """The superblock that stands there; `BrokenError` where it makes no sense."""
    stream.seek(place)
    data = read_exactly(stream, _LARGEST)
    version = data[8] if len(data) > 8 else -1
    if version in {0, 1}:
        return _old(data, stream, size, place, version)
    if version in {2, 3}:
        return _new(data, stream, size, place, version)
    raise BrokenError(f"a superblock of version {version}")


def _space(stream: BinaryIO, size: int, sizes: bytes) -> Space:
    if len(sizes) != 2:
        raise BrokenError("a superblock that breaks off")
    offset, length = sizes
    if offset not in _SIZES or length not in _SIZES:
        raise BrokenError("addresses or lengths of a size that the format does not have")
    return Space(stream, size, 0, offset, length)


def _old(data: bytes, stream: BinaryIO, size: int, place: int, version: int) -> Superblock:
    space = _space(stream, size, data[13:15])
    cursor = Cursor(data, space)
    cursor.skip(24 if version == 0 else 28)
    space.base = cursor.address()
    cursor.address()
    end = cursor.address()
    driver = cursor.address()
    cursor.address()
    root = cursor.address()
    return Superblock(place, version, space, root, end, None, driver != space.undefined)


def _new(data: bytes, stream: BinaryIO, size: int, place: int, version: int) -> Superblock:
    space = _space(stream, size, data[9:11])
    cursor = Cursor(data, space)
    cursor.skip(12)
    space.base = cursor.address()
    extension, end, root = cursor.address(), cursor.address(), cursor.address()
    known = extension if extension != space.undefined else None
    return Superblock(place, version, space, root, end, known)
