"""Media whose parts have lengths: RIFF (WAV, WebP, AVI), AIFF, Ogg, and boxes (MP4, HEIC, JP2).

RIFF: Microsoft's and IBM's specification of 1991. Ogg: RFC 3533. Boxes: ISO/IEC 14496-12.
"""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.media.parts import Parts

_MOST = 500_000
_BOXES = frozenset(
    {b"ftyp", b"mdat", b"moov", b"moof", b"idat", b"jp2c", b"jP  ", b"sidx", b"mfra"}
)
_RIFF_DATA = frozenset({b"data", b"VP8 ", b"VP8L", b"ALPH", b"ANMF", b"fmt ", b"VP8X", b"ANIM",
                        b"movi", b"idx1"})  # fmt: skip


def read_riff(cursor: Cursor, parts: Parts) -> None:
    """A form whose chunks fill it; its size is the file's."""
    _, size, _ = cursor.unpack("4sI4s")
    # Writers that stream don't know the size yet.
    end = cursor.size if size == 0xFFFFFFFF else 8 + size
    if end > cursor.size:
        raise BrokenError(f"The form claims {size} bytes, and the file ends before.")
    for _ in range(_MOST):
        if cursor.at + 8 > end:
            break
        name, length = cursor.unpack("4sI")
        if not name.isascii():
            raise BrokenError(f"A chunk has no name at byte {cursor.at - 8}.")
        at = cursor.at
        # A chunk of odd length is padded, but the last one is not by every writer.
        step = length + (length & 1) if at + length < end else length
        if end < at + length <= cursor.size:
            # The sound is longer than the form that it lies in, as some writers leave it.
            end = at + length
        if at + length > end:
            raise BrokenError(f"The chunk at byte {at} leaves the form.")
        if name not in _RIFF_DATA:
            parts.look(at, length, "chunk")
        cursor.seek(min(at + step, end))
    if end - cursor.at > 1:
        raise BrokenError("The form does not end with a chunk.")
    parts.behind(end + (end & 1 if end < cursor.size else 0), "media")


def read_aiff(cursor: Cursor, parts: Parts) -> None:
    """The same in the other byte order."""
    read_riff(cursor, parts)


def read_ogg(cursor: Cursor, parts: Parts) -> None:
    """Page after page."""
    while cursor.left and cursor.peek(4) == b"OggS":
        cursor.skip(26)
        cursor.skip(sum(cursor.take(cursor.byte())))
    parts.behind(cursor.at, "media")


def read_boxes(cursor: Cursor, parts: Parts) -> None:
    """Box after box; the last one may reach to the end."""
    for _ in range(_MOST):
        if not cursor.left:
            return
        start = cursor.at
        if cursor.left < 8:
            break
        length, name = cursor.unpack("I4s")
        if length == 1:
            length = cursor.number("Q")
        elif length == 0:
            length = cursor.size - start
        if not name.isascii() or min(name) < 0x20:
            break
        if length < cursor.at - start or start + length > cursor.size:
            raise BrokenError(f"The box at byte {start} leaves the file.")
        if name not in _BOXES:
            parts.look(cursor.at, start + length - cursor.at, "box")
        cursor.seek(start + length)
    else:
        start = cursor.at
    if start == 0:
        raise BrokenError("It has no box.")
    parts.behind(start, "media")
