"""The decision. No I/O, no clock, no state: the same input gives the same answer for ever.

The rules, in the order in which they are applied:

1. No evidence: the artifact is unscanned, and that is held. No waiver or approval covers it, for
   nobody can have seen what has not been looked at.
2. Evidence about another digest than the one asked for counts as none. Bytes other than those
   that the name was given to (`expected`) deny: somebody exchanged them.
3. Each finding has the severity of its evidence, unless the policy overrides its rule's.
4. An unreviewed-code finding about a trusted module becomes a note.
5. A finding below `hold_at` becomes a note. At `hold_at` or above it holds: quarantine. At
   `deny_at` or above it denies.
6. Every unread part holds (quarantine): what was not looked at is not known to be harmless.
7. The newest review of the digest decides next. A rejection denies, whatever was found. An
   approval covers what its reviewer saw (by fingerprint), until it is as old as a waiver may
   be, and only up to the policy's `waiver_ceiling`.
8. A waiver in force covers the findings of its rule that its author saw, up to the same ceiling.
   A waiver for another digest, an expired one, or one that runs longer than the policy allows,
   covers nothing.
9. What is covered becomes a note that names who covered it. What is left decides: any denying
   reason denies, any other quarantines, none allows.

In `audit` mode the outcome is worked out in the same way, and `enforced` is False.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.policy.model import (
    Action,
    Decision,
    Mode,
    Outcome,
    Policy,
    Reason,
    Review,
    ReviewVerdict,
    Waiver,
)
from tidegate.scanners.evidence import (
    Evidence,
    Verdict,
    finding_fingerprint,
    unread_fingerprint,
)
from tidegate.scanners.interface import Finding, Severity
from tidegate.scanners.rules import rule_of

UNSCANNED = "UNSCANNED"
UNREAD = "UNREAD"
REJECTED = "REJECTED"
CHANGED = "CHANGED"

UNREAD_REMEDY = (
    "save the part in a form that can be read (safetensors, skops, ONNX), or ask for a review"
)
_UNREAD_SEVERITY = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class _Ground:
    """A reason with what is needed to see whether somebody has covered it."""

    reason: Reason
    severity: Severity
    fingerprint: str | None
    """None for what nobody can have seen, and so nobody can have covered."""
    denies: bool = False


def decide(
    policy: Policy,
    action: Action,
    evidence: Evidence | None,
    *,
    digest: str,
    subject: str,
    now: datetime,
    waivers: Sequence[Waiver] = (),
    reviews: Sequence[Review] = (),
    actor: str | None = None,
    expected: str | None = None,
) -> Decision:
    """Apply a policy to evidence.

    Args:
        policy: which evidence the action needs, and what each severity means.
        action: what is about to be done.
        evidence: of the scan; None where there is none.
        digest: of the bytes that the action is about, as just computed.
        subject: what the artifact is called where it is used, such as "fraud/3".
        now: the one time that expiries are held against; timezone-aware.
        waivers: those on record; which of them count is decided here.
        reviews: likewise; the newest for this digest counts.
        actor: who asked, where that is known.
        expected: the digest that the subject had when it was registered or scanned.
    """
    if evidence is not None and evidence.digest != digest:
        evidence = None
    grounds, notes = _weigh(policy, evidence)
    review = _newest(reviews, digest)
    used: set[int] = set()
    held: list[_Ground] = []
    for ground in grounds:
        cover = _review_cover(policy, ground, review, now)
        if cover is None:
            waiver = _waiver_for(policy, ground, waivers, digest, now)
            if waiver is not None:
                used.add(waiver.id)
                cover = f"waiver {waiver.id} by {waiver.actor} until {waiver.expires_at:%Y-%m-%d}"
        if cover is None:
            held.append(ground)
        else:
            notes.append(replace(ground.reason, covered_by=cover))
    reasons = [ground.reason for ground in held]
    outcome = Outcome.QUARANTINE if held else Outcome.ALLOW
    if any(ground.denies for ground in held):
        outcome = Outcome.DENY
    if review is not None and review.verdict is ReviewVerdict.REJECT:
        outcome = Outcome.DENY
        reasons.insert(0, _rejection(review))
    if expected is not None and expected != digest:
        outcome = Outcome.DENY
        reasons.insert(0, _exchange(expected))
    return Decision(
        outcome=outcome,
        action=action,
        digest=digest,
        subject=subject,
        verdict=(evidence.verdict if evidence else Verdict.UNSCANNED).value,
        policy_digest=policy.digest,
        profile=policy.profile,
        enforced=policy.mode is Mode.ENFORCE,
        decided_at=now,
        reasons=tuple(reasons),
        notes=tuple(notes),
        evidence_id=evidence.id if evidence else None,
        waiver_ids=tuple(sorted(used)),
        review_id=review.id if review else None,
        actor=actor,
        contact=policy.contact,
        review_url=policy.review_url,
    )


def _weigh(policy: Policy, evidence: Evidence | None) -> tuple[list[_Ground], list[Reason]]:
    """What holds and what is only noted, before anybody's review or waiver."""
    if evidence is None:
        reason = Reason(
            UNSCANNED,
            Severity.HIGH.label,
            "",
            "these bytes have not been scanned",
            "register the model through the gate, or run `tidegate scan --record` on it",
        )
        return [_Ground(reason, Severity.CRITICAL, None)], []
    overrides = dict(policy.severity_overrides)
    grounds: list[_Ground] = []
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
            grounds.append(_Ground(reason, severity, finding_fingerprint(finding), denies))
    for part in evidence.unread:
        reason = Reason(
            UNREAD,
            _UNREAD_SEVERITY.label,
            part.path,
            f"this part could not be read: {part.reason}",
            UNREAD_REMEDY,
            part.member,
        )
        grounds.append(_Ground(reason, _UNREAD_SEVERITY, unread_fingerprint(part)))
    grounds.sort(key=lambda ground: -ground.severity)
    return grounds, notes


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


