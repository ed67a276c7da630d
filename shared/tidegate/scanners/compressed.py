"""Files that are one compressed stream (gzip, bz2, xz, lzma, zlib): joblib writes such pickles."""

from __future__ import annotations

from tidegate.scanners.expanding import expand
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import CODECS


class CompressedScanner(Scanner):
    """Unfolds a compressed file and hands its content on."""

    name = "compressed"
    formats = frozenset({"gzip", "bz2", "xz", "lzma", "zlib"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Hand on what unfolds, also where the stream breaks off: loaders act on it as it comes."""
        codec = CODECS[subject.format]
        content = expand(subject.stream, subject.size, codec, dispatcher.budget, several=True)
        if content.bomb:
            report.found(
                "ZIP-BOMB",
                subject,
                f"{subject.size} bytes unfold to more than {content.size} bytes.",
            )
        if content.bomb or content.over_budget:
            report.unread(subject, f"unfolds to more than the {content.size} bytes looked at")
        elif content.broken:
            report.unread(subject, f"the {subject.format} stream is damaged: {content.broken}")
        elif content.rest:
            report.unread(subject, f"{content.rest} bytes follow the {subject.format} stream")
        if content.size:
            part = subject.inside(content.stream, content.size, f"{subject.format} content")
            dispatcher.dispatch(part, report)
