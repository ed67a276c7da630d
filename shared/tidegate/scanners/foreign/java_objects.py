"""Java's serialised objects: the classes named in the stream, of which none is trusted.

Java Object Serialization Specification, section 6. Reading such a stream makes every object in
it, and many a class on a server's path does something while it is made; so a stream is held
whatever is in it, and the classes by which streams are turned into commands make it critical.
"""

from __future__ import annotations

import re

from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.tables import read_table

_CLASS = re.compile(rb"[\x72\x7d](\x00.)", re.DOTALL)
_NAME = re.compile(rb"\[+[BCDFIJSZ]|\[*L?[A-Za-z_$][A-Za-z0-9_$]*(?:[./][A-Za-z0-9_$]+)*;?")
_CHUNK = 1 << 20
_OVERLAP = 512
_MOST_CLASSES = 5_000
_MOST_SHOWN = 20


def read_java(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG001
    """Name the classes of the stream."""
    gadgets = tuple(read_table("java_gadgets.json")["prefixes"])
    classes: dict[str, int] = {}
    before, at = b"", 0
    while chunk := subject.stream.read(_CHUNK):
        data = before + chunk
        for found in _CLASS.finditer(data):
            length = int.from_bytes(found[1], "big")
            raw = data[found.end() : found.end() + length]
            if length >= 1 and len(raw) == length and _NAME.fullmatch(raw):
                classes.setdefault(raw.decode("ascii"), at - len(before) + found.start())
        if len(classes) > _MOST_CLASSES:
            break
        before, at = data[-_OVERLAP:], at + len(chunk)
    told = ", ".join(shown(name, 60) for name in list(classes)[:_MOST_SHOWN])
    report.found(
        "JAVA-SERIALIZED",
        subject,
        f"Reading the file makes Java objects of the classes {told or 'that it names'}.",
    )
    for name, place in classes.items():
        if name.lstrip("[L").startswith(gadgets):
            report.found(
                "JAVA-SERIALIZED",
                subject,
                f"The class {shown(name)} is one by which streams run commands.",
                severity=Severity.CRITICAL,
                offset=place,
                detail=shown(name),
            )
