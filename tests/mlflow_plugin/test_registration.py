"""What happens to a version when it is registered, on a real server with a stock client."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException

READY, FAILED = "READY", "FAILED_REGISTRATION"


@pytest.mark.slow
def test_a_data_scientist_who_logs_a_clean_model_notices_nothing(registry: Any) -> None:
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    name = f"logged-{registry.server.database[:6]}"
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model, name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
    loaded = mlflow.sklearn.load_model(f"models:/{name}/1")
    assert (loaded.predict(X) == model.predict(X)).all()
    assert registry.client.get_model_version(name, "1").status == READY


@pytest.mark.parametrize("kind", ["clean", "clean-pickle"])
def test_a_clean_model_is_ready_and_can_be_used_in_every_way(
    registry: Any, models: dict[str, Path], kind: str
) -> None:
    version = registry.register(models[kind])
    client = registry.client
    assert (version.status, version.status_message) == (READY, None)
    client.set_registered_model_alias(version.name, "champion", version.version)
    assert client.get_model_version_by_alias(version.name, "champion").version == version.version
    client.transition_model_version_stage(version.name, version.version, "Production")
    loaded = mlflow.sklearn.load_model(f"models:/{version.name}@champion")
    assert loaded.predict([[5.1, 3.5, 1.4, 0.2]]).tolist() == [0]


def test_a_hostile_model_is_held_with_rule_file_and_the_way_to_a_review(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["hostile"])
    assert version.status == FAILED
    for part in ("PICKLE-EXEC", "model.pkl", "system", "tidegate review show"):
        assert part in version.status_message
    assert len(version.status_message) <= 500


def test_the_clients_own_waiting_ends_at_once_with_our_message(
    registry: Any, models: dict[str, Path]
) -> None:
    name, source = registry.name(), registry.upload(models["hostile"])
    run_id = source.split("/")[-3]
    with pytest.raises(MlflowException, match=r"FAILED_REGISTRATION.*PICKLE-EXEC"):
        registry.client.create_model_version(name, source, run_id)


@pytest.mark.parametrize("kind", ["hostile", "own-code"])
def test_what_is_held_is_refused_at_every_door(
    registry: Any, models: dict[str, Path], refused: Any, kind: str
) -> None:
    version = registry.register(models[kind])
    client, name, number = registry.client, version.name, version.version
    doors = [
        lambda: client.set_registered_model_alias(name, "champion", number),
        lambda: client.transition_model_version_stage(name, number, "Staging"),
        lambda: client.transition_model_version_stage(name, number, "production"),
        lambda: client.get_model_version_download_uri(name, number),
        lambda: mlflow.sklearn.load_model(f"models:/{name}/{number}"),
        lambda: mlflow.pyfunc.load_model(f"models:/{name}/{number}"),
        lambda: mlflow.artifacts.download_artifacts(f"models:/{name}/{number}"),
    ]
    for door in doors:
        message = refused(door)
        assert "model.pkl" in message
        assert "To mend it" in message
    client.transition_model_version_stage(name, number, "Archived")


def test_a_held_version_can_not_be_copied_and_the_client_is_told_at_once(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["hostile"])
    with pytest.raises(MlflowException, match=r"(?s)PERMISSION_DENIED.*PICKLE-EXEC"):
        registry.client.copy_model_version(f"models:/{version.name}/1", f"{version.name}-copy")
    assert not registry.client.search_model_versions(f"name = '{version.name}-copy'")


def test_a_copy_of_a_clean_version_is_clean(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["clean"])
    copy = registry.client.copy_model_version(
        f"models:/{version.name}/{version.version}", f"{version.name}-copy"
    )
    assert copy.status == READY
    mlflow.sklearn.load_model(f"models:/{copy.name}/{copy.version}")


def test_a_version_without_files_says_so(registry: Any) -> None:
    run = registry.client.create_run("0")
    version = registry.create(registry.name(), f"{run.info.artifact_uri}/model")
    assert version.status == FAILED
    assert "there is no model" in version.status_message


def test_a_logged_model_that_is_still_being_uploaded_says_so(registry: Any) -> None:
    model = registry.client.create_logged_model("0")
    name = registry.name()
    version = registry.client.create_model_version(
        name,
        f"models:/{model.model_id}",
        model_id=model.model_id,
        await_creation_for=0,
    )
    assert version.status == FAILED
    assert "To mend it" in version.status_message


def test_a_link_among_the_files_is_held_with_its_reason(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    source = registry.upload(models["clean"])
    folder = registry.server.artifacts / source.removeprefix("mlflow-artifacts:/").lstrip("/")
    (folder / "loop").symlink_to(folder)
    version = registry.create(registry.name(), source)
    assert version.status == FAILED
    assert "'loop'" in version.status_message
    assert "symbolic link" in version.status_message
    refused(lambda: registry.client.get_model_version_download_uri(version.name, version.version))


def test_an_unknown_format_is_held(registry: Any, models: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "weights.bin").write_bytes(b"\x00\x9f\x92\x96" * 1000)
    version = registry.register(folder)
    assert version.status == FAILED
    assert "UNREAD" in version.status_message


def test_each_registration_leaves_one_decision_and_an_sbom(
    registry: Any, models: dict[str, Path]
) -> None:
    import json

    version = registry.register(models["clean"])
    with registry.gate() as gate:
        dossier = gate.dossier(f"{version.name}/{version.version}")
        (registration,) = [r for r in dossier.registrations if r.name == version.name]
        assert registration.digest == dossier.digest
        assert gate.ledger.decision(registration.decision_id).allowed
        bom = json.loads(gate.ledger.sbom_for(f"{version.name}/{version.version}"))
    assert bom["specVersion"] == "1.6"
    names = {component["name"] for component in bom["components"]}
    assert "scikit-learn" in names


def test_prompts_are_left_to_mlflow(registry: Any) -> None:
    name = f"prompt-{registry.server.database[:6]}"
    mlflow.genai.register_prompt(name, "Answer {{question}} in one word.")
    mlflow.genai.set_prompt_alias(name, "live", 1)
    assert mlflow.genai.load_prompt(f"prompts:/{name}@live").template.startswith("Answer")


def test_errors_of_mlflow_itself_stay_what_they_were(registry: Any) -> None:
    answer = registry.call("GET", "model-versions/get", name="nobody", version="1")
    assert answer.status_code == 404
    answer = registry.call("POST", "model-versions/create", name="nobody", source="/etc")
    assert 400 <= answer.status_code < 500
