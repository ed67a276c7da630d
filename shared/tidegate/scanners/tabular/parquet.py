"""Parquet: the footer read, every column chunk measured, the metadata judged.

Apache Parquet's `parquet.thrift`. The footer lies before the last eight bytes, and says where
everything else lies; bytes to which it does not point are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.tabular.metadata import judge_metadata
from tidegate.scanners.tabular.ranges import gaps
from tidegate.scanners.tabular.thrift import ThriftReader

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_LONGEST_FOOTER = 64 << 20
_SMALL_GAP = 16
_LOOKED_GAP = 1 << 20
# A data set's folder has a footer of its own, which points to the files beside it.
_PLAIN_PATH = re.compile(rb"(?!\.\.?/)[\w=.%-]+(?:/(?!\.\.?/)[\w=.%-]+)*")

_Struct = dict[int, Any]


def read_parquet(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the subject, or raise BrokenError."""
    cursor = Cursor(subject.stream, subject.size)
    if subject.size < 12 or cursor.take(4) != _MAGIC:
        raise BrokenError("It does not begin with Parquet's mark.")
    cursor.seek(subject.size - 8)
    length, magic = cursor.unpack("I4s")
    if magic == _ENCRYPTED:
        report.unread(subject, "an encrypted Parquet file")
        return
    if magic != _MAGIC:
        raise BrokenError("It does not end with Parquet's mark.")
    start = subject.size - 8 - length
    if start < 4:
        raise BrokenError(f"The footer claims {length} bytes.")
    if length > _LONGEST_FOOTER:
        report.unread(subject, f"the footer is larger than {_LONGEST_FOOTER >> 20} MiB")
        return
    cursor.seek(start)
    reader = ThriftReader(cursor.take(length, _LONGEST_FOOTER))
    footer = reader.struct()
    if reader.at != length:
        raise BrokenError("The footer is longer than what stands in it.")
    if footer.get(8) is not None:
        report.unread(subject, "a Parquet file with encrypted columns")
    judge_metadata(_pairs(footer.get(5)), subject, report, dispatcher)
    covered = [(0, 4), (start, length + 8), *_chunks(footer, subject, report)]
    for begin, end in gaps(covered, subject.size):
        _judge_gap(begin, end, subject, report)


def _pairs(pairs: Any) -> Iterator[tuple[bytes, bytes]]:
    for pair in _structs(pairs):
        yield _bytes(pair.get(1)), _bytes(pair.get(2))


def _chunks(footer: _Struct, subject: Subject, report: Report) -> Iterator[tuple[int, int]]:
    for group in _structs(footer.get(4)):
        for chunk in _structs(group.get(1)):
            if path := _bytes(chunk.get(1)):
                beside = subject.name == "_metadata" and _PLAIN_PATH.fullmatch(path) is not None
                report.found(
                    "TABLE-EXTERNAL",
                    subject,
                    f"A column lies in another file: {shown(path.decode('latin-1'))}.",
                    severity=Severity.LOW if beside else None,
                    detail=shown(path.decode("latin-1"), 200),
                )
                continue
            for place, length in ((4, 5), (6, 7)):
                if chunk.get(place) is not None:
                    yield _number(chunk.get(place)), _number(chunk.get(length))
            meta = chunk.get(3)
            if not isinstance(meta, dict):
                if chunk.get(8) is None:
                    raise BrokenError("A column has no metadata.")
                continue
            begins = [_number(meta[key]) for key in (9, 11) if meta.get(key)]
            size = _number(meta.get(7))
            if begins and size:
                yield min(begins), size
            if meta.get(14) is not None:
                # Older writers leave its length out: a header of some bytes, then its bits.
                yield _number(meta[14]), _number(meta.get(15, 0))


def _judge_gap(begin: int, end: int, subject: Subject, report: Report) -> None:
    size = end - begin
    if size <= _SMALL_GAP:
        return
    subject.stream.seek(begin)
    data = subject.stream.read(min(size, _LOOKED_GAP))
    if size <= _LOOKED_GAP and (not data.strip(b"\0") or _is_thrift(data)):
        return
    report.found(
        "TABLE-HIDDEN",
        subject,
        f"{size} bytes belong to no column and to nothing else that the footer names.",
        offset=begin,
        detail="gap",
    )


def _is_thrift(data: bytes) -> bool:
    """Copies of columns' metadata, which older writers leave behind each column."""
    reader = ThriftReader(data)
    try:
        while reader.at < len(data):
            fields = reader.struct()
            meta = fields[3] if isinstance(fields.get(3), dict) else fields
            if not {1, 2, 3, 4, 5, 6, 7} <= set(meta):
                return False
    except BrokenError:
        return False
    return True


def _structs(value: Any) -> Iterator[_Struct]:
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BrokenError("A list of the footer holds something else than the format says.")
    yield from value


def _bytes(value: Any) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, bytes):
        raise BrokenError("A text of the footer is none.")
    return value


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BrokenError("A number of the footer is none.")
    return value
