"""The keys and texts beside a table, and the extension types of Arrow among them.

pyarrow before 14.0.1 unpickles the metadata of the type `arrow.py_extension_type` when a file is
opened (CVE-2023-47248), and later versions do where somebody turns it on; Ray's column of objects
is unpickled when it is read. Other extension types are names that a program must have registered.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterable

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.flatbuffer import Buffer, Table
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import shown

_EXTENSION_NAME, _EXTENSION_DATA = b"ARROW:extension:name", b"ARROW:extension:metadata"
_UNPICKLED = {
    b"arrow.py_extension_type": Severity.CRITICAL,
    b"ray.data.arrow_pickled_object": Severity.HIGH,
    b"ray.data.arrow_python_object": Severity.HIGH,
}
_BASE64_PICKLE = re.compile(rb"gA[I-VWXYZ]|KGRw|Y29z|Y19f|Y2J1")
_MOST_LOOKED = 1000
_MOST_FIELDS = 200_000
_SCHEMA_HEADER = 1


def judge_metadata(
    pairs: Iterable[tuple[bytes, bytes]],
    subject: Subject,
    report: Report,
    dispatcher: Dispatcher,
) -> None:
    """Judge a table's own keys and values."""
    for index, (key, value) in enumerate(pairs):
        if index >= _MOST_LOOKED:
            report.unread(subject, f"more than {_MOST_LOOKED} entries of metadata")
            return
        if key == b"ARROW:schema":
            _judge_encoded_schema(value, subject, report, dispatcher)
            continue
        _look_into(key, value, subject, report, dispatcher)


def _judge_encoded_schema(
    value: bytes, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    try:
        message = base64.b64decode(value)
    except (binascii.Error, ValueError):
        raise BrokenError("The Arrow schema in the metadata is no base64.") from None
    start = 8 if message[:4] == b"\xff\xff\xff\xff" else 4
    if len(message) <= start:
        raise BrokenError("The Arrow schema in the metadata is empty.")
    buffer = Buffer(io.BytesIO(message), start, len(message) - start)
    schema = buffer.root().table(2)
    if schema is None:
        raise BrokenError("The Arrow schema in the metadata has no schema.")
    judge_schema(schema, subject, report, dispatcher)


def judge_schema(schema: Table, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Judge an Arrow schema: its own metadata and every field's."""
    judge_metadata(_pairs(schema, 2), subject, report, dispatcher)
    pending = schema.tables(1)
    count = 0
    while pending:
        field = pending.pop()
        count += 1
        if count > _MOST_FIELDS:
            raise BrokenError(f"The schema has more than {_MOST_FIELDS} fields.")
        pending.extend(field.tables(5))
        _judge_field(field, subject, report, dispatcher)


def _pairs(table: Table, field: int) -> list[tuple[bytes, bytes]]:
    return [(pair.text(0) or b"", pair.text(1) or b"") for pair in table.tables(field)]


def _judge_field(field: Table, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    pairs = _pairs(field, 6)
    names = {value for key, value in pairs if key == _EXTENSION_NAME}
    for name in names:
        if (severity := _UNPICKLED.get(name)) is not None:
            column = shown((field.text(0) or b"").decode("utf-8", errors="replace"))
            report.found(
                "ARROW-PICKLE",
                subject,
                f"Reading the column {column} unpickles what the file brings.",
                severity=severity,
                detail=column,
            )
    for key, value in pairs:
        if key == _EXTENSION_DATA and names & set(_UNPICKLED):
            part = subject.inside(io.BytesIO(value), len(value), "extension", format="pickle")
            if value:
                dispatcher.dispatch(part, report)
        else:
            _look_into(key, value, subject, report, dispatcher)


def _look_into(
    key: bytes, value: bytes, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """A value that is a pickle, as it stands or in base64, was put there for somebody."""
    from tidegate.scanners.raw import scan_raw

    name = f"metadata {shown(key.decode('latin-1'), 40)}"
    if value:
        part = subject.inside(io.BytesIO(value), len(value), name)
        scan_raw(part, report, dispatcher)
    if _BASE64_PICKLE.match(value):
        try:
            decoded = base64.b64decode(value, validate=False)
        except (binascii.Error, ValueError):
            return
        part = subject.inside(io.BytesIO(decoded), len(decoded), f"{name} (base64)")
        scan_raw(part, report, dispatcher)
