"""What a ledger answers. Every method is a question of its own, on a connection of its own.

Always holds: a row is checked against its key and its columns before anybody sees what it says
(`records`), and "none" is the answer only where there is no row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select

from tidegate.artifact.manifest import Manifest
from tidegate.errors import RecordNotFoundError
from tidegate.ledger import connect, records, references, schema, upgrade
from tidegate.ledger.newest import held_of, newest_decisions, with_last_review
from tidegate.ledger.recalls import Recall, recall_from_row, recalls_query
from tidegate.ledger.records import (
    Held,
    RecordedSignature,
    Registration,
    checked_integer,
    checked_text,
)
from tidegate.policy.model import Action, Decision, Outcome, Policy, Review, Waiver
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from tidegate.attestation.step import Step
    from tidegate.ledger.said import Written

_PAGE = 1000


class Reader:
    """The questions that a ledger answers; `Ledger` adds opening and writing."""

    def __init__(self, engine: Engine) -> None:
        """Ask through an engine as it is."""
        self._engine = engine

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with, for questions that this class does not answer."""
        return connect.reading(self._engine)

    def schema_revision(self) -> str | None:
        """The schema's revision; None where there is no ledger yet."""
        with self.reading() as connection:
            return upgrade.revision_of(connection)

    def origin(self) -> str | None:
        """The log's name in its checkpoints; None before the first statement."""
        from tidegate.ledger.checkpoint_notes import origin_of

        table = schema.statement
        row = self._first(select(table).where(table.c.id == 1))
        return None if row is None else origin_of(row[table.c.leaf_hash])

    def manifest(self, digest: str) -> Manifest:
        """The manifest of a digest; RecordNotFoundError where there is none."""
        table = schema.artifact
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        return records.manifest_from_row(self._one(query, f"manifest of {digest!r}"))

    def policy(self, digest: str) -> Policy:
        """The policy of a digest; RecordNotFoundError where there is none."""
        table = schema.policy
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        return records.policy_from_row(self._one(query, f"policy {digest!r}"))

    def evidence(self, evidence_id: str) -> Evidence:
        """The evidence of an id; RecordNotFoundError where there is none."""
        table = schema.evidence
        query = select(table).where(table.c.id == checked_text(evidence_id, "evidence id"))
        return records.evidence_from_row(self._one(query, f"evidence {evidence_id!r}"))

    def evidence_for(
        self, digest: str, ruleset: str, *, claimant: str | None = None
    ) -> Evidence | None:
        """The evidence about a digest under a ruleset that was last decided on, if any.

        What others only claim is none: whoever has the bytes looks for himself. A `claimant` is
        also given what he claimed himself.
        """
        wanted = checked_text(ruleset, "ruleset")
        for evidence in self._evidence(digest, ruleset=wanted):
            if evidence.claimed_by in {None, claimant}:
                return evidence
        return None

    def latest_evidence(self, digest: str) -> Evidence | None:
        """The evidence about a digest that was last decided on, if any."""
        return next(iter(self._evidence(digest, limit=1)), None)

    def evidence_about(self, digest: str) -> tuple[Evidence, ...]:
        """All evidence about a digest that was decided on, the one last decided on first."""
        return self._evidence(digest)

    def _evidence(
        self, digest: str, *, ruleset: str | None = None, limit: int | None = None
    ) -> tuple[Evidence, ...]:
        table, decided = schema.evidence, schema.decision
        # By decision, not by time: a scan may come to the same evidence again, after another.
        # And by the decision's digest, so that evidence moved to other bytes is found out.
        query = (
            select(table)
            .join(decided, decided.c.evidence_id == table.c.id)
            .where(decided.c.digest == checked_text(digest, "digest"))
            .group_by(table.c.id)
            .order_by(func.max(decided.c.id).desc())
            .limit(limit)
        )
        if ruleset is not None:
            query = query.where(table.c.ruleset == ruleset)
        return tuple(records.evidence_from_row(row, about=digest) for row in self._all(query))

    def step(self, step_id: str) -> Step:
        """The step of an id, with the manifests of what it read; RecordNotFoundError if none."""
        from tidegate.ledger.steps import step_of

        with self.reading() as connection:
            step = step_of(connection, checked_text(step_id, "step"))
        if step is None:
            raise RecordNotFoundError(f"the ledger has no step {step_id!r}")
        return step

    def decision(self, decision_id: int) -> Decision:
        """The decision of a number; RecordNotFoundError where there is none."""
        table = schema.decision
        query = select(table).where(table.c.id == checked_integer(decision_id, "decision"))
        return records.decision_from_row(self._one(query, f"decision {decision_id}"))

    def latest_decision(
        self, digest: str, *, action: Action | None = None, subject: str | None = None
    ) -> Decision | None:
        """The newest decision about a digest, of that action and about that subject if named."""
        columns = schema.decision.c
        query = select(schema.decision).where(columns.digest == checked_text(digest, "digest"))
        if action is not None:
            query = query.where(columns.action == action.value)
        if subject is not None:
            query = query.where(columns.subject == checked_text(subject, "subject"))
        row = self._first(query.order_by(columns.id.desc()))
        return None if row is None else records.decision_from_row(row)

    def waivers_for(self, digest: str) -> tuple[Waiver, ...]:
        """All waivers for a digest, expired ones too, the newest first."""
        table = schema.waiver
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        rows = self._all(query.order_by(table.c.id.desc()))
        return tuple(records.waiver_from_row(row) for row in rows)

    def reviews_for(self, digest: str) -> tuple[Review, ...]:
        """All reviews of a digest, the newest first."""
        table = schema.review
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        rows = self._all(query.order_by(table.c.id.desc()))
        return tuple(records.review_from_row(row) for row in rows)

    def signatures_for(self, digest: str) -> tuple[RecordedSignature, ...]:
        """All signatures over the files of a digest, the newest first, whoever made them."""
        table = schema.signature
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        rows = self._all(query.order_by(table.c.id.desc()))
        return tuple(records.signature_from_row(row) for row in rows)

    def subjects_of(self, digest: str) -> tuple[str, ...]:
        """Every name under which a digest was decided on, the one last used first."""
        table = schema.decision
        query = (
            select(table.c.subject)
            .where(table.c.digest == checked_text(digest, "digest"))
            .group_by(table.c.subject)
            .order_by(func.max(table.c.id).desc())
        )
        return tuple(str(row["subject"]) for row in self._all(query))

    def places_of(self, digest: str) -> tuple[str, ...]:
        """Every path at which the bytes were found, the one found last first.

        Hints only: whoever goes there must look at the digest of what lies there now.
        """
        table = schema.place
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        return tuple(str(row["location"]) for row in self._all(query.order_by(table.c.id.desc())))

    def passing(self) -> tuple[str, ...]:
        """The digests that pass by the newest decision about them and one of their subjects."""
        decided = schema.decision
        query = (
            select(decided.c.digest)
            .where(decided.c.id.in_(newest_decisions()), decided.c.outcome == Outcome.ALLOW.value)
            .group_by(decided.c.digest)
            .order_by(func.max(decided.c.id))
        )
        return tuple(str(row["digest"]) for row in self._all(query))

    def held(self, *, limit: int = 100) -> tuple[Held, ...]:
        """What is not allowed by the newest decision about it and its subject, newest first."""
        decided = schema.decision.c
        query = (
            with_last_review()
            .where(decided.id.in_(newest_decisions()), decided.outcome != Outcome.ALLOW.value)
            .limit(max(0, min(limit, records.MAX_INTEGER)))
        )
        return tuple(held_of(row) for row in self._all(query))

    def resolve(self, reference: str) -> str:
        """The digest that a person means: see `references` for what may be given."""
        with self.reading() as connection:
            return references.resolve(connection, reference)

    def sbom_for(self, reference: str) -> str:
        """The newest SBOM of what a reference stands for; RecordNotFoundError where none is."""
        digest = self.resolve(reference)
        table = schema.sbom
        query = select(table).where(table.c.digest == digest).order_by(table.c.id.desc()).limit(1)
        body: str = self._one(query, f"SBOM of {reference!r} ({digest})")[table.c.body]
        return body

    def registration_of(
        self, store: str, name: str, version: str, created_ms: int
    ) -> Registration | None:
        """The registration of a version's row, if it is on record."""
        columns = schema.registration.c
        query = select(schema.registration).where(
            columns.store == checked_text(store, "store"),
            columns.name == checked_text(name, "name"),
            columns.version == checked_text(version, "version"),
            columns.created_ms == checked_integer(created_ms, "time of creation"),
        )
        row = self._first(query)
        return None if row is None else records.registration_from_row(row)

    def registration_at(
        self, store: str, version: str, created_ms: int, source: str
    ) -> Registration | None:
        """The registration of a version's row, under whatever name it was made.

        A registered model can be renamed, which changes neither the time at which its versions
        were made nor where their bytes lie. The oldest counts where there are several.
        """
        columns = schema.registration.c
        query = select(schema.registration).where(
            columns.store == checked_text(store, "store"),
            columns.version == checked_text(version, "version"),
            columns.created_ms == checked_integer(created_ms, "time of creation"),
            columns.source == checked_text(source, "source"),
        )
        row = self._first(query.order_by(columns.id))
        return None if row is None else records.registration_from_row(row)

    def registration_known(
        self, store: str, name: str, version: str, created_ms: int, source: str
    ) -> Registration | None:
        """The registration of a version's row: under the name that it has, or had when made."""
        return self.registration_of(store, name, version, created_ms) or self.registration_at(
            store, version, created_ms, source
        )

    def registrations_of(self, digest: str) -> tuple[Registration, ...]:
        """All registrations of a digest, the newest first."""
        table = schema.registration
        query = select(table).where(table.c.digest == checked_text(digest, "digest"))
        rows = self._all(query.order_by(table.c.id.desc()))
        return tuple(records.registration_from_row(row) for row in rows)

    def has_steps(self) -> bool:
        """Whether a step is on record, so that something may have come from something."""
        return self._first(select(schema.edge.c.id)) is not None

    def recalls(self, *, in_force: bool = False) -> tuple[Recall, ...]:
        """All recalls, or those that hold, the newest first."""
        rows = self._all(recalls_query(in_force=in_force))
        return tuple(recall_from_row(row) for row in rows)

    def newest_statement(self) -> int:
        """The number of the log's newest statement, 0 where there is none: one look into its key.

        Whoever keeps answers in memory asks this first: nothing that is recorded leaves it alone.
        """
        row = self._first(select(func.max(schema.statement.c.id).label("newest")))
        return int(row["newest"] or 0) if row is not None else 0

    def statements_after(self, number: int) -> tuple[tuple[str, str], ...]:
        """The predicate type and the digest of each statement after that one, in order."""
        columns = schema.statement.c
        query = (
            select(columns.predicate_type, columns.digest)
            .where(columns.id > checked_integer(number, "statement"))
            .order_by(columns.id)
        )
        return tuple((row["predicate_type"], row["digest"]) for row in self._all(query))

    def registrations_after(self, number: int) -> Iterator[Registration]:
        """Every registration after that one, in the order of recording."""
        table = schema.registration
        while True:
            query = (
                select(table)
                .where(table.c.id > checked_integer(number, "registration"))
                .order_by(table.c.id)
                .limit(_PAGE)
            )
            page = [records.registration_from_row(row) for row in self._all(query)]
            yield from page
            if len(page) < _PAGE:
                return
            number = page[-1].id

    def registrations_made(
        self, store: str, version: str, created_ms: int
    ) -> tuple[Registration, ...]:
        """The registrations of a version's row under whatever name it was made, the oldest first.

        A registered model can be renamed, which does not change when its versions were made.
        """
        columns = schema.registration.c
        query = select(schema.registration).where(
            columns.store == checked_text(store, "store"),
            columns.version == checked_text(version, "version"),
            columns.created_ms == checked_integer(created_ms, "time of creation"),
        )
        rows = self._all(query.order_by(columns.id))
        return tuple(records.registration_from_row(row) for row in rows)

    def _all(self, query: Select[*tuple[object, ...]]) -> Sequence[RowMapping]:
        with self.reading() as connection:
            return connection.execute(query).mappings().all()

    def _first(self, query: Select[*tuple[object, ...]]) -> RowMapping | None:
        return next(iter(self._all(query.limit(1))), None)

    def _one(self, query: Select[*tuple[object, ...]], what: str) -> RowMapping:
        row = self._first(query)
        if row is None:
            raise RecordNotFoundError(f"the ledger has no {what}")
        return row


class View(Reader):
    """A reader within somebody's transaction: it sees what that has written, and nothing newer."""

    def __init__(self, connection: Connection) -> None:
        """Ask on that connection, which stays its owner's."""
        super().__init__(connection.engine)
        self.connection = connection
        self.written: Written = []
        """Rows that were put in and that no statement covers yet."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The connection itself."""
        with connect.translated(self._engine.url):
            yield self.connection
