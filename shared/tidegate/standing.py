"""How bytes stand: the decision by what is on record, made anew whenever somebody asks.

The part of the gate that never scans. Always holds: without evidence about the very digest nothing
is allowed; a decision is recorded while nobody else can record anything, so none is overtaken by a
review or a recall that it did not see; and what is on record already is not written twice.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tidegate import signing
from tidegate.artifact import HashMemory, Manifest, read_manifest
from tidegate.errors import RecordNotFoundError
from tidegate.policy import Action, Decision, Policy, decide
from tidegate.policy.lineage import Lineage
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from tidegate.ledger import Ledger
    from tidegate.ledger.reader import Reader


class StandingGate:
    """A policy and a ledger that decisions are made by and kept in; see `tidegate.gate.Gate`."""

    def __init__(self, policy: Policy, ledger: Ledger) -> None:
        self.policy = policy
        self.ledger = ledger
        self._hashes = HashMemory()

    def standing(
        self,
        path: str | os.PathLike[str],
        action: Action = Action.LOAD,
        *,
        subject: str = "",
        actor: str | None = None,
        expected: str | None = None,
    ) -> Decision:
        """Hash the bytes again and decide by the evidence on record; never scans.

        A decision that is the same as the last one on record for this digest, action and subject
        is that one; only a new one is written, and none about bytes that nobody has scanned: there
        is nothing in it to review. Without a `subject`, the one last on record counts. Where
        `expected` names the digest that the subject should have, other bytes are denied, however
        clean they are.

        Raises:
            ArtifactError: the bytes can't be read.
            OperatorError: the ledger can't be read or written.
        """
        manifest = read_manifest(path, memory=self._hashes)
        subject = subject or self._subject_of(manifest.digest)
        return self._stand(manifest.digest, manifest, action, subject, actor, expected)

    def standing_of(
        self, reference: str, action: Action = Action.LOAD, *, subject: str = ""
    ) -> Decision:
        """The same for a digest, decision id or subject on record, without its bytes at hand.

        Raises:
            RecordNotFoundError: nothing is on record under the reference.
        """
        digest = self.ledger.resolve(reference)
        subject = subject or self._subject_of(digest)
        return self._stand(digest, None, action, subject, None)

    def stand(
        self,
        digest: str,
        action: Action,
        *,
        manifest: Manifest | None = None,
        subject: str = "",
        actor: str | None = None,
        expected: str | None = None,
        keep: bool = True,
    ) -> Decision:
        """`standing` for a digest that somebody else computed of bytes that he has.

        Without `keep` nothing is written: for whoever may ask and not record.
        """
        subject = subject or self._subject_of(digest)
        return self._stand(digest, manifest, action, subject, actor, expected, keep=keep)

    def manifest_of(self, path: str | os.PathLike[str]) -> Manifest:
        """The files as they lie there now; what this gate has hashed unchanged is not hashed again.

        Raises:
            ArtifactError: they can't be read.
        """
        return read_manifest(path, memory=self._hashes)

    def stand_everywhere(self, reference: str, *, actor: str) -> Decision:
        """Decide anew under every name of what a reference stands for; the decision of its name.

        Raises:
            RecordNotFoundError: nothing is on record under the reference.
        """
        return self._stand_everywhere(self.ledger.resolve(reference), reference, actor)

    def restand(self, digest: str, actor: str | None) -> dict[str, Decision]:
        """Decide anew under every name of the digest; the decisions by name, the last used first.

        Only what is new is written.
        """
        subjects = self.ledger.subjects_of(digest) or ("",)
        return {
            subject: self._stand(digest, None, Action.LOAD, subject, actor) for subject in subjects
        }

    def lineage_of(self, digest: str, action: Action | None = None) -> Lineage:
        """The recalls that reach a digest, its held bases, and what its chain lacks.

        Without an action, what the chain lacks for any that demands one.
        """
        from tidegate.ledger.known import lineage_of

        now = datetime.now(UTC)
        return lineage_of(self.ledger, self.policy, digest, action=action, manifest=None, now=now)

    def _stand_everywhere(self, digest: str, reference: str, actor: str) -> Decision:
        """Decide anew under every name of the digest; the decision of the name that was asked for.

        What a person says of bytes holds for all their names, so none may stay on record as if
        nobody had looked.
        """
        decisions = self.restand(digest, actor)
        return decisions.get(reference, next(iter(decisions.values())))

    def _stand(
        self,
        digest: str,
        manifest: Manifest | None,
        action: Action,
        subject: str,
        actor: str | None,
        expected: str | None = None,
        *,
        keep: bool = True,
    ) -> Decision:
        evidence, decision, last = self._ask(
            self.ledger, digest, manifest, action, subject, actor, expected
        )
        if last is not None and _same_grounds(last, decision):
            return last
        if not keep or (evidence is None and last is None):
            return decision
        with self.ledger.deciding() as view:
            # Asked again where nobody can record anything before this is on record.
            evidence, decision, last = self._ask(
                view, digest, manifest, action, subject, actor, expected
            )
            if last is not None and _same_grounds(last, decision):
                return last
            if manifest is None:
                try:
                    manifest = view.manifest(digest)
                except RecordNotFoundError:
                    manifest = None
            return self.ledger.record(
                decision,
                policy=self.policy,
                manifest=manifest,
                evidence=evidence,
                view=view,
            )

    def _ask(
        self,
        view: Reader,
        digest: str,
        manifest: Manifest | None,
        action: Action,
        subject: str,
        actor: str | None,
        expected: str | None,
    ) -> tuple[Evidence | None, Decision, Decision | None]:
        """The evidence on record, the decision by it, and the one that is on record already."""
        evidence = view.latest_evidence(digest)
        decision = self._decide(
            view, action, digest, evidence, subject, actor, expected, manifest=manifest
        )
        return evidence, decision, view.latest_decision(digest, action=action, subject=subject)

    def _decide(
        self,
        view: Reader,
        action: Action,
        digest: str,
        evidence: Evidence | None,
        subject: str,
        actor: str | None,
        expected: str | None = None,
        *,
        manifest: Manifest | None,
    ) -> Decision:
        from tidegate.ledger.known import lineage_of

        now = datetime.now(UTC)
        lineage = lineage_of(view, self.policy, digest, action=action, manifest=manifest, now=now)
        return decide(
            self.policy,
            action,
            evidence,
            digest=digest,
            subject=subject,
            now=now,
            waivers=view.waivers_for(digest),
            reviews=view.reviews_for(digest),
            lineage=lineage,
            signatures=signing.checks(self.policy, action, view, digest, manifest),
            actor=actor,
            expected=expected,
        )

    def _subject_of(self, digest: str) -> str:
        last = self.ledger.latest_decision(digest)
        return last.subject if last else ""


def _same_grounds(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same for the same reasons, whenever and whoever asked."""
    return (
        one.outcome,
        one.enforced,
        one.policy_digest,
        one.evidence_id,
        one.review_id,
        one.reasons,
        one.notes,
        one.lineage,
    ) == (
        other.outcome,
        other.enforced,
        other.policy_digest,
        other.evidence_id,
        other.review_id,
        other.reasons,
        other.notes,
        other.lineage,
    )
