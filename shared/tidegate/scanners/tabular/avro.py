"""Avro's object container files: a header, then blocks between sync markers.

Apache Avro specification, "Object Container Files". Java's readers make the classes that a schema
names (CVE-2023-39410, CVE-2024-47561), so such names are found.
"""

from __future__ import annotations

import re

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.tabular.metadata import judge_metadata

_CLASS = re.compile(rb'"(java-(?:key-|element-)?class)"\s*:\s*"([^"]{0,200})"')
_HARMLESS = re.compile(
    rb"java\.lang\.(?:String|Integer|Long|Short|Byte|Character|Boolean|Float|Double)"
    rb"|java\.math\.Big(?:Integer|Decimal)|java\.util\.(?:ArrayList|List|HashMap|Map|Set|HashSet)"
)
_MOST_ENTRIES = 10_000
_MOST_BLOCKS = 10_000_000


def read_avro(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the subject, or raise BrokenError."""
    cursor = Cursor(subject.stream, subject.size)
    if cursor.take(4) != b"Obj\x01":
        raise BrokenError("It does not begin with Avro's mark.")
    entries = _metadata(cursor)
    if b"avro.schema" not in dict(entries):
        raise BrokenError("The header has no schema.")
    for key, value in entries:
        for name, told in _CLASS.findall(value) if key == b"avro.schema" else ():
            if not _HARMLESS.fullmatch(told):
                what = shown(told.decode("latin-1"))
                report.found(
                    "TABLE-CLASS", subject, f"The schema's {name.decode()} is {what}.", detail=what
                )
    judge_metadata(
        [pair for pair in entries if pair[0] != b"avro.schema"], subject, report, dispatcher
    )
    sync = cursor.take(16)
    for _ in range(_MOST_BLOCKS):
        if not cursor.left:
            return
        count, size = _long(cursor), _long(cursor)
        if count < 0 or size < 0:
            raise BrokenError("A block has a negative size.")
        cursor.skip(size)
        if cursor.take(16) != sync:
            raise BrokenError(f"No sync marker follows the block at byte {cursor.at - 16 - size}.")
    raise BrokenError(f"It has more than {_MOST_BLOCKS} blocks.")


def _metadata(cursor: Cursor) -> list[tuple[bytes, bytes]]:
    entries: list[tuple[bytes, bytes]] = []
    while count := _long(cursor):
        if count < 0:
            _long(cursor)
            count = -count
        if len(entries) + count > _MOST_ENTRIES:
            raise BrokenError(f"The header claims {count} entries.")
        entries.extend(
            (cursor.take(_long(cursor)), cursor.take(_long(cursor))) for _ in range(count)
        )
    return entries


def _long(cursor: Cursor) -> int:
    value = shift = 0
    while (byte := cursor.byte()) & 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63:
            raise BrokenError("A number is too long.")
    value |= byte << shift
    return (value >> 1) ^ -(value & 1)
