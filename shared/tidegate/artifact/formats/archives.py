"""Zip archives, told by their end, and what kind of archive their directory shows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from tidegate.artifact.formats.kinds import Format

_DIRECTORY = 256 << 10
_MAX_ENDS = 64


def read_at(stream: BinaryIO, offset: int, count: int) -> bytes:
    """Up to `count` bytes from there; fewer only at the end of the stream."""
    stream.seek(offset)
    parts = []
    while count > 0 and (data := stream.read(count)):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


def by_tail(stream: BinaryIO, size: int, head: bytes, tail: bytes) -> Iterator[Format]:
    """The kind of zip archive that the end of the file shows, if it shows one."""
    # Readers pass over a signature with no room for a record behind it, or with nonsense in it.
    at = len(tail)
    directory = b""
    for _ in range(_MAX_ENDS):
        at = tail.rfind(b"PK\x05\x06", 0, min(at, max(0, len(tail) - 22 + 4)))
        if at < 0:
            return
        length, offset = struct.unpack_from("<II", tail, at + 12)
        end = size - len(tail) + at
        wide = 0xFFFFFFFF in (length, offset)
        if wide:
            length, offset = _zip64_directory(stream, size, tail, at)
        if length <= end:
            # Where bytes stand before the archive, its offsets may count from its own start.
            start = offset if offset + length <= end else end - length
            directory = read_at(stream, start, min(length, _DIRECTORY))
        if length <= end or wide or head.startswith(b"PK"):
            kind = _zip_kind(directory)
            if kind is not Format.ZIP:
                yield kind
            yield Format.ZIP
            return


def ends_as_archive(tail: bytes) -> bool:
    """Whether the last end record of a zip archive, with its comment, is the end of the file."""
    at = tail.rfind(b"PK\x05\x06")
    return 0 <= at <= len(tail) - 22 and at + 22 + int.from_bytes(
        tail[at + 20 : at + 22], "little"
    ) == len(tail)


def _zip64_directory(stream: BinaryIO, size: int, tail: bytes, at: int) -> tuple[int, int]:
    end = size - len(tail) + at
    if end >= 76:
        record = read_at(stream, end - 76, 56)
        if record[:4] == b"PK\x06\x06":
            length, offset = struct.unpack_from("<QQ", record, 40)
            return length, offset
    return size + 1, 0


def _zip_kind(directory: bytes) -> Format:
    names = _names_in(directory)
    if "schema.json" in names:
        return Format.SKOPS
    roots = {name[: -len("/data.pkl")] for name in names if name.endswith("/data.pkl")}
    if any(names & {f"{root}/version", f"{root}/.data/version"} for root in roots):
        return Format.TORCH_ZIP
    if names and all(name.endswith(".npy") for name in names):
        return Format.NPZ
    return Format.ZIP


def _names_in(directory: bytes) -> set[str]:
    names, at = set(), 0
    while directory[at : at + 4] == b"PK\x01\x02" and len(directory) >= at + 46:
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        names.add(directory[at + 46 : at + 46 + name].decode("utf-8", errors="replace"))
        at += 46 + name + extra + comment
    return names
