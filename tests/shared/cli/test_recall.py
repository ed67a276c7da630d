"""`tidegate recall`: named, listed, held, and let go again."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def trained(tidegate, monkeypatch) -> Path:
    """A model on record that a recorded command made from a data set."""
    Path("claims.csv").write_text("1,2,3\n")
    code = "from pathlib import Path; Path('model.json').write_text('[1.5]')"
    command = ("--", "python3", "-c", code)
    options = ("--input", "claims.csv", "--output", "model.json", "--name", "train")
    assert tidegate("attest", "run", *options, *command).code == 0
    assert tidegate("scan", "--record", "--subject", "fraud/3", "model.json").code == 0
    return Path("model.json")


def test_a_recall_holds_what_a_recorded_command_made_of_the_file(tidegate, trained):
    assert tidegate("verify", trained).code == 0
    result = tidegate("recall", "claims.csv", "--reason", "wrong labels", "--actor", "grace")
    assert result.code == 0
    for said in ("Recall 1 of claims.csv", "fraud/3", "[quarantine]", "owners: ada", "step train"):
        assert said in result.out
    refused = tidegate("verify", trained)
    assert refused.code == 1
    for said in ("RECALLED", "wrong labels", "grace", "through step train of", "recall 1"):
        assert said in refused.out
    assert "fraud/3" in tidegate("review", "list").out
    shown = tidegate("review", "show", "fraud/3").out
    assert "because of where it came from" in shown
    assert tidegate("recall", "--lift", "1", "--reason", "they were right").code == 0
    assert tidegate("verify", trained).code == 0
    assert "lifted by ada" in tidegate("recall", "--list").out


def test_a_data_set_is_called_as_the_steps_that_read_it_call_it(tidegate, trained):
    lines = tidegate("recall", "claims.csv", "--dry-run").out.splitlines()
    assert lines[1].endswith("…  claims.csv")
    assert "(no name)" not in "".join(lines)


def test_a_dry_run_and_json_say_the_same_and_write_nothing(tidegate, trained):
    result = tidegate("recall", "claims.csv", "--dry-run", "-f", "json")
    data = json.loads(result.out)
    assert data["recall"] is None
    (affected,) = (each for each in data["affected"] if "fraud/3" in each["names"])
    assert affected["owners"] == ["ada"]
    assert affected["way"].startswith("through step train of")
    assert json.loads(tidegate("recall", "--list", "-f", "json").out)["recalls"] == []
    assert tidegate("verify", trained).code == 0
    made = json.loads(tidegate("recall", "claims.csv", "--reason", "x", "-f", "json").out)
    assert made["recall"]["actor"] == "ada"
    again = json.loads(tidegate("recall", "--show", "1", "-f", "json").out)
    assert [each["digest"] for each in again["affected"]] == [
        each["digest"] for each in made["affected"]
    ]


@pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
def test_every_report_of_a_scan_says_what_holds_a_clean_artifact(tidegate, trained, form):
    tidegate("recall", "claims.csv", "--reason", "wrong labels")
    result = tidegate("scan", "--record", "model.json", "--format", form)
    assert result.code == 1
    assert "RECALLED" in result.out
    assert "wrong labels" in " ".join(result.out.split())


def test_an_unknown_digest_is_recalled_with_a_note(tidegate):
    tidegate("db", "upgrade")
    result = tidegate("recall", "a" * 64, "--reason", "warned of")
    assert result.code == 0
    assert "nothing is on record" in result.err
    assert "nothing that is on record" in result.out


def test_a_name_that_is_not_on_record_recalls_nothing(tidegate):
    tidegate("db", "upgrade")
    result = tidegate("recall", "claims", "--reason", "x")
    assert result.code == 2
    assert "no file 'claims' here" in result.err
    assert "no record of 'claims'" in result.err
    assert "name==version" in result.err
    assert tidegate("recall", "--list").out == "Nothing is recalled.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x",),
        ("x", "--reason", " "),
        ("x", "--list"),
        ("--lift", "1"),
        ("--lift", "1", "--show", "1", "--reason", "x"),
        ("--list", "--dry-run"),
        ("torch==2.*", "--reason", "x"),
        ("==2", "--reason", "x"),
        ("--lift", "7", "--reason", "x"),
    ],
)
def test_what_makes_no_sense_is_refused(tidegate, arguments):
    tidegate("db", "upgrade")
    assert tidegate("recall", *arguments).code == 2


def test_a_mistyped_ledger_is_an_error_and_is_not_made(tidegate, tmp_path):
    url = f"sqlite:///{tmp_path}/nowhere/ledger.db"
    assert tidegate("recall", "a" * 64, "--reason", "x", "--ledger", url).code == 3
    assert not (tmp_path / "nowhere").exists()


def test_a_name_in_a_recall_drives_no_terminal(tidegate):
    Path("a\x1b[31m.csv").write_text("1\n")
    tidegate("db", "upgrade")
    result = tidegate("recall", "a\x1b[31m.csv", "--reason", "bad\nRecall 2")
    assert result.code == 0
    assert "\x1b" not in result.out + result.err + tidegate("recall", "--list").out


def test_the_readmes_commands_run_as_they_stand(tidegate):
    Path("train.csv").write_text("1\n")
    tidegate("db", "upgrade")
    lines = re.findall(r"^\$ tidegate (recall .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        assert tidegate(*shlex.split(line, comments=True)).code == 0, line


def test_the_policy_of_the_reference_page_is_valid(tidegate):
    text = (ROOT / "docs" / "reference" / "policy.md").read_text()
    policy, checksums = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    Path("checksums").mkdir()
    Path("checksums", "acme.yaml").write_text(checksums)
    Path("tidegate.yaml").write_text(policy)
    assert tidegate("policy", "check", "tidegate.yaml").code == 0
