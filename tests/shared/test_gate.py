"""The one door: no way through without evidence about the very bytes at hand."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidegate.errors import (
    ArtifactMissingError,
    LedgerUnavailableError,
    RecordNotFoundError,
    UsageError,
)
from tidegate.examine import examine
from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, Outcome, profile


class RunsACommand:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("echo this must never run",)


@pytest.fixture
def gate(ledger: Ledger) -> Iterator[Gate]:
    opened = Gate(profile("standard"), ledger)
    yield opened
    opened.engine.close()


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    path = tmp_path / "clean.pkl"
    path.write_bytes(pickle.dumps({"weights": [1.0, 2.0]}))
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(RunsACommand()))
    return path


def test_clean_passes_hostile_is_held_and_both_are_on_record(
    gate: Gate, clean: Path, hostile: Path
) -> None:
    passed = gate.check(clean, Action.REGISTER, subject="a/1")
    held = gate.check(hostile, Action.REGISTER, subject="b/1")
    assert passed.allowed
    assert held.outcome is Outcome.QUARANTINE
    assert passed.id is not None
    assert gate.ledger.decision(passed.id) == passed
    assert [each.decision.subject for each in gate.held()] == ["b/1"]


def test_bytes_are_scanned_once(
    gate: Gate, clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.check(clean, Action.REGISTER)
    copy = tmp_path / "elsewhere" / clean.name
    copy.parent.mkdir()
    copy.write_bytes(clean.read_bytes())
    monkeypatch.setattr(gate.engine, "scan", lambda *_: pytest.fail("scanned again"))
    assert gate.check(copy, Action.REGISTER).allowed


def test_a_verdict_on_a_text_does_not_stand_for_the_same_bytes_as_a_program(
    gate: Gate, tmp_path: Path
) -> None:
    text, program = tmp_path / "notes.txt", tmp_path / "notes.py"
    for file in (text, program):
        file.write_text("import os\nos.system('echo tidegate-test')\n")
    assert gate.check(text, Action.REGISTER).allowed
    assert not gate.standing(program).allowed
    assert not gate.check(program, Action.REGISTER).allowed


def test_standing_never_scans_and_holds_what_nobody_scanned(
    gate: Gate, clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.engine, "scan", lambda *_: pytest.fail("scanned"))
    decision = gate.standing(clean, Action.DEPLOY)
    assert not decision.allowed
    assert decision.verdict == "unscanned"


def test_standing_follows_the_bytes_and_not_the_path(
    gate: Gate, clean: Path, hostile: Path
) -> None:
    gate.check(clean, Action.REGISTER)
    gate.check(hostile, Action.REGISTER)
    assert gate.standing(clean).allowed
    clean.write_bytes(hostile.read_bytes())
    assert not gate.standing(clean).allowed


def test_other_bytes_than_expected_are_denied_although_they_are_clean(
    gate: Gate, clean: Path, tmp_path: Path
) -> None:
    first = gate.check(clean, Action.REGISTER)
    other = tmp_path / "other.pkl"
    other.write_bytes(pickle.dumps([1, 2, 3]))
    gate.check(other, Action.REGISTER)
    decision = gate.standing(other, Action.LOAD, expected=first.digest)
    assert decision.outcome is Outcome.DENY


def test_the_same_standing_is_recorded_once(gate: Gate, clean: Path) -> None:
    gate.check(clean, Action.REGISTER, subject="a/1")
    first = gate.standing(clean, Action.LOAD, subject="a/1")
    assert gate.standing(clean, Action.LOAD, subject="a/1") == first
    assert gate.standing(clean, Action.DEPLOY, subject="a/1") != first


def test_an_approval_counts_at_once_and_a_rejection_after_it_too(gate: Gate, hostile: Path) -> None:
    held = gate.check(hostile, Action.REGISTER, subject="b/1")
    assert gate.approve(str(held.id), actor="ada", reason="our own test").allowed
    assert gate.standing(hostile).allowed
    assert gate.reject("b/1", actor="bob", reason="no tests here").outcome is Outcome.DENY
    assert not gate.standing(hostile).allowed


def test_a_review_counts_under_every_name_of_the_bytes(gate: Gate, hostile: Path) -> None:
    for subject in ("b/1", "copy/1"):
        gate.check(hostile, Action.REGISTER, subject=subject)
    decision = gate.approve("b/1", actor="ada", reason="our own test")
    assert decision.subject == "b/1"
    assert gate.held() == ()
    gate.reject("copy/1", actor="ada", reason="a mistake")
    assert {each.decision.subject for each in gate.held()} == {"b/1", "copy/1"}


def test_who_only_reviews_makes_no_ledger(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mistyped/ledger.db"
    with pytest.raises(LedgerUnavailableError, match="there is no ledger"):
        Gate.open(policy="standard", ledger=url, make_ledger=False)
    assert list(tmp_path.iterdir()) == []


def test_a_waiver_needs_an_end_within_the_policys_time(gate: Gate, hostile: Path) -> None:
    gate.check(hostile, Action.REGISTER, subject="b/1")
    for end in ({}, {"days": 0}, {"days": 91}, {"days": 1, "until": datetime.now(UTC)}):
        with pytest.raises(UsageError):
            gate.waive("b/1", rule="PICKLE-EXEC", actor="ada", reason="x", **end)  # type: ignore[arg-type]
    past = datetime.now(UTC) - timedelta(days=1)
    with pytest.raises(UsageError):
        gate.waive("b/1", rule="PICKLE-EXEC", actor="ada", reason="x", until=past)
    assert gate.waive("b/1", rule="PICKLE-EXEC", actor="ada", reason="x", days=90).allowed


def test_a_waiver_of_a_rule_that_found_nothing_is_refused(gate: Gate, hostile: Path) -> None:
    gate.check(hostile, Action.REGISTER, subject="b/1")
    with pytest.raises(UsageError, match="no finding of ZIP-BOMB"):
        gate.waive("b/1", rule="ZIP-BOMB", actor="ada", reason="x", days=1)


def test_a_waiver_above_the_policys_ceiling_is_refused_and_not_recorded(
    ledger: Ledger, hostile: Path
) -> None:
    strict = Gate(profile("strict"), ledger)
    denied = strict.check(hostile, Action.REGISTER, subject="b/1")
    with pytest.raises(UsageError, match="as grave as"):
        strict.waive("b/1", rule="PICKLE-EXEC", actor="ada", reason="x", days=1)
    assert ledger.waivers_for(denied.digest) == ()


def test_nobody_reviews_without_a_name_or_a_reason(gate: Gate, hostile: Path) -> None:
    gate.check(hostile, Action.REGISTER, subject="b/1")
    for actor, reason in (("", "x"), ("ada", ""), ("  ", "x"), ("ada", " \n")):
        with pytest.raises(UsageError):
            gate.approve("b/1", actor=actor, reason=reason)
    assert not gate.standing(hostile).allowed


def test_an_unscanned_digest_can_not_be_approved(gate: Gate, clean: Path) -> None:
    decision = gate.standing(clean)
    assert decision.id is None
    with pytest.raises(RecordNotFoundError):
        gate.approve(decision.digest, actor="ada", reason="trust me")


def test_what_is_not_on_record_says_so(gate: Gate) -> None:
    with pytest.raises(RecordNotFoundError):
        gate.dossier("sha256:" + "0" * 64)


def test_a_missing_artifact_is_an_error_and_leaves_no_decision(gate: Gate, tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError):
        gate.check(tmp_path / "nowhere", Action.REGISTER)
    assert gate.held() == ()


def test_a_decision_can_be_made_again_from_what_it_names(gate: Gate, hostile: Path) -> None:
    from tidegate.policy import decide

    decision = gate.check(hostile, Action.REGISTER, subject="b/1")
    ledger = gate.ledger
    again = decide(
        ledger.policy(decision.policy_digest),
        decision.action,
        ledger.evidence(str(decision.evidence_id)),
        digest=decision.digest,
        subject=decision.subject,
        now=decision.decided_at,
    )
    assert again.reasons == decision.reasons
    assert again.outcome is decision.outcome


def test_a_gate_without_its_ledger_does_not_open(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 100)
    with pytest.raises(LedgerUnavailableError):
        Gate.open(policy="standard", ledger=f"sqlite:///{tmp_path}/ledger.db")


def test_looking_without_a_ledger_keeps_the_error_in_its_result(
    hostile: Path, tmp_path: Path
) -> None:
    seen = examine(hostile, profile("standard"))
    assert seen.decision is not None
    assert not seen.decision.allowed
    missing = examine(tmp_path / "nowhere", profile("standard"))
    assert isinstance(missing.error, ArtifactMissingError)
    assert missing.decision is None
