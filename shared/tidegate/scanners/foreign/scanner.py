"""The scanner of R's and Java's objects."""

from __future__ import annotations

import io

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.foreign.java_objects import read_java
from tidegate.scanners.foreign.r_objects import ByteCodeError, RReader
from tidegate.scanners.foreign.r_stream import BinaryPrimitives, Primitives, TextPrimitives
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.streams import shown

_MEANING = {
    "promise": ("R-PROMISE", "The file holds a promise, whose expression runs when it is read."),
    "unbound": ("R-PROMISE", "The file holds an unbound value, as a promise has that is to run."),
    "dots": ("R-PROMISE", "The file holds arguments that are not evaluated yet."),
    "closure": ("R-CODE", "The file holds a function of its own."),
    "bytecode": ("R-CODE", "The file holds byte code."),
    "pointer": ("R-CODE", "The file holds a pointer into a program's memory."),
    "persistent": ("R-CODE", "The file holds an object that a program is to fetch from elsewhere."),
}
_MOST_RAW = 200


class ForeignScanner(Scanner):
    """Reads R's and Java's serialised objects."""

    name = "foreign"
    formats = frozenset({"r-object", "java-object"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the format that the subject is of."""
        if subject.format == "java-object":
            read_java(subject, report, dispatcher)
            return
        try:
            _read_r(subject, report, dispatcher)
        except ByteCodeError:
            report.unread(subject, "what follows the byte code in the R file")
        except BrokenError as problem:
            report.found(
                "R-MALFORMED", subject, f"The R file breaks its format: {problem}", detail="r"
            )
            report.unread(subject, "the R file could not be followed to its end")


def _read_r(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    cursor = Cursor(subject.stream, subject.size)
    if cursor.peek(3) in {b"RDX", b"RDB", b"RDA"}:
        cursor.skip(5)
    kind = cursor.take(2)
    order = ">" if kind == b"X\n" else "<"
    cursor = Cursor(subject.stream, subject.size, at=cursor.at, order=order)
    text = TextPrimitives(cursor) if kind == b"A\n" else None
    primitives: Primitives = text or BinaryPrimitives(cursor)
    looked = 0

    def say(what: str, name: str) -> None:
        rule, message = _MEANING.get(what, ("R-CALL", ""))
        message = message or f"The file holds a call or a name that reaches out: {shown(name)}."
        report.found(rule, subject, message, detail=f"{what}:{shown(name)}")

    def raw(data: bytes) -> None:
        from tidegate.scanners.raw import scan_raw

        nonlocal looked
        if len(data) < 12 or len(data) >= subject.size:
            return
        looked += 1
        if looked > _MOST_RAW:
            report.unread(subject, f"more than {_MOST_RAW} vectors of raw bytes")
            return
        part = subject.inside(io.BytesIO(data), len(data), f"raw@{cursor.at - len(data)}")
        at = cursor.at
        scan_raw(part, report, dispatcher)
        cursor.seek(at)

    RReader(primitives, say, raw).read()
    left = cursor.left if text is None else text.left
    if left:
        report.found(
            "R-MALFORMED", subject, f"{left} bytes follow the object.", severity=Severity.HIGH
        )
