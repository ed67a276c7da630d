"""Many writers make one log, and a writer that is killed loses nothing that it had acknowledged."""

from __future__ import annotations

import multiprocessing
import os
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
import sqlalchemy
from samples.ledger_records import count, record, record_in_turn
from samples.log_writers import append_in_turn, killed_writer
from samples.tampering import look

from tidegate.ledger import Ledger

WORKERS = 4
ROUNDS = 6


@pytest.mark.slow
def test_several_processes_make_one_log_without_gap_or_fork(database_url: str) -> None:
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        # They also make the schema, and the signing key, at the same time.
        appending = [pool.submit(append_in_turn, database_url, n, ROUNDS) for n in range(2)]
        recording = [pool.submit(record_in_turn, database_url, n, ROUNDS) for n in range(2)]
        numbers = [number for task in appending for number in task.result()]
        ids = [number for task in recording for number in task.result()]
    assert len(set(numbers)) == len(numbers) == 2 * sum(1 + turn % 3 for turn in range(ROUNDS))
    report = look(database_url)
    assert report.problems == ()
    assert report.statements == count(database_url, "tidegate_statement")
    assert count(database_url, "tidegate_decision") == len(set(ids)) == 2 * ROUNDS * 2


def test_threads_of_one_ledger_make_one_log(ledger: Ledger, database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(record, ledger, f"{n}.pkl", place=f"/m/{n}") for n in range(12)]
        assert len({task.result().id for task in tasks}) == 12
    report = look(database_url)
    assert (report.problems, report.statements) == ((), 24)


def test_two_records_in_one_transaction_do_not_lock_out_each_other(
    ledger: Ledger, database_url: str
) -> None:
    """Two writers that put in the same rows, in another order, as MLflow's sessions may."""

    def both(names: tuple[str, str]) -> None:
        engine = sqlalchemy.create_engine(database_url)
        with engine.begin() as connection:
            for name in names:
                record(ledger, name, connection=connection)
        engine.dispose()

    with ThreadPoolExecutor(2) as pool:
        for number in range(5):
            pair = (f"{number}-a.pkl", f"{number}-b.pkl")
            for task in [pool.submit(both, pair), pool.submit(both, pair[::-1])]:
                task.result()
    assert look(database_url).problems == ()
    assert count(database_url, "tidegate_decision") == 20


def killed_at_random(url: str, times: int, *, every: int) -> None:
    choose = random.Random(times)
    said: list[int] = []
    for turn in range(times):
        said += killed_writer(url, turn, choose.uniform(0, 0.05))
        if turn % every == every - 1 or turn == times - 1:
            report = look(url)
            assert report.problems == (), f"after kill {turn}"
    with Ledger.open(url, migrate=False) as ledger, ledger.reading() as connection:
        kept = connection.exec_driver_sql("SELECT id FROM tidegate_decision").scalars().all()
    assert len(said) >= times
    assert set(said) <= set(kept), "what was acknowledged is on record"
    assert len(kept) <= len(said) + times, "one record at most was under way at each kill"


def test_a_writer_killed_at_random_points_loses_nothing_it_acknowledged(
    ledger: Ledger, database_url: str
) -> None:
    killed_at_random(database_url, 24, every=6)


@pytest.mark.skipif("TIDEGATE_TEST_KILLS" not in os.environ, reason="TIDEGATE_TEST_KILLS=1000")
@pytest.mark.timeout(3600)
def test_any_number_of_kills_loses_nothing(ledger: Ledger, database_url: str) -> None:
    killed_at_random(database_url, int(os.environ["TIDEGATE_TEST_KILLS"]), every=100)
