"""Airflow for tests: as a plain library in this process, and whole in processes of its own.

Importing Airflow sets up logging, a database session and a home folder for the whole process.
Here it is imported in its library mode, which does none of that; whatever runs a DAG does so
in a subprocess with a temporary home.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_LIBRARY_MODE = "_AIRFLOW__AS_LIBRARY"


@pytest.fixture(scope="session", autouse=True)
def airflow_as_a_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Import Airflow once, with a home of its own and no side effects."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow-library")))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        patch.setenv(_LIBRARY_MODE, "1")
        import airflow.sdk  # noqa: F401

        yield


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `TIDEGATE_*` variable nor connection of whoever runs the tests counts."""
    for name in list(os.environ):
        if name.startswith(("TIDEGATE_", "AIRFLOW_CONN_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user-data"))


@pytest.fixture
def ledger_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a ledger for this test, which the environment names."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("TIDEGATE_LEDGER", url)
    return url


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How one task instance ended."""

    state: str
    tries: int


@dataclass(frozen=True, slots=True)
class DagEnd:
    """How one DAG run ended. Mapped instances are named "task[0]", "task[1]", …"""

    state: str
    tasks: Mapping[str, TaskEnd]
    results: Mapping[str, Any]
    log: str

    def state_of(self, task: str) -> str:
        """The state that a task instance ended in."""
        return self.tasks[task].state


RunDag = Callable[..., DagEnd]


def airflow_environment(home: Path, dags: Path) -> dict[str, str]:
    """The environment of an Airflow that lives in `home` and reads the folder `dags`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "_AIRFLOW", "TIDEGATE_", "MLFLOW_"))
    }
    roots = [str(_ROOT / root) for root in ("shared", "mlflow_plugin", "airflow_provider")]
    return inherited | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "PYTHONPATH": os.pathsep.join(roots),
        "XDG_DATA_HOME": str(home / "user-data"),
    }


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a database that is ready for use."""
    home = tmp_path_factory.mktemp("airflow-home")
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=airflow_environment(home, home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home


@pytest.fixture
def run_dag(airflow_home: Path, tmp_path: Path) -> RunDag:
    """Runs one DAG to its end in a process of its own, and tells how each task ended."""

    def run(
        file: Path,
        *,
        conf: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        mark_success: str | None = None,
    ) -> DagEnd:
        answer = tmp_path / "answer.json"
        answer.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, str(_HERE / "run_one_dag.py"), str(file), str(answer)],
            input=json.dumps({"conf": dict(conf or {}), "mark_success": mark_success}),
            env=airflow_environment(airflow_home, file.parent) | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        log = done.stdout + done.stderr
        assert answer.exists(), f"ended with {done.returncode} and no answer:\n{log}"
        told = json.loads(answer.read_text())
        return DagEnd(
            state=told["state"],
            tasks={name: TaskEnd(**end) for name, end in told["tasks"].items()},
            results=told["results"],
            log=log,
        )

    return run
