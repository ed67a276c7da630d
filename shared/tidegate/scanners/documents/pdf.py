"""PDF: names of actions, scripts and embedded files, also inside compressed object streams.

ISO 32000-1, sections 7.3.5 (names and their escapes), 7.5.7 (object streams) and 12.6 (actions).
All bytes are searched, so that no damaged table of objects can hide one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import window

_CHUNK = 1 << 20
_OVERLAP = 4096
_MOST_OBJECTS = 20_000
_LONGEST_STREAM = 16 << 20
_HEX = re.compile(rb"#([0-9A-Fa-f]{2})")
_END = rb"(?=[\s()<>\[\]{}/%]|$)"
_NAMES: tuple[tuple[bytes, Severity | None, str], ...] = (
    (b"JavaScript", None, "has a script"),
    (b"JS", None, "has a script"),
    (b"Launch", Severity.CRITICAL, "starts a program"),
    (b"AA", None, "acts on what a reader does"),
    (b"EmbeddedFiles?", None, "carries other files"),
    (b"Filespec", Severity.LOW, "names a file"),
    (b"RichMedia", None, "carries media with scripts"),
    (b"XFA", None, "has a form with scripts"),
    (b"SubmitForm", None, "sends what is entered"),
    (b"ImportData", None, "takes in data from elsewhere"),
    (b"GoTo[RE]", None, "opens another document"),
    (b"OpenAction", Severity.LOW, "acts when it is opened"),
)
_PATTERNS = tuple((re.compile(rb"/" + name + _END), grave, what) for name, grave, what in _NAMES)
_OBJECT_STREAM = re.compile(rb"/ObjStm" + _END)
_ENCRYPTED = re.compile(rb"/Encrypt" + _END)
_STREAM = re.compile(rb"stream\r?\n")
_BEHIND = 1024


def read_pdf(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Search the document, then every object stream."""
    places: list[int] = []
    last_end = -1
    for at, data in _pieces(subject):
        plain = _HEX.sub(_unescaped, data) if b"#" in data else data
        _judge(plain, subject, report)
        if _ENCRYPTED.search(plain):
            report.unread(subject, "an encrypted PDF")
        places.extend(at + found.start() for found in _OBJECT_STREAM.finditer(data))
        if b"#" in data and _OBJECT_STREAM.search(plain) and not _OBJECT_STREAM.search(data):
            report.unread(subject, "an object stream under an escaped name")
        last_end = max(last_end, at + end if (end := data.rfind(b"%%EOF")) >= 0 else -1)
    if last_end < 0:
        raise BrokenError("It has no end mark.")
    behind = subject.size - last_end - 5
    if behind > _BEHIND:
        report.found(
            "DOCUMENT-TRAILING",
            subject,
            f"{behind} bytes follow the document's end.",
            offset=last_end + 5,
            detail="trailing",
        )
    _look_behind(last_end + 5, subject, report, dispatcher)
    places = sorted(set(places))
    if len(places) > _MOST_OBJECTS:
        report.unread(subject, f"more than {_MOST_OBJECTS} object streams")
    for place in places[:_MOST_OBJECTS]:
        _judge_object_stream(place, subject, report)


def _look_behind(at: int, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    from tidegate.scanners.raw import scan_raw

    subject.stream.seek(at)
    start = subject.stream.read(_BEHIND)
    at += len(start) - len(start.lstrip(b"\r\n\t \0"))
    if (size := subject.size - at) > 0:
        part = subject.inside(window(subject.stream, at, size), size, f"bytes@{at}")
        scan_raw(part, report, dispatcher)


def _pieces(subject: Subject) -> Iterator[tuple[int, bytes]]:
    subject.stream.seek(0)
    before, at = b"", 0
    while chunk := subject.stream.read(_CHUNK):
        data = before + chunk
        yield at - len(before), data
        before, at = data[-_OVERLAP:], at + len(chunk)


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])


def _judge(data: bytes, subject: Subject, report: Report) -> None:
    for pattern, severity, what in _PATTERNS:
        if pattern.search(data):
            report.found(
                "DOCUMENT-ACTIVE", subject, f"The document {what}.", severity=severity, detail=what
            )


def _judge_object_stream(place: int, subject: Subject, report: Report) -> None:
    """Unfold one; only the usual compression is read."""
    start = max(0, place - _OVERLAP)
    subject.stream.seek(start)
    data = subject.stream.read(2 * _OVERLAP)
    begin = _STREAM.search(data, place - start)
    head_from = data.rfind(b"obj", 0, place - start)
    if begin is None or head_from < 0:
        report.unread(subject, "an object stream whose data do not follow it")
        return
    head = data[head_from : begin.start()]
    if b"/Filter" in head and re.search(rb"/Filter\s*\[?\s*/FlateDecode\s*[\]/>\s]", head) is None:
        report.unread(subject, "an object stream with an unusual filter")
        return
    subject.stream.seek(start + begin.end())
    if b"/Filter" not in head:
        # It stands there as it is, and has been searched with the rest.
        return
    packed = subject.stream.read(_LONGEST_STREAM)
    unfolded = zlib.decompressobj()
    try:
        content = unfolded.decompress(packed, _LONGEST_STREAM)
    except zlib.error:
        report.unread(subject, "an object stream that is damaged")
        return
    if unfolded.unconsumed_tail:
        report.unread(subject, f"an object stream larger than {_LONGEST_STREAM >> 20} MiB")
    _judge(_HEX.sub(_unescaped, content), subject, report)
