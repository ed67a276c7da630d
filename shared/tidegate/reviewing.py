"""What people decide: approvals, rejections, waivers and signatures, each bound to what was seen.

Always holds: an approval or a waiver covers what stood against the bytes when its author looked,
and nothing that came since; what may be covered at all is the policy's to say; and each is
followed by a decision under every name of the bytes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tidegate import signing
from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.policy import Action, Decision, ReviewVerdict
from tidegate.policy.grounds import SIGNATURE_RULES, UNREAD, grounds_of_lineage
from tidegate.policy.lineage import Lineage
from tidegate.scanners.evidence import (
    Evidence,
    claimed_fingerprint,
    finding_fingerprint,
    unread_fingerprint,
)
from tidegate.standing import StandingGate

if TYPE_CHECKING:
    from tidegate.attestation.signatures import SigningIdentity
    from tidegate.ledger import RecordedSignature


class ReviewingGate(StandingGate):
    """A gate at which people review; see `tidegate.gate.Gate`."""

    def approve(self, reference: str, *, actor: str, reason: str) -> Decision:
        """Record that a person approves what the evidence on record shows, and no more.

        Where the environment names who signs models (`TIDEGATE_MODEL_SIGNING_KEY`), the model is
        signed too, unless something holds it still.

        Raises:
            UsageError: there is no evidence, the signing key can't be used, or the model can't be
                signed.
        """
        from tidegate.attestation.signatures.sign import identity_of_environment

        # Before anything is recorded: these are the operator's to mend, or the author's.
        identity = identity_of_environment()
        if identity is not None:
            signing.require_signable(self.ledger, self.ledger.resolve(reference))
        decision = self._review(reference, ReviewVerdict.APPROVE, actor, reason)
        if identity is None:
            return decision
        signed, signature = self.sign(reference, identity, actor=actor)
        return decision if signature is None else signed

    def reject(self, reference: str, *, actor: str, reason: str) -> Decision:
        """Record that a person rejects these bytes, whatever any evidence says."""
        return self._review(reference, ReviewVerdict.REJECT, actor, reason)

    def waive(
        self,
        reference: str,
        *,
        rule: str,
        actor: str,
        reason: str,
        until: datetime | None = None,
        days: int | None = None,
    ) -> Decision:
        """Record an exception from one rule for one digest, until a time.

        Args:
            reference: a decision id, digest, its beginning, or a subject.
            rule: the id of a rule that the evidence on record has findings of (or UNREAD).
            actor: who waives it.
            reason: why, for those who read the record later.
            until: when it ends; timezone-aware. Or
            days: in how many days it ends.

        Raises:
            UsageError: no such finding is on record, or the policy allows no waiver so long or
                for something so grave.
            RecordNotFoundError: nothing is on record under the reference.
        """
        now = datetime.now(UTC)
        if (until is None) == (days is None):
            raise UsageError("a waiver needs an end: either a date or a number of days")
        expires = until if until is not None else now + timedelta(days=days or 0)
        if not now < expires <= now + timedelta(days=self.policy.waiver_days, seconds=1):
            raise UsageError(
                f"a waiver under the policy {self.policy.profile!r} lasts from now to at most "
                f"{self.policy.waiver_days} days",
                remedy="give an end within that time, or review the artifact instead",
            )
        expires = min(expires, now + timedelta(days=self.policy.waiver_days))
        digest = self.ledger.resolve(reference)
        seen = _fingerprints(*self._seen(reference, digest), rule)
        if not seen:
            raise UsageError(
                f"the evidence on record has no finding of {rule}, and nothing else on record "
                "stands against it by that rule",
                remedy=f"look at `tidegate review show {reference}`",
            )
        before = self._stand(digest, None, Action.LOAD, self._subject_of(digest), actor)
        if any(
            reason_.rule == rule and self._beyond_ceiling(reason_.severity)
            for reason_ in before.reasons
        ):
            raise UsageError(
                f"the policy {self.policy.profile!r} allows no waiver for findings as grave as "
                f"those of {rule}",
                remedy="only another model, or another policy, can mend this",
            )
        self.ledger.add_waiver(
            digest=digest,
            rule=rule,
            fingerprints=seen,
            actor=actor,
            reason=reason,
            expires_at=expires,
            now=now,
        )
        return self._stand_everywhere(digest, reference, actor)

    def sign(
        self, reference: str, identity: SigningIdentity, *, actor: str, name: str = ""
    ) -> tuple[Decision, RecordedSignature | None]:
        """Sign a model that passes, and record the signature; one that is held is not signed.

        Args:
            reference: a decision id, digest, its beginning, or a subject; no bytes are needed.
            identity: who signs.
            actor: who asks for it.
            name: what the signature calls the model; by default as it was last called.

        Returns:
            How the model stands afterwards, and the signature, if it was made.

        Raises:
            RecordNotFoundError: nothing is on record under the reference.
            UsageError: a name in the model would not be the same name everywhere.
        """
        digest = self.ledger.resolve(reference)
        for action in (Action.DEPLOY, Action.LOAD):
            subject = self._subject_of(digest)
            decision = self._stand(digest, None, action, subject, actor, keep=False)
            if any(reason.rule not in SIGNATURE_RULES for reason in decision.reasons):
                return decision, None
        bundle = signing.signed(
            self.ledger, digest, identity, name=name or decision.subject or digest
        )
        return self.add_signature(reference, bundle, actor=actor)

    def add_signature(
        self, reference: str, bundle: str, *, actor: str
    ) -> tuple[Decision, RecordedSignature]:
        """Record a signature over a model, whoever made it; how the model stands afterwards.

        Raises:
            RecordNotFoundError: nothing is on record under the reference.
            ModelSignatureError: it is no signature over exactly those files.
        """
        digest = self.ledger.resolve(reference)
        signature = self.ledger.add_signature(
            digest=digest, bundle=bundle, actor=actor, now=datetime.now(UTC)
        )
        return self._stand_everywhere(digest, reference, actor), signature

    def _review(self, reference: str, verdict: ReviewVerdict, actor: str, reason: str) -> Decision:
        digest = self.ledger.resolve(reference)
        evidence, lineage = self._seen(reference, digest)
        if evidence is None and verdict is ReviewVerdict.APPROVE:
            raise UsageError(
                "there is no evidence to approve: these bytes have not been scanned",
                remedy="scan them first: `tidegate scan --record PATH`",
            )
        self.ledger.add_review(
            digest=digest,
            verdict=verdict,
            fingerprints=_fingerprints(evidence, lineage),
            actor=actor,
            reason=reason,
            evidence_id=evidence.id if evidence else None,
            now=datetime.now(UTC),
        )
        return self._stand_everywhere(digest, reference, actor)

    def _seen(self, reference: str, digest: str) -> tuple[Evidence | None, Lineage]:
        """The evidence, and where it came from, as the reviewer has seen them.

        Who names a decision by its number has seen what that one says; a recall or evidence that
        came since is none of it.
        """
        from tidegate.ledger.references import decision_number

        number = decision_number(reference)
        if number is not None:
            try:
                seen = self.ledger.decision(number)
            except RecordNotFoundError:
                seen = None
            if seen is not None and seen.digest == digest:
                if seen.evidence_id is None:
                    return self.ledger.latest_evidence(digest), seen.lineage
                return self.ledger.evidence(seen.evidence_id), seen.lineage
        return self.ledger.latest_evidence(digest), self.lineage_of(digest)

    def _beyond_ceiling(self, label: str) -> bool:
        return type(self.policy.waiver_ceiling).from_label(label) > self.policy.waiver_ceiling


def _fingerprints(
    evidence: Evidence | None, lineage: Lineage, rule: str | None = None
) -> tuple[str, ...]:
    """Of what stands against an artifact: by its evidence, and by where it came from."""
    prints = [
        each
        for ground in grounds_of_lineage(lineage)
        if rule is None or ground.reason.rule == rule
        for each in ground.fingerprints
    ]
    if evidence is not None:
        name = finding_fingerprint if evidence.claimed_by is None else claimed_fingerprint
        prints += [name(found) for found in evidence.findings if rule is None or found.rule == rule]
        if rule is None or rule == UNREAD:
            prints += [unread_fingerprint(part) for part in evidence.unread]
    return tuple(sorted(set(prints)))
