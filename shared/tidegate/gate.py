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
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from tidegate.artifact import LocalSource, Manifest, read_manifest
from tidegate.policy import (
    Action,
    Decision,
    Policy,
    Review,
    Waiver,
    resolve_policy,
)
from tidegate.policy.lineage import Lineage
from tidegate.reviewing import ReviewingGate
from tidegate.scanners.engine import ScanEngine
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tidegate.ledger import Held, Ledger, RecordedSignature, Registration, RemoteLedger

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


class Gate(ReviewingGate):
    """A policy, a ledger and a scan engine. Thread-safe; one serves a whole process.

    Args:
        policy: what decisions go by.
        ledger: where they are kept.
        engine: what scans; by default one with the limits of the environment.
    """

    def __init__(self, policy: Policy, ledger: Ledger, *, engine: ScanEngine | None = None) -> None:
        super().__init__(policy, ledger)
        self.engine = engine or ScanEngine()

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
