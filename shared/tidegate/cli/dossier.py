"""How the record of one artifact, and the list of what is held, read in a terminal or as JSON."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidegate.policy.explain import printable, summarize

if TYPE_CHECKING:
    from tidegate.gate import Dossier
    from tidegate.ledger import Held
    from tidegate.policy.lineage import Lineage
    from tidegate.policy.model import Policy, Review, Waiver
    from tidegate.scanners.evidence import Evidence

_WIDTH = 96
_MOST_FILES = 20


def held_line(item: Held) -> str:
    """Two lines: number, when, what and how; and why in short."""
    decision = item.decision
    number = f"#{decision.id}"
    subject = printable(decision.subject) or "(no name)"
    state = decision.outcome.value
    if not decision.enforced:
        state += ", recorded only (audit mode)"
    if item.review is not None:
        review = item.review
        by = f"{printable(review.actor)} on {review.created_at:%Y-%m-%d}"
        state += f"; {review.verdict.value} by {by}"
    head = f"{number:<7} {_minute(decision.decided_at)}  {subject}  [{state}]"
    why = "; ".join(dict.fromkeys(reason.rule for reason in decision.reasons))
    return f"{head}\n        {decision.digest[:19]}…  {decision.action.value}: {why}\n"


def held_row(item: Held) -> dict[str, Any]:
    """The same for a program."""
    review = None if item.review is None else review_row(item.review)
    return {"decision": item.decision.to_dict(), "review": review}


def dossier_row(dossier: Dossier) -> dict[str, Any]:
    """Everything on record, in plain JSON types."""
    evidence = dossier.evidence
    return {
        "digest": dossier.digest,
        "manifest": dossier.manifest.to_dict(),
        "evidence": None if evidence is None else {"id": evidence.id, **evidence.to_dict()},
        "decision": None if dossier.decision is None else dossier.decision.to_dict(),
        "reviews": [review_row(review) for review in dossier.reviews],
        "waivers": [waiver_row(waiver) for waiver in dossier.waivers],
        "registrations": [asdict(registration) for registration in dossier.registrations],
        "signatures": [
            {"id": each.id, "actor": each.actor, "created_at": each.created_at.isoformat()}
            for each in dossier.signatures
        ],
        "lineage": dossier.lineage.to_dict(),
    }


def review_row(review: Review) -> dict[str, Any]:
    """A review in plain JSON types."""
    return {
        **asdict(review),
        "verdict": review.verdict.value,
        "fingerprints": list(review.fingerprints),
        "created_at": review.created_at.isoformat(),
    }


def waiver_row(waiver: Waiver) -> dict[str, Any]:
    """A waiver in plain JSON types."""
    return {
        **asdict(waiver),
        "fingerprints": list(waiver.fingerprints),
        "created_at": waiver.created_at.isoformat(),
        "expires_at": waiver.expires_at.isoformat(),
    }


def dossier_text(dossier: Dossier, policy: Policy) -> str:
    """Everything on record, for a reviewer to read from top to bottom.

    Ways to let pass what the `policy` lets nobody except are not offered.
    """
    sections = [_decision(dossier), _evidence(dossier.evidence), _files(dossier)]
    if dossier.lineage:
        sections.append(_lineage(dossier.lineage))
    if dossier.reviews:
        sections.append(["Reviews, newest first:", *map(_review, dossier.reviews)])
    if dossier.waivers:
        sections.append(["Waivers, newest first:", *map(_waiver, dossier.waivers)])
    if dossier.registrations:
        names = [f"{each.name}/{each.version} in {each.store}" for each in dossier.registrations]
        sections.append(["Registered as:", *(f"  {printable(name)}" for name in names)])
    if dossier.signatures:
        sections.append(
            [
                "Signatures, newest first (`tidegate signatures` says whose they are):",
                *(
                    f"  {_minute(each.created_at)}  signature {each.id}, recorded by "
                    f"{printable(each.actor)}"
                    for each in dossier.signatures
                ),
            ]
        )
    reference = dossier.digest[7:19]
    if dossier.decision is not None and dossier.decision.id is not None:
        reference = str(dossier.decision.id)
    ways = ["To decide:"]
    beyond = _beyond_exceptions(dossier, policy)
    if beyond:
        rules = ", ".join(printable(rule) for rule in beyond)
        ways.append(f"  The policy {printable(policy.profile)} lets nobody except {rules}.")
    else:
        ways += [
            f'  tidegate review approve {reference} --reason "…"',
            f'  tidegate review waive {reference} --rule RULE --days N --reason "…"',
        ]
    ways.append(f'  tidegate review reject {reference} --reason "…"')
    sections.append(ways)
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _beyond_exceptions(dossier: Dossier, policy: Policy) -> list[str]:
    """The rules of findings that are graver than anything that the policy lets people except."""
    if dossier.evidence is None:
        return []
    return sorted(
        {
            finding.rule
            for finding in dossier.evidence.findings
            if finding.severity > policy.waiver_ceiling and finding.severity >= policy.hold_at
        }
    )


def _decision(dossier: Dossier) -> list[str]:
    decision = dossier.decision
    if decision is None:
        return [dossier.digest, "No decision is on record."]
    return [
        dossier.digest,
        f"Decision {decision.id} of {_minute(decision.decided_at)} ({decision.action.value}):",
        *textwrap.wrap(
            summarize(decision, 300), _WIDTH, initial_indent="  ", subsequent_indent="  "
        ),
    ]


def _evidence(evidence: Evidence | None) -> list[str]:
    from tidegate.scanners.rules import rules

    if evidence is None:
        return ["No evidence: these bytes have not been scanned."]
    verdict = f"verdict: {evidence.verdict.value}, rules {printable(evidence.ruleset)}"
    lines = [f"Evidence {evidence.id} ({verdict}):"]
    if evidence.claimed_by is not None:
        lines += _indented(
            f"A claim of {evidence.claimed_by}, sent over HTTP: nobody on the ledger's own side "
            "has seen these bytes."
        )
    for finding in sorted(evidence.findings, key=lambda each: -each.severity):
        place = "!".join(part for part in (finding.path, finding.member) if part)
        at = "" if finding.offset is None else f", byte {finding.offset}"
        lines.append(
            f"  {finding.severity.label} {finding.rule} in {printable(place) or 'the file'}{at}"
        )
        lines += _indented(finding.message)
        # A rule may have been in an older table only; the record is shown all the same.
        if (rule := rules().get(finding.rule)) is not None:
            lines += _indented(f"To mend it: {rule.remediation}")
    for part in evidence.unread:
        place = "!".join(name for name in (part.path, part.member) if name)
        lines.append(f"  not read: {printable(place) or 'the artifact'}")
        lines += _indented(part.reason)
    if not evidence.findings and not evidence.unread:
        lines.append("  Nothing found.")
    return lines


def _lineage(lineage: Lineage) -> list[str]:
    from tidegate.policy.grounds import grounds_of_lineage

    lines = ["Held because of where it came from, unless a review below covers it:"]
    for ground in grounds_of_lineage(lineage):
        lines.append(f"  {ground.reason.severity} {ground.reason.rule}")
        lines += _indented(ground.reason.message)
        if ground.reason.remedy:
            lines += _indented(f"To mend it: {ground.reason.remedy}")
    return lines


def _files(dossier: Dossier) -> list[str]:
    manifest = dossier.manifest
    if manifest.kind == "file":
        return [f"One file of {manifest.total_size} bytes."]
    lines = [f"{len(manifest.files)} files, {manifest.total_size} bytes:"]
    lines += [f"  {each.size:>12}  {printable(each.path)}" for each in manifest.files[:_MOST_FILES]]
    if len(manifest.files) > _MOST_FILES:
        lines.append(f"  … and {len(manifest.files) - _MOST_FILES} more (--format json has all)")
    return lines


def _review(review: Review) -> str:
    return (
        f"  {_minute(review.created_at)}  {review.verdict.value} by {printable(review.actor)}: "
        f"{printable(review.reason)}"
    )


def _waiver(waiver: Waiver) -> str:
    return (
        f"  {_minute(waiver.created_at)}  {printable(waiver.rule)} until "
        f"{_minute(waiver.expires_at)} by {printable(waiver.actor)}: {printable(waiver.reason)}"
    )


def _indented(text: str) -> list[str]:
    return textwrap.wrap(
        printable(text), _WIDTH, initial_indent="      ", subsequent_indent="      "
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
