"""Putting rows in: each function writes on a connection whose transaction belongs to its caller.

Always holds: the caller holds the log's lock, so that no other writer comes between; rows whose key
is a hash of their content are written once; where a row is there already it is read back, and a row
that does not hold what its key says stops the writer. Nothing is ever updated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Insert, RowMapping, Table, and_, select
from sqlalchemy.dialects import postgresql, sqlite

from tidegate.artifact.manifest import Manifest
from tidegate.errors import OperatorError, RecordNotFoundError, UsageError
from tidegate.ledger import schema
from tidegate.ledger.content import put_content
from tidegate.ledger.records import (
    bundle_hash,
    canonical,
    decision_to_row,
    evidence_from_row,
    manifest_from_row,
    policy_from_row,
    registration_from_row,
)
from tidegate.ledger.said import Written
from tidegate.policy.model import Decision, Policy
from tidegate.scanners.evidence import Evidence

if TYPE_CHECKING:
    from tidegate.attestation.signatures.statement import ModelStatement


def put_decision(
    connection: Connection,
    decision: Decision,
    *,
    policy: Policy,
    manifest: Manifest | None,
    evidence: Evidence | None,
) -> tuple[int, Written]:
    """Write a decision with all that it stands on; returns its id, and the rows that are new.

    Raises:
        UsageError: the parts do not belong together, or one that is not given is not on record.
        OperatorError: a row that is on record already was altered.
    """
    _require_consistent(decision, policy, manifest, evidence)
    row = decision_to_row(decision)
    written: Written = []
    if manifest is not None:
        put_artifact(connection, manifest, written)
    if evidence is not None:
        if manifest is None and not exists(connection, schema.artifact.c.digest, evidence.digest):
            raise UsageError("evidence can't be recorded before the manifest of its bytes")
        put_once(
            connection,
            schema.evidence,
            {
                "id": evidence.id,
                "digest": evidence.digest,
                "ruleset": evidence.ruleset,
                "verdict": evidence.verdict.value,
                "body": canonical(evidence.to_dict()),
                "created_at": row["created_at"],
            },
            evidence_from_row,
            written,
        )
    elif decision.evidence_id is not None:
        require_evidence(connection, decision.evidence_id, decision.digest)
    put_once(
        connection,
        schema.policy,
        {"digest": policy.digest, "body": canonical(policy.to_dict())},
        policy_from_row,
        written,
    )
    number = insert_numbered(connection, schema.decision, row)
    written.append((schema.decision, {"id": number, **row}))
    return number, written


def put_artifact(connection: Connection, manifest: Manifest, written: Written) -> None:
    """Write a manifest and the index over its content, unless it is there."""
    row = {"digest": manifest.digest, "manifest": canonical(manifest.to_dict())}
    before = len(written)
    put_once(connection, schema.artifact, row, manifest_from_row, written)
    if len(written) > before:
        put_content(connection, manifest)


def put_registration(connection: Connection, row: dict[str, Any]) -> tuple[RowMapping, Written]:
    """Write a registration, or find the same one; UsageError where it is on record otherwise.

    Returns:
        The row as it stands, and again if it is new.
    """
    decision_id = row["decision_id"]
    if decision_id is not None:
        decided = connection.execute(
            select(schema.decision.c.digest).where(schema.decision.c.id == decision_id)
        ).scalar()
        if decided is None:
            raise RecordNotFoundError(f"there is no decision {decision_id} to register under")
        if decided != row["digest"]:
            raise UsageError(f"decision {decision_id} is about other bytes than the registration")
    table = schema.registration
    key = ("store", "name", "version", "created_ms")
    query = select(table).where(and_(*(table.c[name] == row[name] for name in key)))
    standing = connection.execute(query).mappings().first()
    written: Written = []
    if standing is None:
        insert_numbered(connection, table, row)
        standing = connection.execute(query).mappings().one()
        written = [(table, {column.name: standing[column] for column in table.columns})]
    if any(standing[table.c[name]] != value for name, value in row.items()):
        found = registration_from_row(standing)
        raise UsageError(
            f"{found.name}/{found.version} is registered already with other bytes, "
            f"source or decision (registration {found.id})"
        )
    return standing, written


def put_place(connection: Connection, row: dict[str, Any]) -> Written:
    """Write where bytes lie, unless it is on record; the row if it is new."""
    table = schema.place
    row = {**row, "location_hash": hashlib.sha256(row["location"].encode()).hexdigest()}
    query = select(table.c.id).where(
        table.c.digest == row["digest"], table.c.location_hash == row["location_hash"]
    )
    if connection.execute(query).first() is not None:
        return []
    return [(table, {"id": insert_numbered(connection, table, row), **row})]


def put_signature(
    connection: Connection, row: dict[str, Any], statement: ModelStatement
) -> tuple[RowMapping, Written]:
    """Write a signature over a model, or find the same one; `statement` is what it is over.

    Returns:
        The row as it stands, and again if it is new.

    Raises:
        RecordNotFoundError: the model's files are not on record.
        ModelSignatureError: it is not over those files.
    """
    from tidegate.attestation.signatures.statement import require_covered

    artifact, table = schema.artifact, schema.signature
    query = select(artifact).where(artifact.c.digest == row["digest"])
    standing = connection.execute(query).mappings().first()
    if standing is None:
        raise RecordNotFoundError(
            f"the ledger knows no files of {row['digest']!r} that a signature could be over",
            remedy="scan the model first: `tidegate scan --record PATH`",
        )
    require_covered(statement, manifest_from_row(standing))
    row = {**row, "bundle_hash": bundle_hash(row["bundle"])}
    query = select(table).where(
        table.c.digest == row["digest"], table.c.bundle_hash == row["bundle_hash"]
    )
    standing = connection.execute(query).mappings().first()
    if standing is not None:
        return standing, []
    insert_numbered(connection, table, row)
    standing = connection.execute(query).mappings().one()
    return standing, [(table, {column.name: standing[column] for column in table.columns})]


def insert_numbered(connection: Connection, table: Table, row: dict[str, Any]) -> int:
    """Insert a row of a table that numbers its rows; returns the number."""
    written = connection.execute(table.insert().values(row))
    # A trigger of somebody else's can swallow a row without an error. psycopg counts no rows here
    # (-1) but then gives no key, where SQLite would give the one of the row before.
    key = written.inserted_primary_key if written.rowcount != 0 else None
    if key is None or key[0] is None:
        raise OperatorError(
            f"the ledger's database did not keep the new row of {table.name}",
            remedy="look for triggers and rules on that table that Tidegate did not make",
        )
    return int(key[0])


def require_evidence(connection: Connection, evidence_id: str, digest: str) -> None:
    """Raise unless that evidence is on record and about that digest."""
    about = connection.execute(
        select(schema.evidence.c.digest).where(schema.evidence.c.id == evidence_id)
    ).scalar()
    if about is None:
        raise RecordNotFoundError(f"the ledger has no evidence {evidence_id!r}")
    if about != digest:
        raise UsageError(f"evidence {evidence_id} is about other bytes than {digest}")


def exists(connection: Connection, column: Column[Any], value: object) -> bool:
    """Whether a row has that value in that column."""
    return connection.execute(select(column).where(column == value).limit(1)).first() is not None


def _require_consistent(
    decision: Decision, policy: Policy, manifest: Manifest | None, evidence: Evidence | None
) -> None:
    problems = (
        (decision.id is not None, f"decision {decision.id} is on record already"),
        (decision.policy_digest != policy.digest, "the policy is not the one of the decision"),
        (
            manifest is not None and manifest.digest != decision.digest,
            "the manifest is about other bytes than the decision",
        ),
        (
            evidence is not None and evidence.digest != decision.digest,
            "the evidence is about other bytes than the decision",
        ),
        (
            evidence is not None and evidence.id != decision.evidence_id,
            "the evidence is not the one that the decision names",
        ),
        (
            evidence is not None and evidence.verdict.value != decision.verdict,
            "the decision states another verdict than the evidence",
        ),
    )
    for wrong, problem in problems:
        if wrong:
            raise UsageError(f"the decision can't be recorded: {problem}")


def put_once(
    connection: Connection,
    table: Table,
    row: dict[str, Any],
    check: Callable[[RowMapping], object],
    written: Written,
) -> None:
    """Write a row whose key says what it holds, unless it is there; `check` reads one that is."""
    (key,) = table.primary_key.columns
    query = select(table).where(key == row[key.name])
    standing = connection.execute(query).mappings().first()
    if standing is None:
        result = connection.execute(_insert_or_leave(connection, table).values(row))
        # Some drivers count no rows here (-1). Under the lock no other writer can have been first.
        if result.rowcount != 0:
            written.append((table, row))
        if result.rowcount == 1:
            return
        standing = connection.execute(query).mappings().one()
    # Almost always word for word the same; a later version may write the same in other words.
    aside = {"created_at"}
    if any(standing[table.c[name]] != row[name] for name in row.keys() - aside):
        check(standing)


def _insert_or_leave(connection: Connection, table: Table) -> Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()
