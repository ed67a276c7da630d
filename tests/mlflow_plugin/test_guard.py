"""The guard's memory: what it answers while the ledger grows under it, or seems to shrink."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient
from mlflow.exceptions import MlflowException

from tidegate.errors import OperatorError
from tidegate.policy import Mode
from tidegate_mlflow.apps import LookingFirst
from tidegate_mlflow.guard import Guard
from tidegate_mlflow.guarded_places import GuardedPlaces, Registered, Use

LAST = "file:/models/9/model.pkl"


class Ledger:
    """Ten registrations, as of statement 11; the reading of them can be held up, or fail."""

    def __init__(self) -> None:
        self.newest = 11
        self.reads = 0
        self.breaks = False
        self.going = threading.Event()
        self.going.set()

    def newest_statement(self) -> int:
        return self.newest

    def registrations_after(self, number: int) -> list[Any]:
        self.reads += 1
        if self.breaks:
            raise ValueError("the database is gone")
        assert self.going.wait(10)
        return [
            SimpleNamespace(
                id=each,
                store="mlflow:default",
                name="m",
                version=str(each),
                created_ms=each,
                digest=f"sha256:{each:064x}",
                source=f"file:/models/{each}",
            )
            for each in range(10)
            if each > number
        ]


class Verdicts:
    """Everything is held; a thread may have looked at the ledger a while ago."""

    def __init__(self, ledger: Ledger) -> None:
        self.gate = SimpleNamespace(ledger=ledger, policy=SimpleNamespace(mode=Mode.ENFORCE))
        self.seen = threading.local()

    def look(self, *, anew: bool = False) -> int:
        return getattr(self.seen, "number", None) or self.gate.ledger.newest

    def of(self, digest: str, subject: str) -> Any:
        return SimpleNamespace(allowed=False, explain=lambda: "it is held")


@pytest.fixture
def guard() -> Guard:
    """A guard that has read all that there is."""
    made = Guard(
        Verdicts(Ledger()),  # type: ignore[arg-type]
        lambda location, workspace: (location,),
        lambda versions: True,
        lambda: None,
    )
    made.look()
    return made


def test_a_look_that_was_overtaken_forgets_nothing(guard: Guard) -> None:
    ledger: Any = guard.verdicts.gate.ledger
    reads = ledger.reads
    guard.verdicts.seen.number = 10  # type: ignore[attr-defined]
    guard.look()
    guard.verdicts.seen.number = None  # type: ignore[attr-defined]
    assert ledger.reads <= reads + 1
    with pytest.raises(MlflowException, match="it is held"):
        guard.require(Use.READ, [LAST])


def test_while_a_shorter_ledger_is_read_anew_what_was_known_still_counts(guard: Guard) -> None:
    ledger: Any = guard.verdicts.gate.ledger
    ledger.newest = 5
    ledger.going.clear()
    reading = threading.Thread(target=guard.look)
    reading.start()
    asked = guard._places.judge(
        Use.READ, [LAST], held=lambda registered: True, alive=lambda versions: True
    )
    ledger.going.set()
    reading.join(10)
    assert asked is not None


def test_a_reading_anew_that_fails_leaves_what_was_known(guard: Guard) -> None:
    ledger: Any = guard.verdicts.gate.ledger
    ledger.newest, ledger.breaks = 5, True
    with pytest.raises(ValueError, match="gone"):
        guard.look()
    ledger.newest, ledger.breaks = 11, False
    with pytest.raises(MlflowException, match="it is held"):
        guard.require(Use.READ, [LAST])


def test_a_registration_that_nobody_could_read_outranks_no_other() -> None:
    known = GuardedPlaces()
    known.add("file:/model", Registered(1, "default", "m", "1", 1, "sha256:" + "0" * 64))
    known.add("file:/model", Registered(2, "default", "m", "2", 2, None))
    refused = known.judge(
        Use.READ,
        ["file:/model/MLmodel"],
        held=lambda registered: registered.digest is None,
        alive=lambda versions: True,
    )
    assert refused is None


class LostLedger:
    """A guard whose ledger is away, with an error that names where it was looked for."""

    def look(self) -> None:
        raise OperatorError("the ledger at postgresql://gate@db.internal/gate can't be reached")


@pytest.mark.parametrize(("says_why", "tells"), [(True, True), (False, False)])
def test_why_the_ledger_is_away_is_told_only_where_nobody_signs_in(
    says_why: bool, tells: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)

    client = TestClient(LookingFirst(app, cast("Guard", LostLedger()), says_why=says_why))
    answer = client.get("/api/2.0/mlflow-artifacts/artifacts/1/model.pkl")
    assert answer.status_code == 409
    assert ("db.internal" in answer.text) is tells
    assert "ledger" in answer.text
    assert "db.internal" in caplog.text
    assert not asked
