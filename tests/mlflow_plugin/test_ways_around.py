"""What a user with ordinary rights may try against the registry, and what he gets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
import sqlalchemy

from tidegate.artifact import read_manifest
from tidegate_mlflow.names import DIGEST_TAG

FAILED = "FAILED_REGISTRATION"


def exchange(file: Path, other: Path) -> None:
    """Put other bytes in a file's place, as somebody with rights on the disk can."""
    file.unlink()
    shutil.copy(other, file)


def test_bytes_exchanged_after_registration_are_refused_although_they_are_clean(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["clean"])
    folder = registry.bytes_of(version)
    registry.register(models["clean-pickle"])
    exchange(folder / "model.skops", models["clean-pickle"] / "model.pkl")
    message = refused(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))
    assert "CHANGED" in message
    refused(lambda: registry.client.set_registered_model_alias(version.name, "a", "1"))


def test_bytes_exchanged_where_they_were_logged_change_nothing_that_is_loaded(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["clean"])
    logged = registry.logged_bytes_of(version)
    exchange(logged / "model.skops", models["hostile"] / "model.pkl")
    shutil.copy(models["hostile"] / "MLmodel", logged / "MLmodel")
    loaded = mlflow.sklearn.load_model(f"models:/{version.name}/1")
    assert loaded.predict([[5.1, 3.5, 1.4, 0.2]]).tolist() == [0]
    shutil.rmtree(logged)
    mlflow.sklearn.load_model(f"models:/{version.name}/1")


def test_a_file_added_after_registration_is_noticed(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["clean"])
    (registry.bytes_of(version) / "extra.txt").write_text("hello")
    refused(lambda: registry.client.get_model_version_download_uri(version.name, "1"))


def test_a_model_removed_after_registration_is_refused_with_a_reason(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["clean"])
    shutil.rmtree(registry.bytes_of(version))
    assert "there is no model" in refused(
        lambda: registry.client.get_model_version_download_uri(version.name, "1")
    )


def test_renaming_a_model_does_not_loosen_its_versions(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["clean"])
    new = f"{version.name}-renamed"
    folder = registry.bytes_of(version)
    registry.client.rename_registered_model(version.name, new)
    mlflow.sklearn.load_model(f"models:/{new}/1")
    exchange(folder / "model.skops", models["clean-pickle"] / "model.pkl")
    assert "CHANGED" in refused(lambda: mlflow.sklearn.load_model(f"models:/{new}/1"))


def test_deleting_and_making_anew_inherits_nothing(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["clean"])
    registry.client.delete_registered_model(version.name)
    registry.client.create_registered_model(version.name)
    again = registry.register(models["hostile"], version.name)
    assert (again.version, again.status) == (version.version, FAILED)
    refused(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))


def test_a_version_whose_scan_never_ended_is_refused(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["clean"])
    engine = sqlalchemy.create_engine(registry.server.database)
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "UPDATE model_versions SET status = 'PENDING_REGISTRATION' WHERE name = :n"
            ),
            {"n": version.name},
        )
    engine.dispose()
    assert "has not ended" in refused(
        lambda: registry.client.get_model_version_download_uri(version.name, "1")
    )


@pytest.mark.parametrize("key", ["tidegate.verdict", "TIDEGATE.verdict", "tidegate."])
def test_our_tags_can_be_neither_set_nor_deleted(
    registry: Any, models: dict[str, Path], refused: Any, key: str
) -> None:
    version = registry.register(models["clean"])
    client, name = registry.client, version.name
    for attempt in (
        lambda: client.set_model_version_tag(name, "1", key, "pass"),
        lambda: client.delete_model_version_tag(name, "1", key),
        lambda: client.set_registered_model_tag(name, key, "pass"),
        lambda: client.delete_registered_model_tag(name, key),
    ):
        assert "kept by Tidegate" in refused(attempt)


def test_our_tags_are_dropped_from_what_is_created_and_others_are_kept(
    registry: Any, models: dict[str, Path]
) -> None:
    given = {"tidegate.verdict": "pass", "team": "fraud", DIGEST_TAG: f"sha256:{'0' * 64}"}
    version = registry.register(models["hostile"], tags=given)
    assert version.status == FAILED
    assert version.tags == {"team": "fraud", DIGEST_TAG: read_manifest(models["hostile"]).digest}
    made = registry.client.create_registered_model(f"{version.name}-2", tags=given)
    assert made.tags == {"team": "fraud"}


def test_other_tags_work_as_ever(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["clean"])
    registry.client.set_model_version_tag(version.name, "1", "owner", "ada")
    registry.client.set_registered_model_tag(version.name, "team", "fraud")
    ours = {DIGEST_TAG: read_manifest(models["clean"]).digest}
    tags = registry.client.get_model_version(version.name, "1").tags
    assert tags == {"owner": "ada"} | ours
    registry.client.delete_model_version_tag(version.name, "1", "owner")
    assert registry.client.get_model_version(version.name, "1").tags == ours


def test_a_model_can_not_be_dressed_up_as_a_prompt(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["clean"])
    name, tag = version.name, "mlflow.prompt.is_prompt"
    for route, fields in (
        ("model-versions/set-tag", {"name": name, "version": "1", "key": tag, "value": "true"}),
        ("registered-models/set-tag", {"name": name, "key": tag, "value": "true"}),
    ):
        answer = registry.call("POST", route, **fields)
        assert answer.status_code == 400, answer.text
        assert "Tidegate" in answer.json()["message"]
    assert registry.client.search_model_versions(f"name = '{name}'")


