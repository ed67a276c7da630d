"""A checkpoint that is kept elsewhere is replaced only by the same log's, grown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from samples.consoles import console_at
from samples.ledger_records import record
from samples.note_server import TOKEN, Notes, note_server
from samples.tampering import cut, fill, owner

from tidegate.errors import TamperedError, UsageError
from tidegate.ledger import Ledger
from tidegate.ledger.bundle import checkpoint_with_proof, require_continuation


@pytest.fixture
def full(ledger_url: str, environment: None) -> str:
    with Ledger.open(ledger_url) as ledger:
        fill(ledger)
    return ledger_url


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notes]:
    monkeypatch.setenv("TIDEGATE_CHECKPOINT_TOKEN", TOKEN)
    monkeypatch.setenv("TIDEGATE_LEDGER_SECONDS", "2")
    with note_server() as running:
        yield running


def grow(url: str) -> None:
    with Ledger.open(url) as ledger:
        record(ledger, "another.pkl", subject="another/1")


def put_back(url: str) -> None:
    with owner(url) as connection:
        cut(connection, 9)


@pytest.mark.parametrize("kind", ["file", "address"])
def test_a_place_is_filled_then_grows_and_never_goes_back(
    full: str, tidegate, notes: Notes, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "kept.txt"
    place = str(file) if kind == "file" else notes.address

    def kept() -> str:
        return file.read_text() if kind == "file" else notes.text or ""

    assert tidegate("ledger", "checkpoint", "--to", place).code == 0
    first = kept()
    assert first == tidegate("ledger", "checkpoint").out
    grow(full)
    assert tidegate("ledger", "checkpoint", "--to", place).code == 0
    second = kept()
    assert second != first
    put_back(full)
    result = tidegate("ledger", "checkpoint", "--to", place)
    assert (result.code, kept()) == (1, second)
    assert "not the continuation" in result.err


def test_a_first_checkpoint_is_put_only_where_none_is_and_another_only_over_the_one_read(
    full: str, tidegate, notes: Notes
) -> None:
    tidegate("ledger", "checkpoint", "--to", notes.address)
    tag = notes.tag()
    grow(full)
    tidegate("ledger", "checkpoint", "--to", notes.address)
    assert notes.asked == [("GET", None), ("PUT", "*"), ("GET", None), ("PUT", tag)]


def test_who_is_overtaken_looks_again(full: str, tidegate, notes: Notes) -> None:
    tidegate("ledger", "checkpoint", "--to", notes.address)

    def somebody_else() -> None:
        grow(full)
        with Ledger.open(full) as ledger:
            notes.text = ledger.checkpoint(after=notes.text)

    notes.meanwhile = somebody_else
    grow(full)
    assert tidegate("ledger", "checkpoint", "--to", notes.address).code == 0
    assert notes.text == tidegate("ledger", "checkpoint").out


def test_what_is_no_checkpoint_of_this_log_is_left_alone(full: str, tidegate, notes: Notes) -> None:
    for text in ("", "somebody's page", "x" * 100_000):
        notes.text = text
        assert tidegate("ledger", "checkpoint", "--to", notes.address).code != 0
        assert notes.text == text


def test_a_place_that_wants_another_token_is_an_error(
    full: str, tidegate, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_CHECKPOINT_TOKEN", "wrong")
    result = tidegate("ledger", "checkpoint", "--to", notes.address)
    assert (result.code, notes.text) == (3, None)
    assert "TIDEGATE_CHECKPOINT_TOKEN" in result.err
    assert "wrong" not in result.err


def test_a_place_that_takes_posts_is_given_one(full: str, tidegate, notes: Notes) -> None:
    assert tidegate("ledger", "checkpoint", "--to", notes.address, "--post").code == 0
    assert notes.asked[-1][0] == "POST"
    assert notes.text == tidegate("ledger", "checkpoint").out


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("http://notes.example.com/x", "not encrypted"),
        ("https://user:secret@notes.example.com/x", "user or password"),
        ("https://notes.example.com:port/x", "can't be read"),
        ("https:///x", "no address"),
        ("nowhere/at/all.txt", "can't be written"),
    ],
)
def test_a_place_that_can_not_be_used_is_wrong_usage(
    full: str, tidegate, place: str, said: str
) -> None:
    result = tidegate("ledger", "checkpoint", "--to", place)
    assert result.code == 2
    assert said in result.err
    assert "secret" not in result.err


def test_through_a_console_the_continuation_is_checked_here(
    tidegate, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path / 'served.db'}"
    with console_at(tmp_path / "console", database) as console:
        grow(database)
        monkeypatch.setenv("TIDEGATE_TOKEN", console.token("witness"))
        arguments = ("ledger", "checkpoint", "--ledger", console.address, "--to", notes.address)
        assert tidegate(*arguments).code == 0
        first = notes.text
        with Ledger.open(database) as ledger:
            record(ledger, "more.pkl", subject="more/1")
        assert tidegate(*arguments).code == 0
        assert notes.text not in {first, None}
        second = notes.text
        # The database's owner, who has no key, puts an older state in its place.
        with owner(database) as connection:
            cut(connection, 4)
        result = tidegate(*arguments)
        assert (result.code, notes.text) == (1, second)
        assert "not the continuation" in result.err
        for command in ("verify", "export", "key"):
            more = ["x.jsonl"] if command == "export" else []
            result = tidegate("ledger", command, *more, "--ledger", console.address)
            assert result.code == 2
            assert "needs the ledger's database" in result.err
        result = tidegate("recall", "x", "--reason", "y", "--ledger", console.address)
        assert result.code == 2
        assert "needs the ledger's database" in result.err


def test_a_console_that_lies_about_the_continuation_is_found_out(full: str) -> None:
    with Ledger.open(full) as ledger:
        before = ledger.checkpoint()
        grow(full)
        after, proof = checkpoint_with_proof(ledger, ledger.signing_key(), before)
    require_continuation(before, after, proof)
    for wrong in ((), proof[:-1], (*proof, b"0" * 32), (b"0" * 32, *proof[1:])):
        with pytest.raises(TamperedError, match="not the continuation"):
            require_continuation(before, after, wrong)
    with pytest.raises(TamperedError):
        require_continuation(after, before, proof)
    with pytest.raises(UsageError):
        require_continuation(before, after.replace("tidegate.dev", "tidegate.example"), proof)


def test_a_link_where_the_draft_would_be_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may write to the folder too; a guessed name does not help them."""
    import os

    from tidegate.ledger.checkpoint_place import Standing, place_of

    precious = tmp_path / "precious"
    precious.write_text("mine")
    monkeypatch.setattr(os, "urandom", lambda size: b"\0" * size)
    (tmp_path / f".kept.txt.{'00' * 8}").symlink_to(precious)
    with pytest.raises(UsageError, match="can't be written"):
        place_of(str(tmp_path / "kept.txt")).write("a note", Standing(None))
    assert precious.read_text() == "mine"
