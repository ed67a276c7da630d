"""Feather's files of version 1: columns of numbers, and a flatbuffer that says where each lies.

`feather.fbs` of Arrow before 0.17. Always holds: every byte between the marks belongs to a column
or to the padding behind one, or it is named.
"""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.flatbuffer import Buffer, Table
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.tabular.metadata import judge_metadata
from tidegate.scanners.tabular.ranges import gaps

MAGIC = b"FEA1"
_MOST_COLUMNS = 100_000
_CATEGORIES = 1
_PADDED = 8


def read_feather(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the subject, or raise BrokenError."""
    cursor = Cursor(subject.stream, subject.size)
    if subject.size < 12:
        raise BrokenError("It is shorter than its marks.")
    cursor.seek(subject.size - 8)
    length, magic = cursor.unpack("I4s")
    at = subject.size - 8 - length
    if magic != MAGIC or at < len(MAGIC):
        raise BrokenError("It does not end with its columns' places and Feather's mark.")
    table = Buffer(subject.stream, at, length).root()
    columns = table.tables(2)
    if len(columns) > _MOST_COLUMNS:
        raise BrokenError(f"It has more than {_MOST_COLUMNS} columns.")
    texts = [(b"description", table.text(0)), (b"metadata", table.text(4))]
    ranges = [(0, 8), (at, subject.size - at)]
    for column in columns:
        texts += [(b"name", column.text(0)), (b"metadata", column.text(4))]
        arrays = [column.table(1)]
        if column.number(2, "B") == _CATEGORIES and (more := column.table(3)) is not None:
            arrays.append(more.table(0))
        ranges += [_range(array, at) for array in arrays if array is not None]
    judge_metadata([(key, text) for key, text in texts if text], subject, report, dispatcher)
    for start, end in gaps(ranges, subject.size):
        cursor.seek(start)
        if end - start >= _PADDED or any(cursor.take(end - start)):
            report.found(
                "TABLE-HIDDEN",
                subject,
                f"Bytes {start} to {end} belong to no column of the table.",
                offset=start,
            )


def _range(array: Table, end: int) -> tuple[int, int]:
    start, length = array.number(2, "q"), array.number(5, "q")
    if start < 0 or length < 0 or start + length > end:
        raise BrokenError("A column lies outside of the file.")
    return start, length
