"""Texts that are a whole file in uuencode, or in base64 as `uuencode -m` writes it."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Callable

from tidegate.artifact.formats.text import UUENCODED
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import shown

_LONGEST_LINE = 4096
_MAX_DECODED = 64 << 20
_ENDS = re.compile(rb"(?:end|====)\s*")


class UuencodedScanner(Scanner):
    """Decodes the text and hands its content on."""

    name = "uuencoded"
    formats = frozenset({"encoded-text"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Decode from the "begin" line to the "end" line."""
        first = subject.stream.readline(_LONGEST_LINE)
        matched = UUENCODED.match(first)
        if matched is None:
            report.unread(subject, "the encoded text has no line that it begins with")
            return
        decode = _base64_line if matched[1] else _uu_line
        name = shown(first.split(None, 2)[-1].strip().decode("utf-8", "replace"))
        content = _decoded(subject, decode, report)
        report.found(
            "ARCHIVE-ENCODED", subject, f"The text is a file of {len(content)} bytes, encoded."
        )
        if content:
            part = subject.inside(io.BytesIO(content), len(content), name)
            dispatcher.dispatch(part, report)


def _decoded(subject: Subject, decode: Callable[[bytes], bytes], report: Report) -> bytes:
    content = bytearray()
    while line := subject.stream.readline(_LONGEST_LINE):
        if _ENDS.fullmatch(line):
            break
        try:
            content += decode(line.rstrip(b"\r\n"))
        except (binascii.Error, ValueError):
            report.unread(subject, f"the encoded text can't be read on from byte {len(content)}")
            break
        if len(content) > _MAX_DECODED:
            report.unread(subject, f"decodes to more than {_MAX_DECODED >> 20} MiB")
            break
    return bytes(content)


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders write more than the line's own count says, as Python's `uu` knows.
        count = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
        return binascii.a2b_uu(line[:count])


def _base64_line(line: bytes) -> bytes:
    return base64.b64decode(line, validate=True)