def _newest(reviews: Iterable[Review], digest: str) -> Review | None:
    mine = [review for review in reviews if review.digest == digest]
    return max(mine, key=lambda review: review.id) if mine else None


def _review_cover(
    policy: Policy, ground: _Ground, review: Review | None, now: datetime
) -> str | None:
    if (
        review is None
        or review.verdict is not ReviewVerdict.APPROVE
        or ground.severity > policy.waiver_ceiling
        or ground.fingerprint is None
        or ground.fingerprint not in review.fingerprints
        or now >= review.created_at + timedelta(days=policy.waiver_days)
    ):
        return None
    return f"review {review.id} by {review.actor}"


def _waiver_for(
    policy: Policy, ground: _Ground, waivers: Iterable[Waiver], digest: str, now: datetime
) -> Waiver | None:
    if ground.severity > policy.waiver_ceiling or ground.fingerprint is None:
        return None
    longest = timedelta(days=policy.waiver_days)
    for waiver in sorted(waivers, key=lambda each: each.id):
        if (
            waiver.digest == digest
            and waiver.rule == ground.reason.rule
            and ground.fingerprint in waiver.fingerprints
            and waiver.created_at <= now < waiver.expires_at
            and waiver.expires_at - waiver.created_at <= longest
        ):
            return waiver
    return None


def _rejection(review: Review) -> Reason:
    return Reason(
        REJECTED,
        Severity.CRITICAL.label,
        "",
        f"rejected by {review.actor} on {review.created_at:%Y-%m-%d}: {review.reason}",
        "train or export another model; these bytes stay rejected until a later review",
    )


def _exchange(expected: str) -> Reason:
    return Reason(
        CHANGED,
        Severity.CRITICAL.label,
        "",
        f"the bytes are not those that were registered or scanned under this name ({expected})",
        "find out who changed them; register the new bytes as a version of their own",
    )
