"""Zstandard files: what they unfold to, as far as our own reader goes, is handed on."""

from __future__ import annotations

import io

from tidegate.scanners.codecs.zstd import TooLargeError, frame
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, window

_MAX_STORED = 8 << 20
_MAX_CONTENT = 8 << 20


class ZstdScanner(Scanner):
    """Unfolds the frames of a Zstandard file."""

    name = "zstd"
    formats = frozenset({"zstd"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Hand on what the frames unfold to, also where that is only the beginning."""
        data = read_exactly(subject.stream, _MAX_STORED)
        content, at, whole = b"", 0, True
        while at < len(data):
            try:
                more, used = frame(data[at:] if at else data, _MAX_CONTENT - len(content))
            except TooLargeError as problem:
                content += problem.begin
                report.unread(subject, str(problem))
                whole = False
                break
            except ValueError as problem:
                whole = False
                if at == 0:
                    report.unread(subject, f"a zstd stream that is not read: {problem}")
                break
            content += more
            at += used
        dispatcher.budget.take_bytes(len(content))
        if content:
            part = subject.inside(io.BytesIO(content), len(content), "zstd content")
            dispatcher.dispatch(part, report)
        if 0 < at < subject.size and (not whole or len(data) == _MAX_STORED):
            rest = subject.size - at
            stream = window(subject.stream, at, rest)
            dispatcher.dispatch(subject.inside(stream, rest, f"bytes@{at}"), report)
