"""The example DAGs, run as they are against a gated MLflow server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tidegate.gate import Gate

if TYPE_CHECKING:
    from conftest import RunDag

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).resolve().parents[2]
DAG = _ROOT / "examples" / "dags" / "train_scan_register.py"
AFTER_SCAN = ("register", "gate", "promote")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass(frozen=True, slots=True)
class Server:
    """A running MLflow server and the ledger that its gate keeps."""

    address: str
    ledger: str

    def versions(self) -> list[tuple[str, str, str]]:
        """Name, number and status of each registered version."""
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.address, registry_uri=self.address)
        found = client.search_model_versions()
        return [(each.name, str(each.version), each.status) for each in found]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server whose registry is gated."""
    folder = tmp_path_factory.mktemp("mlflow")
    database = f"sqlite:///{folder / 'mlflow.db'}"
    ledger = f"sqlite:///{folder / 'ledger.db'}"
    address = f"http://127.0.0.1:{(port := _free_port())}"
    log = folder / "mlflow.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server"),
                *("--backend-store-uri", database),
                *("--registry-store-uri", f"tidegate+{database}"),
                *("--artifacts-destination", str(folder / "artifacts")),
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "TIDEGATE_LEDGER": ledger},
        )
    try:
        _wait_for(f"{address}/health", process, log)
        yield Server(address, ledger)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"no answer from {url}:\n{log.read_text()}")


@pytest.fixture
def environment(server: Server, tmp_path: Path) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": server.address,
        "TIDEGATE_LEDGER": server.ledger,
        "MODELS_FOLDER": str(tmp_path / "models"),
    }


def test_a_trained_model_is_scanned_registered_and_promoted(
    run_dag: RunDag, environment: dict[str, str], server: Server
) -> None:
    from mlflow import MlflowClient

    end = run_dag(DAG, environment=environment)

    assert end.state == "success", end.log
    assert {task: end.state_of(task) for task in AFTER_SCAN} == dict.fromkeys(AFTER_SCAN, "success")
    version = str(end.results["register"])
    assert ("digits", version, "READY") in server.versions()
    client = MlflowClient(tracking_uri=server.address, registry_uri=server.address)
    champion = client.get_model_version_by_alias("digits", "champion")
    assert str(champion.version) == version
    with Gate.open(ledger=server.ledger) as gate:
        registered = gate.dossier(end.results["scan"]["digest"]).registrations
    assert ("digits", version) in [(each.name, str(each.version)) for each in registered], (
        "what the server registered is what the scan saw"
    )


def test_the_hostile_model_stops_at_the_scan_and_reaches_no_registry(
    run_dag: RunDag, environment: dict[str, str], server: Server
) -> None:
    before = server.versions()
    end = run_dag(DAG, conf={"hostile": True}, environment=environment)

    assert end.state_of("train") == "success", end.log
    assert end.state_of("scan") == "failed"
    assert {task: end.state_of(task) for task in AFTER_SCAN} == dict.fromkeys(
        AFTER_SCAN, "upstream_failed"
    )
    assert "PICKLE-" in end.log
    assert "a model ran this command" not in end.log.splitlines(), "the payload ran"
    assert server.versions() == before
