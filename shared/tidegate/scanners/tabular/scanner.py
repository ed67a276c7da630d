"""The tables' scanner: the reader of the subject's format, and what it could not follow."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.tabular.arrow import read_arrow
from tidegate.scanners.tabular.avro import read_avro
from tidegate.scanners.tabular.orc import read_orc
from tidegate.scanners.tabular.parquet import read_parquet
from tidegate.scanners.tabular.sqlite import read_sqlite

_READERS: dict[str, Callable[[Subject, Report, Dispatcher], None]] = {
    "parquet": read_parquet,
    "arrow": read_arrow,
    "avro": read_avro,
    "orc": read_orc,
    "sqlite": read_sqlite,
}


class TableScanner(Scanner):
    """Reads Parquet, Arrow, Feather, Avro, ORC and SQLite files."""

    name = "tabular"
    formats = frozenset(_READERS)

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the format that the subject is of."""
        try:
            _READERS[subject.format](subject, report, dispatcher)
        except BrokenError as problem:
            report.found(
                "TABLE-MALFORMED",
                subject,
                f"The {subject.format} file breaks its format: {problem}",
                detail=subject.format,
            )
            report.unread(subject, f"the {subject.format} file could not be followed to its end")
