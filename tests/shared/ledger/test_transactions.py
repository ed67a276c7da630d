"""Records stand or fall with the transaction that they are part of, and writers don't collide."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from samples.ledger_records import (
    NOW,
    a_manifest,
    count,
    execute,
    open_and_tell,
    record,
    record_in_turn,
)

from tidegate.errors import LedgerUnavailableError, OperatorError, UsageError
from tidegate.ledger import Ledger, append_only, connect
from tidegate.ledger.schema import HEAD, VERSION_TABLE

WORKERS = 4
ROUNDS = 6


@contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        yield pool


@contextmanager
def other_engine(url: str) -> Iterator[sqlalchemy.Engine]:
    """An engine that is not the ledger's, with none of its settings."""
    engine = sqlalchemy.create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.mark.slow
def test_several_processes_recording_at_once_lose_nothing_and_double_nothing(
    ledger: Ledger, database_url: str
) -> None:
    with processes() as pool:
        tasks = [pool.submit(record_in_turn, database_url, n, ROUNDS) for n in range(WORKERS)]
        ids = [number for task in tasks for number in task.result()]
    assert len(ids) == len(set(ids)) == WORKERS * ROUNDS * 2
    assert count(database_url, "tidegate_decision") == len(ids)
    # Each round has one artifact that all share, and one of each worker's own.
    assert count(database_url, "tidegate_artifact") == ROUNDS + WORKERS * ROUNDS
    assert count(database_url, "tidegate_evidence") == ROUNDS + WORKERS * ROUNDS
    assert count(database_url, "tidegate_policy") == 1
    assert all(ledger.decision(number).id == number for number in ids)


@pytest.mark.slow
def test_processes_that_start_at_once_make_one_schema(database_url: str) -> None:
    with processes() as pool:
        told = list(pool.map(open_and_tell, [database_url] * WORKERS))
    assert told == [HEAD] * WORKERS
    assert count(database_url, VERSION_TABLE) == 1


def test_a_record_in_the_callers_transaction_is_gone_when_he_rolls_back(
    ledger: Ledger, database_url: str
) -> None:
    with other_engine(database_url) as engine, engine.connect() as connection:
        decision = record(ledger, connection=connection)
        assert decision.id is not None
        assert connection.in_transaction()
        connection.rollback()
    assert ledger.held() == ()
    assert count(database_url, "tidegate_artifact") == 0


def test_a_record_in_the_callers_transaction_stays_when_he_commits(
    ledger: Ledger, database_url: str
) -> None:
    execute(database_url, "CREATE TABLE model_versions (name TEXT)")
    with other_engine(database_url) as engine, engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO model_versions VALUES ('fraud')")
        decision = record(ledger, connection=connection)
        ledger.add_registration(
            store="s",
            name="fraud",
            version="3",
            created_ms=1,
            source="",
            digest=decision.digest,
            decision_id=decision.id,
            connection=connection,
        )
        ledger.add_sbom(
            digest=decision.digest, subject="fraud/3", body="{}", now=NOW, connection=connection
        )
    assert count(database_url, "model_versions") == 1
    assert ledger.decision(decision.id or 0) == decision
    assert len(ledger.registrations_of(decision.digest)) == 1
    assert ledger.sbom_for("fraud/3") == "{}"


def test_a_failure_inside_the_callers_transaction_leaves_it_his_to_end(
    ledger: Ledger, database_url: str
) -> None:
    with other_engine(database_url) as engine, engine.connect() as connection:
        record(ledger, connection=connection)
        with pytest.raises(UsageError):
            record(ledger, "other.pkl", subject="bad\x00", connection=connection)
        connection.commit()
    assert [each.decision.subject for each in ledger.held()] == ["fraud/3"]


