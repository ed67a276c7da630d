"""The one door that adapters call: evidence in, decision out, both on record.

    with Gate.open() as gate:
        decision = gate.check("model/", Action.REGISTER, subject="fraud")

- `check` scans what has no evidence under today's rules; for registering and for a first look.
- `standing` never scans: it hashes the bytes again and asks what is on record for them; for
  aliases, loading and deployment.
- `approve`, `reject` and `waive` record what a person decided, and return the decision as it
  stands afterwards; `sign` signs what passes.

Always holds: no way through here ends in a decision that allows without evidence about the very
digest of the bytes at hand; and a decision that can't be recorded is not returned.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tidegate import signing
from tidegate.artifact import HashMemory, LocalSource, Manifest, read_manifest
from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.policy import (
    Action,
    Decision,
    Policy,
    Review,
    ReviewVerdict,
    Waiver,
    decide,
    resolve_policy,
)
from tidegate.policy.grounds import SIGNATURE_RULES, UNREAD, grounds_of_lineage
from tidegate.policy.lineage import Lineage
from tidegate.scanners.engine import ScanEngine
from tidegate.scanners.evidence import Evidence, finding_fingerprint, unread_fingerprint

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tidegate.attestation.signatures import SigningIdentity
    from tidegate.ledger import Held, Ledger, RecordedSignature, Registration, RemoteLedger
    from tidegate.ledger.reader import Reader

_SCAN_MEANWHILE_FROM = 32 << 20


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything on record about one digest, for a reviewer. Newest first throughout."""

    digest: str
    manifest: Manifest
    evidence: Evidence | None
    decision: Decision | None
    reviews: tuple[Review, ...]
    waivers: tuple[Waiver, ...]
    registrations: tuple[Registration, ...]
    signatures: tuple[RecordedSignature, ...]
    lineage: Lineage
    """What holds it because of where it came from, as of now."""