def test_a_real_model_under_a_prompts_name_is_refused(
    registry: Any, models: dict[str, Path]
) -> None:
    name = f"prompt-{registry.server.folder.name}"
    mlflow.genai.register_prompt(name, "Say {{word}}.")
    source = registry.upload(models["hostile"])
    answer = registry.call("POST", "model-versions/create", name=name, source=source,
                           run_id=source.split("/")[-3])  # fmt: skip
    assert answer.status_code == 400
    assert "prompt" in answer.json()["message"]


@pytest.mark.parametrize("source", ["dummy-source", "prompt-template"])
def test_a_prompts_placeholder_makes_no_ready_version_of_a_model(
    registry: Any, source: str
) -> None:
    name = registry.name()
    answer = registry.call("POST", "model-versions/create", name=name, source=source)
    assert answer.status_code == 400, answer.text
    assert registry.client.search_model_versions(f"name = '{name}'") == []


def test_a_decision_is_not_given_to_a_version_made_anew_during_the_scan(
    models: dict[str, Path], tmp_path: Path
) -> None:
    from mlflow.exceptions import MlflowException

    from tidegate_mlflow import artifacts
    from tidegate_mlflow.store import GatedStore

    store = GatedStore(f"sqlite:///{tmp_path}/mlflow.db")
    store.create_registered_model("race")
    real, raced = artifacts.on_disk, []

    def exchange(uri: str) -> Any:
        if not raced:
            raced.append(uri)
            store.delete_registered_model("race")
            store.create_registered_model("race")
            assert store.create_model_version("race", str(models["hostile"])).status == FAILED
        return real(uri)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "on_disk", exchange)
        with pytest.raises(MlflowException, match="was changed while it was scanned"):
            store.create_model_version("race", str(models["clean"]))
    assert store.get_model_version("race", "1").status == FAILED
    store.gate.close()


def test_no_refusal_is_a_server_error(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["hostile"])
    name = version.name
    answers = [
        registry.call("GET", "model-versions/get-download-uri", name=name, version="1"),
        registry.call("POST", "registered-models/alias", name=name, alias="a", version="1"),
        registry.call(
            "POST",
            "model-versions/transition-stage",
            name=name,
            version="1",
            stage="Production",
            archive_existing_versions="false",
        ),
        registry.call("POST", "model-versions/create", name=name, source=f"models:/{name}/1"),
        registry.call("POST", "model-versions/create", name=name, source="models:/m-nothing"),
        registry.call("POST", "model-versions/create", name="a\x00b", source="models:/m-nothing"),
        registry.call("POST", "model-versions/create", name=name, source="models:/nobody/1"),
        registry.call("POST", "model-versions/create", name=name, source="models:/nobody@x"),
        registry.call("POST", "model-versions/create", name=name, source="mlflow-artifacts:/../.."),
        registry.call("GET", "model-versions/get-download-uri", name=name, version="zero"),
    ]
    assert {answer.status_code // 100 for answer in answers} == {4}, [a.text for a in answers]
    assert all(answer.json()["message"] for answer in answers)


@pytest.mark.parametrize("source", ["s3://nowhere/x", "ftp://127.0.0.1:1/x", "hdfs://nowhere/x"])
def test_a_source_that_the_server_can_not_read_is_never_ready(registry: Any, source: str) -> None:
    answer = registry.call("POST", "model-versions/create", name=registry.name(), source=source)
    if answer.status_code == 200:
        version = answer.json()["model_version"]
        assert version["status"] == FAILED
        assert "Tidegate" in version["status_message"]
    else:
        assert answer.status_code // 100 == 4, answer.text


def test_an_alias_and_a_stage_from_before_a_rejection_lead_no_further(
    registry: Any, models: dict[str, Path], refused: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "note.txt").write_text(f"rejected later, on {registry.server.folder.name}")
    version = registry.register(folder)
    client, name = registry.client, version.name
    client.set_registered_model_alias(name, "champion", "1")
    client.transition_model_version_stage(name, "1", "Production")
    assert client.get_model_version_by_alias(name, "champion").status == "READY"
    assert client.get_latest_versions(name)[0].status == "READY"
    with registry.gate() as gate:
        gate.reject(f"{name}/1", actor="ada", reason="trained on leaked data")
    (latest,) = client.get_latest_versions(name, ["Production"])
    assert latest.status == FAILED
    assert "leaked data" in latest.status_message
    assert "leaked data" in refused(lambda: client.get_model_version_by_alias(name, "champion"))
    refused(lambda: mlflow.sklearn.load_model(f"models:/{name}@champion"))
    refused(lambda: mlflow.sklearn.load_model(f"models:/{name}/Production"))


@pytest.mark.parametrize("source", ["mlflow-artifacts:/", "s3://bucket", "s3://bucket/"])
def test_a_whole_store_is_no_model(registry: Any, source: str) -> None:
    answer = registry.call("POST", "model-versions/create", name=registry.name(), source=source)
    assert answer.status_code == 400, answer.text
