"""Whatever is changed in the raw database is found, and named by its table and key."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy
from samples.ledger_records import record
from samples.tampering import (
    STATEMENTS,
    cut,
    fill,
    key_of,
    look,
    other,
    owner,
    rebuild,
    rows,
    same,
    told,
)

from tidegate.attestation import KeyList, SigningKey, TrustedKey
from tidegate.attestation.own_key import signing_key, trusted_keys
from tidegate.errors import TamperedError, UsageError
from tidegate.ledger import Ledger
from tidegate.ledger.audit import Report, audit
from tidegate.ledger.schema import KEYS, RECORDS, log_node, metadata, statement

TABLES = tuple(metadata.tables[name] for name in KEYS)


@pytest.fixture
def full(ledger: Ledger, database_url: str) -> str:
    fill(ledger)
    report = look(database_url)
    assert report.problems == ()
    assert report.statements == STATEMENTS
    assert report.rows == sum(len(rows_of(database_url, table)) for table in RECORDS), (
        "every row is looked at"
    )
    return database_url


def rows_of(url: str, table: sqlalchemy.Table) -> list[dict[str, object]]:
    with owner(url) as connection:
        found = rows(connection, table)
    assert len(found) >= (1 if table.name == "tidegate_policy" else 2)
    return found


def places(report: Report) -> set[tuple[str, str]]:
    return {(table, key) for _, table, key in told(report)}


def test_a_change_of_any_column_of_any_table_is_found(full: str) -> None:
    for table in TABLES:
        row = rows_of(full, table)[-1]
        keys = {column.name for column in table.primary_key.columns}
        for name, value in row.items():
            changed = {**row, name: other(value)}
            with owner(full) as connection:
                there = table.update().where(same(table, row))
                connection.execute(there.values({name: other(value)}))
            # A row under another key is one that is gone and one that nobody recorded. Of
            # statements a whole run is then missing, which is told as one.
            expected = [changed] if name in keys else [row]
            if name in keys and table is not statement:
                expected.append(row)
            found = places(look(full))
            assert {(table.name, key_of(table, each)) for each in expected} <= found, (table, name)
            with owner(full) as connection:
                back = table.update().where(same(table, changed))
                connection.execute(back.values({name: value}))
    assert told(look(full)) == set(), "all was put back, so each was found by itself"


def test_a_deleted_row_of_any_table_is_found(full: str) -> None:
    for table in TABLES:
        for row in rows_of(full, table):
            with owner(full) as connection:
                connection.execute(table.delete().where(same(table, row)))
            found = told(look(full))
            if table is statement and row["id"] == STATEMENTS:
                # The last one leaves no gap, but what it covered, and nodes that speak for it.
                assert ("inserted", "tidegate_recall_lift", "2") in found
                assert ("truncated", "tidegate_log_node", "1/12") in found
            else:
                assert ("deleted", table.name, key_of(table, row)) in found
            with owner(full) as connection:
                connection.execute(table.insert().values(row))
    assert told(look(full)) == set()


def test_two_rows_that_change_places_are_found(full: str) -> None:
    for table in TABLES:
        # There is one policy; and the index of content is all key, so nothing could change places.
        if table.name in {"tidegate_policy", "tidegate_content"}:
            continue
        first, second = rows_of(full, table)[:2]
        keys = {column.name for column in table.primary_key.columns}
        moved = [
            {name: row[name] if name in keys else source[name] for name in row}
            for row, source in ((first, second), (second, first))
        ]
        for pair in (moved, [first, second]):
            with owner(full) as connection:
                for row in (first, second):
                    connection.execute(table.delete().where(same(table, row)))
                connection.execute(table.insert(), pair)
            expected = {(table.name, key_of(table, row)) for row in (first, second)}
            assert (expected <= places(look(full))) is (pair is moved), table
    assert told(look(full)) == set()


def test_an_inserted_row_is_found(full: str) -> None:
    for table in TABLES:
        row = rows_of(full, table)[-1]
        keys = {name for key in KEYS[table.name] for name in key}
        forged = {name: other(value) if name in keys else value for name, value in row.items()}
        if table is statement:
            forged["id"] = STATEMENTS + 1
        with owner(full) as connection:
            connection.execute(table.insert().values(forged))
        assert (table.name, key_of(table, forged)) in places(look(full))
        with owner(full) as connection:
            connection.execute(table.delete().where(same(table, forged)))
    assert told(look(full)) == set()


def test_a_log_whose_end_was_cut_off_is_found_by_the_rows_that_are_left(full: str) -> None:
    with owner(full) as connection:
        rebuild(connection, [row["envelope"] for row in rows(connection, statement)][:10])
    kinds = told(look(full))
    assert ("inserted", "tidegate_sbom", "2") in kinds
    assert ("inserted", "tidegate_registration", "2") in kinds


def test_a_statement_taken_out_with_its_rows_breaks_the_chain_of_signatures(full: str) -> None:
    with owner(full) as connection:
        envelopes = [row["envelope"] for row in rows(connection, statement)]
        (review,) = [row for row in rows(connection, statement) if row["id"] == 3]
        assert review["predicate_type"].endswith("/review/v1")
        connection.execute(
            metadata.tables["tidegate_review"].delete().where(sqlalchemy.text("id=1"))
        )
        rebuild(connection, [*envelopes[:2], *envelopes[3:]])
    assert {
        ("reordered", "tidegate_statement", str(number)) for number in range(3, STATEMENTS)
    } <= told(look(full))


def test_statements_in_another_order_are_found_though_every_hash_was_made_right(full: str) -> None:
    with owner(full) as connection:
        envelopes = [row["envelope"] for row in rows(connection, statement)]
        envelopes[4], envelopes[5] = envelopes[5], envelopes[4]
        rebuild(connection, envelopes)
    found = told(look(full))
    assert {("reordered", "tidegate_statement", "5"), ("reordered", "tidegate_statement", "6")} <= (
        found
    )


def test_a_statement_that_is_replayed_is_found(full: str) -> None:
    with owner(full) as connection:
        envelopes = [row["envelope"] for row in rows(connection, statement)]
        rebuild(connection, [*envelopes, envelopes[4]])
    found = told(look(full))
    assert ("reordered", "tidegate_statement", str(STATEMENTS + 1)) in found
    assert any(kind == "replayed" for kind, *_ in found)


def test_an_old_state_put_back_is_found_by_a_checkpoint_from_after_it(full: str) -> None:
    with Ledger.open(full) as ledger:
        note = ledger.checkpoint()
    assert look(full, note).problems == ()
    assert look(full, note).fixed == STATEMENTS
    with owner(full) as connection:
        cut(connection, 9)
    assert look(full).problems == (), "without a checkpoint nothing shows it, and the docs say so"
    report = look(full, note)
    assert told(report) == {("truncated", "tidegate_statement", f"10 to {STATEMENTS}")}
    assert report.fixed == 0


def test_a_log_that_went_on_otherwise_is_found_as_a_fork(full: str) -> None:
    with Ledger.open(full) as ledger:
        note = ledger.checkpoint()
    with owner(full) as connection:
        cut(connection, 9)
    with Ledger.open(full) as ledger:
        for number in range(9):
            record(ledger, f"other-{number}.pkl")
    assert look(full).problems == ()
    assert told(look(full, note)) == {("forked", "tidegate_statement", f"1 to {STATEMENTS}")}


def test_a_log_written_anew_from_its_beginning_is_found_as_a_fork(full: str) -> None:
    with Ledger.open(full) as ledger:
        note = ledger.checkpoint()
    with owner(full) as connection:
        cut(connection, 0)
    with Ledger.open(full) as ledger:
        fill(ledger)
    assert look(full).problems == ()
    assert told(look(full, note)) == {("forked", "tidegate_statement", "1")}


def test_an_old_checkpoint_does_not_stand_in_for_a_newer_one(full: str) -> None:
    with Ledger.open(full) as ledger:
        old = ledger.checkpoint()
        record(ledger, "later.pkl")
        new = ledger.checkpoint(after=old)
        assert look(full, old).fixed == STATEMENTS, "an old checkpoint says how far it speaks"
        assert look(full, old, new).fixed == STATEMENTS + 2
        size = look(full).statements
    with owner(full) as connection:
        cut(connection, size - 2)
    assert told(look(full, old)) == set()
    assert told(look(full, old, new)) == {
        ("truncated", "tidegate_statement", f"{STATEMENTS + 1} to {STATEMENTS + 2}")
    }
    with Ledger.open(full) as ledger, pytest.raises(TamperedError, match="not the continuation"):
        ledger.checkpoint(after=new)


def test_a_checkpoint_that_nobody_signed_is_refused(full: str) -> None:
    with Ledger.open(full) as ledger:
        note = ledger.checkpoint()
    with pytest.raises(UsageError, match="not signed"):
        look(full, note.replace(f"\n{STATEMENTS}\n", "\n13\n"))
    with Ledger.open(full, key=SigningKey.generate()) as ledger:
        strange = ledger.checkpoint()
    with pytest.raises(UsageError, match="not signed"):
        look(full, strange)


def test_what_a_key_signed_that_is_not_of_the_list_is_named(full: str) -> None:
    stranger = SigningKey.generate()
    with Ledger.open(full, key=stranger) as ledger:
        record(ledger, "strange.pkl")
        assert {key for kind, _, key in told(look(full)) if kind == "unsigned"} == {
            str(STATEMENTS + 1),
            str(STATEMENTS + 2),
        }
        both = KeyList([*trusted_keys().values(), TrustedKey(stranger.public, "the other host")])
        assert audit(ledger, both).problems == ()


def test_a_signature_counts_only_within_its_keys_time(full: str) -> None:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    public = signing_key().public
    for times, count in (
        ((None, now - timedelta(days=1)), STATEMENTS),
        ((now - timedelta(days=1), None), 0),
    ):
        keys = KeyList([TrustedKey(public, "me", *times)])
        with Ledger.open_to_audit(full) as ledger:
            report = audit(ledger, keys)
        assert len([each for each in report.problems if each.kind == "unsigned"]) == count


def test_a_second_row_under_the_same_key_is_found(full: str) -> None:
    tables = ("tidegate_review", "tidegate_statement", "tidegate_log_node")
    with owner(full) as connection:
        for table in tables:
            if full.startswith("sqlite"):
                connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO old")
                connection.exec_driver_sql(f"CREATE TABLE {table} AS SELECT * FROM old")
                connection.exec_driver_sql("DROP TABLE old")
            else:
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM {table}")
    found = told(look(full))
    for table, key in zip(tables, ("1", "1", "1/0"), strict=True):
        assert ("inserted", table, key) in found
    assert {kind for kind, *_ in found} == {"inserted"}


def test_triggers_that_are_gone_are_a_problem_and_no_obstacle(full: str) -> None:
    engine = sqlalchemy.create_engine(full)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "DROP TRIGGER tidegate_review_no_delete"
            if engine.dialect.name == "sqlite"
            else "DROP TRIGGER tidegate_append_only ON tidegate_review"
        )
    engine.dispose()
    assert told(look(full)) == {("unprotected", "tidegate_review", "(the table)")}


def test_bytes_that_are_no_text_are_a_problem_and_no_crash(full: str) -> None:
    if not full.startswith("sqlite"):
        pytest.skip("PostgreSQL keeps no such text")
    with owner(full) as connection:
        connection.exec_driver_sql(
            "UPDATE tidegate_review SET reason = CAST(x'ff41' AS TEXT) WHERE id = 1"
        )
        connection.exec_driver_sql("UPDATE tidegate_waiver SET reason = x'ff41' WHERE id = 1")
        connection.exec_driver_sql("UPDATE tidegate_decision SET enforced = 2 WHERE id = 1")
        connection.exec_driver_sql(
            "UPDATE tidegate_statement SET envelope = CAST(x'ff41' AS TEXT) WHERE id = 1"
        )
    found = told(look(full))
    for table in ("tidegate_review", "tidegate_waiver", "tidegate_decision"):
        assert ("edited", table, "1") in found
    assert ("unsigned", "tidegate_statement", "1") in found


def test_a_ledger_that_is_recorded_in_meanwhile_is_no_tampered_one(
    full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate.ledger import audit as module

    pages = module.pages
    with Ledger.open(full) as ledger:
        numbers = iter(range(12))

        def and_record(*args: object, **options: object) -> object:
            for page in pages(*args, **options):  # type: ignore[arg-type]
                yield page
                for number in itertools.islice(numbers, 1):
                    record(ledger, f"meanwhile-{number}.pkl", place=f"/m/{number}")

        monkeypatch.setattr(module, "pages", and_record)
        report = audit(ledger, trusted_keys())
    assert report.problems == ()
    assert report.statements > STATEMENTS


def test_the_nodes_are_those_of_the_log(full: str) -> None:
    full_subtrees = sum(STATEMENTS >> level for level in range(1, STATEMENTS.bit_length()))
    assert len(rows_of(full, log_node)) == full_subtrees
