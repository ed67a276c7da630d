"""The filters of chunks: which there are, and the undoing of those that need no library.

Filter numbers are registered with the HDF Group (github.com/HDFGroup/hdf5_plugins,
`docs/RegisteredFilterPlugins.md`). The library looks for an unknown one among the shared
libraries of its plugin folder and loads them.
"""

from __future__ import annotations

import bz2
import zlib
from dataclasses import dataclass

from tidegate.scanners.hdf5.space import MAX_READ, BrokenError, Cursor, TooMuchError

DEFLATE, SHUFFLE, CHECKSUM, SZIP, NBIT, SCALEOFFSET = 1, 2, 3, 4, 5, 6
LZF, BZIP2 = 32000, 307
BUILT_IN = frozenset({DEFLATE, SHUFFLE, CHECKSUM, SZIP, NBIT, SCALEOFFSET})
REGISTERED = frozenset({257, 258, 305, 307, *range(32000, 32034)})


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of a pipeline: its number and its parameters."""

    number: int
    values: tuple[int, ...]


class UnknownFilterError(Exception):
    """A chunk went through a filter that is not undone here."""


def read_filters(cursor: Cursor) -> list[Filter]:
    """The pipeline that a filter message holds, in the order of writing."""
    version, count = cursor.number(1), cursor.number(1)
    if version not in {1, 2} or count > 32:
        raise BrokenError("a filter pipeline that makes no sense")
    if version == 1:
        cursor.skip(6)
    found = []
    for _ in range(count):
        number = cursor.number(2)
        name = 0 if version == 2 and number < 256 else cursor.number(2)
        cursor.skip(2)
        values = cursor.number(2)
        cursor.skip(name + (-name % 8 if version == 1 else 0))
        found.append(Filter(number, tuple(cursor.number(4) for _ in range(values))))
        if version == 1 and values % 2:
            cursor.skip(4)
    return found


def undone(data: bytes, filters: list[Filter], mask: int, size: int) -> bytes:
    """A chunk of `size` bytes as it was before its filters, the last one first."""
    if size > MAX_READ:
        raise TooMuchError(f"a chunk of {size} bytes")
    for place, each in reversed(list(enumerate(filters))):
        if not mask >> place & 1:
            data = _undo(data, each, size)
    return data


def _undo(data: bytes, each: Filter, size: int) -> bytes:
    if each.number == CHECKSUM:
        return data[:-4]
    if each.number == SHUFFLE:
        width = each.values[0] if each.values else 1
        return _unshuffle(data, width) if width > 1 else data
    try:
        if each.number == DEFLATE:
            # A checksum of four bytes may still follow.
            return zlib.decompressobj().decompress(data, size + 4)
        if each.number == BZIP2:
            return bz2.BZ2Decompressor().decompress(data, size + 4)
    except (zlib.error, OSError, ValueError) as error:
        raise BrokenError(f"a chunk that can't be unfolded ({error})") from None
    if each.number == LZF:
        return _lzf(data, size + 4)
    raise UnknownFilterError(str(each.number))


def _unshuffle(data: bytes, width: int) -> bytes:
    count = len(data) // width
    out = bytearray(count * width)
    for place in range(width):
        out[place::width] = data[place * count : (place + 1) * count]
    return bytes(out) + data[count * width :]


def _lzf(data: bytes, limit: int) -> bytes:
    out = bytearray()
    at, end = 0, len(data)
    try:
        while at < end and len(out) < limit:
            control = data[at]
            at += 1
            if control < 32:
                out += data[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += data[at]
                at += 1
            back = ((control & 31) << 8 | data[at]) + 1
            at += 1
            start = len(out) - back
            if start < 0:
                raise BrokenError("a chunk that can't be unfolded")
            for _ in range(length + 2):
                out.append(out[start])
                start += 1
    except IndexError:
        raise BrokenError("a chunk that can't be unfolded") from None
    return bytes(out)
