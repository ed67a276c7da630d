"""From a file to its scanners: every format that its bytes could be read as, each by its reader.

Always holds: a part that no reader read in full is `unread`; the same bytes are dispatched at
most `Limits.max_depth` levels deep; one budget serves everything that unfolds in one file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from tidegate.artifact.formats import Format, detect_formats
from tidegate.scanners.interface import Budget, Dispatcher, Limits, Report, Subject
from tidegate.scanners.registry import INERT, scanner_for

_FREE_FORM = frozenset(
    {
        Format.TEXT,
        Format.JSON,
        Format.YAML,
        Format.REQUIREMENTS,
        Format.LIGHTGBM,
        Format.MARKUP,
        Format.IMAGE,
        Format.UNKNOWN,
    }
)
"""Formats in which anything may stand: no reader of ours accounts for every byte."""

_TEXTS = frozenset(
    {
        Format.TEXT,
        Format.JSON,
        Format.YAML,
        Format.REQUIREMENTS,
        Format.MARKUP,
        Format.MLMODEL,
        Format.PYTHON,
        Format.NOTEBOOK,
        Format.SCRIPT,
        Format.TEMPLATE,
    }
)
"""Formats that people write by hand, where a key or a password may have been left behind."""


_EMPTY_BY_RIGHT = frozenset({"__init__.py", "py.typed", ".gitkeep", ".keep", ".nojekyll"})


class FileDispatcher(Dispatcher):
    """Dispatches one file and all that unfolds inside it; make a new one for every file."""

    def __init__(self, limits: Limits) -> None:
        self.budget = Budget(limits)

    def dispatch(self, subject: Subject, report: Report) -> None:
        """Run the scanners of every format of the part.

        A format that stands in `subject` already is what the container will take the part for,
        whatever it looks like: it is read as that as well.
        """
        self.dispatch_told(subject, report)

    def dispatch_told(self, subject: Subject, report: Report) -> tuple[Format, ...]:
        """The same, and the formats that were told by the content."""
        limits = self.budget.limits
        if subject.depth > limits.max_depth:
            report.unread(subject, f"nested deeper than {limits.max_depth} levels")
            return ()
        told = formats_of(subject.stream, subject.size, subject.name)
        if subject.member is not None:
            report.members[subject.member] = subject.size, frozenset(fmt.value for fmt in told)
        wanted = list(told)
        if subject.format and subject.size:
            claimed = Format(subject.format)
            wanted = [claimed, *(fmt for fmt in told if fmt not in {claimed, Format.UNKNOWN})]
        for fmt in wanted:
            self._read_as(fmt, subject, report)
        if _TEXTS.intersection(wanted):
            from tidegate.scanners.secrets import report_secrets

            report_secrets(subject, report)
        return told

    def _read_as(self, fmt: Format, subject: Subject, report: Report) -> None:
        if fmt in INERT:
            if subject.member is None and subject.name not in _EMPTY_BY_RIGHT:
                report.found("FILE-EMPTY", subject, "The file is empty.")
            return
        if (scanner := scanner_for(fmt)) is not None:
            subject.stream.seek(0)
            scanner.scan(replace(subject, format=fmt.value), report, self)
        elif fmt is Format.UNKNOWN:
            report.unread(subject, "the bytes are of no format that this version knows")
        else:
            report.unread(subject, f"this version has no reader for {fmt.value}")


def formats_of(stream: BinaryIO, size: int, name: str) -> tuple[Format, ...]:
    """What the content can be read as, pickles without a magic number included."""
    told = detect_formats(stream, size, name)
    if size == 0:
        return told
    from tidegate.scanners.protobuf.formats import graph_formats

    told = graph_formats(stream, size, name, told)
    if told == (Format.UNKNOWN,):
        from tidegate.scanners.messages.tokens import is_message

        if is_message(stream, size):
            told = (Format.MSGPACK,)
        stream.seek(0)
    if Format.PICKLE in told or Format.TORCH_LEGACY in told:
        return told
    from tidegate.scanners.pickle.probe import probe

    stream.seek(0)
    is_pickle = probe(stream, size, thorough=bool(_FREE_FORM.intersection(told)))
    stream.seek(0)
    if not is_pickle:
        return told
    return (Format.PICKLE, *(fmt for fmt in told if fmt is not Format.UNKNOWN))


def scan_file(
    stream: BinaryIO, size: int, path: str, report: Report, limits: Limits
) -> tuple[str, ...]:
    """Scan one file of an artifact into `report`; the formats that its content told.

    `path` is relative to the artifact's root, or the file's own name for an artifact that is
    one file.
    """
    subject = Subject(stream, size, path, format="")
    told = FileDispatcher(limits).dispatch_told(subject, report)
    if any(claim.member is not None for claim in report.claims):
        from tidegate.scanners.claims import settle_members

        settle_members(path, report)
    return tuple(fmt.value for fmt in told)
