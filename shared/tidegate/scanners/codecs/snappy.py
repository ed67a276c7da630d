"""Snappy's blocks, as columns and footers are compressed with them.

"Snappy compressed format description" of google/snappy. Always holds: what comes out is as long as
the block says, and never longer than the caller allows; whatever breaks the format is a ValueError.
"""

from __future__ import annotations


def unsnapped(data: bytes, limit: int) -> bytes:
    """What the block unfolds to. Raises ValueError."""
    size, at = _length(data)
    if size > limit:
        raise ValueError("it unfolds to more than is allowed")
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            count = tag >> 2
            if count >= 60:
                width = count - 59
                count = int.from_bytes(data[at : at + width], "little")
                at += width
            literal = data[at : at + count + 1]
            if len(literal) != count + 1:
                raise ValueError("a literal breaks off")
            out += literal
            at += count + 1
        else:
            if tag & 3 == 1:
                count, width, high = (tag >> 2 & 7) + 4, 1, (tag >> 5) << 8
            else:
                count, width, high = (tag >> 2) + 1, 2 if tag & 3 == 2 else 4, 0
            back = high | int.from_bytes(data[at : at + width], "little")
            at += width
            if not 0 < back <= len(out):
                raise ValueError("a copy reaches before the beginning")
            piece = bytes(out[-back:][:count])
            out += (piece * (count // len(piece) + 1))[:count]
        if len(out) > size:
            raise ValueError("it is longer than it says")
    if len(out) != size:
        raise ValueError("it is shorter than it says")
    return bytes(out)


def _length(data: bytes) -> tuple[int, int]:
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 127) << 7 * at
        if byte < 128:
            return size, at + 1
    raise ValueError("it has no length")
