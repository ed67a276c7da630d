"""PNG, JPEG, GIF and BMP, each after its specification.

PNG: W3C, third edition, section 5. JPEG: ITU T.81, annex B. GIF: GIF89a, section 12 on. BMP: the
file header and the DIB headers of Windows.
"""

from __future__ import annotations

import re
import zlib

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.media.parts import Parts

_CHUNK = 256 << 10
_PNG_DATA = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"fdAT", b"tRNS", b"hIST"})
_PNG_NAME = re.compile(rb"[A-Za-z]{4}")
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_LOOKED = frozenset({0xFE, *range(0xE0, 0xF0)})
_JPEG_MARK = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)


def read_png(cursor: Cursor, parts: Parts) -> None:
    """Chunk after chunk, each with its checksum, to IEND."""
    cursor.skip(8)
    name, first = b"", True
    while name != b"IEND":
        length, name = cursor.unpack("I4s")
        if not _PNG_NAME.fullmatch(name) or (first and name != b"IHDR"):
            raise BrokenError(f"A chunk has no name at byte {cursor.at - 4}.")
        at, first = cursor.at, False
        checksum, missing = zlib.crc32(name), length
        while missing:
            data = cursor.take(min(missing, _CHUNK))
            checksum = zlib.crc32(data, checksum)
            missing -= len(data)
        if cursor.number("I") != checksum:
            raise BrokenError(f"The checksum of the chunk at byte {at} is wrong.")
        if name not in _PNG_DATA:
            parts.look(at, length, "chunk")
            cursor.seek(at + length + 4)
        if name == b"IEND" and length:
            raise BrokenError("The last chunk has a content.")
    parts.behind(cursor.at, "picture")


def read_jpeg(cursor: Cursor, parts: Parts) -> None:
    """Segment after segment; compressed data are passed over to the next mark.

    Cameras write a second picture behind the first (CIPA DC-007): it is read the same way.
    """
    while cursor.peek(3) == b"\xff\xd8\xff":
        cursor.skip(2)
        _read_jpeg_segments(cursor, parts)
        padding = cursor.at
        while cursor.left and cursor.peek(1) == b"\0" and cursor.at - padding < 4096:
            cursor.skip(1)
    parts.behind(cursor.at, "picture")


def _read_jpeg_segments(cursor: Cursor, parts: Parts) -> None:
    scanned = False
    while True:
        mark = cursor.unpack("BB")
        while mark[1] == 0xFF:
            mark = (0xFF, cursor.byte())
        if mark[0] != 0xFF or mark[1] in {0x00, 0xD8}:
            raise BrokenError(f"No mark stands at byte {cursor.at - 2}.")
        if mark[1] == 0xD9:
            if not scanned:
                raise BrokenError("The picture ends before it has begun.")
            return
        if mark[1] in _JPEG_ALONE:
            continue
        length, at = cursor.number("H"), cursor.at
        if length < 2:
            raise BrokenError(f"A segment at byte {at} is shorter than its length.")
        cursor.skip(length - 2)
        if mark[1] in _JPEG_LOOKED:
            parts.look(at, length - 2, "segment")
            cursor.seek(at + length - 2)
        if mark[1] == 0xDA:
            scanned = True
            _to_next_mark(cursor)


def _to_next_mark(cursor: Cursor) -> None:
    while cursor.left:
        at = cursor.at
        data = cursor.peek(_CHUNK)
        if (found := _JPEG_MARK.search(data)) is not None:
            cursor.seek(at + found.start())
            return
        if len(data) == cursor.left:
            break
        cursor.seek(at + len(data) - (1 if data.endswith(b"\xff") else 0))
        if cursor.at == at:
            break
    raise BrokenError("The picture breaks off.")


def read_gif(cursor: Cursor, parts: Parts) -> None:
    """Block after block to the trailer."""
    cursor.skip(10)
    flags = cursor.byte()
    cursor.skip(2)
    _skip_colours(cursor, flags)
    while (kind := cursor.byte()) != 0x3B:
        if kind == 0x2C:
            cursor.skip(8)
            _skip_colours(cursor, cursor.byte())
            cursor.skip(1)
            _skip_blocks(cursor)
        elif kind == 0x21:
            label, at = cursor.byte(), cursor.at
            _skip_blocks(cursor)
            if label in {0xFE, 0xFF}:
                end = cursor.at
                parts.look(at + 1, end - at - 1, "extension")
                cursor.seek(end)
        else:
            raise BrokenError(f"No block begins at byte {cursor.at - 1}.")
    parts.behind(cursor.at, "picture")


def _skip_colours(cursor: Cursor, flags: int) -> None:
    if flags & 0x80:
        cursor.skip(3 << ((flags & 7) + 1))


def _skip_blocks(cursor: Cursor) -> None:
    while length := cursor.byte():
        cursor.skip(length)


def read_bmp(cursor: Cursor, parts: Parts) -> None:
    """The header says where the pixels lie and how many bytes they take."""
    _, size, _, start = cursor.unpack("2sIII")
    header = cursor.number("I")
    if header == 12:
        width, height, _, bits = cursor.unpack("HHHH")
        compression = stated = 0
    else:
        width, height, _, bits, compression, stated = cursor.unpack("iiHHII")
    row = (abs(width) * bits + 31) // 32 * 4
    pixels = row * abs(height) if compression in {0, 3, 6} else stated
    end = start + pixels
    if not 14 + header <= start <= cursor.size or end > cursor.size:
        raise BrokenError("The pixels leave the file.")
    if start > 14 + header + 12 + 4 * 256 + 8:
        parts.look(14 + header, start - 14 - header, "gap")
    # Some writers round the whole size up.
    parts.behind(min(cursor.size, size) if end <= size <= end + 4 else end, "picture")


def read_ico(cursor: Cursor, parts: Parts) -> None:
    """A directory of pictures that follow one another."""
    _, kind, count = cursor.unpack("HHH")
    if kind not in {1, 2} or not 1 <= count <= 256:
        raise BrokenError("It has no directory of icons.")
    places = sorted(cursor.unpack("4BHHII")[:-3:-1] for _ in range(count))
    reached = cursor.at
    for start, length in places:
        if start != reached:
            raise BrokenError(f"The icon at byte {start} does not follow the one before.")
        parts.look(start, length, "icon")
        reached = start + length
    cursor.seek(reached)
    parts.behind(reached, "picture")


_NETPBM = re.compile(rb"P([456])(?:\s|#[^\n]{0,200}\n)+(\d{1,7})\s+(\d{1,7})(?:\s+(\d{1,5}))?\s")


def read_netpbm(cursor: Cursor, parts: Parts) -> None:
    """Width, height and depth in digits, then the pixels."""
    found = _NETPBM.match(cursor.peek(4096))
    if found is None:
        raise BrokenError("The header has no width and height.")
    kind, width, height, depth = found.groups()
    if (kind == b"4") != (depth is None):
        raise BrokenError("The header has no depth, or one too many.")
    row = int(width) * (3 if kind == b"6" else 1) * (2 if int(depth or 0) > 255 else 1)
    row = (int(width) + 7) // 8 if kind == b"4" else row
    cursor.skip(found.end() + row * int(height))
    parts.behind(cursor.at, "picture")
