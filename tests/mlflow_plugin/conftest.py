"""A gated MLflow server for each database, shared by the session, and what a client does with it.

Models are written once and uploaded as folders: what is under test is the registry. One test
logs by `log_model`, as a data scientist does.
"""

from __future__ import annotations

import http.client
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from samples.databases import postgresql_database, why_no_postgresql
from samples.servers import Server, mlflow_server

from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import profile


class RunsACommand:
    """Its pickle would run a harmless command; nothing of ours ever loads it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo this must never run",)


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A gated server; each test that takes it runs on SQLite and on PostgreSQL.

    And so on both of MLflow's kinds of server: FastAPI's routes on one, Flask's on the other.
    """
    folder = tmp_path_factory.mktemp(f"gated-{request.param}")
    if request.param == "sqlite":
        with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db") as started:
            yield started
        return
    if reason := why_no_postgresql():
        pytest.skip(reason)
    with (
        postgresql_database("psycopg2") as url,
        mlflow_server(folder, url, options=("--gunicorn-opts", "--threads 4")) as started,
    ):
        yield started


@pytest.fixture(autouse=True)
def stock_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's settings count, and MLflow's client does not try for minutes."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "TIDEGATE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


@dataclass(frozen=True, slots=True)
class Registry:
    """A client's view of one server."""

    server: Server
    client: MlflowClient

    def name(self) -> str:
        """A registered model's name that nobody has used."""
        name = f"model-{uuid.uuid4().hex[:10]}"
        self.client.create_registered_model(name)
        return name

    def upload(self, folder: Path) -> str:
        """Upload a model's folder in a run; its artifact URI."""
        run = self.client.create_run("0")
        self.client.log_artifacts(run.info.run_id, str(folder), "model")
        return f"{run.info.artifact_uri}/model"

    def register(self, folder: Path, name: str | None = None, **kwargs: Any) -> Any:
        """Upload and register a folder; the version as it comes back, whatever its status."""
        return self.create(name or self.name(), self.upload(folder), **kwargs)

    def create(self, name: str, source: str, **kwargs: Any) -> Any:
        """Create a version and don't wait, so that a held one comes back instead of raising."""
        run_id = source.split("/")[-3] if source.startswith("mlflow-artifacts:") else None
        return self.client.create_model_version(
            name, source, kwargs.pop("run_id", run_id), await_creation_for=0, **kwargs
        )

    def log(self, folder: Path) -> Any:
        """Log a folder as a model, as `log_model` does at its end; not registered yet."""
        model = self.client.create_logged_model("0", "model")
        self.client.log_model_artifacts(model.model_id, str(folder))
        return self.client.finalize_logged_model(model.model_id, "READY")

    def register_logged(self, folder: Path, name: str | None = None) -> tuple[Any, Any]:
        """A logged model, and the version that it is registered as."""
        model = self.log(folder)
        version = self.client.create_model_version(
            name or self.name(),
            f"models:/{model.model_id}",
            model_id=model.model_id,
            await_creation_for=0,
        )
        return model, version

    def logged_bytes_of(self, version: Any) -> Path:
        """Where the server keeps a version's files as they were logged."""
        return self._on_disk(version.source)

    def bytes_of(self, version: Any) -> Path:
        """Where the server keeps the files that a version's download leads to."""
        return self._on_disk(
            self.client.get_model_version_download_uri(version.name, version.version)
        )

    def _on_disk(self, location: str) -> Path:
        return self.server.artifacts / location.removeprefix("mlflow-artifacts:/").lstrip("/")

    def call(self, verb: str, route: str, **fields: Any) -> requests.Response:
        """One raw call of the registry's REST API."""
        address = f"{self.server.address}/api/2.0/mlflow/{route}"
        if verb == "GET":
            return requests.get(address, params=fields, timeout=60)
        return requests.request(verb, address, json=fields, timeout=60)

    def raw(self, verb: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request whose path goes out exactly as it is written; the status and the body."""
        connection = http.client.HTTPConnection(self.server.address.removeprefix("http://"))
        try:
            connection.putrequest(verb, path, skip_accept_encoding=True)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
                connection.putheader("Content-Type", "application/json")
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def gate(self) -> Gate:
        """The gate that an admin has on the same database."""
        return Gate(profile("standard"), Ledger.open(self.server.database))


@pytest.fixture(scope="session")
def registry_of() -> Callable[[Server], Registry]:
    """Makes a server the one that this process's MLflow talks to."""

    def use(server: Server) -> Registry:
        mlflow.set_tracking_uri(server.address)
        mlflow.set_registry_uri(server.address)
        return Registry(server, MlflowClient(server.address, server.address))

    return use


@pytest.fixture
def registry(server: Server, registry_of: Callable[[Server], Registry]) -> Registry:
    return registry_of(server)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders as `mlflow.sklearn.save_model` writes them: clean, hostile, own code."""
    from samples.own_code import LogOfTenure
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    root = tmp_path_factory.mktemp("models")
    X, y = load_iris(return_X_y=True)
    clean = LogisticRegression(max_iter=500).fit(X, y)

    class Hostile(LogisticRegression):
        __reduce__ = RunsACommand.__reduce__

    chosen: dict[str, tuple[object, str]] = {
        "clean": (clean, "skops"),
        "clean-pickle": (clean, "pickle"),
        "hostile": (Hostile(), "pickle"),
        "own-code": (make_pipeline(LogOfTenure(), clean).fit(X, y), "pickle"),
    }
    for name, (model, serialization) in chosen.items():
        mlflow.sklearn.save_model(
            model,
            root / name,
            serialization_format=serialization,
            pip_requirements=["scikit-learn"],
        )
    return {name: root / name for name in chosen}


Refused = Callable[[Callable[[], Any]], str]


@pytest.fixture
def refused() -> Refused:
    """Calls, expects MLflow's own error with a 403, and returns its message."""
    from mlflow.exceptions import RestException

    def call(attempt: Callable[[], Any]) -> str:
        with pytest.raises(RestException) as caught:
            attempt()
        assert caught.value.error_code == "PERMISSION_DENIED"
        return str(caught.value.message)

    return call