class Gate:
    """A policy, a ledger and a scan engine. Thread-safe; one serves a whole process.

    Args:
        policy: what decisions go by.
        ledger: where they are kept.
        engine: what scans; by default one with the limits of the environment.
    """

    def __init__(self, policy: Policy, ledger: Ledger, *, engine: ScanEngine | None = None) -> None:
        self.policy = policy
        self.ledger = ledger
        self.engine = engine or ScanEngine()
        self._hashes = HashMemory()

    @classmethod
    def open(
        cls,
        *,
        policy: str | Path | Policy | None = None,
        ledger: str | Ledger | RemoteLedger | None = None,
        keep_spare: bool = False,
        make_ledger: bool = True,
    ) -> Gate:
        """A gate with what is given, and the rest from `TIDEGATE_*`.

        Args:
            policy: a policy, its file, or a built-in profile's name.
            ledger: a ledger, its SQLAlchemy URL, or the address of a console that keeps one; in
                that case the console decides, by its own policy, and this is its counter
                (`tidegate.remote_gate`).
            keep_spare: keep a scanner process ready between scans, for a server.
            make_ledger: make a ledger that is not there, and its tables. Who only reads or
                reviews says False, so that a mistyped URL is an error and not an empty ledger.

        Raises:
            PolicyError: the policy can't be read or is not valid.
            LedgerUnavailableError: the ledger can't be reached.
        """
        from tidegate.ledger import Ledger as LedgerClass
        from tidegate.ledger import RemoteLedger, is_remote
        from tidegate.settings import read_settings

        settings = read_settings()
        wanted = policy if policy is not None else settings.policy
        if ledger is None:
            ledger = settings.ledger_url()
        if isinstance(ledger, str) and is_remote(ledger):
            ledger = RemoteLedger.open(ledger)
        if isinstance(ledger, RemoteLedger):
            from tidegate.remote_gate import RemoteGate

            chosen = None if wanted is None else resolve_policy(wanted)
            engine = ScanEngine(settings.limits(), keep_spare=keep_spare)
            return RemoteGate(ledger, expected_policy=chosen, engine=engine)
        chosen = resolve_policy(wanted)
        engine = ScanEngine(settings.limits(), keep_spare=keep_spare)
        if not isinstance(ledger, LedgerClass):
            ledger = LedgerClass.open(ledger, migrate=make_ledger)
        return cls(chosen, ledger, engine=engine)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the scanner processes and the ledger's connections."""
        self.engine.close()
        self.ledger.close()

    def check(
        self,
        path: str | os.PathLike[str],
        action: Action,
        *,
        subject: str = "",
        actor: str | None = None,
    ) -> Decision:
        """Decide about a file or folder, scanning it where there is no evidence yet.

        Args:
            path: the artifact.
            action: what is about to be done with it.
            subject: what it is called where it is used, such as "fraud/3".
            actor: who asks, where that is known.

        Raises:
            ArtifactError: it can't be read, so it can't pass.
            OperatorError: the ledger can't be read or written.
        """
        manifest, evidence = self.gather(path)
        place = os.path.abspath(path)  # noqa: PTH100 - no link is resolved
        return self.settle(action, manifest, evidence, subject=subject, actor=actor, place=place)

    def gather(self, path: str | os.PathLike[str]) -> tuple[Manifest, Evidence]:
        """The artifact's manifest, and its evidence from the ledger or from a scan.

        The part of `check` that may take long; it writes nothing.
        """
        from tidegate.scanners.registry import ruleset_version

        self.engine.prepare()
        source = LocalSource(path)
        _, files = source.list_files()
        size = sum(file.size for file in files if self._hashes.recall(file) is None)
        # What takes long to hash is scanned meanwhile. Of what does not, it is soon known whether
        # it is on record, and a scanner process is worth more than that wait.
        pending = self.engine.begin(source) if size >= _SCAN_MEANWHILE_FROM else None
        try:
            manifest = read_manifest(source, memory=self._hashes)
            known = self.ledger.evidence_for(manifest.digest, ruleset_version())
        except BaseException:
            if pending is not None:
                pending.cancel()
            raise
        # Evidence that a passing trouble left incomplete is worth another try.
        if known is not None and not known.unread:
            if pending is not None:
                pending.cancel()
            return manifest, known
        return manifest, (pending or self.engine.begin(source)).evidence(manifest)

    def foresee(
        self, action: Action, manifest: Manifest, evidence: Evidence | None, *, subject: str = ""
    ) -> Decision:
        """What `settle` would decide now. Nothing is recorded, so nobody may act on it alone."""
        return self._decide(
            self.ledger, action, manifest.digest, evidence, subject, None, manifest=manifest
        )

    def settle(
        self,
        action: Action,
        manifest: Manifest,
        evidence: Evidence | None,
        *,
        subject: str = "",
        actor: str | None = None,
        place: str | None = None,
        connection: Connection | None = None,
    ) -> Decision:
        """Decide on what was gathered, and record it, in the caller's transaction if given one.

        `place` is the absolute path where the bytes lie to stay; a later `tidegate rescan` looks
        for them there.
        """
        with self.ledger.deciding(connection, manifest=manifest) as view:
            decision = self._decide(
                view, action, manifest.digest, evidence, subject, actor, manifest=manifest
            )
            return self.ledger.record(
                decision,
                policy=self.policy,
                manifest=manifest,
                evidence=evidence,
                place=place,
                view=view,
            )

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

    def held(self, *, limit: int = 100) -> tuple[Held, ...]:
        """What waits for a review or is denied, newest first."""
        return self.ledger.held(limit=limit)

    def dossier(self, reference: str) -> Dossier:
        """All that is on record under a decision id, digest, its beginning, or a subject.

        Raises:
            RecordNotFoundError: there is nothing.
        """
        digest = self.ledger.resolve(reference)
        return Dossier(
            digest=digest,
            manifest=self.ledger.manifest(digest),
            evidence=self.ledger.latest_evidence(digest),
            decision=self.ledger.latest_decision(digest),
            reviews=self.ledger.reviews_for(digest),
            waivers=self.ledger.waivers_for(digest),
            registrations=self.ledger.registrations_of(digest),
            signatures=self.ledger.signatures_for(digest),
            lineage=self.lineage_of(digest),
        )

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
        seen = self._fingerprints(digest, self._lineage_seen(reference, digest), rule)
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

    def _review(self, reference: str, verdict: ReviewVerdict, actor: str, reason: str) -> Decision:
        digest = self.ledger.resolve(reference)
        evidence = self.ledger.latest_evidence(digest)
        if evidence is None and verdict is ReviewVerdict.APPROVE:
            raise UsageError(
                "there is no evidence to approve: these bytes have not been scanned",
                remedy="scan them first: `tidegate scan --record PATH`",
            )
        self.ledger.add_review(
            digest=digest,
            verdict=verdict,
            fingerprints=self._fingerprints(digest, self._lineage_seen(reference, digest)),
            actor=actor,
            reason=reason,
            evidence_id=evidence.id if evidence else None,
            now=datetime.now(UTC),
        )
        return self._stand_everywhere(digest, reference, actor)

    def stand_everywhere(self, reference: str, *, actor: str) -> Decision:
        """Decide anew under every name of what a reference stands for; the decision of its name.

        Raises:
            RecordNotFoundError: nothing is on record under the reference.
        """
        return self._stand_everywhere(self.ledger.resolve(reference), reference, actor)

    def _stand_everywhere(self, digest: str, reference: str, actor: str) -> Decision:
        """Decide anew under every name of the digest; the decision of the name that was asked for.

        What a person says of bytes holds for all their names, so none may stay on record as if
        nobody had looked.
        """
        decisions = self.restand(digest, actor)
        return decisions.get(reference, next(iter(decisions.values())))

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

    def _fingerprints(
        self, digest: str, lineage: Lineage, rule: str | None = None
    ) -> tuple[str, ...]:
        """Of what stands against a digest: by its evidence, and by where it came from."""
        prints = [
            each
            for ground in grounds_of_lineage(lineage)
            if rule is None or ground.reason.rule == rule
            for each in ground.fingerprints
        ]
        evidence = self.ledger.latest_evidence(digest)
        if evidence is not None:
            prints += [
                finding_fingerprint(found)
                for found in evidence.findings
                if rule is None or found.rule == rule
            ]
            if rule is None or rule == UNREAD:
                prints += [unread_fingerprint(part) for part in evidence.unread]
        return tuple(sorted(set(prints)))

    def _lineage_seen(self, reference: str, digest: str) -> Lineage:
        """Where it came from, as the reviewer has seen it.

        Who names a decision by its number has seen what that one says; a recall that came since
        is none of it.
        """
        from tidegate.ledger.references import decision_number

        number = decision_number(reference)
        if number is not None:
            try:
                seen = self.ledger.decision(number)
            except RecordNotFoundError:
                return self.lineage_of(digest)
            if seen.digest == digest:
                return seen.lineage
        return self.lineage_of(digest)

    def _beyond_ceiling(self, label: str) -> bool:
        return type(self.policy.waiver_ceiling).from_label(label) > self.policy.waiver_ceiling

    def _subject_of(self, digest: str) -> str:
        last = self.ledger.latest_decision(digest)
        return last.subject if last else ""

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
