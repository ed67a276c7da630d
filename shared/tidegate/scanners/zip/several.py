"""Archives one after another in one file, as torch's distributed checkpoints hold them.

Each tensor of such a checkpoint (`.distcp`) is an archive of its own, found by the offset that
the checkpoint's metadata name. A reader that opens the file as one archive sees the last one.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from tidegate.scanners.streams import read_exactly

_END = struct.Struct("<4s4H2IH")
_LOCATOR, _END64 = 20, 56
_MAX_COMMENT = 0xFFFF


def archive_bounds(stream: BinaryIO, size: int, limit: int) -> list[int]:
    """Where each of at most `limit` archives begins, in order; [0] for a single one.

    Only archives that lie end to end count, each with an end record that says where it begins.
    """
    starts: list[int] = []
    end = size
    while len(starts) < limit:
        start = _start(stream, end)
        if start is None or start <= 0 or _end_record(stream, start) is None:
            break
        starts.append(start)
        end = start
    return [0, *reversed(starts)]


def _end_record(stream: BinaryIO, end: int) -> tuple[int, tuple[int, ...]] | None:
    """The offset and the fields of an end record that ends exactly at `end`."""
    for tail in (_END.size, _END.size + _MAX_COMMENT):
        size = min(tail, end)
        stream.seek(end - size)
        raw = read_exactly(stream, size)
        at = raw.rfind(b"PK\5\6", 0, max(0, len(raw) - _END.size + 4))
        while at >= 0:
            fields = _END.unpack_from(raw, at)
            if at + _END.size + fields[7] == len(raw):
                return end - size + at, fields[1:]
            at = raw.rfind(b"PK\5\6", 0, at)
    return None


def _start(stream: BinaryIO, end: int) -> int | None:
    found = _end_record(stream, end)
    if found is None:
        return None
    at, fields = found
    length, offset = fields[4], fields[5]
    if 0xFFFFFFFF in (length, offset):
        at -= _LOCATOR + _END64
        if at < 0:
            return None
        stream.seek(at)
        record = read_exactly(stream, _END64)
        if record[:4] != b"PK\6\6":
            return None
        length, offset = struct.unpack_from("<QQ", record, 40)
    else:
        # torch writes the wide record beside a narrow one that has all the numbers.
        stream.seek(max(0, at - _LOCATOR))
        if read_exactly(stream, 4) == b"PK\6\7":
            at -= _LOCATOR + _END64
    start = at - length - offset
    if start <= 0:
        return start
    stream.seek(start)
    return start if read_exactly(stream, 4) == b"PK\3\4" else None
