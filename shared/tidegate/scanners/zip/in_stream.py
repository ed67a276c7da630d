"""Compressed files in whose last bytes a zip archive ends: what nobody could compress is stored.

The stream's own reader hands on what it unfolds to, the archive among it. A zip reader that is
given the compressed file may still find members in it, so these are read as well; that the
archive around them is broken is a matter of course, and no finding.
"""

from __future__ import annotations

from dataclasses import replace

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.zip.scanner import ZipScanner

_OF_STRUCTURE = ("ZIP-", "ARCHIVE-")


class ZipInStreamScanner(Scanner):
    """Reads what a zip reader would find in a compressed file."""

    name = "zip-in-stream"
    formats = frozenset({"zip-in-stream"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Report what is grave in members that can be read."""
        seen = Report(report.limits)
        ZipScanner().scan(replace(subject, format="zip"), seen, dispatcher)
        for finding in seen.findings:
            if finding.severity < Severity.HIGH or finding.rule.startswith(_OF_STRUCTURE):
                continue
            report.found(
                finding.rule,
                replace(subject, member=finding.member),
                finding.message,
                severity=finding.severity,
                offset=finding.offset,
                detail=finding.detail,
            )
