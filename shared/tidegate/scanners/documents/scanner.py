"""The documents' scanner."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.documents.office import read_compound, read_rtf
from tidegate.scanners.documents.pdf import read_pdf
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject

_READERS: dict[str, Callable[[Subject, Report, Dispatcher], None]] = {
    "pdf": read_pdf,
    "compound": read_compound,
    "rtf": read_rtf,
}


class DocumentScanner(Scanner):
    """Reads PDF, compound files and RTF."""

    name = "documents"
    formats = frozenset(_READERS)

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Search the document for what acts."""
        try:
            _READERS[subject.format](subject, report, dispatcher)
        except BrokenError as problem:
            report.unread(subject, f"the {subject.format} document is broken: {problem}")
