"""`tidegate attest run`: the command's own exit code, and its step on record."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate import read_manifest
from tidegate.attestation.step import StepOutcome
from tidegate.ledger import Ledger

TRAIN = """
import pathlib, sys
rows = pathlib.Path("train.csv").read_text()
pathlib.Path("model.bin").write_text(rows[::-1])
print("trained")
print("a warning", file=sys.stderr)
"""


@pytest.fixture
def train(environment):
    Path("train.csv").write_text("x,y\n1,2\n")
    Path("train.py").write_text(TRAIN)


@pytest.fixture
def steps(ledger_url):
    """The steps on record, the oldest first."""

    def read(url=ledger_url):
        with Ledger.open(url) as ledger, ledger.reading() as connection:
            ids = connection.exec_driver_sql("select id from tidegate_step order by created_at")
            return [ledger.step(row[0]) for row in ids]

    return read


def python(code):
    return sys.executable, "-c", code


def test_a_command_runs_as_it_is_and_its_step_is_recorded(process, train, steps):
    done = process(
        "attest", "run", "--input", "train.csv", "--output", "model.bin",
        "--parameter", "depth=3", "--", sys.executable, "train.py", "--password", "hunter2",
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "trained\n", "a warning\n")
    (step,) = steps()
    assert (step.name, step.outcome, step.exit_code) == ("train", StepOutcome.SUCCEEDED, 0)
    assert step.builder == "https://tidegate.dev/builders/command/v1"
    digests = {each.name: each.digest for each in (*step.inputs, *step.outputs)}
    for name in ("train.csv", "model.bin", "train.py"):
        assert digests[name] == read_manifest(name).digest
    assert step.code["script"] == "train.py"
    assert step.code["command"][1:3] == ["train.py", "--password"]
    assert step.parameters == {"depth": "3"}
    assert any(each.startswith("numpy==") for each in step.environment["libraries"])
    assert "hunter2" not in json.dumps(step.to_dict())


@pytest.mark.postgres
def test_the_step_stands_in_a_ledger_on_any_database(tidegate, train, steps, database_url):
    code = tidegate(
        "attest", "run", "--ledger", database_url, "--output", "model.bin", "--",
        sys.executable, "train.py",
    ).code  # fmt: skip
    assert code == 0
    assert steps(database_url)[0].outputs[0].digest == read_manifest("model.bin").digest
    assert tidegate("ledger", "verify", "--ledger", database_url).code == 0


@pytest.mark.parametrize("code", [1, 2, 77])
def test_a_command_that_fails_gives_its_code_and_what_it_left_is_a_byproduct(
    tidegate, train, steps, code
):
    body = f"open('half.bin', 'w').write('x'); raise SystemExit({code})"
    result = tidegate(
        "attest", "run", "--output", "half.bin", "--output", "none.bin", "--", *python(body)
    )
    assert result.code == code
    (step,) = steps()
    assert (step.outcome, step.exit_code) == (StepOutcome.FAILED, code)
    assert [(each.name, each.role) for each in step.outputs] == [("half.bin", "byproduct")]
    assert "the output none.bin is not there" in step.notes


def test_a_command_that_a_signal_ends_gives_128_and_its_number(tidegate, environment, steps):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert tidegate("attest", "run", "--", *python(code)).code == 128 + signal.SIGTERM
    assert steps()[0].exit_code == 143


def test_a_signal_to_tidegate_reaches_the_command_and_the_step_is_recorded(environment, steps):
    code = """
import signal, sys, time
def end(number, frame):
    open("checkpoint.bin", "w").write("saved")
    sys.exit(5)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(30)
