"""Real `mlflow server` processes for tests, on free ports of the loopback interface."""

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its address, its folder, and the plain URL of its database."""

    address: str
    folder: Path
    database: str

    @property
    def artifacts(self) -> Path:
        """Where the server keeps what clients upload."""
        return self.folder / "artifacts"

    def log(self) -> str:
        """What the server has printed."""
        return (self.folder / "server.log").read_text()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without anybody's settings of MLflow or Tidegate."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TIDEGATE_"))}
    # MLflow switches checks on when it finds itself under test; a real server has them off.
    kept.pop("PYTEST_CURRENT_TEST", None)
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # The workers for MLflow's evaluation jobs: five processes that no test needs.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return kept | quiet | dict(extra or {})


def command(
    folder: Path,
    database: str,
    port: int,
    *,
    gated: bool,
    workers: int,
    app: str | None,
    options: Sequence[str],
) -> list[str]:
    """A stock server's command line; with `gated`, its registry's URI has our prefix."""
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)),
        *("--backend-store-uri", database),
        *("--registry-store-uri", f"tidegate+{database}" if gated else database),
        *("--artifacts-destination", str(folder / "artifacts")),
        *(("--app-name", app) if app else ()),
        *options,
    ]


@contextmanager
def mlflow_server(
    folder: Path,
    database: str,
    *,
    gated: bool = True,
    workers: int = 1,
    app: str | None = "tidegate",
    options: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server, wait until it answers, stop it on leaving.

    Args:
        folder: where it keeps its artifacts and its log.
        database: the plain URL of its database.
        gated: whether its registry is ours; a server that is not runs MLflow's own app.
        workers: how many processes answer.
        app: its --app-name.
        options: more of its command line.
        extra: more of its environment.

    Raises:
        RuntimeError: it ended instead; the message is its log.
    """
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}", folder, database)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command(
                folder,
                database,
                port,
                gated=gated,
                workers=workers,
                app=app if gated else None,
                options=options,
            ),
            stdout=log,
            stderr=log,
            env=environment(extra),
            start_new_session=True,
        )
        try:
            _wait(process, server)
            yield server
        finally:
            _stop(process)


ADMIN, SECRET = "root", "correct horse battery"
USERS = ("ada", "bob")


@contextmanager
def server_with_users(
    folder: Path,
    *,
    permission: str,
    options: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A gated server over basic-auth, with an admin and two users, who all have one password.

    Args:
        folder: where it keeps all that it has.
        permission: what users may do with what nobody has given them rights to.
        options: more of `mlflow server`.
        extra: more of its environment.
    """
    config = folder / "basic_auth.ini"
    config.write_text(
        f"[mlflow]\ndefault_permission = {permission}\n"
        f"database_uri = sqlite:///{folder}/users.db\n"
        f"admin_username = {ADMIN}\nadmin_password = {SECRET}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    own = {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "for this test alone",
    }
    with mlflow_server(
        folder,
        f"sqlite:///{folder}/mlflow.db",
        app="tidegate-auth",
        options=options,
        extra={**own, **(extra or {})},
    ) as server:
        for name in USERS:
            made = requests.post(
                f"{server.address}/api/2.0/mlflow/users/create",
                json={"username": name, "password": SECRET},
                auth=(ADMIN, SECRET),
                timeout=30,
            )
            assert made.status_code == 200, made.text
        yield server


def _wait(process: subprocess.Popen[bytes], server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(server.log())
        try:
            with urllib.request.urlopen(f"{server.address}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError("the server did not answer in time:\n" + server.log())


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
            return
