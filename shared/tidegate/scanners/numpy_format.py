"""numpy's npy files: the header read as a literal, the data measured against it.

Format of versions 1 to 3 as in numpy's `numpy.lib.format`. An array of objects is a pickle after
the header, and is read as one; any other array is as long as its header says, to the byte.
Whatever dtype is not plainly one of numpy's own spellings is treated as if it held objects.
"""

from __future__ import annotations

import ast
import re
import struct
from dataclasses import dataclass
from typing import Any

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, shown, window

_MAGIC = b"\x93NUMPY"
_MAX_HEADER = 1 << 20
_KEYS = {"descr", "fortran_order", "shape"}
_PLAIN = re.compile(r"[<>|=]?([?biufcmMSUV])([0-9]{0,9})(?:\[[0-9]{0,9}[a-zA-Zμ]{1,12}\])?")
_OBJECT = re.compile(r"[<>|=]?O8?")
_PYTHON2_LONG = re.compile(r"(?<=[0-9])L(?=[,)\s])")
_MAX_NESTING = 32


class _MalformedError(Exception):
    """The header is not what numpy writes; the message says how."""


@dataclass(frozen=True, slots=True)
class _Header:
    end: int
    item_size: int
    count: int
    has_objects: bool


class NumpyScanner(Scanner):
    """Reads npy files, also several one after another in one file."""

    name = "numpy"
    formats = frozenset({"numpy"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Check each array; hand an array of objects to the pickle reader."""
        at = 0
        while at < subject.size:
            try:
                header = _read_header(subject, at)
            except _MalformedError as problem:
                report.found("NUMPY-MALFORMED", subject, str(problem), offset=at)
                _hand_on_rest(subject, at, report, dispatcher)
                return
            if header.has_objects:
                _read_objects(subject, header.end, report, dispatcher)
                return
            end = header.end + header.item_size * header.count
            if end > subject.size:
                report.found(
                    "NUMPY-MALFORMED",
                    subject,
                    f"The array needs {end - header.end} bytes, and the file ends before.",
                    offset=header.end,
                )
                return
            at = end


def _read_header(subject: Subject, at: int) -> _Header:
    stream = subject.stream
    stream.seek(at)
    start = read_exactly(stream, 8)
    if start[:6] != _MAGIC or len(start) < 8:
        raise _MalformedError(
            "Bytes that are no array follow the array." if at else "No npy header."
        )
    version = (start[6], start[7])
    if version not in {(1, 0), (2, 0), (3, 0)}:
        raise _MalformedError(f"The format version {version[0]}.{version[1]} is not known.")
    layout = "<H" if version == (1, 0) else "<I"
    raw_length = read_exactly(stream, struct.calcsize(layout))
    if len(raw_length) < struct.calcsize(layout):
        raise _MalformedError("The file ends inside the header.")
    (length,) = struct.unpack(layout, raw_length)
    if length > _MAX_HEADER:
        raise _MalformedError(f"The header claims {length} bytes.")
    raw = read_exactly(stream, length)
    if len(raw) < length:
        raise _MalformedError("The file ends inside the header.")
    fields = _parse(raw.decode("utf-8" if version == (3, 0) else "latin-1", errors="replace"))
    if type(fields["fortran_order"]) is not bool:
        raise _MalformedError("fortran_order is neither True nor False.")
    count = _count(fields["shape"])
    item_size, has_objects = _measure(fields["descr"], _MAX_NESTING)
    return _Header(at + 8 + len(raw_length) + length, item_size, count, has_objects)


def _parse(text: str) -> dict[str, Any]:
    try:
        fields = ast.literal_eval(_PYTHON2_LONG.sub("", text).strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise _MalformedError("The header is no literal that Python can read.") from None
    if not isinstance(fields, dict) or set(fields) != _KEYS:
        raise _MalformedError("The header does not have numpy's three fields.")
    return fields


def _count(shape: Any) -> int:
    if not isinstance(shape, tuple) or not all(
        type(length) is int and 0 <= length < 1 << 63 for length in shape
    ):
        raise _MalformedError("The shape is not made of counts.")
    total = 1
    for length in shape:
        total *= length
    return total


def _measure(descr: Any, depth: int) -> tuple[int, bool]:
    """Bytes of one item, and whether it holds Python objects."""
    if depth == 0:
        raise _MalformedError("The dtype nests too deep.")
    if isinstance(descr, str):
        return _measure_plain(descr)
    if isinstance(descr, tuple) and len(descr) == 2 and isinstance(descr[1], tuple):
        size, has_objects = _measure(descr[0], depth - 1)
        return size * _count(descr[1]), has_objects
    if not isinstance(descr, list):
        raise _MalformedError("The dtype is written in a way that numpy does not write.")
    total, any_objects = 0, False
    for column in descr:
        if not isinstance(column, tuple) or len(column) not in {2, 3}:
            raise _MalformedError("A column's dtype is written in a way that numpy does not write.")
        size, has_objects = _measure(column[1], depth - 1)
        if len(column) == 3:
            size *= _count(column[2] if isinstance(column[2], tuple) else (column[2],))
        total += size
        any_objects = any_objects or has_objects
    return total, any_objects


def _measure_plain(text: str) -> tuple[int, bool]:
    if _OBJECT.fullmatch(text):
        return 8, True
    matched = _PLAIN.fullmatch(text)
    if matched is None:
        raise _MalformedError(f"The dtype {shown(text)} is not one that numpy writes.")
    kind, digits = matched.groups()
    if kind == "?":
        return 1, False
    if not digits:
        if kind not in "SUV":
            raise _MalformedError(f"The dtype {shown(text)} has no size.")
        return 0, False
    return int(digits) * (4 if kind == "U" else 1), False


def _read_objects(subject: Subject, at: int, report: Report, dispatcher: Dispatcher) -> None:
    report.found(
        "NUMPY-OBJECT-ARRAY",
        subject,
        "The array holds Python objects: its content is a pickle.",
    )
    size = subject.size - at
    if size <= 0:
        report.found("NUMPY-MALFORMED", subject, "The array's pickle is missing.", offset=at)
        return
    part = subject.inside(window(subject.stream, at, size), size, "objects", format="pickle")
    dispatcher.dispatch(part, report)


def _hand_on_rest(subject: Subject, at: int, report: Report, dispatcher: Dispatcher) -> None:
    """What follows a broken header may be what the header was broken for."""
    from tidegate.scanners.raw import scan_raw

    starts = [at] if at else []
    subject.stream.seek(at)
    head = read_exactly(subject.stream, 12)
    if head[:6] == _MAGIC:
        width = 2 if head[6:7] == b"\1" else 4
        starts.append(at + 8 + width + int.from_bytes(head[8 : 8 + width], "little"))
    for start in starts:
        size = subject.size - start
        if size > 0:
            part = subject.inside(window(subject.stream, start, size), size, f"bytes@{start}")
            scan_raw(part, report, dispatcher)
