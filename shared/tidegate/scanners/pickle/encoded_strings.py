"""Pickles and programs inside the strings of a pickle that are encoded or compressed first.

Code that the pickle carries, or some class's own loading, may decode such a string and load it.
Strings of letters in base64 or hexadecimal are decoded, byte strings that begin like zlib, gzip,
bz2 or xz unfolded, and what comes out is looked at. Honest models keep compressed numbers and
digests too, so only what is grave counts.
"""

from __future__ import annotations

import io
import re

from tidegate.scanners.encoded import report_encoded, report_file_in
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.pickle.opcodes import Encoding, Text
from tidegate.scanners.pickle.trace import Constant
from tidegate.scanners.streams import CODECS, Expansion

MAX_EXAMINED = 5_000
MAX_LENGTH = 8 << 20
_LETTERS = re.compile(rb"(?:0x)?[A-Za-z0-9+/_-]{32}")
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
        codec = next((name for magic, name in _COMPRESSED if head.startswith(magic)), None)
        if codec is None and _LETTERS.match(head) is None:
            return
        self._examined += 1
        data = self._whole(value)
        budget = self._dispatcher.budget
        part = self._subject.inside(io.BytesIO(data), len(data), f"string@{offset}")
        if self._examined > MAX_EXAMINED or not data or part.depth > budget.limits.max_depth:
            return
        seen = Report(self._report.limits)
        if codec is None:
            text = data.decode("latin-1")
            report_encoded(text, part, seen, self._dispatcher, where=f"string@{offset}")
        else:
            unfolded = Expansion(io.BytesIO(data), CODECS[codec], several=False).read(MAX_LENGTH)
            if unfolded and budget.take_bytes(len(unfolded)):
                inner = part.inside(io.BytesIO(unfolded), len(unfolded), "unfolded")
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

    def _head(self, value: Constant) -> bytes:
        if isinstance(value, bytes):
            return value[:40]
        if isinstance(value, str):
            return value[:40].encode("latin-1", "replace")
        return self._read(value, 40)

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
