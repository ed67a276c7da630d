"""Members that no directory lists: found by their own headers, as repair tools find them.

For an archive whose directory is missing or broken, and for what stands between the members. What
is found here is held anyway; it is read so that a person learns what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tidegate.scanners.streams import read_exactly
from tidegate.scanners.zip.directory import FLAG_DESCRIPTOR, LOCAL, Member

_SIGNATURE = b"PK\3\4"
_ENDS = (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08")
_CHUNK = 1 << 20
_MAX_FOUND = 1000


def find_members(stream: BinaryIO, start: int, end: int) -> Iterator[Member]:
    """The members whose headers follow one another from `start` on."""
    at = start
    for _ in range(_MAX_FOUND):
        stream.seek(at)
        raw = read_exactly(stream, LOCAL.size)
        if len(raw) < LOCAL.size or raw[:4] != _SIGNATURE or at >= end:
            return
        _, _, flags, method, _, _, crc, compressed, size, name_size, extra_size = LOCAL.unpack(raw)
        raw_name = read_exactly(stream, name_size)
        data = at + LOCAL.size + name_size + extra_size
        if flags & FLAG_DESCRIPTOR or data + compressed > end:
            compressed = _next_signature(stream, data, end) - data
        if compressed < 0:
            return
        yield Member(
            name=raw_name.decode("utf-8", errors="replace"),
            raw_name=raw_name,
            creator=0,
            flags=flags,
            method=method,
            crc=crc,
            compressed=compressed,
            size=size or compressed,
            attributes=0,
            header=at,
            data=data,
            end=data + compressed,
        )
        at = _next_signature(stream, data + compressed, end, only=_SIGNATURE)


def _next_signature(stream: BinaryIO, start: int, end: int, only: bytes | None = None) -> int:
    """Where the next header begins, or `end`."""
    signatures = (only,) if only else _ENDS
    at = start
    while at < end:
        stream.seek(at)
        chunk = read_exactly(stream, min(_CHUNK, end - at))
        found = [place for each in signatures if (place := chunk.find(each)) >= 0]
        if found:
            return at + min(found)
        if len(chunk) < 4:
            break
        at += len(chunk) - 3 if at + len(chunk) < end else len(chunk)
    return end
