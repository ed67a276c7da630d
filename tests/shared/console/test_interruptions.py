"""A lost answer, a killed console, a restart: nothing is lost, and nothing is recorded twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from samples.consoles import Console, console_at
from samples.ledger_records import NOW, a_manifest, a_step, an_evidence, count, record
from samples.lossy_wire import lossy_wire
from samples.tampering import look

from tidegate import Action, Gate
from tidegate.errors import LedgerUnavailableError, UsageError
from tidegate.ledger import Ledger, RemoteLedger
from tidegate.ledger.requests import AlreadyRecordedError, Request, find, under
from tidegate.ledger.spool import Spool
from tidegate.ledger.tokens import Scope
from tidegate.ledger.wire import evidence_message, new_key
from tidegate.policy import ReviewVerdict
from tidegate.scanners.registry import ruleset_version


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    monkeypatch.setenv("TIDEGATE_SPOOL", str(tmp_path / "spool"))
    return Spool.open()


@pytest.fixture
def mortal(database_url: str, tmp_path: Path) -> Iterator[Console]:
    """A console of the test's own, to be killed."""
    with console_at(tmp_path / "console", database_url) as running:
        yield running


def message(name: str):
    manifest = a_manifest(name)
    evidence = an_evidence(manifest, severity=None, ruleset=ruleset_version())
    return evidence_message(manifest, evidence, action=Action.LOAD, subject=name)


def send(ledger: RemoteLedger, name: str, key: str | None = None):
    return ledger.send_evidence(message(name), key=key or new_key())


def decisions_of(console: Console, name: str) -> int:
    with Ledger.open(console.database) as own, own.reading() as connection:
        query = "SELECT count(*) FROM tidegate_decision WHERE subject = '" + name + "'"
        return connection.exec_driver_sql(query).scalar_one()


def test_a_write_whose_answer_is_lost_is_sent_again_and_recorded_once(console: Console) -> None:
    with lossy_wire(console.port) as wire:
        ledger = RemoteLedger.open(f"http://127.0.0.1:{wire.port}", token=console.token("unlucky"))
        wire.lose = 2
        decision = send(ledger, "lost-answer")
        assert wire.lost == 2
    assert decision.allowed
    assert decisions_of(console, "lost-answer") == 1
    with Ledger.open(console.database) as own:
        assert own.decision(decision.id or 0) == decision


def test_a_review_whose_answer_is_lost_is_recorded_once(console: Console) -> None:
    with Ledger.open(console.database) as own:
        digest = record(own, "lost-review.pkl", subject="lost-review/1").digest
    with lossy_wire(console.port) as wire:
        token = console.token("grace", Scope.REVIEW)
        ledger = RemoteLedger.open(f"http://127.0.0.1:{wire.port}", token=token)
        wire.lose = 1
        assert ledger.review(digest, ReviewVerdict.APPROVE, reason="seen").allowed
        wire.lose = 1
        ledger.waive(digest, rule="PICKLE-TRAILING", reason="seen", days=3)
        assert wire.lost == 2
    with Ledger.open(console.database) as own:
        assert len(own.reviews_for(digest)) == len(own.waivers_for(digest)) == 1


def test_a_step_whose_answer_is_lost_is_recorded_once(console: Console) -> None:
    with lossy_wire(console.port) as wire:
        ledger = RemoteLedger.open(f"http://127.0.0.1:{wire.port}", token=console.token("unlucky"))
        step = a_step(41)
        wire.lose = 1
        ledger.record_step(step)
        assert wire.lost == 1
        assert ledger.step(step.id).name == step.name


def test_two_clients_with_one_key_at_once_get_one_record(console: Console) -> None:
    token, key = console.token("twins"), new_key()
    with ThreadPoolExecutor(8) as pool:
        ledgers = [console.ledger(token) for _ in range(8)]
        answers = list(pool.map(lambda each: send(each, "twins", key), ledgers))
    assert len({each.id for each in answers}) == 1
    assert decisions_of(console, "twins") == 1


def test_a_key_with_another_content_is_refused(console: Console) -> None:
    with console.ledger(console.token("careless")) as ledger:
        key = new_key()
        send(ledger, "first-content", key)
        with pytest.raises(UsageError, match="another request"):
            send(ledger, "second-content", key)
    assert decisions_of(console, "second-content") == 0


