"""What the readers of media share: the parts that carry more than pictures, and what is behind."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.cursor import Cursor
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.streams import window

_SMALLEST = 12
_MOST = 2_000


class Parts:
    """Looks into parts of one file, a bounded number of them."""

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self.subject, self.report, self._dispatcher = subject, report, dispatcher
        self._looked = 0

    def look(self, at: int, size: int, name: str) -> None:
        """Look whether those bytes are a program, an archive or a harmful pickle."""
        from tidegate.scanners.raw import scan_raw

        if size < _SMALLEST or size >= self.subject.size:
            return
        self._looked += 1
        if self._looked > _MOST or not self._dispatcher.budget.take_member():
            self.report.unread(self.subject, f"more than {_MOST} parts with something to look at")
            return
        part = self.subject.inside(window(self.subject.stream, at, size), size, f"{name}@{at}")
        scan_raw(part, self.report, self._dispatcher)

    def behind(self, at: int, what: str) -> None:
        """Report what follows the end, unless it is padding."""
        size = self.subject.size - at
        if size <= 0 or self._is_padding(at):
            return
        self.report.found(
            "MEDIA-TRAILING",
            self.subject,
            f"{size} bytes follow the end of the {what}.",
            offset=at,
            detail="trailing",
        )
        part = self.subject.inside(window(self.subject.stream, at, size), size, f"bytes@{at}")
        self._dispatcher.dispatch(part, self.report)

    def _is_padding(self, at: int) -> bool:
        self.subject.stream.seek(at)
        while data := self.subject.stream.read(1 << 20):
            if data.strip(b"\0") and (self.subject.size - at > 2 or data.strip(b"\r\n")):
                return False
        return True


Reader = Callable[[Cursor, Parts], None]
"""Reads a file of one kind to its end; `BrokenError` where it is none."""
