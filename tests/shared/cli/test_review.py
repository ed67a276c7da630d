"""`tidegate review`: what is held, why, and what people say of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest


@pytest.fixture
def held(tidegate, hostile):
    assert tidegate("scan", "--record", "--subject", "fraud/3", hostile).code == 1
    return hostile


def test_a_mistyped_ledger_is_an_error_and_is_not_made(tidegate, tmp_path):
    result = tidegate("review", "list", "--ledger", f"sqlite:///{tmp_path}/nowhere/ledger.db")
    assert result.code == 3
    assert "there is no ledger" in result.err
    assert not (tmp_path / "nowhere").exists()


def test_an_empty_ledger_holds_nothing(tidegate):
    tidegate("db", "upgrade")
    result = tidegate("review", "list")
    assert (result.code, result.out) == (0, "Nothing is held.\n")
    assert json.loads(tidegate("review", "list", "-f", "json").out)["held"] == []


def test_the_list_names_number_subject_and_rule(tidegate, held):
    out = tidegate("review", "list").out
    for said in ("#1", "fraud/3", "quarantine", "PICKLE-EXEC"):
        assert said in out


def test_show_tells_a_reviewer_what_to_decide_on_and_how(tidegate, held):
    out = tidegate("review", "show", "fraud/3").out
    for said in ("PICKLE-EXEC", "system", "To mend it", "One file", "tidegate review approve 1"):
        assert said in out


def test_show_as_json_has_the_whole_record(tidegate, held):
    tidegate("review", "reject", "1", "--reason", "bad")
    data = json.loads(tidegate("review", "show", "1", "-f", "json").out)
    assert data["digest"] == data["manifest"]["digest"] == data["evidence"]["digest"]
    assert data["decision"]["outcome"] == "deny"
    assert [each["reason"] for each in data["reviews"]] == ["bad"]


def test_an_approval_lets_pass_and_is_on_record_with_person_and_reason(tidegate, held):
    assert tidegate("review", "approve", "fraud/3", "--reason", "known sample").code == 0
    assert tidegate("verify", held).code == 0
    (review,) = json.loads(tidegate("review", "show", "1", "-f", "json").out)["reviews"]
    assert (review["verdict"], review["actor"], review["reason"]) == (
        "approve",
        "ada",
        "known sample",
    )
    assert tidegate("review", "list").out == "Nothing is held.\n"


def test_an_approval_that_the_policy_does_not_let_count_is_1(tidegate, held):
    result = tidegate("review", "approve", "1", "--reason", "please", "--policy", "strict")
    assert result.code == 1
    assert "PICKLE-EXEC" in result.out


def test_the_actor_can_be_named(tidegate, held):
    tidegate("review", "reject", "1", "--reason", "bad", "--actor", "grace")
    assert "reject by grace: bad" in tidegate("review", "show", "1").out


def test_a_rejection_refuses_also_after_an_approval(tidegate, held):
    tidegate("review", "approve", "1", "--reason", "ok")
    assert tidegate("review", "reject", "fraud/3", "--reason", "changed my mind").code == 0
    result = tidegate("verify", held)
    assert result.code == 1
    assert "changed my mind" in result.out


def test_a_waiver_covers_its_rule_until_its_end(tidegate, held):
    result = tidegate(
        "review", "waive", "1", "--rule", "PICKLE-EXEC", "--days", "3", "--reason", "demo"
    )
    assert "waiver 1 by ada" in result.out
    (waiver,) = json.loads(tidegate("review", "show", "1", "-f", "json").out)["waivers"]
    lasts = datetime.fromisoformat(waiver["expires_at"]) - datetime.fromisoformat(
        waiver["created_at"]
    )
    assert lasts == timedelta(days=3)


def test_a_waiver_until_a_day_ends_when_that_day_begins(tidegate, held):
    day = (datetime.now(UTC) + timedelta(days=10)).date()
    tidegate(
        "review", "waive", "1", "--rule", "PICKLE-EXEC", "--until", str(day), "--reason", "demo"
    )
    (waiver,) = json.loads(tidegate("review", "show", "1", "-f", "json").out)["waivers"]
    assert datetime.fromisoformat(waiver["expires_at"]) == datetime(
        day.year, day.month, day.day, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", "1"),
        ("approve", "1", "--reason", " "),
        ("reject", "1"),
        ("waive", "1", "--rule", "PICKLE-EXEC", "--reason", "no end"),
        ("waive", "1", "--rule", "PICKLE-EXEC", "--reason", "x", "--days", "0"),
        ("waive", "1", "--rule", "PICKLE-EXEC", "--reason", "x", "--days", "5000"),
        ("waive", "1", "--rule", "PICKLE-EXEC", "--reason", "x", "--until", "2020-01-01"),
        ("waive", "1", "--rule", "PICKLE-EXEC", "--reason", "x", "--until", "soon"),
        (
            "waive",
            "1",
            "--rule",
            "PICKLE-EXEC",
            "--reason",
            "x",
            "--days",
            "1",
            "--until",
            "2099-01-01",
        ),
        ("waive", "1", "--rule", "ZIP-PATH", "--reason", "x", "--days", "1"),
        ("approve", "999", "--reason", "x"),
        ("show", "no-such-thing"),
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_2_and_leaves_the_artifact_held(tidegate, held, arguments):
    result = tidegate("review", *arguments)
    assert result.code == 2
    assert result.err
    assert tidegate("verify", held).code == 1


def test_hostile_names_are_shown_escaped(tidegate, hostile):
    folder = Path("model")
    folder.mkdir()
    hostile.rename(folder / "a\x1b[2J\u202eb.pkl")
    tidegate("scan", "--record", "--subject", "x\x1b[31m", "model")
    for command in (("list",), ("show", "1"), ("show", "1", "-f", "json")):
        out = tidegate("review", *command).out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_what_the_policy_lets_nobody_except_is_not_offered(tidegate, held):
    assert "review waive 1" in tidegate("review", "show", "1").out
    out = tidegate("review", "show", "1", "--policy", "strict").out
    assert "review waive" not in out
    assert "review approve" not in out
    assert "lets nobody except PICKLE-EXEC" in out
    assert "review reject 1" in out
