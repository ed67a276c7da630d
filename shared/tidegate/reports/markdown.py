"""The report as Markdown, for a pull request's comment or a job's summary.

Always holds: strings that came from an artifact stand in code spans unless they are made of
plain words, because in a code span nothing is a link, a tag, an image or a person's name.
"""

from __future__ import annotations

import re

from tidegate.policy.explain import printable
from tidegate.policy.model import Outcome
from tidegate.reports.interface import ArtifactReport, ReportFormat, ScanReport
from tidegate.scanners.interface import Severity
from tidegate.scanners.rules import rule_of

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,;'()-]*\.?")
# Plain letters and digits that GitHub still makes links of.
_LINKED = re.compile(r"www|http|ftp|gh-\d", re.IGNORECASE)
_TICKS = re.compile(r"`+")
_WORD = {
    Outcome.ALLOW: "passes",
    Outcome.QUARANTINE: "held for review",
    Outcome.DENY: "refused",
}


class MarkdownFormat(ReportFormat):
    """GitHub-flavoured Markdown, lists only."""

    name = "markdown"

    def render(self, report: ScanReport) -> str:
        """A heading for each artifact with its findings below it."""
        parts = ["# Tidegate scan"]
        if report.audit:
            parts.append("**Audit mode**: what would be held is recorded, and nothing is held.")
        parts += ["\n".join(_artifact(entry)) for entry in report.artifacts]
        parts.append(f"Rules: {code(report.ruleset)}")
        return "\n\n".join(parts) + "\n"


def code(text: str) -> str:
    """A code span that holds exactly the text, whatever backticks are in it."""
    shown = printable(text)
    longest = max((len(run) for run in _TICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {shown} {fence}" if longest or not shown.strip() else f"{fence}{shown}{fence}"


def prose(text: str) -> str:
    """Words as they are; anything that Markdown or its host could read otherwise as code."""
    shown = printable(text)
    return shown if _PLAIN.fullmatch(shown) and not _LINKED.search(shown) else code(shown)


def _artifact(entry: ArtifactReport) -> list[str]:
    word = _WORD[entry.outcome]
    if entry.outcome is not Outcome.ALLOW and not entry.enforced:
        word = f"would be {word} (audit mode)"
    lines = [f"## {code(entry.path)}: {word}", "", f"- Verdict: {entry.verdict}"]
    if entry.digest is not None:
        lines.append(f"- Digest: {code(entry.digest)}")
    for finding in sorted(entry.findings, key=lambda each: -each.severity):
        place = "!".join(part for part in (finding.path, finding.member) if part)
        at = "" if finding.offset is None else f", byte {finding.offset}"
        rule = rule_of(finding.rule)
        lines.append(
            f"- **{finding.severity.label}** {code(finding.rule)} in "
            f"{code(place or entry.path)}{at}: {prose(finding.message)}"
        )
        if finding.severity > Severity.INFO:
            # The table's own words, but the table is data: no way round for that either.
            lines.append(f"  - To mend it: {_own_words(rule.remediation)}")
    for part in entry.unread:
        place = "!".join(name for name in (part.path, part.member) if name)
        lines.append(f"- **not read** {code(place or entry.path)}: {prose(part.reason)}")
        lines.append(f"  - To mend it: {_own_words(entry.unread_remedy)}")
    if not entry.findings and not entry.unread:
        lines.append("- Nothing found.")
    for reason in entry.grounds:
        place = code(reason.path) if reason.path else "the artifact"
        lines.append(
            f"- **{reason.severity}** {code(reason.rule)} in {place}: {prose(reason.message)}"
        )
        if reason.remedy:
            lines.append(f"  - To mend it: {prose(reason.remedy)}")
    if (where := entry.where_to_ask) is not None:
        lines.append(f"- To ask for a review: {prose(where)}")
    return lines


def _own_words(text: str) -> str:
    """A sentence of the rule table, with Markdown's own characters escaped."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&])", r"\\\1", printable(text))
