"""The command as a process: exit codes, pipes, terminals, and what it loads."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import click
import pytest

from tidegate import __version__
from tidegate.cli import run as run_module
from tidegate.errors import ArtifactError, LedgerUnavailableError, PolicyError

HEAVY = (
    "sqlalchemy",
    "alembic",
    "cyclonedx",
    "rich",
    "pydantic",
    "pydantic_settings",
    "platformdirs",
    "mlflow",
    "airflow",
    "numpy",
)


def loaded_modules(done):
    """The modules that `-X importtime` named on standard error."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


def test_the_exit_codes_reach_the_shell(process, good, hostile, unreadable):
    assert process("scan", str(good)).returncode == 0
    assert process("scan", str(hostile)).returncode == 1
    assert process("scan").returncode == 2
    assert process("scan", str(unreadable)).returncode == 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_an_output_that_is_full_is_said_to_be_full(good):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tidegate", "scan", str(good)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "To mend it" in done.stderr
    assert "fault" not in done.stderr


def test_the_version_needs_no_library(process):
    done = process("--version", python=("-X", "importtime"))
    assert done.stdout == f"tidegate {__version__}\n"
    assert "click" not in loaded_modules(done)


def test_a_plain_scan_loads_no_database_sbom_or_terminal_library(process, good):
    done = process(
        "scan", str(good), python=("-X", "importtime"), TIDEGATE_LEDGER=None, TIDEGATE_ACTOR=None
    )
    assert done.returncode == 0
    loaded = {module.split(".")[0] for module in loaded_modules(done)}
    assert "tidegate" in loaded
    assert not loaded & set(HEAVY)


def test_a_reader_that_goes_away_changes_no_exit_code_and_hears_nothing(good, hostile):
    for path, code in ((good, 0), (hostile, 1)):
        with subprocess.Popen(
            [sys.executable, "-m", "tidegate", "scan", str(path), "-f", "sarif"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            child.stdout.close()
            said = child.stderr.read()
            assert (child.wait(), said) == (code, b"")


def test_an_output_that_is_full_is_no_pass(good):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tidegate", "scan", str(good)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 3


def test_a_terminal_without_our_characters_still_gets_the_report(process, hostile):
    hostile.rename("modèle.pkl")
    done = process("scan", "modèle.pkl", PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert "PICKLE-EXEC" in done.stdout
    assert "mod\\xe8le.pkl" in done.stdout


def on_a_terminal(arguments, stream, **environment):
    """What the command writes to one stream when that is a terminal."""
    ours, theirs = pty.openpty()
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-m", "tidegate", *arguments], env=env | environment, **pipes
    ) as child:
        os.close(theirs)
        said = b""
        try:
            while chunk := os.read(ours, 4096):
                said += chunk
        except OSError:
            said += b""  # Linux says so when the other end of a terminal is closed.
        child.wait()
    os.close(ours)
    return said.decode()


def test_colours_are_for_terminals_that_want_them(hostile, process):
    arguments = ("scan", str(hostile))
    assert "\x1b[31m" in on_a_terminal(arguments, "stdout")
    assert "\x1b" not in on_a_terminal(arguments, "stdout", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(arguments, "stdout", TERM="dumb")
    assert "\x1b" not in process(*arguments).stdout


def test_progress_is_shown_on_a_terminal_and_not_in_a_pipe(good, process):
    assert "Scanning" in on_a_terminal(("scan", str(good)), "stderr")
    done = process("scan", str(good))
    assert done.stderr == ""
    assert "Scanning" not in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PolicyError("bad policy", problems=("line 3: odd",)), 2),
        (ArtifactError("bad\x1b[2J artifact", remedy="make it good"), 3),
        (LedgerUnavailableError("no ledger"), 3),
        (click.UsageError("wrong"), 2),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (RuntimeError("unforeseen\x1b[2J"), 3),
        (OSError(5, "input/output error"), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_error_is_a_pass_or_a_traceback(tidegate, monkeypatch, error, code):
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(run_module, "app", broken)
    result = tidegate()
    assert result.code == code
    assert "Traceback" not in result.err
    assert "\x1b" not in result.err
    assert result.err.strip()


def test_an_unforeseen_error_says_how_to_see_more_and_then_shows_it(tidegate, monkeypatch):
    @click.command()
    def broken() -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(run_module, "app", broken)
    assert "TIDEGATE_DEBUG=1" in tidegate().err
    monkeypatch.setenv("TIDEGATE_DEBUG", "1")
    with pytest.raises(RuntimeError, match="unforeseen"):
        tidegate()


def test_json_is_all_that_is_on_standard_output(process, hostile):
    done = process("scan", str(hostile), "nowhere", "--format", "json")
    assert len(json.loads(done.stdout)["artifacts"]) == 2


@pytest.mark.parametrize("name", ["--policy=audit", "-f", "--help", "-\x1b[2J"])
def test_a_file_that_is_named_like_an_option_is_not_taken_for_one(tidegate, hostile, name):
    hostile.rename(name)
    result = tidegate("scan", name, ".")
    assert result.code == 2
    assert "\x1b" not in result.err
    assert tidegate("scan", f"./{name}").code == 1
    assert tidegate("scan", "--", name).code == 1


def test_an_option_that_does_not_exist_is_repeated_escaped(tidegate):
    result = tidegate("scan", "-\x1b[2J", ".")
    assert result.code == 2
    assert "\x1b" not in result.err
    assert "Usage: tidegate scan" in result.err


def test_a_module_in_the_folder_at_hand_is_not_imported(process, good):
    for name in ("click", "yaml", "rich", "tidegate_mlflow"):
        good.with_name(f"{name}.py").write_text("raise SystemExit('a hostile module was run')")
    done = process("scan", str(good))
    assert (done.returncode, done.stderr) == (0, "")
