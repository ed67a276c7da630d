"""The report for a person at a terminal, or for a log.

Plain lines; on a terminal that shows them, colours by the few codes that every terminal knows.
"""

from __future__ import annotations

import textwrap

from tidegate.artifact.source import shortened
from tidegate.policy.explain import location, printable
from tidegate.policy.model import Decision, Outcome, Reason
from tidegate.reports.interface import ArtifactReport, ReportFormat, ScanReport
from tidegate.scanners.interface import Finding, Severity, Unread
from tidegate.scanners.rules import rule_of

_WIDTH = 96
_RED, _YELLOW, _GREEN, _DIM, _BOLD = "31", "33", "32", "2", "1"
_SEVERITY_COLOUR = {
    Severity.CRITICAL: _RED,
    Severity.HIGH: _RED,
    Severity.MEDIUM: _YELLOW,
    Severity.LOW: _DIM,
    Severity.INFO: _DIM,
}
_WORD = {
    Outcome.ALLOW: ("passes", _GREEN),
    Outcome.QUARANTINE: ("held for review", _YELLOW),
    Outcome.DENY: ("refused", _RED),
}


class TextFormat(ReportFormat):
    """Lines with the gravest finding of each artifact first."""

    name = "text"

    def __init__(self, *, colour: bool = False) -> None:
        self._colour = colour

    def render(self, report: ScanReport) -> str:
        """A paragraph for each artifact, and a last line that counts."""
        paragraphs = [self._artifact(entry) for entry in report.artifacts]
        if report.audit:
            paragraphs.append(
                self._paint(
                    "AUDIT MODE: the policy records what it would hold, and holds nothing.", _YELLOW
                )
            )
        paragraphs.append(_count(report))
        return "\n\n".join(paragraphs) + "\n"

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _artifact(self, entry: ArtifactReport) -> str:
        lines = [f"{self._paint(printable(shortened(entry.path)), _BOLD)}: {self._headline(entry)}"]
        if entry.error is not None:
            return "\n".join([*lines, *self._error(entry)])
        for finding in sorted(entry.findings, key=lambda each: -each.severity):
            lines += self._finding(entry, finding)
        for part in entry.unread:
            lines += self._unread(entry, part)
        if not entry.findings and not entry.unread:
            lines.append("  Nothing found.")
        for ground in entry.grounds:
            lines += _ground(ground)
        if entry.decision is not None:
            lines += _covered(entry.decision)
        if (where := entry.where_to_ask) is not None:
            lines += _wrapped(f"To ask for a review: {printable(where)}", "  ")
        if entry.digest is not None:
            lines.append(self._paint(f"  {entry.digest}", _DIM))
        return "\n".join(lines)

    def _headline(self, entry: ArtifactReport) -> str:
        word, colour = _WORD[entry.outcome]
        if entry.outcome is not Outcome.ALLOW and not entry.enforced:
            word = f"would be {word}, but is only recorded (audit mode)"
        return f"{self._paint(word, colour)} (verdict: {entry.verdict})"

    def _error(self, entry: ArtifactReport) -> list[str]:
        error = entry.error
        assert error is not None
        lines = _wrapped(f"could not be examined: {printable(error.message)}", "  ")
        if error.remedy:
            lines += _wrapped(f"To mend it: {printable(error.remedy)}", "  ")
        return lines

    def _finding(self, entry: ArtifactReport, finding: Finding) -> list[str]:
        label = self._paint(finding.severity.label, _SEVERITY_COLOUR[finding.severity])
        at = "" if finding.offset is None else f", byte {finding.offset}"
        place = _place(entry, finding.path, finding.member)
        lines = [f"  {label} {finding.rule} in {place}{at}"]
        lines += _wrapped(printable(finding.message), "      ")
        remedy = rule_of(finding.rule).remediation
        if finding.severity > Severity.INFO:
            lines += _wrapped(f"To mend it: {printable(remedy)}", "      ")
        return lines

    def _unread(self, entry: ArtifactReport, part: Unread) -> list[str]:
        place = _place(entry, part.path, part.member)
        return [
            f"  {self._paint('not read', _YELLOW)} {place}",
            *_wrapped(printable(part.reason), "      "),
            *_wrapped(f"To mend it: {printable(entry.unread_remedy)}", "      "),
        ]


def _ground(reason: Reason) -> list[str]:
    """What holds it besides what the scan found."""
    lines = [f"  {reason.severity} {reason.rule} in {location(reason)}"]
    lines += _wrapped(printable(reason.message), "      ")
    if reason.remedy:
        lines += _wrapped(f"To mend it: {printable(reason.remedy)}", "      ")
    return lines


def _covered(decision: Decision) -> list[str]:
    """What reviewers let go."""
    lines: list[str] = []
    for note in decision.notes:
        if note.covered_by:
            covered = f"Covered: {note.rule} in {location(note)}, by {printable(note.covered_by)}."
            lines += _wrapped(covered, "  ")
    return lines


def _place(entry: ArtifactReport, path: str, member: str | None) -> str:
    place = entry.location(path)
    return printable(shortened(f"{place}!{member}" if member else place))


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _count(report: ScanReport) -> str:
    held = [entry for entry in report.artifacts if not entry.allowed]
    inconclusive = sum(1 for entry in held if entry.only_inconclusive)
    total = len(report.artifacts)
    words = [f"{total} artifact{'' if total == 1 else 's'}", f"{total - len(held)} let through"]
    if len(held) > inconclusive:
        words.append(f"{len(held) - inconclusive} held by policy")
    if inconclusive:
        words.append(f"{inconclusive} inconclusive")
    return f"{', '.join(words)}. Rules {printable(report.ruleset)}."
