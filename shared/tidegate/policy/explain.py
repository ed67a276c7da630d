"""A decision as a person reads it: rule, file, why it matters, how to mend it, where to ask.

Always holds: what comes from an artifact (paths, members, names in messages) is shown with
control and direction-changing characters escaped, so that no file name can forge a line or
drive a terminal.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

from tidegate.policy.model import Decision, Outcome, Reason

_MAX_SHOWN = 8
_WORD = {
    Outcome.ALLOW: "passes",
    Outcome.QUARANTINE: "held for review",
    Outcome.DENY: "refused",
}


def printable(text: str) -> str:
    """The text with everything escaped that is not a visible character or a plain space."""
    return "".join(
        char
        if char == " "
        or (char.isprintable() and unicodedata.category(char) not in {"Cf", "Zl", "Zp"})
        else char.encode("unicode_escape").decode()
        for char in text
    )


def location(reason: Reason) -> str:
    """The file, with the part inside it: "model.pkl", "model.zip!data.pkl", or "the artifact"."""
    place = "!".join(part for part in (reason.path, reason.member) if part)
    return printable(place) or "the artifact"


def explain(decision: Decision) -> str:
    """Several lines, without colour, for a terminal or a log."""
    subject = printable(decision.subject) or "the artifact"
    verb = "" if decision.outcome is Outcome.ALLOW else "is "
    lines = [f"Tidegate: {subject} {verb}{_WORD[decision.outcome]} ({decision.action.value})."]
    if decision.outcome is not Outcome.ALLOW and not decision.enforced:
        lines.append("  The policy is in audit mode: this is recorded, and nothing is held.")
    for reason in decision.reasons[:_MAX_SHOWN]:
        lines += _paragraph(reason)
    more = len(decision.reasons) - _MAX_SHOWN
    if more > 0:
        lines.append(f"  … and {more} more.")
    lines += [
        f"  Covered: {note.rule} in {location(note)}, by {printable(note.covered_by)}."
        for note in decision.notes
        if note.covered_by
    ]
    if decision.outcome is not Outcome.ALLOW:
        lines.append(f"  {_where_to_ask(decision)}")
    lines.append(f"  Artifact {decision.digest}, policy {printable(decision.profile)}.")
    return "\n".join(lines)


def summarize(decision: Decision, limit: int = 500) -> str:
    """One line of at most `limit` characters that still says rule, file, remedy and where to ask.

    Room is given first to where to ask, then to the first reason, then to how to mend it.
    """
    if decision.outcome is Outcome.ALLOW:
        return _cut(f"Tidegate: passes (policy {printable(decision.profile)}).", limit)
    first = decision.reasons[0]
    audit = "" if decision.enforced else "audit mode, not "
    head = f"Tidegate: {audit}{_WORD[decision.outcome]}. {first.rule} in "
    more = len(decision.reasons) - 1
    tail = (f" (+{more} more)" if more else "") + f" {_where_to_ask(decision)}"
    room = max(limit - len(head) - len(tail) - 2, 0)
    place = _cut(location(first), max(room // 3, 12))
    why = _cut(printable(first.message), max(room - len(place), 0))
    remedy = f" To mend it: {printable(first.remedy)}" if first.remedy else ""
    if len(remedy) > room - len(place) - len(why):
        # The first sentence says the most; a piece of one says nothing.
        remedy = remedy.partition(". ")[0].rstrip(".") + "."
    if len(remedy) > room - len(place) - len(why):
        remedy = ""
    return _cut(f"{head}{place}: {why}{remedy}{tail}", limit)


def _paragraph(reason: Reason) -> Sequence[str]:
    lines = [f"  {reason.rule} ({reason.severity}) in {location(reason)}"]
    lines += _wrapped(printable(reason.message))
    if reason.remedy:
        lines += _wrapped(f"To mend it: {printable(reason.remedy)}")
    return lines


def _wrapped(text: str) -> list[str]:
    indent = "      "
    return textwrap.wrap(text, 96, initial_indent=indent, subsequent_indent=indent)


def review_link(url: str, number: int) -> str:
    """Where a decision is reviewed: its own page, where the URL is that of Tidegate's pages."""
    base = url.rstrip("/")
    return f"{base}/{number}" if base.endswith("/tidegate") else url


def _where_to_ask(decision: Decision) -> str:
    """Whom a person asks, and by which number. What is on no record has none."""
    whom = printable(decision.contact) if decision.contact else "your registry admin"
    if decision.id is None:
        if decision.evidence_id is None:
            return f"Ask {whom}; no scan of it is on record yet."
        return f"Ask {whom} for a review, by its digest where it is on record."
    parts = [f"Ask {whom} for a review: tidegate review show {decision.id}"]
    if decision.review_url:
        parts.append(printable(review_link(decision.review_url, decision.id)))
    return ", ".join(parts) + "."


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"
