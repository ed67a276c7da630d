"""The apps as they start: with what, without what, and who then acts."""

from __future__ import annotations

import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from samples.servers import ADMIN, SECRET, Server, mlflow_server, server_with_users

from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import profile

WARNING = "NOT its artifacts"


@pytest.mark.slow
@pytest.mark.parametrize("app", ["tidegate", None])
def test_a_gated_registry_without_its_guard_is_warned_of_at_the_start(
    tmp_path: Path, app: str | None
) -> None:
    with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", app=app) as server:
        assert (WARNING in server.log()) is (app is None)
        MlflowClient(server.address, server.address).search_registered_models()
        assert (WARNING in server.log()) is (app is None)


@pytest.mark.slow
def test_the_app_does_not_start_over_a_registry_that_is_not_gated(tmp_path: Path) -> None:
    plain = f"sqlite:///{tmp_path}/mlflow.db"
    with (
        pytest.raises(RuntimeError, match="tidegate"),
        mlflow_server(
            tmp_path,
            plain,
            # One process: a supervisor would start another for ever.
            options=("--registry-store-uri", plain, "--uvicorn-opts", "--lifespan on"),
        ),
    ):
        pytest.fail("the server started")


@pytest.fixture(scope="module", params=["uvicorn", "gunicorn"])
def auth_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("auth")
    policy = folder / "tidegate.yaml"
    policy.write_text(
        "schema: 1\nprofile: standard\nprotected_aliases: {Champion: admin, live: passing}\n"
    )
    options = ("--gunicorn-opts", "--threads 4") if request.param == "gunicorn" else ()
    with server_with_users(
        folder, permission="EDIT", options=options, extra={"TIDEGATE_POLICY": str(policy)}
    ) as server:
        yield server


