"""Writing to a ledger: everything that is put on record, each with its statement.

Always holds: each method that writes is one transaction of its own, or joins the one of the
connection that it is given, which it then neither commits nor rolls back. Inside MLflow's store
that connection is the session's: on SQLite a transaction of our own would wait for the
session's lock until time runs out. Whatever is written is covered by a signed statement in the
same transaction; a ledger that is only read needs no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from tidegate.artifact.manifest import Manifest
from tidegate.errors import UsageError
from tidegate.ledger import (
    connect,
    log,
    recalls,
    records,
    requests,
    said,
    schema,
    steps,
    writes,
)
from tidegate.ledger.reader import Reader, View
from tidegate.ledger.recalls import Lift, Recall, RecallKind
from tidegate.ledger.records import (
    RecordedSignature,
    Registration,
    canonical,
    checked_digest,
    checked_integer,
    checked_text,
    stored_time,
)
from tidegate.policy.model import Decision, Policy, Review, ReviewVerdict, Waiver
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from tidegate.attestation.keys import SigningKey
    from tidegate.attestation.step import Step
    from tidegate.ledger.log import Draft


class Writer(Reader):
    """A ledger to write to; see `tidegate.ledger.ledger.Ledger`."""

    def __init__(self, engine: Engine, *, key: SigningKey | None = None) -> None:
        """Write to the ledger of an engine, signing with that key or the environment's."""
        super().__init__(engine)
        self._key = key

    def signing_key(self) -> SigningKey:
        """What statements are signed with."""
        if self._key is None:
            from tidegate.attestation.own_key import signing_key

            self._key = signing_key()
        return self._key

    def writing_aside(self) -> AbstractContextManager[Connection]:
        """A transaction for what is no record of the log, and keeps no decision waiting."""
        return connect.writing(self._engine)

    @contextmanager
    def deciding(
        self, connection: Connection | None = None, *, manifest: Manifest | None = None
    ) -> Iterator[View]:
        """A transaction in which nobody else records: what is read in it stands until its end.

        Who records a decision asks within it what the decision stands on, so that no recall and
        no review comes between the question and the record. It is a transaction of its own, or
        the one of the connection.

        Args:
            connection: whose transaction it is to be.
            manifest: of the artifact that is to be decided on, which is put on record first, so
                that its files are among what the questions are about; `record` covers it, so the
                view must be given to that.
        """
        with self._writing(connection) as open_connection:
            view = View(open_connection)
            if manifest is not None:
                writes.put_artifact(open_connection, manifest, view.written)
            yield view

    def record(
        self,
        decision: Decision,
        *,
        policy: Policy,
        manifest: Manifest | None,
        evidence: Evidence | None,
        place: str | None = None,
        connection: Connection | None = None,
        view: View | None = None,
    ) -> Decision:
        """Write a decision with the manifest, evidence and policy that it stands on.

        What is on record already is left as it is. `manifest` and `evidence` may be None where
        they are on record, or where the decision is that there are none. `place` is where the
        bytes lie. `view` is that of `deciding`, in whose transaction it is then written.

        Returns:
            The decision with its id.

        Raises:
            UsageError: the parts do not belong together.
        """
        with self._writing(view.connection if view is not None else connection) as open_connection:
            number, written = writes.put_decision(
                open_connection, decision, policy=policy, manifest=manifest, evidence=evidence
            )
            if view is not None:
                written = [*view.written, *written]
                view.written.clear()
            if place is not None:
                row = {
                    "digest": decision.digest,
                    "location": checked_text(place, "place", required=True),
                    "created_at": stored_time(decision.decided_at, "time of the decision"),
                }
                written += writes.put_place(open_connection, row)
            self._append(open_connection, said.of_decision(decision, evidence, written))
        return replace(decision, id=number)

    def add_waiver(
        self,
        *,
        digest: str,
        rule: str,
        fingerprints: Sequence[str],
        actor: str,
        reason: str,
        expires_at: datetime,
        now: datetime,
        connection: Connection | None = None,
    ) -> Waiver:
        """Write an exception from one rule for the findings that `fingerprints` name.

        Raises:
            UsageError: no actor, reason, rule or fingerprint, or an expiry that is not ahead.
        """
        row = {
            "digest": checked_digest(digest),
            "rule": checked_text(rule, "rule", required=True),
            "fingerprints": _fingerprints(fingerprints),
            "actor": checked_text(actor, "actor", required=True),
            "reason": checked_text(reason, "reason", required=True),
            "created_at": stored_time(now, "time of the waiver"),
            "expires_at": stored_time(expires_at, "expiry of the waiver"),
        }
        if expires_at <= now:
            raise UsageError("the waiver would have expired when it begins")
        if not fingerprints:
            raise UsageError(
                "the waiver names no finding, so it would cover none",
                remedy="give the fingerprints of the findings that it is about",
            )
        with self._writing(connection) as open_connection:
            number = writes.insert_numbered(open_connection, schema.waiver, row)
            written: said.Written = [(schema.waiver, {"id": number, **row})]
            self._append(open_connection, [said.of_waiver(written)])
        return Waiver(
            number, digest, rule, tuple(fingerprints), actor, reason, created_at=now,
            expires_at=expires_at,
        )  # fmt: skip

    def add_review(
        self,
        *,
        digest: str,
        verdict: ReviewVerdict,
        fingerprints: Sequence[str],
        actor: str,
        reason: str,
        evidence_id: str | None,
        now: datetime,
        connection: Connection | None = None,
    ) -> Review:
        """Write what a person decided about a digest after looking at one evidence.

        Raises:
            UsageError: no actor or reason, or evidence about other bytes.
            RecordNotFoundError: evidence that is not on record.
        """
        row = {
            "digest": checked_digest(digest),
            "verdict": verdict.value,
            "fingerprints": _fingerprints(fingerprints),
            "actor": checked_text(actor, "actor", required=True),
            "reason": checked_text(reason, "reason", required=True),
            "evidence_id": evidence_id,
            "created_at": stored_time(now, "time of the review"),
        }
        with self._writing(connection) as open_connection:
            if evidence_id is not None:
                checked_text(evidence_id, "evidence id")
                writes.require_evidence(open_connection, evidence_id, digest)
            number = writes.insert_numbered(open_connection, schema.review, row)
            written: said.Written = [(schema.review, {"id": number, **row})]
            self._append(open_connection, [said.of_review(written)])
        return Review(
            number, digest, verdict, tuple(fingerprints), actor, reason, created_at=now,
            evidence_id=evidence_id,
        )  # fmt: skip

    def add_sbom(
        self,
        *,
        digest: str,
        subject: str,
        body: str,
        now: datetime,
        connection: Connection | None = None,
    ) -> int:
        """Write the SBOM of a digest, JSON text kept as it is; returns its number."""
        row = {
            "digest": checked_digest(digest),
            "subject": checked_text(subject, "subject"),
            "body": checked_text(body, "SBOM", required=True),
            "created_at": stored_time(now, "time of the SBOM"),
        }
        with self._writing(connection) as open_connection:
            number = writes.insert_numbered(open_connection, schema.sbom, row)
            self._append(open_connection, [said.of_sbom([(schema.sbom, {"id": number, **row})])])
        return number

    def add_signature(
        self,
        *,
        digest: str,
        bundle: str,
        actor: str,
        now: datetime,
        connection: Connection | None = None,
    ) -> RecordedSignature:
        """Write a signature over a model, as its file has it; the same one twice is one.

        Whoever made it: that is looked at when somebody wants to use the model.

        Raises:
            RecordNotFoundError: the model's files are not on record.
            ModelSignatureError: it is no signature over exactly those files.
        """
        row = {
            "digest": checked_digest(digest),
            "bundle": checked_text(bundle, "signature", required=True),
            "actor": checked_text(actor, "actor", required=True),
            "created_at": stored_time(now, "time of the signature"),
        }
        from tidegate.attestation.signatures.verify import claimed_statement

        # Read before the lock is taken, which nobody should hold for as long as a large file takes.
        statement = claimed_statement(bundle.encode())
        with self._writing(connection) as open_connection:
            standing, written = writes.put_signature(open_connection, row, statement)
            if written:
                self._append(open_connection, [said.of_signature(written)])
            return records.signature_from_row(standing)

    def add_registration(
        self,
        *,
        store: str,
        name: str,
        version: str,
        created_ms: int,
        source: str,
        digest: str | None,
        decision_id: int | None,
        connection: Connection | None = None,
    ) -> Registration:
        """Tie a version's row in a registry to its bytes and decision; the same one twice is one.

        Raises:
            UsageError: that version is registered with other bytes, source or decision, or the
                decision is about other bytes.
            RecordNotFoundError: there is no such decision.
        """
        row = {
            "store": checked_text(store, "store"),
            "name": checked_text(name, "name", required=True),
            "version": checked_text(version, "version", required=True),
            "created_ms": checked_integer(created_ms, "time of creation"),
            "source": checked_text(source, "source"),
            "digest": None if digest is None else checked_digest(digest),
            "decision_id": None
            if decision_id is None
            else checked_integer(decision_id, "decision's number"),
        }
        with self._writing(connection) as open_connection:
            standing, written = writes.put_registration(open_connection, row)
            if written:
                self._append(open_connection, [said.of_registration(written)])
            return records.registration_from_row(standing)

    def record_step(self, step: Step, *, connection: Connection | None = None) -> bool:
        """Write a step of a pipeline with its edges and the manifests of what it read.

        Returns:
            Whether it is new; the same step twice is one.

        Raises:
            UsageError: another step is on record under its id.
        """
        with self._writing(connection) as open_connection:
            written = steps.put_step(open_connection, step)
            if written:
                manifests = steps.manifests_of(open_connection, step)
                self._append(open_connection, [said.of_step(step, manifests, written)])
        return bool(written)

    def add_recall(
        self,
        kind: RecallKind,
        target: str,
        *,
        actor: str,
        reason: str,
        now: datetime,
        name: str = "",
        connection: Connection | None = None,
    ) -> Recall:
        """Write a recall; from its commit on it holds whatever it reaches.

        Raises:
            UsageError: no digest or package, actor or reason.
        """
        row = recalls.recall_row(kind, target, name=name, actor=actor, reason=reason, now=now)
        with self._writing(connection) as open_connection:
            number = writes.insert_numbered(open_connection, schema.recall, row)
            written: said.Written = [(schema.recall, {"id": number, **row})]
            self._append(open_connection, [said.of_recall(written)])
        return Recall(number, kind, target, name, actor, reason, now)

    def lift_recall(
        self,
        recall_id: int,
        *,
        actor: str,
        reason: str,
        now: datetime,
        connection: Connection | None = None,
    ) -> Recall:
        """Write that a recall no longer holds anything.

        Raises:
            RecordNotFoundError: there is no such recall.
            UsageError: it was lifted already, or there is no actor or reason.
        """
        row = recalls.lift_row(recall_id, actor=actor, reason=reason, now=now)
        with self._writing(connection) as open_connection:
            standing = recalls.require_in_force(open_connection, recall_id)
            number = writes.insert_numbered(open_connection, schema.recall_lift, row)
            written: said.Written = [(schema.recall_lift, {"id": number, **row})]
            self._append(open_connection, [said.of_recall_lift(standing.target, written)])
        return replace(standing, lift=Lift(number, actor, reason, now))

    def append(self, drafts: Sequence[Draft], *, connection: Connection | None = None) -> range:
        """Sign statements and append them to the log, all in one transaction; their numbers."""
        with self._writing(connection) as open_connection:
            return self._append(open_connection, drafts)

    def _append(self, connection: Connection, drafts: Sequence[Draft]) -> range:
        """Append them, and the request under which this thread works, if it is not noted yet."""
        noted = requests.noted(connection, drafts)
        return log.append(connection, [*drafts, *noted], self.signing_key())[: len(drafts)]

    def transaction(
        self, connection: Connection | None = None
    ) -> AbstractContextManager[Connection]:
        """A transaction in which nobody else records: for looking and writing as one.

        Its connection is given to the methods that write. Whatever a question asks meanwhile comes
        on another connection, and sees what was recorded before. A `connection` that is given is
        used as it is, and its transaction stays its owner's.
        """
        return self._writing(connection)

    @contextmanager
    def _writing(self, connection: Connection | None) -> Iterator[Connection]:
        if connection is None:
            with connect.writing(self._engine) as own:
                log.lock(own)
                yield own
        else:
            with connect.translated(connection.engine.url):
                log.lock(connection)
                yield connection


def _fingerprints(fingerprints: Sequence[str]) -> str:
    if isinstance(fingerprints, str):
        raise UsageError("one fingerprint was given where a list of them belongs")
    return canonical(list(fingerprints))
