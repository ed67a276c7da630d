"""Pickles and programs inside the strings of a pickle that are encoded or compressed first.

Code that the pickle carries, or some class's own loading, may decode such a string and load it.
Strings of printable letters are decoded, byte strings that begin like zlib, gzip, bz2 or xz (or
unfold to a pickle without such a beginning) unfolded, those that end as a pickle begins turned
around, and what comes out is looked at. Honest models keep compressed numbers and digests too, so
only what is grave counts.
"""

from __future__ import annotations

import io
import re
import zlib

from tidegate.scanners.encoded import TOO_DEEP, report_encoded, report_file_in
from tidegate.scanners.encodings import END, is_backwards, is_deflated
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.pickle.opcodes import Encoding, Text
from tidegate.scanners.pickle.trace import Constant
from tidegate.scanners.streams import CODECS, Expansion

MAX_EXAMINED = 5_000
MAX_LENGTH = 8 << 20
_TEXT, _DEFLATE = "text", "deflate"
_HEAD = 512
_LETTERS = re.compile(
    rb"\s{0,4}(?:[!-~]{32}|begin [0-7]{3} |[01]{8} [01]{8} |[\[(]?(?:\d{1,3}[,;] ?){8})"
)
_COMPRESSED = (
    (b"x\x01", "zlib"),
    (b"x\x5e", "zlib"),
    (b"x\x9c", "zlib"),
    (b"x\xda", "zlib"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
)


class EncodedStrings:
    """Looks at each constant of `subject`; grave finds go to `report`."""

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._examined = 0

    def examine(self, value: Constant, offset: int) -> None:
        """Look at one string of the pickle."""
        head = self._head(value)
        how = _how(head)
        if how is None and not is_backwards(self._end(value)):
            return
        self._examined += 1
        data = self._whole(value)
        budget = self._dispatcher.budget
        part = self._subject.inside(io.BytesIO(data), len(data), f"string@{offset}")
        if self._examined > MAX_EXAMINED or not data or part.depth > budget.limits.max_depth:
            return
        seen = Report(self._report.limits)
        if how == _TEXT:
            text = data.decode("latin-1")
            report_encoded(text, part, seen, self._dispatcher, where=f"string@{offset}")
        else:
            unfolded = data[::-1] if how is None else _unfolded(data, how)
            if unfolded and budget.take_bytes(len(unfolded)):
                name = "turned around" if how is None else "unfolded"
                inner = part.inside(io.BytesIO(unfolded), len(unfolded), name)
                report_file_in(inner, seen, self._dispatcher)
        self._keep(seen, part)

    def _keep(self, seen: Report, part: Subject) -> None:
        for found in seen.findings:
            if found.severity >= Severity.HIGH:
                self._report.found(
                    found.rule,
                    part,
                    f"{found.message} (It is decoded from a string of the pickle.)",
                    severity=found.severity,
                    detail=found.detail,
                )
        if any(unread.reason == TOO_DEEP for unread in seen.unread_parts):
            self._report.unread(part, TOO_DEEP)

    def _head(self, value: Constant) -> bytes:
        if isinstance(value, bytes):
            return value[:_HEAD]
        if isinstance(value, str):
            return value[:_HEAD].encode("latin-1", "replace")
        return self._read(value, _HEAD)

    def _end(self, value: Constant) -> bytes:
        if isinstance(value, bytes):
            return value[-END:]
        if isinstance(value, str):
            return value[-END:].encode("latin-1", "replace")
        if value.length > MAX_LENGTH or value.encoding is not Encoding.RAW:
            return b""
        self._subject.stream.seek(value.offset + max(0, value.length - END))
        return self._subject.stream.read(END)

    def _whole(self, value: Constant) -> bytes:
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return value.encode("latin-1", "replace")
        return self._read(value, min(value.length, MAX_LENGTH))

    def _read(self, value: Text, count: int) -> bytes:
        self._subject.stream.seek(value.offset)
        raw = self._subject.stream.read(min(value.length, count))
        return raw.lstrip(b"'\"") if value.encoding is Encoding.ESCAPED else raw


def _how(head: bytes) -> str | None:
    """How a string that begins so is decoded: the name of a codec, _TEXT, or None."""
    if (
        codec := next((name for magic, name in _COMPRESSED if head.startswith(magic)), None)
    ) is not None:
        return codec
    if _LETTERS.match(head) is not None:
        return _TEXT
    return _DEFLATE if is_deflated(head) else None


def _unfolded(data: bytes, how: str) -> bytes:
    if how != _DEFLATE:
        return Expansion(io.BytesIO(data), CODECS[how], several=False).read(MAX_LENGTH)
    try:
        return zlib.decompressobj(-15).decompress(data, MAX_LENGTH)
    except zlib.error:
        return b""
