"""The pickle scanner: reads every stream of a file symbolically and reports what it could do.

A pickle passes by what it is known to do: all that it names stands on an allow-list and is used
as honest models use it. Whatever else it names, calls, hides or breaks is a finding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.pickle.encoded_strings import EncodedStrings
from tidegate.scanners.pickle.findings import report_trace
from tidegate.scanners.pickle.nested import NestedPickles
from tidegate.scanners.pickle.second_opinion import dangerous_globals
from tidegate.scanners.pickle.streams import Outcome, read_streams
from tidegate.scanners.pickle.trace import Constant, Trace, is_torch_file


class PickleScanner(Scanner):
    """Reads pickles of all protocols, joblib's uncompressed files among them."""

    name = "pickle"
    formats = frozenset({"pickle"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the whole of `subject` and report."""
        trace = Trace()
        nested = _Nested(self, subject, report, dispatcher)
        pickles = NestedPickles(subject.stream, nested.found, nested.too_long, trace.torch_files)
        encoded = EncodedStrings(subject, report, dispatcher)

        def examine(value: Constant, offset: int) -> None:
            pickles.examine(value, offset)
            encoded.examine(value, offset)

        trace.examine = examine
        outcome = read_streams(subject.stream, subject.size, trace)
        if outcome.unread is not None and (trace.named or not nested.inside_pickle):
            report.unread(subject, outcome.unread)
        if outcome.unread is None:
            report.storages.setdefault(subject.member, {}).update(trace.storages)
        harmless = report_trace(trace, subject, report)
        if harmless and outcome.unread is None:
            self._ask_second(subject, report, outcome, trace, plain=not nested.count)

    def _ask_second(
        self, subject: Subject, report: Report, outcome: Outcome, trace: Trace, *, plain: bool
    ) -> None:
        seen = {one.path for one in trace.references.values()}
        seen |= {f"{module}.{name}" for module, name in trace.doubtful}
        excused = {one.path for one in trace.references.values() if one.excused_always}
        named = dangerous_globals(subject.stream, subject.size, outcome.steps)
        disputed = [path for path in named if path not in excused]
        for path in disputed:
            # All that we saw is exactly allowed; what we have not seen at all is a hole in our
            # reading.
            report.found(
                "PICKLE-SECOND-OPINION",
                subject,
                f"picklescan calls {path!r} dangerous; it is on our allow-list, and used as honest"
                " models use it."
                if path in seen
                else f"picklescan finds {path!r}, which our own reading does not.",
                severity=Severity.LOW if path in seen else Severity.HIGH,
                detail=path,
            )
        if plain and not (disputed or trace.notes or _is_nested(subject)):
            report.found(
                "PICKLE-PLAIN",
                subject,
                "The pickle reaches nothing beyond the allow-list.",
            )


class _Nested:
    """Scans the pickles found inside the strings of `subject`, as parts of it."""

    def __init__(
        self, scanner: PickleScanner, subject: Subject, report: Report, dispatcher: Dispatcher
    ) -> None:
        self._scanner = scanner
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self.inside_pickle = _is_nested(subject)
        self.count = 0

    def found(self, stream: BinaryIO, size: int, offset: int) -> None:
        """Scan one more."""
        self.count += 1
        part = self._subject.inside(stream, size, f"bytes@{offset}", "pickle")
        stream.seek(0)
        of_torch = is_torch_file(stream.read(32))
        stream.seek(0)
        budget = self._dispatcher.budget
        if part.depth > budget.limits.max_depth:
            self._report.unread(part, f"nested more than {budget.limits.max_depth} levels deep")
        elif not budget.take_member():
            self._report.unread(part, f"more than {budget.limits.max_members} parts in one file")
        elif of_torch:
            self._dispatcher.dispatch(replace(part, format="torch-legacy"), self._report)
        else:
            self._scanner.scan(part, self._report, self._dispatcher)

    def too_long(self, offset: int) -> None:
        """Say that a string that looks like a pickle was not read."""
        part = self._subject.inside(self._subject.stream, 0, f"bytes@{offset}")
        self._report.unread(part, "an escaped string that looks like a pickle is too long to read")


def _is_nested(subject: Subject) -> bool:
    return subject.name.startswith("bytes@")
