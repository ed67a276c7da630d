"""Pictures and sound made byte by byte, each of the smallest kind that its format allows."""

from __future__ import annotations

import struct
import zlib


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*more: tuple[bytes, bytes]) -> bytes:
    """A grey pixel, with more chunks before the last one."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0\0")), *more, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, data) for name, data in chunks)


def jpeg(comment: bytes = b"") -> bytes:
    """The marks of a picture, with a little compressed data."""
    return (
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
        + (b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment if comment else b"")
        + b"\xff\xda\0\x08\1\1\0\0\x3f\0\x12\xff\0\x34\xff\xd9"
    )


def gif(comment: bytes = b"") -> bytes:
    """A picture of one pixel."""
    told = b"\x21\xfe" + bytes([len(comment)]) + comment + b"\0" if comment else b""
    return (
        b"GIF89a\1\0\1\0\x80\0\0" + bytes(6) + told
        + b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0\x3b"
    )  # fmt: skip


def bmp() -> bytes:
    """A picture of one pixel."""
    header = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    return struct.pack("<2sIII", b"BM", 58, 0, 54) + header + bytes(4)


def tiff(gap: bytes = b"") -> bytes:
    """A picture of one pixel; with a gap that nothing points to."""
    entries = [(256, 1), (257, 1), (258, 8), (273, 8), (279, 1)]
    start = 16 + len(gap)
    out = b"II*\0" + struct.pack("<I", start) + bytes(8) + gap + struct.pack("<H", len(entries))
    for tag, value in entries:
        out += struct.pack("<HHII", tag, 4, 1, value)
    return out + bytes(4)


def wav(data: bytes = bytes(8)) -> bytes:
    """A little sound."""
    chunks = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def mp4(*more: tuple[bytes, bytes]) -> bytes:
    """Boxes as a film has them."""
    boxes = [(b"ftyp", b"isom" + bytes(4)), *more, (b"mdat", bytes(16))]
    return b"".join(struct.pack(">I", len(data) + 8) + name + data for name, data in boxes)


def ogg() -> bytes:
    """One page."""
    return b"OggS\0\2" + bytes(20) + b"\1\4abcd"
