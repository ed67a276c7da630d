"""Tar archives written block by block, so that each header can lie on its own."""

from __future__ import annotations

BLOCK = 512


def header(
    name: bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    prefix: bytes = b"",
    magic: bytes = b"ustar\x0000",
    size_field: bytes | None = None,
    checksum: bytes | None = None,
) -> bytes:
    """One header block; its checksum holds unless another one is given."""
    block = bytearray(BLOCK)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = size_field or b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257 : 257 + len(magic)] = magic
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = checksum or b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    """The data filled up to whole blocks."""
    return data + bytes(-len(data) % BLOCK)


def member(name: bytes, data: bytes = b"", kind: bytes = b"0", **lies) -> bytes:
    """A header and its data."""
    return header(name, lies.pop("size", len(data)), kind, **lies) + padded(data)


def pax(records: dict[str, str] | bytes, kind: bytes = b"x") -> bytes:
    """An extended header."""
    raw = records if isinstance(records, bytes) else b"".join(map(_record, records.items()))
    return member(b"PaxHeaders/x", raw, kind)


def _record(pair: tuple[str, str]) -> bytes:
    body = f" {pair[0]}={pair[1]}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


def tar(*parts: bytes, end: bytes = bytes(2 * BLOCK)) -> bytes:
    """An archive of those parts."""
    return b"".join(parts) + end
