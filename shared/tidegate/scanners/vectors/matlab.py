"""MATLAB's files of version 5 (what scipy writes): element after element.

"MAT-File Format", MathWorks. Numbers, texts, structures and cells are data; functions, and
objects of classes, are held.
"""

from __future__ import annotations

import io
import struct
import zlib

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Report, Subject

_MATRIX, _COMPRESSED = 14, 15
_KINDS = {3: "an object", 16: "a function", 17: "an object of a class"}
_NESTING = frozenset({1, 2})
_KNOWN = frozenset(range(1, 18))
_LONGEST = 64 << 20
_MOST_DEPTH = 30
_HEAD = 128


def read_matlab(cursor: Cursor, subject: Subject, report: Report) -> None:
    """Follow the elements to the end."""
    cursor.seek(124)
    order = {b"\0\1IM": "<", b"\1\0MI": ">"}.get(cursor.take(4))
    if order is None:
        raise BrokenError("The header is none of version 5.")
    _elements(Cursor(subject.stream, subject.size, at=_HEAD, order=order), order, subject, report)


def _elements(cursor: Cursor, order: str, subject: Subject, report: Report) -> None:
    while cursor.left:
        kind, length = cursor.unpack("II")
        at = cursor.at
        if kind == _COMPRESSED:
            cursor.skip(length)
            cursor.seek(at)
            _compressed(cursor.take(length, 1 << 30), order, subject, report)
        elif kind == _MATRIX:
            _matrix(cursor, at + length, order, subject, report, 0)
            cursor.seek(at + length)
        else:
            raise BrokenError(f"The element at byte {at} is of the kind {kind}.")


def _compressed(packed: bytes, order: str, subject: Subject, report: Report) -> None:
    unfolding = zlib.decompressobj()
    try:
        content = unfolding.decompress(packed, _LONGEST)
    except zlib.error:
        raise BrokenError("A compressed element is damaged.") from None
    if unfolding.unused_data:
        raise BrokenError("Bytes follow a compressed element.")
    kind, length = struct.unpack_from(f"{order}II", content.ljust(8, b"\0"))
    if kind != _MATRIX:
        raise BrokenError("A compressed element is no matrix.")
    if length + 8 > len(content) and len(content) >= _LONGEST:
        # The numbers of a large array; its kind stands at the start, and nests nothing.
        length = len(content) - 8
        if _kind_of(content[8:], order) in _NESTING:
            report.unread(subject, f"a structure larger than {_LONGEST >> 20} MiB")
            return
    elif length + 8 != len(content):
        raise BrokenError("A compressed element is of another length.")
    cursor = Cursor(io.BytesIO(content), len(content), at=8, order=order)
    _matrix(cursor, len(content), order, subject, report, 0)


def _kind_of(content: bytes, order: str) -> int:
    return int(struct.unpack_from(f"{order}4I", content.ljust(16, b"\0"))[2]) & 0xFF


def _matrix(
    cursor: Cursor, end: int, order: str, subject: Subject, report: Report, depth: int
) -> None:
    if depth > _MOST_DEPTH:
        raise BrokenError("It nests too deep.")
    if end > cursor.size or end - cursor.at < 16:
        if end == cursor.at:
            return
        raise BrokenError(f"The matrix at byte {cursor.at} leaves the file.")
    kind = _kind_of(cursor.peek(16), order)
    if kind in _KINDS:
        report.found(
            "VECTORS-OBJECT", subject, f"The file holds {_KINDS[kind]}.", detail=_KINDS[kind]
        )
        return
    if kind not in _KNOWN:
        raise BrokenError(f"A matrix is of the unknown kind {kind}.")
    if kind not in _NESTING:
        return
    # Flags, dimensions, name (and field names) are elements as well; matrices follow them.
    while end - cursor.at >= 8:
        tag, length = cursor.unpack("II")
        if tag > 0xFFFF or (order == ">" and tag >> 16):
            continue
        at = cursor.at
        if tag == _MATRIX:
            _matrix(cursor, at + length, order, subject, report, depth + 1)
        cursor.seek(min(end, at + length + (-length % 8)))
