"""Python sources: what runs when they are imported, and what their functions reach.

The source is parsed and never run. `judge_source` is for sources that stand as a text in some
other file; `PythonScanner` reads files.
"""

from __future__ import annotations

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.python_source.capabilities import When
from tidegate.scanners.python_source.definitions import definitions
from tidegate.scanners.python_source.judging import SourceFinding, judge_tree
from tidegate.scanners.python_source.lookups import looks_up_what_it_is_told
from tidegate.scanners.python_source.text import MAX_SOURCE, SourceError, parsed

__all__ = [
    "MAX_SOURCE",
    "SourceError",
    "SourceFinding",
    "When",
    "judge_source",
    "report_source",
    "report_unreadable",
]


def judge_source(
    text: str, *, at: When = When.IMPORTED, name: str = ""
) -> tuple[SourceFinding, ...]:
    """What the source does, as findings of the CODE rules; none where it reaches nothing.

    Args:
        text: Python 3 source.
        at: when the source as a whole runs.
        name: the name of its file, where it has one ("hubconf.py" has entry points).

    Raises:
        SourceError: it can't be parsed, or is too large or too deep to be followed. Who asked
            must hold it: nothing is known of it.
    """
    return tuple(judge_tree(parsed(text), at=at, name=name))


def report_source(text: str, subject: Subject, report: Report, *, at: When = When.IMPORTED) -> bool:
    """Report what the source does; False where it could not be read, which is then unread."""
    try:
        tree = parsed(text)
        found = judge_tree(tree, at=at, name=subject.name.lower())
    except SourceError as error:
        report_unreadable(error, subject, report)
        return False
    if not looks_up_what_it_is_told(tree):
        report.define(subject, definitions(tree))
    for one in found:
        report.found(one.rule, subject, one.message, severity=one.severity, detail=one.detail)
    return True


def report_unreadable(error: SourceError, subject: Subject, report: Report) -> None:
    """Say that the source was not read, and that it hides what it says, where it does."""
    if error.disguised:
        report.found("CODE-OBFUSCATED", subject, f"The file can't be trusted: {error}.")
    report.unread(subject, str(error))