def test_a_console_killed_in_the_middle_of_writes_loses_and_doubles_none(
    mortal: Console, spool: Spool
) -> None:
    """Two clients write while the console is killed twice; what they could not send waits."""
    token = mortal.token("worker")
    done: dict[str, int | None] = {}
    killed = threading.Event()

    def work(client: int) -> None:
        with RemoteLedger.open(mortal.address, token=token, patience=1) as ledger:
            for number in range(30):
                name, key = f"client-{client}-{number}", new_key()
                try:
                    done[name] = send(ledger, name, key).id
                except LedgerUnavailableError:
                    spool.keep("evidence", message(name), ledger=ledger.url, key=key)
                    done[name] = None
                if number == 8:
                    killed.wait(30)

    with ThreadPoolExecutor(2) as pool:
        clients = [pool.submit(work, client) for client in range(2)]
        # Under way, most likely with a write in its middle.
        while len(done) < 8:
            threading.Event().wait(0.005)
        mortal.kill()
        killed.set()
        while not any(number is None for number in done.values()):
            threading.Event().wait(0.01)
        mortal.start()
        for each in clients:
            each.result(120)
    assert len(done) == 60
    waiting = sum(count for _, count in spool.status().waiting)
    assert waiting == sum(number is None for number in done.values()) > 0
    with RemoteLedger.open(mortal.address, token=token) as ledger:
        assert Spool.open().flush(ledger).sent == waiting
        assert Spool.open().flush(ledger).sent == 0
    for name, number in done.items():
        assert decisions_of(mortal, name) == 1, (name, number)
    assert look(mortal.database).problems == ()


def test_a_gate_without_its_console_decides_nothing_and_keeps_the_evidence(
    mortal: Console, spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_TOKEN", mortal.token("worker"))
    monkeypatch.setenv("TIDEGATE_LEDGER_SECONDS", "1")
    (tmp_path / "model.json").write_text('{"threshold": 0.5}')
    token = mortal.token("worker")
    with Gate.open(ledger=mortal.ledger(token, patience=1)) as gate:
        manifest, evidence = gate.gather(tmp_path / "model.json")
        mortal.kill()
        for ask in (
            lambda: gate.settle(Action.REGISTER, manifest, evidence, subject="later"),
            lambda: gate.standing(tmp_path / "model.json", Action.DEPLOY),
            lambda: gate.check(tmp_path / "model.json", Action.REGISTER),
        ):
            with pytest.raises(LedgerUnavailableError):
                ask()
        with pytest.raises(LedgerUnavailableError):
            Gate.open(ledger=mortal.address)
    assert spool.status().waiting == ((mortal.address, 1),)
    mortal.start()
    with mortal.ledger(token) as ledger:
        assert spool.flush(ledger).sent == 1
        assert ledger.evidence_for(manifest.digest, ruleset_version()) is not None
        assert ledger.latest_decision(manifest.digest, subject="later").allowed


def test_an_entry_whose_answer_was_lost_by_a_crash_is_flushed_to_the_same_record(
    mortal: Console, spool: Spool
) -> None:
    with mortal.ledger(mortal.token("worker")) as ledger:
        key = new_key()
        decision = send(ledger, "crashed", key)
        # The answer came, and the process died before it could take note of that.
        spool.keep("evidence", message("crashed"), ledger=ledger.url, key=key)
        assert spool.flush(ledger).sent == 1
    assert decisions_of(mortal, "crashed") == 1
    assert decision.id is not None


def test_a_request_is_done_with_its_own_row_and_not_with_what_goes_before(
    ledger: Ledger, database_url: str
) -> None:
    request = Request("review-1", "review", "a" * 64, actor="ada", table="tidegate_review")
    with under(request):
        digest = record(ledger, "before").digest
    assert find(ledger, request) is None
    with under(request):
        record(ledger, "before", subject="another")
        ledger.add_review(
            digest=digest,
            verdict=ReviewVerdict.REJECT,
            fingerprints=(),
            actor="ada",
            reason="no",
            evidence_id=None,
            now=NOW,
        )
    recorded = find(ledger, request)
    assert recorded is not None
    assert recorded.rows == (("tidegate_review", 1),)
    assert look(database_url).problems == ()


def test_beside_the_database_too_a_request_is_recorded_once_by_whichever_process(
    ledger: Ledger, database_url: str
) -> None:
    request = Request("the same key", "evidence", "a" * 64, actor="ada")
    with under(request):
        first = record(ledger, "keyed")
    with Ledger.open(database_url) as other:
        with pytest.raises(AlreadyRecordedError) as already, under(request):
            record(other, "keyed")
        assert already.value.recorded.key_in("tidegate_decision") == first.id
        with (
            pytest.raises(UsageError, match="another request"),
            under(Request("the same key", "evidence", "b" * 64, actor="ada")),
        ):
            record(other, "keyed")
    assert count(database_url, "tidegate_decision") == 1
    assert look(database_url).problems == ()
