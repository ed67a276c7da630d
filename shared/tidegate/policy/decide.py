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
7. A recall in force that reaches the digest, by itself or through what it was made from, holds
   (quarantine, high). So does everything that the demanded chain lacks, for the actions that
   demand it.
8. A base model that is held holds what was made from it: as gravely as its gravest finding, and
   denying where that denies. A base's rejection holds (quarantine, high). What nobody has scanned
   holds no child, and a recalled base is rule 7's affair.
9. The newest review of the digest decides next. A rejection denies, whatever was found. An
   approval covers what its reviewer saw (by fingerprint), until it is as old as a waiver may
   be, and only up to the policy's `waiver_ceiling`. A ground with several fingerprints, as a held
   base has, is covered only where all of them are. What somebody only claimed was seen by his
   words: an approval of it covers a finding of another scan only if that says the same.
10. A waiver in force covers the grounds of its rule that its author saw, up to the same ceiling.
    A waiver for another digest, an expired one, or one that runs longer than the policy allows,
    covers nothing.
11. For an action that demands a signature over the model, one by a signer of the policy must be
    on record; none, or none that counts, holds (quarantine, high). No review or waiver covers it.
12. What is covered becomes a note that names who covered it. What is left decides: any denying
    reason denies, any other quarantines, none allows.

In `audit` mode the outcome is worked out in the same way, and `enforced` is False.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tidegate.policy.grounds import (
    REJECTED,
    UNSCANNED,
    Ground,
    exchange,
    grounds_of,
    grounds_of_lineage,
    grounds_of_signatures,
    rejection,
)
from tidegate.policy.lineage import NO_LINEAGE, HeldBase, Hop, Lineage, short_hash
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
from tidegate.scanners.evidence import Evidence, Verdict
from tidegate.scanners.interface import Severity

if TYPE_CHECKING:
    from tidegate.policy.signatures import SignatureCheck


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What is held, what is only noted, and by whose word."""

    held: tuple[Ground, ...]
    notes: tuple[Reason, ...]
    review: Review | None
    waiver_ids: tuple[int, ...]


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
    lineage: Lineage = NO_LINEAGE,
    signatures: Sequence[SignatureCheck] = (),
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
        lineage: the recalls in force that reach the digest, its held bases, and what the
            policy's chain lacks for this action.
        signatures: the one on record that counts, or what is wrong with those there are.
        actor: who asked, where that is known.
        expected: the digest that the subject had when it was registered or scanned.
    """
    if evidence is not None and evidence.digest != digest:
        evidence = None
    weighed = _weigh(
        policy, evidence, digest=digest, now=now, waivers=waivers, reviews=reviews, lineage=lineage
    )
    unsigned, signed = grounds_of_signatures(policy, action, signatures)
    held = sorted([*weighed.held, *unsigned], key=lambda ground: -ground.severity)
    review = weighed.review
    reasons = [ground.reason for ground in held]
    outcome = Outcome.QUARANTINE if held else Outcome.ALLOW
    if any(ground.denies for ground in held):
        outcome = Outcome.DENY
    if review is not None and review.verdict is ReviewVerdict.REJECT:
        outcome = Outcome.DENY
        reasons.insert(0, rejection(review))
    if expected is not None and expected != digest:
        outcome = Outcome.DENY
        reasons.insert(0, exchange(expected))
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
        notes=(*weighed.notes, *signed),
        evidence_id=evidence.id if evidence else None,
        waiver_ids=weighed.waiver_ids,
        review_id=review.id if review else None,
        actor=actor,
        contact=policy.contact,
        review_url=policy.review_url,
        lineage=lineage,
        signatures=tuple(signatures),
    )


def held_base(
    policy: Policy,
    evidence: Evidence | None,
    *,
    digest: str,
    name: str,
    now: datetime,
    waivers: Sequence[Waiver] = (),
    reviews: Sequence[Review] = (),
    bases: tuple[HeldBase, ...] = (),
    way: tuple[Hop, ...] = (),
) -> HeldBase | None:
    """What a base model passes on to those made from it; None where it holds none of them.

    Args:
        policy: what holds it.
        evidence: of its scan; None where there is none, which holds no child.
        digest: of its bytes.
        name: what it is called.
        now: the one time that expiries are held against; timezone-aware.
        waivers: those on record.
        reviews: likewise.
        bases: of its own, those that are held.
        way: from the child back to it.
    """
    if evidence is not None and evidence.digest != digest:
        evidence = None
    weighed = _weigh(
        policy,
        evidence,
        digest=digest,
        now=now,
        waivers=waivers,
        reviews=reviews,
        lineage=Lineage(bases=bases),
    )
    held = [ground for ground in weighed.held if ground.reason.rule != UNSCANNED]
    severity = max((ground.severity for ground in held), default=Severity.INFO)
    fingerprints = [each for ground in held for each in ground.fingerprints]
    why = [ground.reason.rule for ground in held]
    review = weighed.review
    if review is not None and review.verdict is ReviewVerdict.REJECT:
        severity = max(severity, Severity.HIGH)
        fingerprints.append(short_hash("rejected", str(review.id), review.created_at.isoformat()))
        why.insert(0, REJECTED)
    if not why:
        return None
    return HeldBase(
        digest=digest,
        name=name,
        severity=severity,
        denies=any(ground.denies for ground in held),
        fingerprints=tuple(sorted(set(fingerprints))),
        why=tuple(dict.fromkeys(why)),
        way=way,
    )


def _weigh(
    policy: Policy,
    evidence: Evidence | None,
    *,
    digest: str,
    now: datetime,
    waivers: Sequence[Waiver],
    reviews: Sequence[Review],
    lineage: Lineage,
) -> _Weighed:
    """What is held after everybody's reviews and waivers."""
    of_bytes, notes = grounds_of(policy, evidence)
    grounds = [*grounds_of_lineage(lineage), *of_bytes]
    grounds.sort(key=lambda ground: -ground.severity)
    review = _newest(reviews, digest)
    used: set[int] = set()
    held: list[Ground] = []
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
    return _Weighed(tuple(held), tuple(notes), review, tuple(sorted(used)))


def _newest(reviews: Iterable[Review], digest: str) -> Review | None:
    mine = [review for review in reviews if review.digest == digest]
    return max(mine, key=lambda review: review.id) if mine else None


def _review_cover(
    policy: Policy, ground: Ground, review: Review | None, now: datetime
) -> str | None:
    if (
        review is None
        or review.verdict is not ReviewVerdict.APPROVE
        or ground.severity > policy.waiver_ceiling
        or not ground.is_covered_by(review.fingerprints)
        or now >= review.created_at + timedelta(days=policy.waiver_days)
    ):
        return None
    return f"review {review.id} by {review.actor}"


def _waiver_for(
    policy: Policy, ground: Ground, waivers: Iterable[Waiver], digest: str, now: datetime
) -> Waiver | None:
    if ground.severity > policy.waiver_ceiling:
        return None
    longest = timedelta(days=policy.waiver_days)
    for waiver in sorted(waivers, key=lambda each: each.id):
        if (
            waiver.digest == digest
            and waiver.rule == ground.reason.rule
            and ground.is_covered_by(waiver.fingerprints)
            and waiver.created_at <= now < waiver.expires_at
            and waiver.expires_at - waiver.created_at <= longest
        ):
            return waiver
    return None
