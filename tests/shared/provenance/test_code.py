"""Which code ran: commit, changes, scripts and cells; and a repository runs nothing by itself."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from tidegate.provenance import Redactor
from tidegate.provenance import git as git_module
from tidegate.provenance.code import (
    capture_code,
    hash_cells,
    running_cells,
    running_modules,
    running_script,
)
from tidegate.provenance.git import read_git
from tidegate.provenance.surroundings import code_in


def run_git(folder, *arguments):
    identity = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "repository"
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print(1)\n")
    (folder / "data.txt").write_text("a\nb\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    return folder


def read(folder):
    return read_git(folder, Redactor())


def test_a_clean_tree_is_its_commit(repository):
    run_git(repository, "remote", "add", "origin", "https://ada:hunter2@git.example.com/ml.git")
    state = read(repository)
    assert state.commit == run_git(repository, "rev-parse", "HEAD")
    assert (state.branch, state.remote) == ("main", "https://git.example.com/ml.git")
    assert (state.changed, state.diff, state.untracked) == (False, None, 0)
    assert state.untold == ()


def test_a_changed_tree_has_the_digest_of_its_difference(repository):
    (repository / "train.py").write_text("print(2)\n")
    (repository / "new.py").write_text("print(3)\n")
    (repository / "bytes.bin").write_bytes(b"\x00\x01")
    run_git(repository, "add", "bytes.bin")
    state = read(repository)
    plain = subprocess.run(
        ["git", "diff", "HEAD", "--binary", "--full-index", "--no-renames"],
        cwd=repository,
        capture_output=True,
        check=True,
    ).stdout
    assert (state.changed, state.untracked) == (True, 1)
    assert state.diff == hashlib.sha256(plain).hexdigest()


def test_the_users_settings_do_not_change_that_digest(repository):
    (repository / "data.txt").write_text("b\na\nc\n")
    before = read(repository).diff
    for name, value in (
        ("diff.noprefix", "true"),
        ("diff.mnemonicPrefix", "true"),
        ("diff.context", "0"),
        ("diff.algorithm", "patience"),
        ("color.ui", "always"),
        ("core.quotePath", "false"),
    ):
        run_git(repository, "config", name, value)
    assert read(repository).diff == before


def test_a_folder_within_is_of_the_same_repository(repository):
    (repository / "a" / "b").mkdir(parents=True)
    assert read(repository / "a" / "b").commit == read(repository).commit


def test_a_tree_before_its_first_commit_has_none(tmp_path):
    run_git(tmp_path, "init", "-q")
    state = read(tmp_path)
    assert (state.commit, state.changed, state.untold) == (None, False, ())


def test_a_detached_head_has_no_branch(repository):
    run_git(repository, "checkout", "-q", "--detach")
    assert (read(repository).branch, read(repository).untold) == (None, ())


def test_no_repository_is_none_and_a_broken_one_says_so(tmp_path, repository):
    assert read(tmp_path) is None
    (repository / ".git" / "HEAD").write_text("nonsense")
    assert read(repository).untold != ()


def test_without_git_the_repository_is_untold(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert read(repository).untold == ("git is not installed",)


def test_a_git_that_takes_too_long_is_given_up(repository, monkeypatch, tmp_path):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    state = read_git(repository, Redactor(), seconds=0.2)
    assert state.untold == ("git rev-parse took too long",)


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        ({"core.fsmonitor": "PROGRAM"}, ""),
        ({"diff.external": "PROGRAM"}, ""),
        ({"filter.x.clean": "PROGRAM"}, "* filter=x\n"),
        ({"filter.x.process": "PROGRAM"}, "* filter=x\n"),
        ({"filter.x.y.clean": "PROGRAM"}, "* filter=x.y\n"),
        ({"filter.x=y.clean": "PROGRAM"}, "* filter=x=y\n"),
        ({"diff.x.textconv": "PROGRAM"}, "* diff=x\n"),
        ({"diff.x.command": "PROGRAM"}, "* diff=x\n"),
        ({"core.pager": "PROGRAM", "pager.diff": "PROGRAM"}, ""),
        ({"core.hooksPath": "HOOKS"}, ""),
        ({"include.path": "INCLUDED"}, "* filter=x\n"),
    ],
)
def test_nothing_that_a_repository_configures_is_run(repository, tmp_path, settings, attributes):
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    program.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "fsmonitor-watchman", "post-checkout"):
        (hooks / hook).symlink_to(program)
    included = tmp_path / "included"
    included.write_text(f'[filter "x"]\n\tclean = {program}\n')
    words = {"PROGRAM": program, "HOOKS": hooks, "INCLUDED": included}
    (repository / ".git" / "info" / "attributes").write_text(attributes)
    for name, value in settings.items():
        run_git(repository, "config", name, str(words[value]))
    # Of the same length, so that git has to look into it.
    (repository / "train.py").write_text("print(2)\n")
    state = read(repository)
    assert state.commit is not None
    assert state.changed is True
    assert state.diff is not None
    assert not ran.exists()


def test_the_program_of_that_test_would_be_run_by_git_itself(repository, tmp_path):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\ncat\n")
    program.chmod(0o755)
    (repository / ".git" / "info" / "attributes").write_text("* filter=x\n")
    run_git(repository, "config", "filter.x.clean", str(program))
    (repository / "train.py").write_text("print(2)\n")
    run_git(repository, "diff", "HEAD")
    assert (tmp_path / "ran").exists()


def test_a_git_that_can_not_tell_its_filters_is_asked_for_nothing_that_runs_one(
    repository, tmp_path, monkeypatch
):
    """One from before 2.26 does not know the option by which they are asked for."""
    real = shutil.which("git")
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text(
        f'#!/bin/sh\ncase "$*" in *--show-scope*) echo "unknown option" >&2; exit 129;; esac\n'
        f'exec {real} "$@"\n'
    )
    old.chmod(0o755)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\ncat\n")
    program.chmod(0o755)
    (repository / ".git" / "info" / "attributes").write_text("* filter=x\n")
    run_git(repository, "config", "filter.x.clean", str(program))
    (repository / "train.py").write_text("print(2)\n")
    monkeypatch.setenv("PATH", f"{old.parent}:{os.environ['PATH']}")
    state = read(repository)
    assert (state.changed, state.diff, state.untracked) == (None, None, None)
    assert state.untold == ("git config: unknown option",)
    assert not (tmp_path / "ran").exists()


def test_nothing_is_fetched_for_a_repository_that_lacks_its_objects(repository, tmp_path):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.url", f"ext::{program}"),
        ("remote.origin.promisor", "true"),
        ("protocol.ext.allow", "always"),
    ):
        run_git(repository, "config", name, value)
    blob = run_git(repository, "rev-parse", "HEAD:train.py")
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    (repository / "train.py").write_text("print(2)\n")
    state = read(repository)
    assert state.changed is True
    assert state.diff is None
    assert any("git diff" in each for each in state.untold)
    assert not (tmp_path / "ran").exists()
    # What it guards against is real: git by itself runs the program.
    subprocess.run(["git", "diff", "HEAD"], cwd=repository, capture_output=True, check=False)
    assert (tmp_path / "ran").exists()


def test_the_environment_leads_git_to_no_other_repository(repository, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    run_git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert read(repository).commit is not None


def test_git_writes_nothing(repository):
    os.utime(repository / "train.py", (1, 1))
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    read(repository)
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before


def test_submodules_are_said_to_be_left_out(repository):
    (repository / ".gitmodules").write_text("")
    assert "changes within submodules are not looked for" in read(repository).untold


def test_a_script_is_told_by_its_bytes_with_and_without_a_repository(repository, tmp_path):
    data = (repository / "train.py").read_bytes()
    within = capture_code([repository / "train.py"], Redactor())
    assert within.script == "train.py"
    assert [(s.path, s.sha256) for s in within.sources] == [
        ("train.py", hashlib.sha256(data).hexdigest())
    ]
    alone = tmp_path / "alone.py"
    alone.write_bytes(data)
    without = capture_code([alone, tmp_path / "gone.py"], Redactor())
    assert without.git is None
    assert without.sources[0].sha256 == within.sources[0].sha256
    assert without.untold == ("gone.py can't be read",)


def test_cells_are_told_apart_by_where_they_end():
    assert hash_cells(["a", "b"]) != hash_cells(["ab"])
    assert hash_cells(["1:a"]) != hash_cells(["", "a"])
    assert hash_cells(["a"])[1] == 1


def test_a_notebooks_cells_are_hashed_and_not_kept(monkeypatch):
    history = types.SimpleNamespace(input_hist_raw=["", "a = 1", "password = 'x'"])
    shell = types.SimpleNamespace(history_manager=history)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert running_cells() == hash_cells(["a = 1", "password = 'x'"])


def test_outside_of_a_notebook_there_are_no_cells(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert running_cells() == (None, 0)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert running_cells() == (None, 0)


def test_a_programs_own_modules_are_told_and_installed_ones_are_not(tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "__init__.py").write_text("")
    (tmp_path / "train.py").write_text(
        "import features, numpy\n"
        "from tidegate.provenance.code import running_script, running_modules\n"
        "script = running_script()\n"
        "found = (path.relative_to(script.parent) for path in running_modules(script))\n"
        "print(script.name, *found)\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "train.py")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "train.py features/__init__.py\n"


def test_a_notebook_has_no_script(monkeypatch):
    # Whoever runs these tests need not be a script himself.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    assert running_script() is not None
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert running_script() is None
    assert isinstance(running_modules(None), tuple)


def test_the_code_of_a_command_are_its_files_of_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("train.py", "data.csv", "run.sh"):
        Path(name).write_text("")
    found = code_in(["python", "train.py", "data.csv", "missing.py", "run.sh", "x" * 5000 + ".py"])
    assert found == (Path("train.py"), Path("run.sh"))


def test_what_git_is_told_has_no_shell_in_it():
    source = Path(git_module.__file__).read_text()
    assert "shell=" not in source
