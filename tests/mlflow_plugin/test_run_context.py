"""A run says what it ran with, by itself, without waiting, and without a secret."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.tracking.context.registry import resolve_tags

from tidegate_mlflow import surroundings
from tidegate_mlflow.run_context import RunContext

SECRET = "ghp_" + "9fK2mQ7xT4vB8nL1" + "wR6yU3jH5sD0aZcE2gXp"


def settled(context: RunContext) -> dict[str, str]:
    """The tags, once everything has been told."""
    context.tags()
    assert context._look is not None
    for thread in context._look._threads.values():
        thread.join(30)
    return context.tags()


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which a script of this process would run."""
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("print(1)")
    (tmp_path / "requirements.txt").write_text("scikit-learn==1.7.2\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "begin")
    git(tmp_path, "remote", "add", "origin", f"https://user:{SECRET}@example.com/x.git")
    monkeypatch.setattr(surroundings, "running_script", lambda: tmp_path / "train.py")
    return tmp_path


def test_a_run_has_commit_changes_libraries_locks_and_machine(project: Path) -> None:
    context = RunContext()
    assert context.in_context()
    tags = settled(context)
    assert tags["tidegate.git.commit"] == git(project, "rev-parse", "HEAD")
    assert tags["tidegate.git.dirty"] == "false"
    assert "tidegate.git.diff" not in tags
    assert tags["tidegate.environment"].startswith("sha256:")
    assert tags["tidegate.lock"].startswith("requirements.txt sha256:")
    assert tags["tidegate.host"]
    assert "tidegate.untold" not in tags


def test_a_change_is_seen_and_named_by_its_digest(project: Path) -> None:
    (project / "train.py").write_text("print(2)")
    tags = settled(RunContext())
    assert tags["tidegate.git.dirty"] == "true"
    assert tags["tidegate.git.diff"].startswith("sha256:")


def test_no_credential_gets_into_a_tag(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_IMAGE", f"https://user:{SECRET}@registry.example.com/train:1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    tags = settled(RunContext())
    assert "registry.example.com/train:1" in tags["tidegate.image"]
    assert not any(SECRET in value for value in tags.values())


def test_what_takes_long_is_left_out_and_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = surroundings.read_git

    def slow(*arguments: Any) -> Any:
        time.sleep(1)
        return real(*arguments)

    monkeypatch.setattr(surroundings, "read_git", slow)
    context = RunContext()
    first = context.tags()
    assert "git" in first["tidegate.untold"].split(", ")
    assert "tidegate.git.commit" not in first
    assert settled(context)["tidegate.git.commit"]


def test_what_can_not_be_told_costs_the_run_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no git today")

    monkeypatch.setattr(surroundings, "read_git", broken)
    assert settled(RunContext())["tidegate.untold"] == "git"
    monkeypatch.setattr(surroundings, "Look", broken)
    assert RunContext().tags() == {"tidegate.untold": "RuntimeError"}


def test_many_runs_in_a_row_cost_one_look(project: Path) -> None:
    context = RunContext()
    settled(context)
    look = context._look
    for _ in range(50):
        context.tags()
    assert context._look is look


@pytest.mark.parametrize("value", ["off", "no"])
def test_it_can_be_switched_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_RUN_CONTEXT", value)
    assert not RunContext().in_context()
    assert not any(key.startswith("tidegate.") for key in resolve_tags())


def test_mlflow_puts_the_tags_on_a_run(tmp_path: Path) -> None:
    points = importlib.metadata.entry_points(group="mlflow.run_context_provider")
    assert "tidegate" in {point.name for point in points}
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        pass
    tags = mlflow.get_run(run.info.run_id).data.tags
    assert any(key.startswith("tidegate.") for key in tags)


def test_loading_the_provider_loads_nothing_of_ours() -> None:
    code = (
        "import sys, tidegate_mlflow.run_context; "
        "print([m for m in sys.modules if m.startswith(('mlflow', 'tidegate.'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
