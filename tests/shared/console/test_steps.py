"""Steps of workers that have a console's address and a token, and no database password."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path

import pytest
from samples.consoles import Console

import tidegate
from tidegate import read_manifest
from tidegate.attestation.step import Step
from tidegate.errors import AccessRefusedError
from tidegate.ledger import Ledger, RemoteLedger
from tidegate.ledger.spool import Spool
from tidegate.ledger.tokens import Scope
from tidegate.recorder import UnrecordedStepWarning


@pytest.fixture
def worker(console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Console:
    """This process as a worker of the console's, in a folder with data."""
    monkeypatch.setenv("TIDEGATE_LEDGER", console.address)
    monkeypatch.setenv("TIDEGATE_TOKEN", console.token("ci", Scope.WRITE_EVIDENCE, Scope.READ))
    monkeypatch.setenv("TIDEGATE_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setattr(RemoteLedger, "open", partial(RemoteLedger.open, patience=2))
    monkeypatch.chdir(tmp_path)
    Path("train.csv").write_text(str(tmp_path))
    return console


def test_a_step_goes_over_http_and_is_its_senders_word(worker: Console) -> None:
    with tidegate.step("train", inputs=["train.csv"]) as s:
        Path("model.json").write_text("{}")
        s.output("model.json")
    digest = read_manifest("train.csv").digest
    with tidegate.step("look", inputs=[digest]):
        pass
    with Ledger.open(worker.database, migrate=False) as ledger:
        step = ledger.step(s.id)
    assert step.inputs == s.step.inputs
    assert step.outputs == s.step.outputs
    told = {field.name for field in fields(Step)} - {"id", "actor", "claims", "exit_code"}
    assert set(step.claims) == told - {"started_at", "finished_at"} | {"times"}


def test_a_console_that_goes_away_meanwhile_gets_the_step_when_it_is_back(worker: Console) -> None:
    with (
        pytest.warns(UnrecordedStepWarning, match="spool flush"),
        tidegate.step("train", inputs=["train.csv"]) as s,
    ):
        worker.kill()
    worker.start()
    with worker.ledger() as ledger:
        assert Spool.open().flush(ledger).sent == 1
    with Ledger.open(worker.database, migrate=False) as ledger:
        assert ledger.step(s.id).inputs == s.step.inputs


def test_a_token_that_does_not_count_is_said_before_the_work(
    worker: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_TOKEN", f"{worker.token()}x")
    with pytest.raises(AccessRefusedError), tidegate.step("train"):
        pytest.fail("the block ran")
