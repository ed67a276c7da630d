"""What passed under older rules is looked at again, and nothing passes that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.artifact import Manifest
from tidegate.gate import Gate
from tidegate.policy import Action
from tidegate.rescan import State, rescan
from tidegate.scanners import Evidence, registry
from tidegate.scanners.engine import PendingScan

HARMLESS_CALL = b"cos\nsystem\n(S'echo tidegate-test'\ntR."


@pytest.fixture
def gate(tmp_path: Path):
    with Gate.open(policy="standard", ledger=f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


@pytest.fixture
def older_rules(monkeypatch: pytest.MonkeyPatch):
    """Record under the name of older rules, which saw nothing wrong with anything."""

    def record(gate: Gate, path: Path, subject: str) -> str:
        with monkeypatch.context() as patch:
            patch.setattr(registry, "ruleset_version", lambda: "2020.01-older")
            patch.setattr(PendingScan, "evidence", _sees_nothing)
            return gate.check(path, Action.REGISTER, subject=subject).digest

    return record


def _sees_nothing(pending: PendingScan, manifest: Manifest) -> Evidence:
    pending.cancel()
    return Evidence(manifest.digest, "2020.01-older")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "model.pkl"
    path.write_bytes(HARMLESS_CALL)
    return path


def test_what_would_fail_today_is_named_and_still_passes_until_that_is_recorded(
    gate, older_rules, hostile
):
    digest = older_rules(gate, hostile, "fraud/1")
    (row,) = rescan(gate)
    assert (row.digest, row.subjects, row.state) == (digest, ("fraud/1",), State.WOULD_BE_HELD)
    assert [reason.rule for reason in row.decision.reasons] == ["PICKLE-EXEC"]
    assert gate.standing(hostile, subject="fraud/1").allowed


def test_recording_holds_it_from_then_on_under_every_name(gate, older_rules, hostile):
    for subject in ("fraud/1", "copy/7"):
        older_rules(gate, hostile, subject)
    (row,) = rescan(gate, record=True)
    assert row.state is State.HELD
    for subject in ("fraud/1", "copy/7"):
        assert not gate.standing(hostile, subject=subject).allowed
    assert not list(rescan(gate))


def test_what_still_passes_and_what_is_of_todays_rules_say_so(gate, older_rules, tmp_path):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("old\n")
    new.write_text("new\n")
    older_rules(gate, old, "old")
    gate.check(new, Action.REGISTER, subject="new")
    assert {row.subjects: row.state for row in rescan(gate)} == {
        ("old",): State.PASSES,
        ("new",): State.CURRENT,
    }


@pytest.mark.parametrize("gone", [True, False])
def test_bytes_that_are_gone_or_exchanged_are_out_of_reach(gate, older_rules, hostile, gone):
    older_rules(gate, hostile, "fraud/1")
    hostile.unlink() if gone else hostile.write_bytes(b"other bytes")
    (row,) = rescan(gate)
    assert row.state is State.OUT_OF_REACH
    assert row.decision is None
    assert str(hostile) in row.reason


def test_a_copy_at_another_place_on_record_is_found(gate, older_rules, hostile, tmp_path):
    copy = tmp_path / "copy" / "model.pkl"
    copy.parent.mkdir()
    copy.write_bytes(hostile.read_bytes())
    older_rules(gate, copy, "copy")
    older_rules(gate, hostile, "fraud/1")
    hostile.unlink()
    (row,) = rescan(gate)
    assert row.state is State.WOULD_BE_HELD


def test_an_approval_of_what_was_seen_does_not_cover_what_only_todays_rules_see(
    gate, older_rules, hostile
):
    older_rules(gate, hostile, "fraud/1")
    gate.approve("fraud/1", actor="ada", reason="looked harmless then")
    (row,) = rescan(gate, ["fraud/1"])
    assert row.state is State.WOULD_BE_HELD