@contextmanager
def acting(server: Server, user: str) -> Iterator[MlflowClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_USERNAME", user)
        patch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
        mlflow.set_tracking_uri(server.address)
        mlflow.set_registry_uri(server.address)
        yield MlflowClient(server.address, server.address)


def register(client: MlflowClient, folder: Path) -> tuple[Any, Any]:
    name = f"model-{uuid.uuid4().hex[:8]}"
    model = client.create_logged_model("0", "model")
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model(name)
    source = f"models:/{model.model_id}"
    return model, client.create_model_version(
        name, source, model_id=model.model_id, await_creation_for=0
    )


@pytest.mark.slow
def test_the_acting_user_is_in_every_decision_and_the_guard_stands(
    auth_server: Server, models: dict[str, Path]
) -> None:
    with acting(auth_server, "ada") as client:
        model, version = register(client, models["hostile"])
        assert version.status == "FAILED_REGISTRATION"
        with pytest.raises(MlflowException, match="PICKLE-EXEC"):
            mlflow.artifacts.download_artifacts(f"models:/{model.model_id}")
    with acting(auth_server, "bob") as client:
        _, clean = register(client, models["clean"])
        client.set_registered_model_alias(clean.name, "any", "1")
        assert mlflow.sklearn.load_model(f"models:/{clean.name}@any")
    with Ledger.open(auth_server.database) as ledger:
        for subject, actor in ((f"{version.name}/1", "ada"), (f"{clean.name}/1", "bob")):
            digest = ledger.resolve(subject)
            (made,) = [row for row in ledger.registrations_of(digest) if f"{row.name}/1" == subject]
            assert ledger.decision(made.decision_id).actor == actor
    assert "Tidegate refused ada to read" in auth_server.log()


@pytest.mark.slow
def test_a_protected_alias_is_set_by_admins_or_for_what_passes(
    auth_server: Server, models: dict[str, Path], tmp_path: Path
) -> None:
    own = tmp_path / "own-code"
    shutil.copytree(models["own-code"], own)
    (own / "note.txt").write_text(uuid.uuid4().hex)
    with acting(auth_server, "ada") as client:
        _, clean = register(client, models["clean"])
        _, approved = register(client, own)
        for alias in ("champion", "CHAMPION"):
            with pytest.raises(RestException, match="by admins of this server alone"):
                client.set_registered_model_alias(clean.name, alias, "1")
        client.set_registered_model_alias(clean.name, "live", "1")
        client.set_registered_model_alias(clean.name, "other", "1")
        with Gate(profile("standard"), Ledger.open(auth_server.database)) as gate:
            gate.approve(f"{approved.name}/1", actor="eve", reason="read it")
        client.set_registered_model_alias(approved.name, "other", "1")
        with pytest.raises(RestException, match="nothing waived or approved"):
            client.set_registered_model_alias(approved.name, "live", "1")
    with acting(auth_server, ADMIN) as client:
        client.set_registered_model_alias(clean.name, "champion", "1")
    with acting(auth_server, "ada") as client:
        assert client.get_model_version_by_alias(clean.name, "champion").version == "1"
        with pytest.raises(RestException, match="by admins of this server alone"):
            client.delete_registered_model_alias(clean.name, "champion")
        client.delete_registered_model_alias(clean.name, "other")


@pytest.mark.slow
def test_what_a_protected_alias_points_to_is_deleted_and_renamed_by_admins_alone(
    auth_server: Server, models: dict[str, Path]
) -> None:
    with acting(auth_server, "ada") as client:
        _, version = register(client, models["clean"])
        name = version.name
    with acting(auth_server, ADMIN) as client:
        client.set_registered_model_alias(name, "champion", "1")
    with acting(auth_server, "ada") as client:
        for attempt in (
            lambda: client.delete_model_version(name, "1"),
            lambda: client.delete_registered_model(name),
            lambda: client.rename_registered_model(name, f"{name}-renamed"),
        ):
            with pytest.raises(RestException, match="by admins of this server alone"):
                attempt()
        assert client.get_model_version_by_alias(name, "champion").version == "1"
    with acting(auth_server, ADMIN) as client:
        client.delete_registered_model(name)


@pytest.mark.slow
def test_nobody_gets_in_without_a_password(auth_server: Server) -> None:
    for path in (
        "api/2.0/mlflow-artifacts/artifacts/0/x",
        "api/2.0/mlflow/registered-models/search",
    ):
        assert requests.get(f"{auth_server.address}/{path}", timeout=30).status_code == 401


@pytest.mark.slow
def test_workspaces_are_guarded_each_on_its_own(tmp_path: Path, models: dict[str, Path]) -> None:
    extra = {"MLFLOW_ENABLE_WORKSPACES": "true"}
    with mlflow_server(
        tmp_path, f"sqlite:///{tmp_path}/mlflow.db", extra=extra, options=("--enable-workspaces",)
    ) as server:
        mlflow.set_tracking_uri(server.address)
        mlflow.set_registry_uri(server.address)
        client = MlflowClient(server.address, server.address)
        client.create_workspace("team")
        mlflow.set_workspace("team")
        try:
            experiment = client.create_experiment("work")
            model = client.create_logged_model(experiment, "model")
            client.log_model_artifacts(model.model_id, str(models["hostile"]))
            client.finalize_logged_model(model.model_id, "READY")
            client.create_registered_model("fraud")
            held = client.create_model_version(
                "fraud", f"models:/{model.model_id}", model_id=model.model_id, await_creation_for=0
            )
            assert held.status == "FAILED_REGISTRATION"
            with pytest.raises(MlflowException, match="PICKLE-EXEC"):
                mlflow.artifacts.download_artifacts(f"models:/{model.model_id}")
            path = model.artifact_location.removeprefix("mlflow-artifacts:/").lstrip("/")
            for spelled in (path, path.removeprefix("workspaces/team/")):
                address = f"{server.address}/api/2.0/mlflow-artifacts/artifacts/{spelled}/model.pkl"
                answer = requests.get(address, headers={"X-MLFLOW-WORKSPACE": "team"}, timeout=30)
                assert answer.status_code == 403, answer.text
                assert answer.json()["error_code"] == "PERMISSION_DENIED"
            clean = client.create_logged_model(experiment, "model")
            client.log_model_artifacts(clean.model_id, str(models["clean"]))
            client.finalize_logged_model(clean.model_id, "READY")
            version = client.create_model_version(
                "fraud", f"models:/{clean.model_id}", model_id=clean.model_id
            )
            location = client.get_model_version_download_uri("fraud", version.version)
            assert "workspaces/team/" in location
            assert "/tidegate-kept/" in location
            assert mlflow.sklearn.load_model(f"models:/fraud/{version.version}")
        finally:
            mlflow.set_workspace(None)


@pytest.mark.slow
def test_a_database_that_is_busy_does_not_hold_up_the_event_loop(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/mlflow.db") as server:
        client = MlflowClient(server.address, server.address)
        run = client.create_run("0")
        client.log_text(run.info.run_id, "x", "x.txt")
        busy = sqlite3.connect(tmp_path / "mlflow.db")
        busy.execute("BEGIN EXCLUSIVE")
        try:
            address = f"{server.address}/api/2.0/mlflow-artifacts/artifacts/0/{run.info.run_id}"
            with pytest.raises(requests.exceptions.Timeout):
                requests.get(f"{address}/artifacts/x.txt", timeout=1)
            began = time.monotonic()
            assert requests.get(f"{server.address}/health", timeout=10).text == "OK"
            assert time.monotonic() - began < 10
        finally:
            busy.rollback()
            busy.close()