"""
    arguments = ("attest", "run", "--output", "checkpoint.bin", "--", *python(code))
    with subprocess.Popen(
        [sys.executable, "-m", "tidegate", *arguments], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 5
    (step,) = steps()
    assert (step.outcome, step.exit_code) == (StepOutcome.FAILED, 5)
    assert step.outputs[0].role == "byproduct"


def test_a_missing_output_after_a_good_end_is_3_and_says_which(tidegate, environment, steps):
    result = tidegate("attest", "run", "--output", "model.bin", "--", *python("pass"))
    assert result.code == 3
    assert "model.bin" in result.err
    assert "To mend it" in result.err
    (step,) = steps()
    assert (step.outcome, step.exit_code) == (StepOutcome.FAILED, 0)


def test_an_output_that_the_command_did_not_touch_is_said_in_the_record(
    tidegate, environment, steps
):
    Path("model.bin").write_text("from yesterday")
    assert tidegate("attest", "run", "--output", "model.bin", "--", *python("pass")).code == 0
    assert "was there before the step began" in steps()[0].notes[0]


def test_a_command_that_can_not_be_started_is_127_or_126_and_no_step(tidegate, environment, steps):
    Path("plain").write_text("x")
    missing = tidegate("attest", "run", "--", "no-such-command-anywhere")
    plain = tidegate("attest", "run", "--", "./plain")
    assert (missing.code, plain.code) == (127, 126)
    assert "no-such-command-anywhere" in missing.err
    assert steps() == []


def test_an_input_that_is_missing_stops_it_before_the_command_runs(tidegate, environment, steps):
    code = "open('ran', 'w')"
    result = tidegate("attest", "run", "--input", "tarin.csv", "--", *python(code))
    assert result.code == 2
    assert "tarin.csv" in result.err
    assert not Path("ran").exists()
    assert steps() == []


def test_without_a_ledger_the_command_runs_and_what_to_do_is_said(process, environment):
    away = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    done = process("attest", "run", "--", *python("print('ran'); exit(4)"), TIDEGATE_LEDGER=away)
    assert (done.returncode, done.stdout) == (4, "ran\n")
    assert "begins without its ledger" in done.stderr
    assert "is not on record" in done.stderr
    assert "To mend it" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Warning" not in done.stderr


def test_strict_runs_nothing_without_a_ledger(process, environment):
    away = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"
    done = process("attest", "run", "--strict", "--", *python("print('ran')"), TIDEGATE_LEDGER=away)
    assert (done.returncode, done.stdout) == (3, "")


def test_strict_passes_nothing_where_the_ledger_goes_away_meanwhile(
    tidegate, environment, ledger_url
):
    path = ledger_url.removeprefix("sqlite:///")
    code = f"import os; os.chmod({path!r}, 0); os.replace({path!r}, 'gone'); os.mkdir({path!r})"
    result = tidegate("attest", "run", "--strict", "--", *python(code))
    assert result.code == 3
    assert "To mend it" in result.err


def test_a_step_within_the_command_knows_the_commands(tidegate, environment, steps):
    code = "import tidegate\nwith tidegate.step('inner'): pass"
    assert tidegate("attest", "run", "--name", "outer", "--", *python(code)).code == 0
    found = {step.name: step for step in steps()}
    assert found["inner"].parent == found["outer"].id


def test_code_and_bases_are_inputs_of_their_own_kind(tidegate, train, steps):
    Path("base.bin").write_text("base")
    Path("config.yaml").write_text("a: 1")
    Path("features").mkdir()
    Path("features/text.py").write_text("")
    result = tidegate(
        "attest", "run", "--base", "base.bin", "--code", "train.py", "--code", "config.yaml",
        "--code", "features", "--", *python("pass"),
    )  # fmt: skip
    assert result.code == 0
    (step,) = steps()
    roles = {each.name: each.role for each in step.inputs}
    assert roles["base.bin"] == "base"
    assert roles["train.py"] == roles["config.yaml"] == roles["features"] == "code"
    assert [path for path, _ in step.code["sources"]] == ["train.py", "config.yaml"]


def test_a_parameter_without_a_value_is_refused_and_not_repeated(tidegate, environment):
    result = tidegate("attest", "run", "--parameter", "hunter2", "--", *python("pass"))
    assert result.code == 2
    assert "hunter2" not in result.err


def test_a_command_is_needed(tidegate, environment):
    assert tidegate("attest", "run", "--input", "x", "--").code == 2


def test_options_behind_the_command_are_the_commands_own(process, environment):
    code = "import sys; print(sys.argv[1:])"
    done = process("attest", "run", *python(code), "--input", "x", "--help")
    assert (done.returncode, done.stdout) == (0, "['--input', 'x', '--help']\n")


def test_interrupted_while_outputs_are_read_says_how_the_command_ended(
    tidegate, environment, monkeypatch
):
    from tidegate.recorder.outputs import Outputs

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Outputs, "read", interrupted)
    result = tidegate("attest", "run", "--", *python("pass"))
    assert result.code == 130
    assert "ended with 0" in result.err
