"""The command line in this process, with a ledger and an actor of its own, and things to scan."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidegate.cli import main

# Protocol 0: `os.system('echo tidegate-test')` as a pickle. Harmless even where it is loaded.
CALLS_SYSTEM = b"cos\nsystem\n(S'echo tidegate-test'\ntR."


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def ledger_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger' / 'ledger.db'}"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ledger_url: str) -> None:
    for name in list(os.environ):
        if name.upper().startswith("TIDEGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TIDEGATE_LEDGER", ledger_url)
    monkeypatch.setenv("TIDEGATE_ACTOR", "ada")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def tidegate(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run one command line in this process."""

    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def process() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one command line in a process of its own."""

    def run(*arguments: str, python: tuple[str, ...] = (), **env: str | None):
        given = {**os.environ, **{k: v for k, v in env.items() if v is not None}}
        for name, value in env.items():
            if value is None:
                given.pop(name, None)
        return subprocess.run(
            [sys.executable, *python, "-m", "tidegate", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=given,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def good(environment: None) -> Path:
    path = Path("good.json")
    path.write_text('{"threshold": 0.5}')
    return path


@pytest.fixture
def hostile(environment: None) -> Path:
    path = Path("hostile.pkl")
    path.write_bytes(CALLS_SYSTEM)
    return path


@pytest.fixture
def unreadable(environment: None) -> Path:
    """Bytes of no known format."""
    path = Path("unknown.bin")
    path.write_bytes(b"\x01\xf3\x9c\x00\x17\x88" * 40)
    return path
