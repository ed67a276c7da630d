"""Files that are one compressed stream, such as the pickles that joblib writes.

What stands behind the stream is handed on as a part of its own: other readers may start there.
"""

from __future__ import annotations

from tidegate.scanners.expanding import expand
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import CODECS, window


class CompressedScanner(Scanner):
    """Unfolds a compressed file and hands its content on."""

    name = "compressed"
    formats = frozenset({"gzip", "bz2", "xz", "lzma", "zlib", "lz4", "zstd"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Hand on what unfolds, also where the stream breaks off: loaders act on it as it comes."""
        codec = CODECS[subject.format]
        content = expand(subject.stream, subject.size, codec, dispatcher.budget, several=True)
        if content.bomb:
            report.found(
                "ARCHIVE-BOMB",
                subject,
                f"{subject.size} bytes unfold to more than {content.size} bytes.",
            )
        if content.bomb or content.over_budget:
            report.unread(subject, f"unfolds to more than the {content.size} bytes looked at")
        elif content.broken:
            report.found(
                "ARCHIVE-MALFORMED",
                subject,
                f"The {subject.format} stream is damaged: {content.broken}.",
            )
            report.unread(subject, f"the {subject.format} stream is damaged: {content.broken}")
        if content.size:
            part = subject.inside(content.stream, content.size, f"{subject.format} content")
            dispatcher.dispatch(part, report)
        if content.rest and not (content.bomb or content.over_budget):
            start = max(0, subject.size - content.rest)
            report.found(
                "ARCHIVE-HIDDEN-DATA",
                subject,
                f"{content.rest} bytes follow the {subject.format} stream.",
                offset=start,
            )
            rest = subject.inside(
                window(subject.stream, start, content.rest), content.rest, f"bytes@{start}"
            )
            dispatcher.dispatch(rest, report)
