"""Arrow's IPC files (Feather version 2) and streams: message after message, each with its schema.

"Arrow Columnar Format", serialization and interprocess communication; `Message.fbs`, `File.fbs`.
A file is a stream between marks with a footer that points into it. Buffers are numbers; what the
schema says of them is judged.
"""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.flatbuffer import Buffer
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.tabular.metadata import judge_metadata, judge_schema

_MAGIC = b"ARROW1"
_CONTINUED = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_LONGEST_MESSAGE = 256 << 20
_MOST_MESSAGES = 5_000_000


def read_arrow(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the subject, or raise BrokenError."""
    cursor = Cursor(subject.stream, subject.size)
    head = cursor.peek(8)
    if head.startswith(b"FEA1"):
        from tidegate.scanners.tabular.feather import read_feather

        read_feather(subject, report, dispatcher)
        return
    if not head.startswith(_MAGIC):
        _read_messages(cursor, subject.size, subject, report, dispatcher)
        cursor.expect_end("the stream")
        return
    cursor.seek(subject.size - 10)
    length, magic = cursor.unpack("I6s")
    end = subject.size - 10 - length
    if magic != _MAGIC or end < 8:
        raise BrokenError("It does not end with a footer and Arrow's mark.")
    footer = Buffer(subject.stream, end, length).root()
    schema = footer.table(1)
    if schema is None:
        raise BrokenError("The footer has no schema.")
    judge_schema(schema, subject, report, dispatcher)
    judge_metadata(
        [(pair.text(0) or b"", pair.text(1) or b"") for pair in footer.tables(4)],
        subject,
        report,
        dispatcher,
    )
    cursor.seek(8)
    starts = _read_messages(cursor, end, subject, report, dispatcher)
    if cursor.at != end:
        raise BrokenError(f"{end - cursor.at} bytes lie between the last message and the footer.")
    for field in (2, 3):
        at, count = footer.vector(field, 24)
        for index in range(count):
            if footer.buffer.number_at(at + 24 * index, "q") not in starts:
                raise BrokenError("The footer points to where no message begins.")


def _read_messages(
    cursor: Cursor, end: int, subject: Subject, report: Report, dispatcher: Dispatcher
) -> set[int]:
    """Follow the messages; where each begins."""
    starts: set[int] = set()
    has_schema = False
    while cursor.at < end:
        start = cursor.at
        length = cursor.number("I")
        if length == _CONTINUED:
            length = cursor.number("I")
        if length == 0:
            break
        if length > _LONGEST_MESSAGE or cursor.at + length > end:
            raise BrokenError(f"The message at byte {start} claims {length} bytes.")
        if len(starts) >= _MOST_MESSAGES:
            raise BrokenError(f"It has more than {_MOST_MESSAGES} messages.")
        message_at = cursor.at
        message = Buffer(subject.stream, message_at, length).root()
        kind = message.number(1, "B")
        body = message.number(3, "q")
        if kind not in {_SCHEMA, _DICTIONARY, _BATCH}:
            raise BrokenError(f"The message at byte {start} is of the unknown kind {kind}.")
        if kind == _SCHEMA:
            if has_schema or (schema := message.table(2)) is None:
                raise BrokenError("It has no schema, or more than one.")
            has_schema = True
            judge_schema(schema, subject, report, dispatcher)
        elif not has_schema:
            raise BrokenError("Data come before the schema.")
        starts.add(start)
        if body < 0 or message_at + length + body > end:
            raise BrokenError(f"The body of the message at byte {start} leaves the file.")
        cursor.seek(message_at + length + body)
    if not has_schema:
        raise BrokenError("It has no schema.")
    return starts
