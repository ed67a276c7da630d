"""Each way to a model's files that does not ask the registry, from a stock client and by raw HTTP.

Every test runs under uvicorn, where artifacts go through FastAPI's routes, and under gunicorn,
where they go through Flask's.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
AJAX = "/ajax-api/2.0/mlflow-artifacts/artifacts"


def path_of(model: Any, name: str = "") -> str:
    """A logged model's path behind the proxy's route."""
    root = model.artifact_location.removeprefix("mlflow-artifacts:/").lstrip("/")
    return f"{root}/{name}" if name else root


def encoded(text: str) -> str:
    """Every byte as a percent escape."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def assert_refused(answer: tuple[int, bytes] | requests.Response, *words: str) -> None:
    """403, as MLflow's own errors are written, with its reason."""
    if isinstance(answer, requests.Response):
        answer = (answer.status_code, answer.content)
    status, body = answer
    assert status == 403, body
    said = json.loads(body)
    assert said["error_code"] == "PERMISSION_DENIED"
    for word in words:
        assert word in said["message"]


# What is held is not served


def test_a_stock_client_gets_no_byte_of_what_is_held(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    model, version = registry.register_logged(models["hostile"])
    assert version.status == "FAILED_REGISTRATION"
    for number, attempt in enumerate(
        (
            lambda to: mlflow.artifacts.download_artifacts(version.source, dst_path=to),
            lambda to: mlflow.artifacts.download_artifacts(model.artifact_location, dst_path=to),
            lambda to: mlflow.artifacts.download_artifacts(
                f"{model.artifact_location}/model.pkl", dst_path=to
            ),
            lambda to: mlflow.pyfunc.load_model(f"models:/{model.model_id}"),
            lambda to: mlflow.sklearn.load_model(version.source),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(MlflowException, match="PICKLE-EXEC"):
            attempt(str(folder))
        assert not any(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_runs_files_are_not_served_once_a_model_among_them_is_held(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["hostile"])
    run_id = version.source.split("/")[-3]
    registry.client.log_text(run_id, "hello", "notes.txt")
    # Of a run's files MLflow's own client says only that there are none to be had.
    with pytest.raises(MlflowException, match=r"Failed to download|PICKLE-EXEC"):
        mlflow.artifacts.download_artifacts(f"runs:/{run_id}/model/model.pkl")
    assert_refused(
        requests.get(
            f"{registry.server.address}/get-artifact",
            params={"run_id": run_id, "path": "model/model.pkl"},
            timeout=30,
        ),
        "PICKLE-EXEC",
        "tidegate review show",
    )
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes.txt") == "hello"


def test_each_route_to_a_held_models_files_is_refused_with_the_reason(
    registry: Any, models: dict[str, Path]
) -> None:
    model, version = registry.register_logged(models["hostile"])
    name = "artifact_file_path=model.pkl"
    for path in (
        f"{PROXY}/{path_of(model, 'model.pkl')}",
        f"{AJAX}/{path_of(model, 'model.pkl')}",
        f"/ajax-api/2.0/mlflow/logged-models/{model.model_id}/artifacts/files?{name}",
        f"/model-versions/get-artifact?name={version.name}&version=1&path=model.pkl",
    ):
        assert_refused(registry.raw("GET", path), "PICKLE-EXEC", "model.pkl", "To mend it")
    for path in (
        f"/api/2.0/mlflow-artifacts/presigned/{path_of(model, 'model.pkl')}",
        f"/ajax-api/2.0/mlflow-artifacts/presigned/{path_of(model, 'model.pkl')}",
    ):
        # This store makes no such addresses; where one does, the guard is asked first.
        status, body = registry.raw("GET", path)
        assert status // 100 in {4, 5}
        assert b"presigned_url" not in body


@pytest.mark.parametrize("twin", ["model%5C", "%5Cmodel", "model%255C", "mod%2565l"])
def test_a_clean_twin_under_another_spelling_opens_nothing(
    registry: Any, models: dict[str, Path], twin: str
) -> None:
    version = registry.register(models["hostile"])
    run_id = version.source.split("/")[-3]
    root = registry.client.get_run(run_id).info.artifact_uri
    with pytest.raises(MlflowException, match="read in two ways"):
        registry.client.create_model_version(version.name, f"{root}/{twin}", run_id=run_id)
    with pytest.raises(MlflowException, match="read in two ways"):
        registry.client.create_model_version(version.name, f"runs:/{run_id}/{twin}", run_id=run_id)
    path = f"{root.removeprefix('mlflow-artifacts:/').lstrip('/')}/model/model.pkl"
    assert_refused(registry.raw("GET", f"{PROXY}/{path}"), "PICKLE-EXEC")


def test_an_experiment_with_a_space_in_its_place_is_scanned_and_guarded(
    registry: Any, models: dict[str, Path]
) -> None:
    client, name = registry.client, f"spaced-{uuid.uuid4().hex}"
    where = f"mlflow-artifacts:/{name}/my%20team"
    experiment = client.create_experiment(name, artifact_location=where)
    run = client.create_run(experiment).info
    client.log_artifacts(run.run_id, str(models["hostile"]), "model")
    client.create_registered_model(name)
    with pytest.raises(MlflowException, match="PICKLE-EXEC"):
        client.create_model_version(name, f"{run.artifact_uri}/model", run_id=run.run_id)
    path = f"{name}/my%20team/{run.run_id}/artifacts/model/model.pkl"
    assert_refused(registry.raw("GET", f"{PROXY}/{path}"), "PICKLE-EXEC")


def test_what_was_registered_before_it_was_logged_can_be_logged_and_registered_still(
    registry: Any, models: dict[str, Path]
) -> None:
    client = registry.client
    run_id = client.create_run("0").info.run_id
    name = f"early-{uuid.uuid4().hex}"
    client.create_registered_model(name)
    with pytest.raises(MlflowException, match="there is no model at"):
        client.create_model_version(name, f"runs:/{run_id}/model", run_id=run_id)
    client.log_artifacts(run_id, str(models["clean"]), "model")
    later = client.create_model_version(name, f"runs:/{run_id}/model", run_id=run_id)
    assert later.status == "READY"


SPELLINGS = [
    pytest.param(lambda path: path, id="plain"),
    pytest.param(lambda path: path.replace("/", "//"), id="doubled slashes"),
    pytest.param(lambda path: path.replace("/", "/./"), id="dots"),
    pytest.param(lambda path: path.replace("/models", "/%2e/models"), id="escaped dots"),
    pytest.param(lambda path: path.replace("/", "%2f"), id="escaped slashes"),
    pytest.param(lambda path: path.replace("/", "%252F"), id="slashes escaped twice"),
    pytest.param(encoded, id="all escaped"),
    pytest.param(lambda path: quote(encoded(path), safe=""), id="all escaped twice"),
    pytest.param(lambda path: quote(quote(encoded(path), safe=""), safe=""), id="three times"),
    pytest.param(lambda path: path + "/", id="trailing slash"),
    pytest.param(lambda path: path + "/.", id="trailing dot"),
    pytest.param(lambda path: path + "%3f", id="trailing question mark"),
    pytest.param(lambda path: path + "%23", id="trailing hash"),
    pytest.param(lambda path: path + ";x", id="trailing parameter"),
    pytest.param(lambda path: path.replace("/", "\\"), id="backslashes"),
    pytest.param(lambda path: path.replace("/", "%5c"), id="escaped backslashes"),
    pytest.param(lambda path: "x/../" + path, id="up"),
    pytest.param(lambda path: "x/%2e%2e/" + path, id="escaped up"),
    pytest.param(lambda path: "x/..%2f" + path, id="half escaped up"),
    pytest.param(lambda path: "/" + path, id="leading slash"),
    pytest.param(lambda path: "%2f" + path, id="escaped leading slash"),
    pytest.param(lambda path: path.replace("models", "MODELS"), id="case"),
    pytest.param(lambda path: path.replace("models", "mo%00dels"), id="zero"),
    pytest.param(lambda path: path.replace("models", "%EF%BD%8Dodels"), id="full width letter"),
    pytest.param(lambda path: path.replace("/", "%c0%af"), id="overlong slash"),
    pytest.param(lambda path: path.replace("/", "%e2%88%95"), id="division slash"),
    pytest.param(lambda path: "workspaces/default/" + path, id="a workspace before it"),
    pytest.param(lambda path: "file:///" + path, id="a scheme before it"),
    pytest.param(lambda path: "%66ile:" + path, id="an escaped scheme before it"),
]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_no_spelling_of_a_path_gets_at_held_bytes(
    registry: Any, models: dict[str, Path], spell: Any, held_model: Any
) -> None:
    secret = (models["hostile"] / "model.pkl").read_bytes()
    for route in (PROXY, AJAX):
        for verb in ("GET", "HEAD", "POST"):
            status, body = registry.raw(verb, f"{route}/{spell(path_of(held_model, 'model.pkl'))}")
            assert status != 200 or verb == "HEAD", body
            assert secret not in body


@pytest.mark.parametrize("spell", SPELLINGS)
def test_no_spelling_of_a_path_changes_registered_bytes(
    registry: Any, models: dict[str, Path], spell: Any, clean_version: tuple[Any, Any]
) -> None:
    model, version = clean_version
    logged = registry.server.artifacts / path_of(model)
    loaded = registry.bytes_of(version)

    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for at in (logged, loaded) for path in at.rglob("*.*")}

    before = everything()
    for target in (path_of(model, "MLmodel"), path_of(model, "new.txt")):
        for route in (PROXY, AJAX):
            registry.raw("PUT", f"{route}/{spell(target)}", b"changed")
            registry.raw("DELETE", f"{route}/{spell(target)}", b"{}")
            registry.raw("DELETE", f"{route}/{spell(path_of(model))}", b"{}")
    kept = f"0/tidegate-kept/{loaded.name}/MLmodel"
    registry.raw("PUT", f"{PROXY}/{spell(kept.replace('tidegate', 'models'))}", b"changed")
    registry.raw("PUT", f"{PROXY}/{spell(kept)}", b"changed")
    registry.raw("DELETE", f"{PROXY}/{spell(f'0/tidegate-kept/{loaded.name}')}", b"{}")
    assert everything() == before


@pytest.fixture
def held_model(registry: Any, models: dict[str, Path], once: dict[str, Any]) -> Any:
    key = f"held {registry.server.address}"
    if key not in once:
        once[key] = registry.register_logged(models["hostile"])[0]
    return once[key]


@pytest.fixture
def clean_version(registry: Any, models: dict[str, Path], once: dict[str, Any]) -> tuple[Any, Any]:
    key = f"clean {registry.server.address}"
    if key not in once:
        once[key] = registry.register_logged(models["clean"])
    return once[key]


@pytest.fixture(scope="session")
def once() -> dict[str, Any]:
    """What several tests look at and none changes."""
    return {}


# What is registered does not change


def test_a_stock_client_can_not_change_registered_bytes(
    registry: Any, models: dict[str, Path], clean_version: tuple[Any, Any]
) -> None:
    model, version = clean_version
    client = registry.client
    for attempt in (
        lambda: client.log_model_artifact(model.model_id, str(models["hostile"] / "model.pkl")),
        lambda: client.log_model_artifacts(model.model_id, str(models["hostile"])),
        lambda: mlflow.models.update_model_requirements(
            f"models:/{model.model_id}", "add", ["evil"]
        ),
        lambda: mlflow.models.set_signature(
            f"models:/{model.model_id}",
            mlflow.models.infer_signature([[1.0]], [1]),
        ),
    ):
        with pytest.raises(Exception, match="neither changed nor deleted"):
            attempt()
    assert mlflow.sklearn.load_model(f"models:/{version.name}/1").predict([[5, 3, 1, 0.2]]) == [0]


def test_a_runs_registered_folder_is_frozen_and_the_rest_of_the_run_is_not(
    registry: Any, models: dict[str, Path]
) -> None:
    version = registry.register(models["clean"])
    run_id = version.source.split("/")[-3]
    with pytest.raises(Exception, match="neither changed nor deleted"):
        registry.client.log_text(run_id, "evil", "model/requirements.txt")
    with pytest.raises(Exception, match="neither changed nor deleted"):
        registry.client.log_artifacts(run_id, str(models["hostile"]), "model")
    registry.client.log_text(run_id, "fine", "notes.txt")
    address = f"{registry.server.address}/ajax-api/2.0/mlflow/upload-artifact"
    answers = {
        path: requests.post(
            address, params={"run_uuid": run_id, "path": path}, data=b"evil", timeout=30
        )
        for path in ("model/MLmodel", "model/./MLmodel", "model/new/x.txt", "elsewhere/x.txt")
    }
    assert_refused(answers["model/MLmodel"])
    assert_refused(answers["model/./MLmodel"])
    assert_refused(answers["model/new/x.txt"])
    assert answers["elsewhere/x.txt"].status_code == 200


@pytest.mark.parametrize("step", ["create", "complete", "abort"])
def test_an_upload_in_parts_into_registered_bytes_is_not_made(
    registry: Any, clean_version: tuple[Any, Any], step: str
) -> None:
    model, _ = clean_version
    body = json.dumps(
        {"path": "MLmodel", "num_parts": 1, "upload_id": "1", "parts": [{"part_number": 1}]}
    ).encode()
    for path in (path_of(model), "0/models"):
        status, said = registry.raw("POST", f"/api/2.0/mlflow-artifacts/mpu/{step}/{path}", body)
        # A local disk takes none; the guard in a store that does is tried in test_repositories.
        assert status // 100 != 2, said


def test_a_folder_above_registered_bytes_is_not_deleted(
    registry: Any, clean_version: tuple[Any, Any]
) -> None:
    model, version = clean_version
    for path in ("0/models", "0", path_of(model), "0/./models/", "0//models"):
        assert_refused(registry.raw("DELETE", f"{PROXY}/{path}", b"{}"), "neither changed")
    status, _ = registry.raw("DELETE", f"{PROXY}/.", b"{}")
    assert status // 100 == 4
    assert registry.bytes_of(version).is_dir()


def test_what_is_not_registered_is_written_read_and_deleted_as_ever(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    model = registry.log(models["hostile"])
    registry.client.log_model_artifact(model.model_id, str(models["clean"] / "MLmodel"))
    mlflow.artifacts.download_artifacts(f"models:/{model.model_id}", dst_path=str(tmp_path))
    assert (tmp_path / "model.pkl").is_file()
    assert registry.raw("DELETE", f"{PROXY}/{path_of(model)}", b"{}")[0] == 200


def test_a_deleted_versions_clean_files_may_be_deleted_too(
    registry: Any, models: dict[str, Path]
) -> None:
    model, version = registry.register_logged(models["clean-pickle"])
    path = f"{PROXY}/{path_of(model)}"
    assert_refused(registry.raw("DELETE", path, b"{}"))
    registry.client.delete_model_version(version.name, version.version)
    assert registry.raw("DELETE", path, b"{}")[0] == 200


def test_held_files_stay_held_and_in_place_when_their_version_is_deleted(
    registry: Any, models: dict[str, Path]
) -> None:
    model, version = registry.register_logged(models["hostile"])
    registry.client.delete_registered_model(version.name)
    assert_refused(registry.raw("GET", f"{PROXY}/{path_of(model, 'model.pkl')}"), "PICKLE-EXEC")
    assert_refused(registry.raw("DELETE", f"{PROXY}/{path_of(model)}", b"{}"), "review")
    assert_refused(registry.raw("PUT", f"{PROXY}/{path_of(model, 'model.pkl')}", b"x"), "review")


def test_an_upload_that_ends_after_its_registration_does_not_arrive(
    registry: Any, models: dict[str, Path]
) -> None:
    model = registry.log(models["clean"])
    go_on = threading.Event()

    def slowly() -> Any:
        yield b"begun before"
        go_on.wait(60)
        yield b"ended after"

    answers: list[requests.Response] = []
    address = f"{registry.server.address}{PROXY}/{path_of(model, 'MLmodel')}"
    upload = threading.Thread(
        target=lambda: answers.append(requests.put(address, data=slowly(), timeout=120))
    )
    upload.start()
    time.sleep(0.5)
    version = registry.client.create_model_version(
        registry.name(), f"models:/{model.model_id}", model_id=model.model_id, await_creation_for=0
    )
    go_on.set()
    upload.join()
    if version.status == "READY":
        assert_refused(answers[0], "neither changed nor deleted")
        logged = registry.server.artifacts / path_of(model, "MLmodel")
        assert logged.read_bytes() == (models["clean"] / "MLmodel").read_bytes()
    else:
        # Its bytes so far lie in the folder while they arrive.
        assert "artifact.uploading" in version.status_message or "read" in version.status_message


def test_a_large_upload_that_is_refused_still_brings_its_reason(
    registry: Any, clean_version: tuple[Any, Any], tmp_path: Path
) -> None:
    model, _ = clean_version
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(24 << 20))
    with pytest.raises(Exception, match="neither changed nor deleted"):
        registry.client.log_model_artifact(model.model_id, str(large))


# Reviews and revocations reach the guard


def test_a_review_opens_and_a_rejection_closes_the_files_at_once(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["own-code"], folder)
    (folder / "note.txt").write_text(uuid.uuid4().hex)
    model, version = registry.register_logged(folder)
    path = f"{PROXY}/{path_of(model, 'model.pkl')}"
    assert_refused(registry.raw("GET", path), "PICKLE-UNREVIEWED-CODE")
    subject = f"{version.name}/{version.version}"
    with registry.gate() as gate:
        gate.approve(subject, actor="ada", reason="read it")
        assert registry.raw("GET", path)[0] == 200
        gate.reject(subject, actor="ada", reason="read it again")
        assert_refused(registry.raw("GET", path), "ada")


def test_a_copy_is_served_no_longer_than_its_version(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "note.txt").write_text(uuid.uuid4().hex)
    _, version = registry.register_logged(folder)
    copy = registry.client.get_model_version_download_uri(version.name, "1")
    path = f"{PROXY}/{copy.removeprefix('mlflow-artifacts:/')}/MLmodel"
    assert registry.raw("GET", path)[0] == 200
    with registry.gate() as gate:
        gate.reject(f"{version.name}/1", actor="ada", reason="trained on leaked data")
    assert_refused(registry.raw("GET", path), "leaked data")


# Other ways that end at the same files


def test_an_experiment_laid_over_a_held_model_serves_nothing(
    registry: Any, models: dict[str, Path]
) -> None:
    model, _ = registry.register_logged(models["hostile"])
    experiment = registry.client.create_experiment(
        f"over-{uuid.uuid4().hex[:8]}", artifact_location=model.artifact_location
    )
    run = registry.client.create_run(experiment)
    assert run.info.artifact_uri.startswith(model.artifact_location)
    with pytest.raises(Exception, match="neither changed nor deleted"):
        registry.client.log_text(run.info.run_id, "x", "x.txt")
    (registry.server.artifacts / path_of(model) / run.info.run_id / "artifacts").mkdir(parents=True)
    (registry.server.artifacts / path_of(model) / run.info.run_id / "artifacts/x").write_text("x")
    assert_refused(
        requests.get(
            f"{registry.server.address}/get-artifact",
            params={"run_id": run.info.run_id, "path": "x"},
            timeout=30,
        ),
        "PICKLE-EXEC",
    )


def test_a_trace_laid_over_a_held_model_serves_nothing(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["hostile"], folder)
    secret = json.dumps({"spans": [], "secret": uuid.uuid4().hex})
    (folder / "traces.json").write_text(secret)
    model, version = registry.register_logged(folder)
    assert version.status == "FAILED_REGISTRATION"
    trace_id = f"tr-{uuid.uuid4().hex}"
    body = {
        "trace": {
            "trace_info": {
                "trace_id": trace_id,
                "trace_location": {
                    "type": "MLFLOW_EXPERIMENT",
                    "mlflow_experiment": {"experiment_id": "0"},
                },
                "request_time": "2026-01-01T00:00:00Z",
                "state": "OK",
            }
        }
    }
    made = requests.post(f"{registry.server.address}/api/3.0/mlflow/traces", json=body, timeout=30)
    assert made.status_code == 200, made.text
    laid = requests.patch(
        f"{registry.server.address}/api/3.0/mlflow/traces/{trace_id}/tags",
        json={"key": "mlflow.artifactLocation", "value": model.artifact_location},
        timeout=30,
    )
    assert laid.status_code == 200, laid.text
    for route in ("ajax-api/2.0", "ajax-api/3.0"):
        answer = registry.raw("GET", f"/{route}/mlflow/get-trace-artifact?request_id={trace_id}")
        assert_refused(answer, "PICKLE-EXEC")
