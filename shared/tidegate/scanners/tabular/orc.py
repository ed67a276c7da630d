"""ORC files: stripes of columns, and at the end what says where they lie.

"ORC Specification v1" (orc.apache.org): the last byte is the length of the postscript before it,
which says how the footer is compressed; the footer lists the stripes. Always holds: every byte of
the file belongs to a stripe or to what stands at the end, or it is named; the columns are numbers
and texts, and are not unfolded.
"""

from __future__ import annotations

import zlib

from tidegate.scanners.codecs.lz4 import expand_block
from tidegate.scanners.codecs.snappy import unsnapped
from tidegate.scanners.codecs.zstd import frame
from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.tabular.metadata import judge_metadata
from tidegate.scanners.tabular.ranges import gaps

MAGIC = b"ORC"
_LONGEST_FOOTER = 64 << 20
_NONE, _ZLIB, _SNAPPY, _LZ4, _ZSTD = 0, 1, 2, 4, 5
_NAMES = {3: "LZO", 6: "Brotli"}
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

Fields = dict[int, list[int | bytes]]


def read_orc(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the subject, or raise BrokenError."""
    cursor = Cursor(subject.stream, subject.size)
    if subject.size < 16 or cursor.take(len(MAGIC)) != MAGIC:
        raise BrokenError("It does not begin with ORC's mark.")
    cursor.seek(subject.size - 1)
    length = cursor.byte()
    start = subject.size - 1 - length
    cursor.seek(max(0, start))
    postscript = _fields(cursor.take(length))
    if postscript.get(8000) != [MAGIC]:
        raise BrokenError("It does not end with ORC's postscript.")
    sizes = [_number(postscript, field) for field in (1, 5, 7)]
    footer_at = start - sizes[0]
    at = footer_at - sizes[1] - sizes[2]
    if at < len(MAGIC) or sizes[0] > _LONGEST_FOOTER:
        raise BrokenError("Its footer is longer than the file.")
    cursor.seek(footer_at)
    compression = _number(postscript, 2)
    footer = _unpacked(cursor.take(sizes[0], _LONGEST_FOOTER), compression)
    if footer is None:
        name = _NAMES.get(compression, f"an unknown way ({compression})")
        report.unread(subject, f"the footer of the ORC file is compressed with {name}")
        return
    fields = _fields(footer)
    pairs = [_fields(each) for each in _messages(fields, 5)]
    texts = [(_text(pair, 1), _text(pair, 2)) for pair in pairs]
    names = [
        (b"column", name)
        for kind in _messages(fields, 4)
        for name in _messages(_fields(kind), 3)
    ]  # fmt: skip
    judge_metadata([*texts, *names], subject, report, dispatcher)
    ranges = [(0, len(MAGIC)), (at, subject.size - at)]
    for stripe in map(_fields, _messages(fields, 3)):
        length = sum(_number(stripe, field) for field in (2, 3, 4))
        ranges.append((_number(stripe, 1), length))
    for first, end in gaps(ranges, subject.size):
        report.found(
            "TABLE-HIDDEN",
            subject,
            f"Bytes {first} to {end} belong to no stripe of the table.",
            offset=first,
        )


def _unpacked(data: bytes, compression: int) -> bytes | None:
    """The footer's bytes; None where it is compressed in a way that is not read here."""
    if compression == _NONE:
        return data
    if compression not in {_ZLIB, _SNAPPY, _LZ4, _ZSTD}:
        return None
    content, at = bytearray(), 0
    while at + 3 <= len(data):
        head = int.from_bytes(data[at : at + 3], "little")
        chunk = data[at + 3 : at + 3 + (head >> 1)]
        at += 3 + (head >> 1)
        if len(chunk) != head >> 1:
            break
        content += chunk if head & 1 else _unfolded(chunk, compression)
        if len(content) > _LONGEST_FOOTER:
            raise BrokenError("Its footer unfolds to more than a footer can be.")
    if at != len(data):
        raise BrokenError("Its footer's parts are of other lengths.")
    return bytes(content)


def _unfolded(chunk: bytes, compression: int) -> bytes:
    try:
        if compression == _ZLIB:
            return zlib.decompressobj(-15).decompress(chunk, _LONGEST_FOOTER)
        if compression == _ZSTD:
            return frame(chunk, _LONGEST_FOOTER)[0]
        if compression == _LZ4:
            return expand_block(chunk, b"", _LONGEST_FOOTER)
        return unsnapped(chunk, _LONGEST_FOOTER)
    except (zlib.error, ValueError) as problem:
        raise BrokenError("Its footer can't be unfolded.") from problem


def _fields(data: bytes) -> Fields:
    """The fields of a protobuf message, by number."""
    found: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: int | bytes
        if key & 7 == _VARINT:
            value, at = _varint(data, at)
        elif key & 7 == _LENGTH:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif key & 7 in {_FIXED32, _FIXED64}:
            width = 4 if key & 7 == _FIXED32 else 8
            value, at = data[at : at + width], at + width
        else:
            raise BrokenError("Its footer is no message.")
        if at > len(data):
            raise BrokenError("A message of its footer breaks off.")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise BrokenError("A number of its footer is too long.")


def _number(fields: Fields, field: int) -> int:
    value = fields.get(field, [0])[-1]
    if not isinstance(value, int):
        raise BrokenError("A number of its footer is none.")
    return value


def _messages(fields: Fields, field: int) -> list[bytes]:
    return [value for value in fields.get(field, ()) if isinstance(value, bytes)]


def _text(fields: Fields, field: int) -> bytes:
    return b"".join(_messages(fields, field)[-1:])
