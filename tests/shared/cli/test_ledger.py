"""`tidegate ledger`: what was changed is named, and the exit code says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy
from samples.ledger_records import record
from samples.tampering import STATEMENTS, cut, fill, owner

from tidegate.attestation import KeyList, SigningKey
from tidegate.ledger import Ledger


@pytest.fixture
def full(ledger_url: str) -> str:
    with Ledger.open(ledger_url) as ledger:
        fill(ledger)
    return ledger_url


def test_an_untouched_ledger_verifies(full, tidegate) -> None:
    result = tidegate("ledger", "verify")
    assert result.code == 0, result.err
    assert f"Nothing was changed: {STATEMENTS} statements over 39 records" in result.out
    assert "No checkpoint was given" in result.out
    data = json.loads(tidegate("ledger", "verify", "--format", "json").out)
    assert (data["verdict"], data["statements"], data["problems"]) == ("pass", STATEMENTS, [])


def test_a_changed_row_is_named(full, tidegate) -> None:
    with owner(full) as connection:
        connection.execute(
            sqlalchemy.text("UPDATE tidegate_review SET verdict = 'approve' WHERE id = 2")
        )
    result = tidegate("ledger", "verify")
    assert result.code == 1
    assert "edited: tidegate_review 2: was changed after statement 9 was signed" in result.out
    assert "TAMPERED: 1 problems" in result.out
    (problem,) = json.loads(tidegate("ledger", "verify", "--format", "json").out)["problems"]
    assert (problem["kind"], problem["table"], problem["key"]) == ("edited", "tidegate_review", "2")


def test_a_hostile_key_reaches_no_terminal_raw(full, tidegate) -> None:
    with owner(full) as connection:
        connection.execute(
            sqlalchemy.text("INSERT INTO tidegate_policy VALUES (:key, '')"), {"key": "\x1b[2J\n"}
        )
    result = tidegate("ledger", "verify")
    assert result.code == 1
    assert "\x1b" not in result.out


def test_a_checkpoint_tells_of_an_old_state_that_was_put_back(full, tidegate) -> None:
    assert tidegate("ledger", "checkpoint", "--output", "log.txt").code == 0
    result = tidegate("ledger", "verify", "--checkpoint", "log.txt")
    assert result.code == 0
    assert f"The checkpoint speaks for {STATEMENTS} of {STATEMENTS} statements." in result.out
    with owner(full) as connection:
        cut(connection, 10)
    result = tidegate("ledger", "verify", "--checkpoint", "log.txt")
    assert result.code == 1
    assert f"truncated: tidegate_statement 11 to {STATEMENTS}: the log was cut short" in result.out
    before = Path("log.txt").read_text()
    result = tidegate("ledger", "checkpoint", "--output", "log.txt")
    assert result.code == 1
    assert "not the continuation" in result.err
    assert Path("log.txt").read_text() == before, "the checkpoint that tells is not written over"


def test_a_checkpoint_is_replaced_by_one_of_the_log_grown(full, tidegate) -> None:
    tidegate("ledger", "checkpoint", "--output", "log.txt")
    with Ledger.open(full) as ledger:
        record(ledger, "later.pkl")
    assert tidegate("ledger", "checkpoint", "--output", "log.txt").code == 0
    lines = Path("log.txt").read_text().splitlines()
    assert lines[0].startswith("tidegate.dev/ledger/")
    assert lines[1] == str(STATEMENTS + 2)
    assert tidegate("ledger", "checkpoint").out.splitlines()[:3] == lines[:3]


@pytest.mark.parametrize("content", ["", "no checkpoint", "a\n1\nAAAA\n\n— a AAAA\n"])
def test_a_file_that_is_no_checkpoint_is_wrong_usage(full, tidegate, content: str) -> None:
    Path("log.txt").write_text(content)
    assert tidegate("ledger", "verify", "--checkpoint", "log.txt").code == 2
    assert tidegate("ledger", "checkpoint", "--output", "log.txt").code == 2
    assert Path("log.txt").read_text() == content


def test_two_ledgers_are_compared_by_a_bundle(full, tidegate) -> None:
    assert tidegate("ledger", "export", "all.jsonl").code == 0
    assert tidegate("ledger", "export", "all.jsonl").code == 2, "nothing is written over"
    lines = Path("all.jsonl").read_text().splitlines()
    assert len(lines) == STATEMENTS
    assert tidegate("ledger", "export", "-").out.splitlines() == lines
    result = tidegate("ledger", "compare", "all.jsonl")
    assert (result.code, result.out) == (
        0, f"{STATEMENTS} statements on both sides, 0 only in the ledger, 0 only in the bundle.\n",
    )  # fmt: skip
    with owner(full) as connection:
        cut(connection, STATEMENTS - 1)
    with Ledger.open(full) as ledger:
        record(ledger, "later.pkl")
    result = tidegate("ledger", "import", "all.jsonl")
    assert result.code == 1
    assert (
        f"only in the bundle: statement {STATEMENTS}, https://tidegate.dev/attestation/recall-lift/v1"
        in (result.out)
    )
    assert f"only in the ledger: statement {STATEMENTS}, " in result.out
    assert (
        f"{STATEMENTS - 1} statements on both sides, 2 only in the ledger, 1 only in the bundle"
        in result.out
    )


def test_a_bundle_with_a_forged_line_is_not_believed(full, tidegate) -> None:
    tidegate("ledger", "export", "all.jsonl")
    lines = Path("all.jsonl").read_text().splitlines()
    envelope = json.loads(lines[3])
    envelope["payload"] = json.loads(lines[4])["payload"]
    Path("all.jsonl").write_text("\n".join([*lines[:3], json.dumps(envelope), "{", *lines[4:]]))
    result = tidegate("ledger", "compare", "all.jsonl", "--format", "json")
    data = json.loads(result.out)
    assert result.code == 1
    assert [each.split(":")[0] for each in data["unbelieved"]] == ["line 4", "line 5"]
    assert (data["shared"], data["only_in_ledger"], data["same"]) == (STATEMENTS - 1, 1, False)


def test_the_key_is_shown_as_a_key_list_takes_it(full, tidegate, monkeypatch) -> None:
    result = tidegate("ledger", "key")
    assert result.code == 0, result.err
    assert "-----BEGIN PUBLIC KEY-----" in result.out
    assert "tidegate.dev/ledger/" in result.out
    Path("keys.json").write_text(result.out[result.out.index("{") :])
    assert len(KeyList.from_bytes(Path("keys.json").read_bytes())) == 1
    monkeypatch.setenv("TIDEGATE_TRUSTED_KEYS", "keys.json")
    assert tidegate("ledger", "verify").code == 0
    assert "PRIVATE" not in result.out


def test_a_key_that_is_not_listed_is_found(full, tidegate) -> None:
    with Ledger.open(full, key=SigningKey.generate()) as ledger:
        record(ledger, "strange.pkl")
    result = tidegate("ledger", "verify")
    assert result.code == 1
    assert f"unsigned: tidegate_statement {STATEMENTS + 1}: can't be believed" in result.out
    assert "TIDEGATE_TRUSTED_KEYS" in result.out


def test_no_ledger_is_inconclusive_and_none_is_made(tidegate, ledger_url: str) -> None:
    for arguments in (["verify"], ["checkpoint"], ["export", "x"], ["key"]):
        assert tidegate("ledger", *arguments).code == 3
    assert not Path(ledger_url.removeprefix("sqlite:///")).exists()
    assert not Path("x").exists()
