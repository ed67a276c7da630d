"""`tidegate:<target>` hands on what may be deployed, and nothing else; MLflow's own commands that
serve or pack a model do not get what is held.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.deployments import get_deploy_client, interface
from mlflow.exceptions import MlflowException
from samples import deploy_target
from samples.servers import environment

from tidegate.artifact import read_manifest
from tidegate.gate import Gate
from tidegate.policy import Action
from tidegate_mlflow import deployments, vouching
from tidegate_mlflow.names import DEPLOY_TAG, DIGEST_TAG

on_sqlite = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

EXAMPLE = [[5.1, 3.5, 1.4, 0.2]]


@pytest.fixture(autouse=True)
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setitem(interface.plugin_store.registry, "recording", deploy_target)
    deploy_target.deployed.clear()
    deploy_target.calls.clear()
    yield deploy_target
    vouching._gate.cache_clear()


def refusal(attempt: Any) -> str:
    with pytest.raises(MlflowException) as caught:
        attempt()
    assert caught.value.error_code == "PERMISSION_DENIED", caught.value
    assert deploy_target.deployed == {}
    return str(caught.value.message)


def test_a_clean_version_goes_to_its_target_by_number(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["clean"])
    registry.client.set_registered_model_alias(version.name, "champion", "1")
    client = get_deploy_client("tidegate:recording")
    made = client.create_deployment("fraud", f"models:/{version.name}@champion", flavor="sklearn")
    assert made == {"name": "fraud", "flavor": "sklearn"}
    assert deploy_target.deployed == {"fraud": f"models:/{version.name}/1"}
    assert client.predict("fraud", EXAMPLE).tolist() == [0]


def test_the_registry_keeps_a_decision_about_the_deployment_and_no_tag(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["clean"])
    get_deploy_client("tidegate:recording").create_deployment("f", f"models:/{version.name}/1")
    digest = read_manifest(models["clean"]).digest
    with registry.gate() as gate:
        subject = f"{version.name}/1"
        decision = gate.ledger.latest_decision(digest, action=Action.DEPLOY, subject=subject)
    assert decision is not None
    assert decision.allowed
    assert registry.client.get_model_version(version.name, "1").tags == {DIGEST_TAG: digest}


@pytest.mark.parametrize("kind", ["hostile", "own-code"])
def test_what_is_held_does_not_reach_its_target(
    registry: Any, models: dict[str, Path], kind: str
) -> None:
    version = registry.register(models[kind])
    client = get_deploy_client("tidegate:recording")
    uri = f"models:/{version.name}/1"
    assert "model.pkl" in refusal(lambda: client.create_deployment("fraud", uri))
    refusal(lambda: client.update_deployment("fraud", uri))
    refusal(lambda: deployments.run_local("fraud", uri, config={"target": "recording"}))


def test_a_version_that_was_rejected_after_it_was_loaded_is_not_deployed(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "notes.txt").write_text(str(tmp_path))
    version = registry.register(folder)
    uri = f"models:/{version.name}/1"
    mlflow.sklearn.load_model(uri)
    with registry.gate() as gate:
        gate.reject(f"{version.name}/1", actor="ada", reason="leaks its data")
    client = get_deploy_client("tidegate:recording")
    assert "leaks its data" in refusal(lambda: client.create_deployment("fraud", uri))


@on_sqlite
def test_the_question_is_refused_for_what_is_held_by_raw_http_too(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["hostile"])
    answer = registry.call(
        "POST", "model-versions/set-tag",
        name=version.name, version="1", key=DEPLOY_TAG, value="anywhere",
    )  # fmt: skip
    assert answer.status_code == 403
    assert "PICKLE-EXEC" in answer.json()["message"]


@on_sqlite
def test_bytes_exchanged_since_registration_are_not_deployed(
    registry: Any, models: dict[str, Path]
) -> None:
    run = registry.client.create_run("0")
    model = registry.client.create_logged_model("0", source_run_id=run.info.run_id)
    registry.client.log_model_artifacts(model.model_id, str(models["clean"]))
    registry.client.finalize_logged_model(model.model_id, "READY")
    uri = f"models:/{model.model_id}"
    registry.create(registry.name(), uri, run_id=run.info.run_id, model_id=model.model_id)
    client = get_deploy_client("tidegate:recording")
    client.create_deployment("fraud", uri)
    assert deploy_target.deployed.pop("fraud") == uri
    location = model.artifact_location.removeprefix("mlflow-artifacts:/").lstrip("/")
    (registry.server.artifacts / location / "extra.txt").write_text("hello")
    assert "CHANGED" in refusal(lambda: client.create_deployment("fraud", uri))


@on_sqlite
def test_a_folder_is_deployed_only_where_a_ledger_vouches_and_as_it_was_checked(
    registry: Any, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    client = get_deploy_client("tidegate:recording")
    assert "nobody vouches" in refusal(lambda: client.create_deployment("fraud", str(folder)))
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    with Gate.open(ledger=ledger) as gate:
        gate.check(folder, Action.REGISTER, subject="fraud")
    monkeypatch.setenv("TIDEGATE_LEDGER", ledger)
    client.create_deployment("fraud", str(folder))
    handed_on = Path(deploy_target.deployed.pop("fraud"))
    assert handed_on != folder
    assert read_manifest(handed_on).digest == read_manifest(folder).digest
    (folder / "extra.py").write_text("x = 1")
    assert "nobody vouches" in refusal(lambda: client.create_deployment("fraud", str(folder)))


def test_what_may_be_loaded_and_not_promoted_or_deployed_stays_ready(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("schema: 1\nchain: {actions: [alias, stage, deploy]}\n")
    monkeypatch.setenv("TIDEGATE_POLICY", str(policy))
    database = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(database)
    mlflow.set_registry_uri(f"tidegate+{database}")
    client = mlflow.MlflowClient()
    client.create_registered_model("local")
    client.create_model_version("local", str(models["clean"]))
    target = get_deploy_client("tidegate:recording")
    for use in (
        lambda: target.create_deployment("fraud", "models:/local/1"),
        lambda: client.set_registered_model_alias("local", "champion", "1"),
        lambda: client.transition_model_version_stage("local", "1", "Production"),
    ):
        assert "CHAIN-STEP" in refusal(use)
        assert client.get_model_version("local", "1").status == "READY"
    assert mlflow.sklearn.load_model("models:/local/1").predict(EXAMPLE).tolist() == [0]


@on_sqlite
def test_everything_else_is_the_targets_own(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["clean"])
    client = get_deploy_client("tidegate:recording")
    client.create_deployment("fraud", f"models:/{version.name}/1")
    assert client.list_deployments() == [{"name": "fraud"}]
    assert client.get_deployment("fraud") == {"name": "fraud"}
    assert client.update_deployment("fraud", flavor="onnx") == {"flavor": "onnx"}
    assert client.update_deployment("fraud", f"models:/{version.name}/1") == {"flavor": None}
    assert client.health() == "well"
    with pytest.raises(AttributeError, match="ask the target itself"):
        client.deploy_anything("s3://bucket/model")
    with pytest.raises(MlflowException, match="unimplemented"):
        client.list_endpoints()
    client.delete_deployment("fraud")
    assert client.list_deployments() == []
    deployments.run_local(
        "here", f"models:/{version.name}/1", "sklearn", {"target": "recording", "port": 1}
    )
    assert deploy_target.calls[-1] == ("local", ("sklearn", {"port": 1}))


@pytest.mark.parametrize("uri", ["tidegate", "tidegate:", "tidegate:tidegate:recording"])
def test_a_target_that_names_no_other_is_an_error(uri: str) -> None:
    with pytest.raises(MlflowException, match="Name the target"):
        get_deploy_client(uri)


def test_mlflow_knows_the_target_by_its_entry_point() -> None:
    assert "hands on to" in interface._target_help("tidegate")


# MLflow's own commands


def mlflow_command(registry: Any, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlflow", *arguments],
        env=environment({"MLFLOW_TRACKING_URI": registry.server.address, **more}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def held_model(registry: Any, models: dict[str, Path]) -> str:
    """A logged model whose version is held. Without an artifact guard the server serves it."""
    model = registry.client.create_logged_model("0")
    registry.client.log_model_artifacts(model.model_id, str(models["hostile"]))
    registry.client.finalize_logged_model(model.model_id, "READY")
    uri = f"models:/{model.model_id}"
    version = registry.create(registry.name(), uri, model_id=model.model_id)
    assert version.status == "FAILED_REGISTRATION"
    return uri


@on_sqlite
@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["serve", "--env-manager", "local", "--port", "0", "-m"],
        ["build-docker", "-m"],
    ],
)
def test_mlflows_own_commands_do_not_get_what_is_held(
    registry: Any, held_model: str, command: list[str]
) -> None:
    done = mlflow_command(registry, "models", *command, held_model)
    assert done.returncode != 0
    assert "PICKLE-EXEC" in done.stderr
    assert "this must never run" not in done.stdout.splitlines()


@on_sqlite
@pytest.mark.slow
def test_mlflows_own_commands_serve_what_is_clean(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    version = registry.register(models["clean"])
    rows = tmp_path / "rows.json"
    rows.write_text('{"inputs": [[5.1, 3.5, 1.4, 0.2]]}')
    done = mlflow_command(
        registry, "models", "predict", "--env-manager", "local",
        "-m", f"models:/{version.name}/1", "-i", str(rows),
        TIDEGATE_VERIFY_ON_LOAD="require",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"predictions": [0]' in done.stdout
