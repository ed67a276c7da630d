"""The grounds on which an artifact can be held, each with what a person reads of it.

Always holds: a ground without fingerprints is one that nobody can have seen, and so nobody covers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tidegate.policy.lineage import HeldBase, Lineage, RecallReach, base_fingerprints, told
from tidegate.policy.model import Action, Policy, Reason, Review
from tidegate.scanners.evidence import (
    Evidence,
    claimed_fingerprint,
    finding_fingerprint,
    unread_fingerprint,
)
from tidegate.scanners.interface import Finding, Severity
from tidegate.scanners.rules import rule_of

if TYPE_CHECKING:
    from tidegate.policy.signatures import SignatureCheck

UNSCANNED = "UNSCANNED"
UNREAD = "UNREAD"
REJECTED = "REJECTED"
CHANGED = "CHANGED"
RECALLED = "RECALLED"
BASE_HELD = "BASE-HELD"
SIGNATURE_MISSING = "SIGNATURE-MISSING"
SIGNATURE_INVALID = "SIGNATURE-INVALID"
SIGNED = "SIGNED"
SIGNATURE_RULES = frozenset({SIGNATURE_MISSING, SIGNATURE_INVALID})

UNREAD_REMEDY = (
    "save the part in a form that can be read (safetensors, skops, ONNX), or ask for a review"
)
_UNREAD_SEVERITY = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class Ground:
    """A reason with what is needed to see whether somebody has covered it."""

    reason: Reason
    severity: Severity
    fingerprints: tuple[str, ...]
    """Who covers it has seen all of these. Empty for what nobody can have seen."""
    denies: bool = False
    alike: str | None = None
    """Or this: the same thing, as somebody else's evidence about the bytes says it."""

    def is_covered_by(self, seen: Collection[str]) -> bool:
        """Whether whoever has seen that has seen this ground."""
        if not self.fingerprints:
            return False
        return self.alike in seen or set(self.fingerprints) <= set(seen)


def grounds_of(policy: Policy, evidence: Evidence | None) -> tuple[list[Ground], list[Reason]]:
    """What of the evidence holds and what is only noted, before anybody's review or waiver."""
    if evidence is None:
        reason = Reason(
            UNSCANNED,
            Severity.HIGH.label,
            "",
            "these bytes have not been scanned",
            "register the model through the gate, or run `tidegate scan --record` on it",
        )
        return [Ground(reason, Severity.CRITICAL, ())], []
    overrides = dict(policy.severity_overrides)
    grounds: list[Ground] = []
    notes: list[Reason] = []
    for finding in evidence.findings:
        severity = overrides.get(finding.rule, finding.severity)
        reason = _reason_of(finding, severity)
        if _is_trusted(policy, finding):
            notes.append(replace(reason, covered_by="a trusted module of the policy"))
        elif severity < policy.hold_at:
            notes.append(reason)
        else:
            denies = policy.deny_at is not None and severity >= policy.deny_at
            own, told = finding_fingerprint(finding), claimed_fingerprint(finding)
            if evidence.claimed_by is not None:
                own, told = told, own
            grounds.append(Ground(reason, severity, (own,), denies, alike=told))
    for part in evidence.unread:
        reason = Reason(
            UNREAD,
            _UNREAD_SEVERITY.label,
            part.path,
            f"this part could not be read: {part.reason}",
            UNREAD_REMEDY,
            part.member,
        )
        grounds.append(Ground(reason, _UNREAD_SEVERITY, (unread_fingerprint(part),)))
    return grounds, notes


def grounds_of_lineage(lineage: Lineage) -> list[Ground]:
    """What holds because of where the artifact came from."""
    grounds = [
        Ground(_recall(reach), Severity.HIGH, (reach.fingerprint,)) for reach in lineage.recalls
    ]
    grounds += [
        Ground(_base(base), base.severity, base_fingerprints(base), base.denies)
        for base in lineage.bases
    ]
    grounds += [
        Ground(
            Reason(gap.rule, Severity.HIGH.label, gap.place, gap.message, gap.remedy),
            Severity.HIGH,
            (gap.fingerprint,),
        )
        for gap in lineage.gaps
    ]
    return grounds


def grounds_of_signatures(
    policy: Policy, action: Action, checks: Sequence[SignatureCheck]
) -> tuple[list[Ground], list[Reason]]:
    """What holds because nobody signed whose signature counts; or who did, as a note.

    No review covers it: who approves a model also signs it, if he has the key.
    """
    if policy.signatures is None or action.value not in policy.signatures.actions:
        return [], []
    counted = next((check for check in checks if check.owner is not None), None)
    if counted is not None:
        message = f"signed by {counted.owner} (signature {counted.id})"
        return [], [Reason(SIGNED, Severity.INFO.label, "", message)]
    owners = ", ".join(dict.fromkeys(signer.owner for signer in policy.signatures.signers))
    if checks:
        newest = checks[0]
        rule = SIGNATURE_INVALID
        message = f"no signature over it counts; signature {newest.id}: {newest.problem}"
    else:
        rule = SIGNATURE_MISSING
        message = (
            f"the policy demands a signature over the model by {owners}, and none is on record"
        )
    reason = Reason(
        rule,
        Severity.HIGH.label,
        "",
        message,
        f"have it approved or signed (`tidegate sign`) with a key of {owners}",
    )
    return [Ground(reason, Severity.HIGH, ())], []


def _recall(reach: RecallReach) -> Reason:
    what = f"{reach.name} ({reach.target})" if reach.name else reach.target
    by = f"recalled by {reach.actor} on {reach.recalled_at:%Y-%m-%d}: {reach.reason}"
    if not reach.way:
        message = f"{what} was {by}"
    else:
        message = f"this comes from {what}, which was {by}; {told(reach.way)}"
    return Reason(
        RECALLED,
        Severity.HIGH.label,
        "",
        message,
        "make it anew without what was recalled; or ask for a review of this artifact, or for "
        f"recall {reach.id} to be lifted",
    )


def _base(base: HeldBase) -> Reason:
    what = f"{base.name} ({base.digest})" if base.name else base.digest
    message = f"its base model {what} is held ({', '.join(base.why)})"
    if base.way:
        message += f"; {told(base.way)}"
    return Reason(
        BASE_HELD,
        base.severity.label,
        "",
        message,
        "begin from another base model; or ask for a review of the base, or of this artifact",
    )


def _reason_of(finding: Finding, severity: Severity) -> Reason:
    return Reason(
        finding.rule,
        severity.label,
        finding.path,
        finding.message,
        rule_of(finding.rule).remediation,
        finding.member,
    )


def _is_trusted(policy: Policy, finding: Finding) -> bool:
    if finding.detail is None or not rule_of(finding.rule).unreviewed:
        return False
    return any(
        finding.detail == module or finding.detail.startswith(f"{module}.")
        for module in policy.trusted_modules
    )


def rejection(review: Review) -> Reason:
    """That a person rejected the bytes."""
    return Reason(
        REJECTED,
        Severity.CRITICAL.label,
        "",
        f"rejected by {review.actor} on {review.created_at:%Y-%m-%d}: {review.reason}",
        "train or export another model; these bytes stay rejected until a later review",
    )


def exchange(expected: str) -> Reason:
    """That other bytes lie where those of the digest `expected` lay."""
    return Reason(
        CHANGED,
        Severity.CRITICAL.label,
        "",
        f"the bytes are not those that were registered or scanned under this name ({expected})",
        "find out who changed them; register the new bytes as a version of their own",
    )
