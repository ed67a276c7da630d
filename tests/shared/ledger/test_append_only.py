"""The database itself refuses to change the past, whoever asks and however."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy
from samples.ledger_records import count, execute, record
from samples.tampering import fill

from tidegate.errors import LedgerUnavailableError
from tidegate.ledger import Ledger
from tidegate.ledger.schema import KEYS, metadata


@pytest.fixture
def full(ledger: Ledger, database_url: str) -> str:
    """The URL of a ledger with rows in every table."""
    fill(ledger)
    return database_url


def rows(url: str, table: str) -> list[tuple[object, ...]]:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
    engine.dispose()
    assert found, "every table must have a row, or there would be nothing to protect"
    return found


def test_every_table_is_among_those_that_are_protected() -> None:
    assert set(KEYS) == set(metadata.tables)


def test_no_row_of_any_table_can_be_updated_or_deleted(full: str) -> None:
    for table in KEYS:
        before = rows(full, table)
        column = metadata.tables[table].columns.keys()[-1]
        for statement in (
            f"UPDATE {table} SET {column} = {column}",
            f"DELETE FROM {table}",
        ):
            with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
                execute(full, statement)
        assert rows(full, table) == before


def test_no_table_can_be_emptied_by_truncate(full: str) -> None:
    if full.startswith("sqlite"):
        pytest.skip("SQLite has no TRUNCATE")
    for table in KEYS:
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
            execute(full, f"TRUNCATE {table} CASCADE")
        assert rows(full, table)


def test_a_session_in_replica_mode_is_refused_as_well(full: str) -> None:
    if full.startswith("sqlite"):
        pytest.skip("SQLite has no replica mode")
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
        execute(full, "SET session_replication_role = replica", "DELETE FROM tidegate_review")


def test_an_upsert_can_not_change_a_row(full: str) -> None:
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
        execute(
            full,
            "INSERT INTO tidegate_policy (digest, body) SELECT digest, 'x' FROM tidegate_policy "
            "WHERE true ON CONFLICT (digest) DO UPDATE SET body = 'x'",
        )


@pytest.mark.parametrize("how", ["INSERT OR REPLACE INTO", "REPLACE INTO"])
def test_sqlites_replace_can_not_throw_out_a_row_by_any_key(full: str, how: str) -> None:
    if not full.startswith("sqlite"):
        pytest.skip("only SQLite has REPLACE")
    for table, keys in KEYS.items():
        before = rows(full, table)
        names = metadata.tables[table].columns.keys()
        for key in keys:
            if len(key) == len(names):
                continue  # Nothing beside the key that could become other.
            # Another row under the same key: whatever is not of the key is made different.
            values = [
                name
                if name in key
                else {"id": "77", "created_ms": "9", "enforced": "0"}.get(name, f"{name} || 'x'")
                for name in names
            ]
            with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
                execute(
                    full,
                    f"{how} {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {table}",
                )
        assert rows(full, table) == before


def test_sqlites_hidden_row_number_is_no_second_key(full: str) -> None:
    if not full.startswith("sqlite"):
        pytest.skip("only SQLite has row numbers")
    for table in ("tidegate_artifact", "tidegate_evidence", "tidegate_policy"):
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="no such column: rowid"):
            execute(full, f"SELECT rowid FROM {table}")


def test_a_number_given_as_text_does_not_slip_past_the_trigger(full: str) -> None:
    if not full.startswith("sqlite"):
        pytest.skip("only SQLite takes text for a number")
    before = rows(full, "tidegate_sbom")
    for number in ("'1'", "1.0", "'1.0'"):
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"):
            execute(
                full,
                "INSERT OR REPLACE INTO tidegate_sbom (id, digest, subject, body, created_at) "
                f"VALUES ({number}, 'd', 's', 'b', 't')",
            )
    assert rows(full, "tidegate_sbom") == before


def test_no_row_can_take_the_number_that_sqlite_shows_for_none(full: str) -> None:
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="counts_up"):
        execute(
            full,
            "INSERT INTO tidegate_sbom (id, digest, subject, body, created_at) "
            "VALUES (-1, 'd', 's', 'b', 't')",
        )


def test_the_ledger_still_records_after_all_that(full: str) -> None:
    with Ledger.open(full) as ledger:
        before = count(full, "tidegate_decision")
        record(ledger)
        assert count(full, "tidegate_decision") == before + 1


def test_a_ledger_whose_triggers_were_dropped_does_not_open(full: str) -> None:
    if full.startswith("sqlite"):
        execute(full, "DROP TRIGGER tidegate_review_no_delete")
    else:
        execute(full, "DROP TRIGGER tidegate_append_only ON tidegate_review")
    with pytest.raises(LedgerUnavailableError, match=r"no longer append-only: .*tidegate_review"):
        Ledger.open(full)


def test_a_ledger_whose_triggers_were_made_toothless_does_not_open(full: str) -> None:
    if full.startswith("sqlite"):
        execute(
            full,
            "DROP TRIGGER tidegate_review_no_update",
            "CREATE TRIGGER tidegate_review_no_update BEFORE UPDATE ON tidegate_review "
            "BEGIN SELECT 1; END",
        )
    else:
        execute(full, "ALTER TABLE tidegate_review DISABLE TRIGGER tidegate_append_only")
    with pytest.raises(LedgerUnavailableError, match="no longer append-only"):
        Ledger.open(full, migrate=False)


def test_a_hollowed_out_trigger_function_is_noticed(full: str) -> None:
    if full.startswith("sqlite"):
        pytest.skip("SQLite's triggers have no functions")
    execute(
        full,
        "CREATE OR REPLACE FUNCTION tidegate_refuse_change() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN OLD; END'",
    )
    with pytest.raises(LedgerUnavailableError, match="no longer append-only"):
        Ledger.open(full)


def test_numbers_of_rows_are_never_given_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        record(ledger)
        last = record(ledger).id
        assert last is not None
    with sqlite3.connect(path) as connection:
        # Only whoever may change the schema gets so far, and even so the number stays taken.
        connection.execute("DROP TRIGGER tidegate_decision_no_delete")
        connection.execute("DELETE FROM tidegate_decision WHERE id = ?", (last,))
        following = connection.execute(
            "INSERT INTO tidegate_decision (digest, action, subject, outcome, enforced, "
            "policy_digest, body, created_at) SELECT digest, action, subject, outcome, enforced, "
            "policy_digest, body, created_at FROM tidegate_decision LIMIT 1"
        ).lastrowid
    connection.close()
    assert following is not None
    assert following > last
