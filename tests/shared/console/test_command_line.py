"""The command line through a console's address: tokens, scans, reviews, steps, the spool."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from samples.consoles import Console

from tidegate import Action
from tidegate.cli import main
from tidegate.ledger import Ledger
from tidegate.ledger.tokens import Scope, tokens


@pytest.fixture
def run(
    console: Console,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., tuple[int, str, str]]:
    """Run one command line in this process, as whoever the token is for."""
    monkeypatch.setenv("TIDEGATE_LEDGER", console.address)
    monkeypatch.setenv("TIDEGATE_ACTOR", "os-user")
    monkeypatch.setenv("TIDEGATE_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("TIDEGATE_LEDGER_SECONDS", "5")
    monkeypatch.delenv("TIDEGATE_TOKEN", raising=False)
    monkeypatch.delenv("TIDEGATE_POLICY", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def command(*arguments: str, token: str | None = None) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            if token is not None:
                patch.setenv("TIDEGATE_TOKEN", token)
            capsys.readouterr()
            code = main(list(arguments))
            return code, *capsys.readouterr()

    return command


def hostile(mark: str) -> str:
    Path(f"{mark}.pkl").write_bytes(f"cos\nsystem\n(S'echo {mark}'\ntR.".encode())
    return f"{mark}.pkl"


def test_a_model_is_scanned_held_reviewed_and_let_go(console: Console, run) -> None:
    name = f"cli-{console.port}"
    worker, grace = console.token("worker"), console.token("grace", Scope.REVIEW)
    model = hostile(name)
    code, out, _ = run("scan", "--record", model, "--subject", name, token=worker)
    assert code == 1
    assert "PICKLE-EXEC" in out
    assert run("verify", model, token=worker)[0] == 1
    code, out, _ = run("review", "list", token=grace)
    assert name in out
    code, out, _ = run("review", "show", name, token=grace)
    assert code == 0
    assert "A claim of worker" in out
    code, out, err = run(
        "review", "approve", name, "--reason", "mine", "--actor", "ada", token=grace
    )
    assert (code, "token's holder" in err) == (2, True)
    assert run("review", "approve", name, "--reason", "mine", token=worker)[0] == 2
    assert run("verify", model, token=worker)[0] == 1
    assert run("review", "approve", name, "--reason", "looked at it", token=grace)[0] == 0
    assert run("verify", model, token=worker)[0] == 0
    with Ledger.open(console.database) as own:
        digest = own.resolve(name)
        (review,) = own.reviews_for(digest)
        assert review.actor == "grace"
        assert own.latest_decision(digest, action=Action.REGISTER).actor == "worker (says: os-user)"
    assert run("review", "reject", name, "--reason", "no", token=grace)[0] == 0
    assert run("verify", model, token=worker)[0] == 1


def test_another_policy_than_the_consoles_is_an_error_and_not_ignored(
    console: Console, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = hostile(f"policy-{console.port}")
    worker = console.token("worker")
    for arguments in (("--policy", "audit"), ("--policy", "strict")):
        code, _, err = run("scan", "--record", model, *arguments, token=worker)
        assert (code, "by its own policy" in err) == (2, True)
    assert run("scan", "--record", model, "--policy", "standard", token=worker)[0] == 1
    monkeypatch.setenv("TIDEGATE_POLICY", "audit")
    assert run("verify", model, token=worker)[0] == 2


def test_without_a_token_or_with_a_wrong_one_nothing_passes(console: Console, run) -> None:
    Path("good.json").write_text('{"a": 1}')
    for token in (None, "tdg_1_" + "x" * 43):
        for arguments in (("scan", "--record", "good.json"), ("verify", "good.json")):
            code, out, err = run(*arguments, token=token)
            assert (code, "token" in err) == (2, True)
            assert "passes" not in out


def test_tokens_are_made_listed_and_revoked_beside_the_database(console: Console, run) -> None:
    beside = ("--ledger", console.database)
    scope = ("--scope", "review", "--scope", "read")
    code, out, err = run("console", "token", "add", "bob", *scope, "--expires", "12h", *beside)
    assert code == 0
    assert re.fullmatch(r"tdg_[0-9]+_[A-Za-z0-9_-]{43}\n", out)
    assert "bob" in err
    assert out.strip() not in err
    assert run("review", "list", token=out.strip())[0] == 0
    number = out.split("_")[1]
    code, listed, _ = run("console", "token", "list", *beside)
    assert any(line.startswith(number) and "bob" in line for line in listed.splitlines())
    assert out.strip().rpartition("_")[2] not in listed
    assert run("console", "token", "revoke", number, *beside)[0] == 0
    assert run("review", "list", token=out.strip())[0] == 2
    code, listed, _ = run("console", "token", "list", "--format", "json", *beside)
    (row,) = (each for each in json.loads(listed)["tokens"] if str(each["id"]) == number)
    assert (row["in_force"], row["actor"]) == (False, "os-user")
    assert row["revoked_at"] is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "bob", "--scope", "review"),
        ("add", "bob", "--expires", "1d"),
        ("add", "bob", "--scope", "root", "--expires", "1d"),
        ("add", "bob", "--scope", "read", "--expires", "soon"),
        ("add", "bob", "--scope", "read", "--expires", "2020-01-01"),
        ("add", "bob (says: ada)", "--scope", "read", "--expires", "1d"),
        ("revoke", "999999"),
    ],
)
def test_a_token_that_makes_no_sense_is_wrong_usage(console: Console, run, arguments) -> None:
    with Ledger.open(console.database) as own:
        before = tokens(own)
    assert run("console", "token", *arguments, "--ledger", console.database)[0] == 2
    with Ledger.open(console.database) as own:
        assert tokens(own) == before


def test_no_token_is_given_over_http(run, console: Console) -> None:
    everything = console.token("root", *Scope)
    arguments = ("console", "token", "add", "me", "--scope", "review", "--expires", "1d")
    code, out, err = run(*arguments, token=everything)
    assert (code, out, "beside the ledger's database" in err) == (2, "", True)


def test_a_step_goes_to_the_console_and_waits_while_that_is_away(
    console: Console, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tidegate
    from tidegate.recorder import UnrecordedStepWarning

    monkeypatch.setenv("TIDEGATE_TOKEN", console.token("trainer"))
    Path("train.csv").write_text(f"a,b\n1,{console.port}\n")
    with tidegate.step("train", inputs=["train.csv"]) as first:
        Path("model.json").write_text("{}")
        first.output("model.json")
    assert first.recorded
    with Ledger.open(console.database) as own:
        assert own.step(first.id).actor.startswith("trainer (says: ")
    monkeypatch.setenv("TIDEGATE_LEDGER", "http://127.0.0.1:9")
    monkeypatch.setenv("TIDEGATE_LEDGER_SECONDS", "0.2")
    with (
        pytest.warns(UnrecordedStepWarning, match="waits on this machine"),
        tidegate.step("evaluate", inputs=["model.json"]) as second,
    ):
        Path("metrics.json").write_text("{}")
    assert not second.recorded
    code, out, _ = run("ledger", "spool", "status")
    assert (code, "1 waiting for http://127.0.0.1:9" in out) == (3, True)
    monkeypatch.setenv("TIDEGATE_LEDGER", console.address)
    code, out, _ = run("ledger", "spool", "flush")
    assert (code, "0 sent, 1 still waiting" in out) == (3, True), "it is another ledger's"


def test_a_step_that_waited_is_on_record_after_a_flush(
    console: Console, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samples.ledger_records import a_step

    from tidegate.ledger.spool import keep_step

    step = a_step(console.port)
    keep_step(step, ledger=console.address)
    code, out, _ = run("ledger", "spool", "flush", "--format", "json", token=console.token("t"))
    assert (code, json.loads(out)["sent"]) == (0, 1)
    assert run("ledger", "spool", "status")[0] == 0
    with Ledger.open(console.database) as own:
        assert own.step(step.id).name == step.name


def test_what_a_console_can_not_do_is_said(console: Console, run) -> None:
    token = console.token("worker", *Scope)
    for arguments in (("recall", "nobody/1", "--reason", "x"), ("db", "upgrade")):
        code, _, err = run(*arguments, token=token)
        assert code in {2, 3}, err
        assert "Traceback" not in err
        assert "fault of Tidegate" not in err
