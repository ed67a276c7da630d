"""What a ledger offers wherever it is: in a database at hand, or behind a console's address.

`LedgerReader` are the questions, which `Ledger` answers by a query and `RemoteLedger` by asking
over HTTP. `StepRecorder` takes steps of pipelines. Whoever needs no more than these names them,
and works with both. Decisions are no part of it: a console makes them itself (`remote_gate`), and
writes that belong into one transaction with a registry's own need the database (`Ledger`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tidegate.artifact.manifest import Manifest
from tidegate.ledger.records import Held, RecordedSignature, Registration
from tidegate.policy.model import Action, Decision, Policy, Review, Waiver
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from tidegate.attestation.step import Step


class LedgerReader(Protocol):
    """The questions. See `tidegate.ledger.reader.Reader` for what each means and raises."""

    url: str
    """Where the ledger is, without any password."""

    def close(self) -> None:
        """Close the connections."""

    def origin(self) -> str | None:
        """The log's name in its checkpoints; None before the first statement."""

    def checkpoint(self, *, after: str | None = None) -> str:
        """The log's size and root, signed."""

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a digest."""

    def policy(self, digest: str) -> Policy:
        """The policy of a digest."""

    def evidence(self, evidence_id: str) -> Evidence:
        """The evidence of an id."""

    def evidence_for(
        self, digest: str, ruleset: str, *, claimant: str | None = None
    ) -> Evidence | None:
        """The evidence about a digest that saves whoever has the bytes a scan of his own."""

    def step(self, step_id: str) -> Step:
        """The step of an id, with the manifests of what it read."""

    def latest_evidence(self, digest: str) -> Evidence | None:
        """The evidence about a digest that was last decided on."""

    def decision(self, decision_id: int) -> Decision:
        """The decision of a number."""

    def latest_decision(
        self, digest: str, *, action: Action | None = None, subject: str | None = None
    ) -> Decision | None:
        """The newest decision about a digest."""

    def waivers_for(self, digest: str) -> tuple[Waiver, ...]:
        """All waivers for a digest, the newest first."""

    def reviews_for(self, digest: str) -> tuple[Review, ...]:
        """All reviews of a digest, the newest first."""

    def signatures_for(self, digest: str) -> tuple[RecordedSignature, ...]:
        """All signatures over the files of a digest, the newest first."""

    def subjects_of(self, digest: str) -> tuple[str, ...]:
        """Every name under which a digest was decided on, the one last used first."""

    def places_of(self, digest: str) -> tuple[str, ...]:
        """Every path at which the bytes were found, the one found last first."""

    def passing(self) -> tuple[str, ...]:
        """The digests that pass by the newest decision about them."""

    def held(self, *, limit: int = 100) -> tuple[Held, ...]:
        """What is not allowed, newest first."""

    def resolve(self, reference: str) -> str:
        """The digest that a person means."""

    def sbom_for(self, reference: str) -> str:
        """The newest SBOM of what a reference stands for."""

    def registrations_of(self, digest: str) -> tuple[Registration, ...]:
        """All registrations of a digest, the newest first."""

    def registration_known(
        self, store: str, name: str, version: str, created_ms: int, source: str
    ) -> Registration | None:
        """The registration of a version's row, under today's name or an earlier one."""


class StepRecorder(Protocol):
    """Where steps of pipelines are recorded."""

    url: str
    """Where the ledger is, without any password."""

    def record_step(self, step: Step) -> bool:
        """Record a step; whether it is new."""
