"""Archives, packages and disk images that are told and not opened: held, with what they are."""

from __future__ import annotations

from tidegate.artifact.formats.containers import other_archive
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly

_HEAD = 64 << 10


class UnsupportedScanner(Scanner):
    """Names what no reader of ours opens."""

    name = "unsupported"
    formats = frozenset({"other-archive", "rar", "cabinet"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """One finding, and the whole of it unread."""
        what = other_archive(read_exactly(subject.stream, _HEAD)) or "an archive"
        report.found(
            "ARCHIVE-UNSUPPORTED", subject, f"The file is {what}, which nobody looks into here."
        )
        report.unread(subject, f"this version has no reader for {what}")