def test_nothing_of_a_record_stays_when_its_last_step_fails(
    ledger: Ledger, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        execute(
            database_url,
            "CREATE TRIGGER broken BEFORE INSERT ON tidegate_decision "
            "BEGIN SELECT RAISE(ABORT, 'disk trouble'); END",
        )
    else:
        execute(database_url, "ALTER TABLE tidegate_decision ADD CHECK (subject = '')")
    with pytest.raises(LedgerUnavailableError):
        record(ledger)
    for table in ("artifact", "evidence", "policy", "decision"):
        assert count(database_url, f"tidegate_{table}") == 0


def test_a_row_that_a_strange_trigger_swallows_is_not_taken_for_recorded(
    ledger: Ledger, database_url: str
) -> None:
    record(ledger)
    if database_url.startswith("sqlite"):
        execute(
            database_url,
            "CREATE TRIGGER swallow BEFORE INSERT ON tidegate_decision "
            "BEGIN SELECT RAISE(IGNORE); END",
        )
    else:
        execute(
            database_url,
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN NULL; END'",
            "CREATE TRIGGER swallow BEFORE INSERT ON tidegate_decision "
            "FOR EACH ROW EXECUTE FUNCTION swallow()",
        )
    with pytest.raises(OperatorError):
        record(ledger, "other.pkl")
    assert count(database_url, "tidegate_decision") == 1


def test_a_schema_is_made_whole_or_not_at_all(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: sqlalchemy.Connection, tables: object) -> None:
        connection.exec_driver_sql("SELECT broken")

    with monkeypatch.context() as patch:
        patch.setattr(append_only, "install", fail)
        with pytest.raises(LedgerUnavailableError):
            Ledger.open(database_url)
    with other_engine(database_url) as engine:
        assert sqlalchemy.inspect(engine).get_table_names() == []
    with Ledger.open(database_url) as ledger:
        assert record(ledger).id == 1


@pytest.mark.postgres
def test_waiting_for_a_lock_of_postgresql_is_bounded_on_anothers_engine_too(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite's lock has a test of its own")
    with other_engine(database_url) as engine, other_engine(database_url) as blocker:
        ledger = Ledger.on_engine(engine)
        monkeypatch.setattr(connect, "LOCK_SECONDS", 1)
        with blocker.connect() as connection:
            connection.exec_driver_sql("LOCK TABLE tidegate_artifact IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(LedgerUnavailableError, match="lock timeout"):
                record(ledger)
        assert record(ledger).id is not None


def test_a_writer_waits_no_longer_than_it_may_for_anothers_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "LOCK_SECONDS", 0)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url) as ledger, other_engine(url) as engine, engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailableError, match="locked"):
            record(ledger)
        # Another's lock keeps nobody from opening and reading.
        with Ledger.open(url) as second:
            assert second.held() == ()
        connection.rollback()
        assert record(ledger).id == 1


def test_a_forked_child_does_not_use_its_parents_connection(
    ledger: Ledger, database_url: str
) -> None:
    record(ledger, "parent.pkl")
    with connect.reading(ledger._engine) as connection:
        parents = connection.connection.dbapi_connection

    def child() -> None:
        with connect.reading(ledger._engine) as connection:
            assert connection.connection.dbapi_connection is not parents
        record(ledger, "child.pkl", subject="child/1")

    fork(child)
    with connect.reading(ledger._engine) as connection:
        assert connection.connection.dbapi_connection is parents
    record(ledger, "parent-again.pkl")
    assert count(database_url, "tidegate_decision") == 3
    assert ledger.resolve("child/1") == a_manifest("child.pkl").digest


def fork(work: Callable[[], None]) -> None:
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_mlflows_own_engine_carries_the_ledger_beside_mlflows_tables(database_url: str) -> None:
    store = pytest.importorskip("mlflow.store.model_registry.sqlalchemy_store")
    if database_url.startswith("postgresql"):
        database_url = database_url.replace("+psycopg:", "+psycopg2:")
    registry = store.SqlAlchemyStore(database_url)
    registry.create_registered_model("before")
    ledger = Ledger.on_engine(registry.engine)
    with registry.ManagedSessionMaker(read_only=False) as session:
        kept = record(ledger, connection=session.connection())

    def record_and_fail() -> None:
        with registry.ManagedSessionMaker(read_only=False) as session:
            record(ledger, "other.pkl", connection=session.connection())
            raise RuntimeError("the version could not be written")

    with pytest.raises(Exception, match="could not be written"):
        record_and_fail()
    assert [each.decision for each in ledger.held()] == [kept]
    alone = record(ledger, "third.pkl", subject="third/1")
    ledger.close()
    # The engine is still MLflow's: open, and its schema unaware of ours.
    registry.create_registered_model("after")
    names = {model.name for model in registry.search_registered_models()}
    assert names == {"before", "after"}
    with registry.engine.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names()
        assert {"alembic_version", VERSION_TABLE} <= set(tables)
        if database_url.startswith("sqlite"):
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
    registry.engine.dispose()
    again = store.SqlAlchemyStore(database_url)
    assert Ledger.on_engine(again.engine).decision(alone.id or 0) == alone
    again.engine.dispose()


def test_a_database_without_a_ledger_is_refused_on_anothers_engine(database_url: str) -> None:
    with other_engine(database_url) as engine:
        with pytest.raises(OperatorError, match="no ledger"):
            Ledger.on_engine(engine, migrate=False)
        assert sqlalchemy.inspect(engine).get_table_names() == []
