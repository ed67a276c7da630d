"""Which libraries a step ran with, of this Python and of one that a command starts."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.provenance.environment import capture_environment, capture_environment_of


def test_the_list_is_the_one_that_pythons_own_library_gives():
    expected = {
        f"{re.sub(r'[-_.]+', '-', each.name).lower()}=={each.version}"
        for each in importlib.metadata.distributions()
    }
    assert set(capture_environment(()).distributions) == expected


def test_the_digest_is_of_the_list_one_a_line():
    environment = capture_environment(())
    text = "\n".join(environment.distributions) + "\n"
    assert environment.digest == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_nothing_is_imported_to_find_out():
    code = (
        "import sys\nfrom tidegate.provenance.environment import capture_environment\n"
        "capture_environment(())\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "sklearn", "pydantic"} & set(done.stdout.split())


def test_lock_files_are_told_by_their_bytes(tmp_path):
    (tmp_path / "uv.lock").write_text("x")
    (tmp_path / "requirements-dev.txt").write_text("y")
    (tmp_path / "notes.txt").write_text("z")
    (tmp_path / "poetry.lock").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "requirements.txt")
    locks = capture_environment((tmp_path, tmp_path / "nowhere")).locks
    assert [(each.name, each.sha256) for each in locks] == [
        ("requirements-dev.txt", hashlib.sha256(b"y").hexdigest()),
        ("uv.lock", hashlib.sha256(b"x").hexdigest()),
    ]


@pytest.fixture
def other_python(tmp_path):
    """A Python with nothing installed but one distribution."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True
    )
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "Torch_Thing-2.1.0+cu118.dist-info").mkdir()
    (packages / "torch-2.1.0+cu118.dist-info").mkdir()
    (packages / "old.egg-info").mkdir()
    (packages / "other-1.0-py3.11.egg-info").mkdir()
    return tmp_path / "venv" / "bin" / "python"


def plain():
    return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}


def test_a_commands_environment_is_that_of_the_python_it_starts(other_python, tmp_path):
    environment = capture_environment_of([str(other_python), "train.py"], (), plain())
    assert environment.distributions == (
        "other==1.0",
        "torch==2.1.0+cu118",
        "torch-thing==2.1.0+cu118",
    )
    assert environment.libraries == ("torch==2.1.0+cu118",)
    assert environment.python == ".".join(map(str, sys.version_info[:3]))


def test_a_script_with_pythons_line_at_its_top_counts(other_python, tmp_path):
    for line in (f"#!{other_python}", f"#!/usr/bin/env -S {other_python.name}"):
        script = tmp_path / "torchrun"
        script.write_text(f"{line}\n")
        script.chmod(0o755)
        variables = {**plain(), "PATH": f"{other_python.parent}:{os.environ['PATH']}"}
        environment = capture_environment_of([str(script)], (), variables)
        assert "torch==2.1.0+cu118" in environment.distributions


def test_modules_in_the_folder_at_hand_are_not_run(other_python, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("sys", "json", "os", "site", "importlib"):
        Path(f"{name}.py").write_text("open('ran', 'w')")
    assert capture_environment_of([str(other_python)], (), plain()).python is not None
    assert not Path("ran").exists()


def test_a_command_without_python_has_no_libraries_and_says_so(tmp_path):
    for command in (["true"], ["no-such-command"], []):
        environment = capture_environment_of(command, (), plain())
        assert (environment.python, environment.digest) == (None, None)
        assert "starts no Python" in environment.untold[0]


def test_a_python_that_does_not_answer_is_untold(tmp_path):
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    environment = capture_environment_of([str(fake)], (), plain())
    assert environment.python is None
    assert "can't be asked" in environment.untold[0]
