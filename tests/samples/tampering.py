"""What somebody does who owns a ledger's database: anything, past all triggers and foreign keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from samples.ledger_records import NOW, a_file, a_manifest, a_signature, a_step, record
from sqlalchemy import Connection, Table, and_

from tidegate.attestation.merkle import leaf_hash, node_hash
from tidegate.attestation.own_key import trusted_keys
from tidegate.ledger import Ledger, append_only, connect, tokens
from tidegate.ledger.audit import Report, audit
from tidegate.ledger.recalls import RecallKind
from tidegate.ledger.requests import Request, under
from tidegate.ledger.schema import KEYS, artifact, content, log_node, metadata, statement
from tidegate.policy import ReviewVerdict

STATEMENTS = 26
"""How many statements `fill` makes."""


def fill(ledger: Ledger) -> None:
    """Put two rows or more into every table."""
    with connect.writing(ledger._engine) as connection:
        _fill(ledger, connection)


def _fill(ledger: Ledger, connection: Connection) -> None:
    for number, name in enumerate(("one.pkl", "two.pkl"), 1):
        decision = record(
            ledger, name, subject=f"fraud/{number}", place=f"/models/{name}",
            ruleset=f"rules-{number}", connection=connection,
        )  # fmt: skip
        ledger.add_review(
            digest=decision.digest,
            verdict=ReviewVerdict.REJECT,
            fingerprints=[f"f{number}"],
            actor="grace",
            reason=f"no {number}",
            evidence_id=decision.evidence_id,
            now=NOW,
            connection=connection,
        )
        ledger.add_waiver(
            digest=decision.digest,
            rule="PICKLE-TRAILING",
            fingerprints=[f"f{number}"],
            actor="grace",
            reason=f"known {number}",
            expires_at=NOW.replace(year=2027),
            now=NOW,
            connection=connection,
        )
        ledger.add_sbom(
            digest=decision.digest,
            subject=f"fraud/{number}",
            body='{"a": 1}',
            now=NOW,
            connection=connection,
        )
        ledger.add_registration(
            store="sqlite:///mlflow.db",
            name="fraud",
            version=str(number),
            created_ms=number,
            source="runs:/1/model",
            digest=decision.digest,
            decision_id=decision.id,
            connection=connection,
        )
    for number, name in enumerate(("one.pkl", "two.pkl"), 1):
        token, _ = tokens.add(
            ledger,
            holder=f"worker-{number}",
            scopes=[tokens.Scope.READ],
            expires_at=NOW.replace(year=2027),
            actor=f"ada {number}",
            now=NOW,
            connection=connection,
        )
        tokens.revoke(ledger, token.id, actor=f"ada {number}", now=NOW, connection=connection)
        with under(Request(f"key {number}", "step", "0" * 64, f"worker-{number}", token.id)):
            ledger.record_step(a_step(number), connection=connection)
        ledger.add_signature(
            digest=a_manifest(name).digest,
            bundle=a_signature(a_manifest(name)),
            actor="grace",
            now=NOW,
            connection=connection,
        )
    for kind, target in (
        (RecallKind.ARTIFACT, a_file("train-1.csv").digest),
        (RecallKind.PACKAGE, "torch==2.0.0"),
    ):
        recall = ledger.add_recall(
            kind, target, actor="grace", reason="bad", now=NOW, connection=connection
        )
        ledger.lift_recall(recall.id, actor="grace", reason="good", now=NOW, connection=connection)


def look(url: str, *checkpoints: str) -> Report:
    """An audit as `tidegate ledger verify` makes it, once the owner has put his triggers back."""
    with Ledger.open_to_audit(url) as ledger:
        return audit(ledger, trusted_keys(), checkpoints=checkpoints)


def told(report: Report) -> set[tuple[str, str, str]]:
    return {(problem.kind, problem.table, problem.key) for problem in report.problems}


@contextmanager
def owner(url: str) -> Iterator[Connection]:
    """A connection to which nothing is refused; the triggers stand again afterwards."""
    engine = sqlalchemy.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sqlalchemy.event.listens_for(engine, "connect")
        def hurry(driver: Any, _: object) -> None:
            driver.execute("PRAGMA synchronous = OFF")

    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            for table in KEYS:
                for name in append_only.sqlite_triggers([table]):
                    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        else:
            # No foreign key is checked either.
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for table in KEYS:
                connection.exec_driver_sql(
                    f"DROP TRIGGER IF EXISTS tidegate_append_only ON {table}"
                )
        yield connection
        append_only.install(connection, tuple(KEYS))
    engine.dispose()


def rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    query = sqlalchemy.select(table).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(query).mappings()]


def same(table: Table, row: dict[str, Any]) -> Any:
    """Where a row is that one, by its primary key."""
    return and_(*(column == row[column.name] for column in table.primary_key.columns))


def key_of(table: Table, row: dict[str, Any]) -> str:
    """The key as a problem names it."""
    if table is log_node:
        return f"{row['level']}/{row['number']}"
    if table is content:
        return f"{row['sha256']}/{row['alone']}/{row['digest']}"
    (column,) = table.primary_key.columns
    value = row[column.name]
    return str(value) if table is statement or isinstance(value, int) else f'"{value}"'


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1000
    return "x" if value is None else f"{value}x"


def rebuild(connection: Connection, envelopes: Sequence[str]) -> None:
    """Write the log anew from envelopes, with everything right that takes no key to make right."""
    columns = rows(connection, statement)
    by_envelope = {row["envelope"]: row for row in columns}
    connection.execute(statement.delete())
    connection.execute(log_node.delete())
    peaks: dict[int, bytes] = {}
    for index, envelope in enumerate(envelopes):
        leaf = leaf_hash(envelope.encode())
        row = {**by_envelope[envelope], "id": index + 1, "leaf_hash": leaf.hex()}
        connection.execute(statement.insert().values(row))
        level, at = 0, index
        while at & 1:
            leaf = node_hash(peaks.pop(level), leaf)
            level, at = level + 1, at >> 1
            connection.execute(log_node.insert().values(level=level, number=at, hash=leaf.hex()))
        peaks[level] = leaf


def cut(connection: Connection, size: int) -> None:
    """Take everything out that was recorded after the first `size` statements."""
    from tidegate.attestation.envelopes import statement_in
    from tidegate.ledger.coverage import read_coverage

    standing = rows(connection, statement)
    for row in standing[size:]:
        for covered in read_coverage(statement_in(row["envelope"].encode()).predicate).rows:
            table = metadata.tables[covered.table]
            (key,) = table.primary_key.columns
            connection.execute(table.delete().where(key == covered.key))
            if table is artifact:
                connection.execute(content.delete().where(content.c.digest == covered.key))
    rebuild(connection, [row["envelope"] for row in standing[:size]])
