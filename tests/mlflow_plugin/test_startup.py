"""What a server does when the gate can't work: it says so and holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from samples.databases import out_of_reach, postgresql_database, why_no_postgresql
from samples.servers import mlflow_server

from tidegate_mlflow.store import open_store


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("TIDEGATE_POLICY", "{folder}/tidegate.yaml", "line 2: hold_att"),
        ("TIDEGATE_POLICY", "{folder}/nowhere.yaml", "can't be read"),
        ("TIDEGATE_LEDGER", "postgresql+pg8000://nobody:secret@127.0.0.1:1/x", "127.0.0.1:1"),
        ("TIDEGATE_LEDGER", "https://console.example.com", "is a console's address"),
        ("TIDEGATE_SCAN_SECONDS", "soon", "TIDEGATE_SCAN_SECONDS"),
    ],
)
def test_a_server_that_can_not_decide_does_not_start_and_says_why(
    tmp_path: Path, setting: str, value: str, told: str
) -> None:
    (tmp_path / "tidegate.yaml").write_text("schema: 1\nhold_att: low\n")
    extra = {setting: value.format(folder=tmp_path)}
    with (
        pytest.raises(RuntimeError) as caught,
        mlflow_server(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", extra=extra),
    ):
        pytest.fail("the server started")
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_without_its_driver_is_refused_with_what_to_install() -> None:
    with pytest.raises(MlflowException, match=r"MySQLdb.*not installed.*To mend it"):
        open_store("mysql://user@127.0.0.1:1/registry")


@pytest.mark.slow
@pytest.mark.postgres
def test_a_ledger_that_goes_away_holds_with_a_reason_and_comes_back(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    if reason := why_no_postgresql():
        pytest.skip(reason)
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with (
        postgresql_database("pg8000") as ledger,
        mlflow_server(tmp_path, database, extra={"TIDEGATE_LEDGER": ledger}) as server,
    ):
        client = MlflowClient(server.address, server.address)
        assert _register(client, "before", models["clean"]).status == "READY"
        uploaded = _upload(client, models["clean"])
        with out_of_reach(ledger):
            with pytest.raises(RestException, match="ledger") as caught:
                client.get_model_version_download_uri("before", "1")
            assert caught.value.error_code == "RESOURCE_CONFLICT"
            with pytest.raises(RestException, match="ledger"):
                _create(client, "during", *uploaded)
            # Nobody can tell what has been held meanwhile, so nothing is served or written.
            path = uploaded[0].removeprefix("mlflow-artifacts:/")
            address = f"{server.address}/api/2.0/mlflow-artifacts/artifacts/{path}/MLmodel"
            for answer in (requests.get(address, timeout=60), requests.put(address, timeout=60)):
                assert answer.status_code == 409
                assert answer.json()["error_code"] == "RESOURCE_CONFLICT"
                assert "ledger" in answer.json()["message"]
            assert client.get_model_version("during", "1").status != "READY"
        assert client.get_model_version_download_uri("before", "1")
        assert requests.get(address, timeout=60).status_code == 200
        with pytest.raises(RestException, match="has not ended"):
            client.get_model_version_download_uri("during", "1")


@pytest.mark.slow
def test_versions_from_before_the_gate_are_scanned_when_they_are_first_used(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with mlflow_server(tmp_path, database, gated=False) as server:
        client = MlflowClient(server.address, server.address)
        for name, kind in (("old", "clean"), ("bad", "hostile")):
            assert _register(client, name, models[kind]).status == "READY"
    with mlflow_server(tmp_path, database) as server:
        client = MlflowClient(server.address, server.address)
        assert client.get_model_version_download_uri("old", "1")
        with pytest.raises(RestException, match="PICKLE-EXEC"):
            client.get_model_version_download_uri("bad", "1")
        assert client.get_model_version("bad", "1").status == "FAILED_REGISTRATION"


@pytest.mark.slow
def test_audit_mode_lets_pass_and_says_what_it_would_have_held(
    tmp_path: Path, models: dict[str, Path]
) -> None:
    database = f"sqlite:///{tmp_path}/mlflow.db"
    with mlflow_server(tmp_path, database, extra={"TIDEGATE_POLICY": "audit"}) as server:
        client = MlflowClient(server.address, server.address)
        version = _register(client, "hostile", models["hostile"])
        assert version.status == "READY"
        assert "audit mode" in version.status_message
        assert "PICKLE-EXEC" in version.status_message
        assert client.get_model_version_download_uri("hostile", "1")
        assert "audit mode" in server.log()


def _register(client: MlflowClient, name: str, folder: Path) -> Any:
    return _create(client, name, *_upload(client, folder))


def _upload(client: MlflowClient, folder: Path) -> tuple[str, str]:
    """A model in a run: its location, and the run."""
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(folder), "model")
    return f"{run.info.artifact_uri}/model", run.info.run_id


def _create(client: MlflowClient, name: str, source: str, run_id: str) -> Any:
    client.create_registered_model(name)
    return client.create_model_version(name, source, run_id, await_creation_for=0)
