"""What a client that has Tidegate loads is what was registered, let go, and not changed on the
way; and whoever has no gated registry notices nothing.
"""

from __future__ import annotations

import logging
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from samples.servers import mlflow_server

from tidegate.artifact import read_manifest
from tidegate.gate import Gate
from tidegate.policy import Action
from tidegate.recall import recall
from tidegate_mlflow import client_host, on_load, vouching
from tidegate_mlflow.names import DIGEST_TAG

# What is about the client alone is shown on one database.
on_sqlite = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

EXAMPLE = [[5.1, 3.5, 1.4, 0.2]]


class Touches:
    """Unpickling it makes a file, so that a test sees whether that happened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class Heard(logging.Handler):
    """What Tidegate says in the client's log."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def any(self, text: str) -> bool:
        return any(text in line for line in self.lines)


@pytest.fixture
def heard() -> Iterator[Heard]:
    logger = logging.getLogger("mlflow.tidegate_mlflow")
    handler, level = Heard(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    on_load._say_that_it_is_off.cache_clear()
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    vouching._whole.clear()
    yield
    vouching._gate.cache_clear()


def held_back(attempt: Callable[[], Any]) -> str:
    """Expects a refusal, by the server or on this side, and returns its message."""
    with pytest.raises(MlflowException) as caught:
        attempt()
    # A refusal by the server's artifact routes comes within an error of MLflow's client.
    assert "PERMISSION_DENIED" in f"{caught.value.error_code} {caught.value}"
    return str(caught.value.message)


def served(registry: Any, version: Any) -> Path:
    """Where the bytes lie that the server gives out for a version."""
    uri = registry.client.get_model_version_download_uri(version.name, version.version)
    return registry.server.artifacts / uri.removeprefix("mlflow-artifacts:/").lstrip("/")


def writable(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | 0o600)


@pytest.fixture
def on_the_way(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Does something to the artifact store after the registry has said yes, before the download."""

    def arrange(act: Callable[[], None]) -> None:
        real = client_host.ModelsArtifactRepository._get_model_uri_infos

        def infos(uri: str) -> Any:
            said = real(uri)
            act()
            return said

        monkeypatch.setattr(
            client_host.ModelsArtifactRepository, "_get_model_uri_infos", staticmethod(infos)
        )

    return arrange


@pytest.fixture
def logged(registry: Any, models: dict[str, Path]) -> Callable[[str], tuple[str, str]]:
    """Logs a model's folder as a logged model; its id and its artifacts' location."""

    def log(kind: str) -> tuple[str, str]:
        model = registry.client.create_logged_model("0", name=f"logged-{kind}")
        registry.client.log_model_artifacts(model.model_id, str(models[kind]))
        registry.client.finalize_logged_model(model.model_id, "READY")
        return model.model_id, model.artifact_location

    return log


# What is clean


def test_it_is_in_force_wherever_tidegate_is_installed() -> None:
    assert on_load.is_in_force()


def test_another_package_in_our_place_is_said_aloud(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client_host.repositories(), "models", client_host.ModelsArtifactRepository)
    assert not on_load.is_in_force()
    assert heard.any("does NOT verify")


@pytest.mark.parametrize("reference", ["1", "@champion", "Production", "latest"])
def test_a_clean_version_is_vouched_for_and_loads_by_every_name(
    registry: Any, models: dict[str, Path], heard: Heard, reference: str
) -> None:
    version = registry.register(models["clean"])
    registry.client.set_registered_model_alias(version.name, "champion", "1")
    registry.client.transition_model_version_stage(version.name, "1", "Production")
    uri = f"models:/{version.name}{'' if reference.startswith('@') else '/'}{reference}"
    assert mlflow.sklearn.load_model(uri).predict(EXAMPLE).tolist() == [0]
    assert mlflow.pyfunc.load_model(uri).predict(EXAMPLE).tolist() == [0]
    assert heard.any(f"vouched for by the registry's version {version.name}/1")


def test_a_logged_model_is_vouched_for_by_the_version_that_came_from_it(
    registry: Any, logged: Any, heard: Heard
) -> None:
    model_id, _ = logged("clean")
    assert mlflow.sklearn.load_model(f"models:/{model_id}").predict(EXAMPLE).tolist() == [0]
    assert heard.lines == []
    version = registry.create(registry.name(), f"models:/{model_id}", model_id=model_id)
    assert mlflow.sklearn.load_model(f"models:/{model_id}").predict(EXAMPLE).tolist() == [0]
    assert heard.any(f"vouched for by the registry's version {version.name}/1")


@on_sqlite
def test_a_runs_folder_is_vouched_for_by_the_version_that_came_from_it(
    registry: Any, models: dict[str, Path], heard: Heard
) -> None:
    version = registry.register(models["clean"])
    run_id = version.source.split("/")[-3]
    assert mlflow.sklearn.load_model(f"runs:/{run_id}/model").predict(EXAMPLE).tolist() == [0]
    assert heard.any(f"runs:/{run_id}/model: {read_manifest(models['clean']).digest[:19]}")


@on_sqlite
def test_a_download_lies_where_mlflow_would_put_it(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    version = registry.register(models["clean"])
    uri = f"models:/{version.name}/1"
    assert mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)) == str(tmp_path)
    names = {path.name for path in models["clean"].iterdir()} | {"registered_model_meta"}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)) == str(tmp_path)
    part = mlflow.artifacts.download_artifacts(f"{uri}/MLmodel", dst_path=str(tmp_path / "part"))
    assert Path(part) == tmp_path / "part" / "MLmodel"
    assert "sklearn" in mlflow.artifacts.load_text(f"{uri}/MLmodel")
    assert "sklearn" in mlflow.models.get_model_info(uri).flavors


# What is not


def test_bytes_exchanged_on_the_way_are_never_unpickled(
    registry: Any, models: dict[str, Path], on_the_way: Any, tmp_path: Path
) -> None:
    version = registry.register(models["clean-pickle"])
    folder, mark = served(registry, version), tmp_path / "unpickled"

    def exchange() -> None:
        writable(folder)
        (folder / "model.pkl").write_bytes(pickle.dumps(Touches(mark)))

    on_the_way(exchange)
    into = tmp_path / "into"
    into.mkdir()
    for load in (
        lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"),
        lambda: mlflow.pyfunc.load_model(f"models:/{version.name}/1"),
        lambda: mlflow.pyfunc.load_model(f"models:/{version.name}/1", dst_path=str(into)),
    ):
        shutil.copytree(models["clean-pickle"], folder, dirs_exist_ok=True)
        message = held_back(load)
        assert "CHANGED" in message
        assert version.name in message
        assert "To mend it" in message
    assert not mark.exists()
    assert list(into.iterdir()) == []


@on_sqlite
def test_the_same_exchange_is_unpickled_where_verification_is_off(
    registry: Any,
    models: dict[str, Path],
    on_the_way: Any,
    tmp_path: Path,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "off")
    version = registry.register(models["clean-pickle"])
    folder, mark = served(registry, version), tmp_path / "unpickled"

    def exchange() -> None:
        writable(folder)
        (folder / "model.pkl").write_bytes(pickle.dumps(Touches(mark)))

    on_the_way(exchange)
    mlflow.sklearn.load_model(f"models:/{version.name}/1")
    assert mark.exists()
    assert sum("TIDEGATE_VERIFY_ON_LOAD=off" in line for line in heard.lines) == 1


@on_sqlite
@pytest.mark.parametrize("what", ["another file", "one file less", "a link"])
def test_any_difference_to_the_registered_files_is_refused(
    registry: Any, models: dict[str, Path], on_the_way: Any, what: str
) -> None:
    version = registry.register(models["clean"])
    folder = served(registry, version)
    (folder / "sub").mkdir(exist_ok=True)
    acts: dict[str, Callable[[], None]] = {
        "another file": lambda: (folder / "sub" / "extra.py").write_text("x = 1"),
        "one file less": lambda: (folder / "requirements.txt").unlink(missing_ok=True),
        "a link": lambda: (folder / "sub" / "a").symlink_to(folder / "MLmodel"),
    }
    on_the_way(acts[what])
    held_back(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))


@on_sqlite
def test_a_part_that_was_exchanged_is_refused(
    registry: Any,
    models: dict[str, Path],
    on_the_way: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # A model of its own: what the gate keeps of the same bytes is the same folder.
    shutil.copytree(models["clean"], tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("exchanged on the way")
    version = registry.register(tmp_path / "model")
    folder = served(registry, version)

    def exchange() -> None:
        writable(folder)
        (folder / "MLmodel").write_text("flavors: {}")

    on_the_way(exchange)
    uri = f"models:/{version.name}/1/MLmodel"
    assert "CHANGED" in held_back(lambda: mlflow.artifacts.load_text(uri))
    shutil.copy(models["clean"] / "MLmodel", folder / "MLmodel")
    monkeypatch.setenv("TIDEGATE_LEDGER", registry.server.database)
    message = held_back(lambda: mlflow.artifacts.load_text(uri))
    assert "'MLmodel' holds other bytes" in message


@on_sqlite
def test_an_mlmodel_file_fetched_again_by_its_place_is_the_one_that_was_checked(
    registry: Any, models: dict[str, Path]
) -> None:
    from mlflow.utils.model_utils import _get_flavor_configuration_from_uri

    version = registry.register(models["clean"])
    uri, log = f"models:/{version.name}/1", logging.getLogger("test")
    mlflow.sklearn.load_model(uri)
    assert _get_flavor_configuration_from_uri(uri, "sklearn", log)["sklearn_version"]
    place = registry.client.get_model_version_download_uri(version.name, "1")
    path = served(registry, version) / "MLmodel"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("sklearn_version", "sklearn_versions"))
    assert "CHANGED" in held_back(lambda: mlflow.artifacts.download_artifacts(f"{place}/MLmodel"))


@on_sqlite
def test_with_a_ledger_a_part_is_checked_by_the_manifest_alone(
    registry: Any, models: dict[str, Path], on_the_way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["clean"])
    folder = served(registry, version)
    on_the_way(lambda: (folder / "requirements.txt").unlink(missing_ok=True))
    monkeypatch.setenv("TIDEGATE_LEDGER", registry.server.database)
    assert "sklearn" in mlflow.artifacts.load_text(f"models:/{version.name}/1/MLmodel")


@on_sqlite
def test_after_a_whole_was_checked_a_part_is_checked_by_its_manifest(
    registry: Any, models: dict[str, Path], on_the_way: Any
) -> None:
    version = registry.register(models["clean"])
    folder, uri = served(registry, version), f"models:/{version.name}/1"
    mlflow.sklearn.load_model(uri)
    on_the_way(lambda: (folder / "requirements.txt").unlink(missing_ok=True))
    assert "sklearn" in mlflow.artifacts.load_text(f"{uri}/MLmodel")
    (folder / "MLmodel").chmod(0o644)
    (folder / "MLmodel").write_text("flavors: {}")
    held_back(lambda: mlflow.artifacts.load_text(f"{uri}/MLmodel"))


@on_sqlite
def test_a_logged_model_whose_version_is_held_is_refused_with_the_reasons(
    registry: Any, logged: Any
) -> None:
    model_id, _ = logged("hostile")
    version = registry.create(registry.name(), f"models:/{model_id}", model_id=model_id)
    assert version.status == "FAILED_REGISTRATION"
    message = held_back(lambda: mlflow.sklearn.load_model(f"models:/{model_id}"))
    assert "PICKLE-EXEC" in message


@on_sqlite
def test_a_logged_model_that_was_changed_after_registration_is_refused(
    registry: Any, logged: Any, on_the_way: Any
) -> None:
    model_id, location = logged("clean")
    folder = registry.server.artifacts / location.removeprefix("mlflow-artifacts:/").lstrip("/")
    registry.create(registry.name(), f"models:/{model_id}", model_id=model_id)
    on_the_way(lambda: (folder / "extra.txt").write_text("hello"))
    assert "CHANGED" in held_back(lambda: mlflow.sklearn.load_model(f"models:/{model_id}"))


@on_sqlite
def test_a_run_does_not_lay_other_files_among_a_registered_models(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    run = registry.client.create_run("0")
    run_id = run.info.run_id
    model = registry.client.create_logged_model("0", name="model", source_run_id=run_id)
    registry.client.log_model_artifacts(model.model_id, str(models["clean"]))
    registry.client.finalize_logged_model(model.model_id, "READY")
    registry.create(
        registry.name(), f"models:/{model.model_id}", run_id=run_id, model_id=model.model_id
    )
    (tmp_path / "extra.py").write_text("x = 1")
    registry.client.log_artifact(run_id, str(tmp_path / "extra.py"), "model")
    local = Path(mlflow.artifacts.download_artifacts(f"runs:/{run_id}/model"))
    assert (local / "MLmodel").exists()
    assert not (local / "extra.py").exists()


@on_sqlite
@pytest.mark.parametrize("path", ["model", "model/MLmodel", ""])
def test_a_runs_folder_that_was_changed_after_registration_is_refused(
    registry: Any, models: dict[str, Path], path: str
) -> None:
    version = registry.register(models["clean"])
    run_id = version.source.split("/")[-3]
    (registry.logged_bytes_of(version) / "extra.txt").write_text("hello")
    uri = f"runs:/{run_id}/{path}"
    assert "CHANGED" in held_back(lambda: mlflow.artifacts.download_artifacts(uri))


@on_sqlite
@pytest.mark.parametrize(
    "path", ["mod%65l", "mod%2565l/MLmodel", "model%2FMLmodel", "x/..%2Fmodel"]
)
def test_no_spelling_of_a_runs_folder_gets_past_the_check(
    registry: Any, models: dict[str, Path], path: str
) -> None:
    version = registry.register(models["clean"])
    run_id = version.source.split("/")[-3]
    (registry.logged_bytes_of(version) / "extra.txt").write_text("hello")
    uri = f"runs:/{run_id}/{path}"
    assert "another spelling" in held_back(lambda: mlflow.artifacts.download_artifacts(uri))
    registry.client.log_text(run_id, "hello", "notes/50%.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/50%.txt") == "hello"


@on_sqlite
@pytest.mark.parametrize("start", ["models://other", "models://user@other", "models://:1"])
def test_a_host_in_a_models_address_is_no_way_around(
    registry: Any,
    models: dict[str, Path],
    on_the_way: Callable[[Callable[[], None]], None],
    start: str,
) -> None:
    """MLflow takes no notice of it, and asks its own registry."""
    version = registry.register(models["clean"])

    def exchange() -> None:
        folder = served(registry, version)
        writable(folder)
        (folder / "extra.txt").write_text("hello")

    uri = f"{start}/{version.name}/1"
    assert Path(mlflow.artifacts.download_artifacts(uri)).is_dir()
    on_the_way(exchange)
    assert "CHANGED" in held_back(lambda: mlflow.artifacts.download_artifacts(uri))


@on_sqlite
def test_a_runs_other_files_are_had_as_ever(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["clean"])
    run_id = version.source.split("/")[-3]
    registry.client.log_text(run_id, "hello", "notes/read.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/read.txt") == "hello"
    assert "sklearn" in mlflow.artifacts.load_text(f"runs:/{run_id}/model/MLmodel")


@on_sqlite
def test_files_that_lie_in_a_models_folder_already_are_not_loaded_with_it(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "code").mkdir()
    (folder / "code" / "helper.py").write_text("x = 1")
    version = registry.register(folder)
    into = tmp_path / "into"
    (into / "code").mkdir(parents=True)
    (into / "mine.txt").write_text("mine")
    uri = f"models:/{version.name}/{version.version}"
    assert version.status == "READY", version.status_message
    mlflow.artifacts.download_artifacts(uri, dst_path=str(into))
    (into / "code" / "json.py").write_text("x = 2")
    message = held_back(lambda: mlflow.artifacts.download_artifacts(uri, dst_path=str(into)))
    assert "'code/json.py'" in message


def test_a_version_from_before_clients_were_told_digests_is_marked_when_it_is_asked_for(
    registry: Any, models: dict[str, Path], heard: Heard
) -> None:
    version = registry.register(models["clean"])
    engine = sqlalchemy.create_engine(registry.server.database)
    with engine.begin() as connection:
        gone = connection.execute(
            sqlalchemy.text("DELETE FROM model_version_tags WHERE name = :name AND key = :key"),
            {"name": version.name, "key": DIGEST_TAG},
        )
        assert gone.rowcount == 1
    engine.dispose()
    mlflow.sklearn.load_model(f"models:/{version.name}/1")
    assert heard.any("vouched for by the registry")
    tags = registry.client.get_model_version(version.name, "1").tags
    assert tags == {DIGEST_TAG: read_manifest(models["clean"]).digest}


# The client's own ledger


@on_sqlite
def test_a_ledger_that_rejects_outweighs_the_registry(
    registry: Any, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["clean"])
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("TIDEGATE_LEDGER", ledger)
    held_back(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))
    with Gate.open(ledger=ledger) as gate:
        mlflow.sklearn.load_model(f"models:/{version.name}/1")
        gate.check(models["clean"], Action.REGISTER, subject="fraud")
        mlflow.sklearn.load_model(f"models:/{version.name}/1")
        gate.reject(read_manifest(models["clean"]).digest, actor="ada", reason="leaks its data")
    message = held_back(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))
    assert "leaks its data" in message


@on_sqlite
def test_a_recall_in_the_clients_ledger_holds_what_that_has_never_seen(
    registry: Any, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["clean"])
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("TIDEGATE_LEDGER", ledger)
    with Gate.open(ledger=ledger) as gate:
        mlflow.sklearn.load_model(f"models:/{version.name}/1")
        held = next(f for f in read_manifest(models["clean"]).files if f.path == "model.skops")
        recall(gate, held.sha256, actor="grace", reason="warned of by its author")
    message = held_back(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))
    assert "RECALLED" in message
    assert "warned of by its author" in message


# A registry without a gate


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("plain")
    with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db", gated=False) as started:
        yield started


@pytest.fixture
def stock(plain: Any, registry_of: Any) -> Any:
    return registry_of(plain)


def test_a_plain_registry_works_as_without_us(
    stock: Any, models: dict[str, Path], heard: Heard
) -> None:
    version = stock.register(models["own-code"])
    assert mlflow.sklearn.load_model(f"models:/{version.name}/1")
    assert heard.lines == []


def test_what_nobody_vouches_for_is_refused_where_that_is_required(
    stock: Any, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = stock.register(models["clean"])
    run_id = version.source.split("/")[-3]
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "require")
    for uri in (f"models:/{version.name}/1", f"runs:/{run_id}/model"):
        assert "nobody vouches" in held_back(lambda uri=uri: mlflow.sklearn.load_model(uri))
    ledger = f"sqlite:///{tmp_path}/ledger.db"
    with Gate.open(ledger=ledger) as gate:
        gate.check(models["clean"], Action.REGISTER, subject="fraud")
    monkeypatch.setenv("TIDEGATE_LEDGER", ledger)
    assert mlflow.sklearn.load_model(f"models:/{version.name}/1")


def test_a_tag_that_anybody_can_write_vouches_for_nothing(
    stock: Any, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    digest = read_manifest(models["hostile"]).digest
    version = stock.register(models["hostile"], tags={DIGEST_TAG: digest})
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "require")
    held_back(lambda: mlflow.artifacts.download_artifacts(f"models:/{version.name}/1"))
    assert heard.any("count for nothing")


@on_sqlite
def test_a_gated_registry_vouches_where_that_is_required(
    registry: Any, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["clean"])
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "require")
    assert mlflow.sklearn.load_model(f"models:/{version.name}/1")


@on_sqlite
def test_a_setting_that_can_not_be_read_loads_nothing(
    registry: Any, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["clean"])
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "of")
    with pytest.raises(MlflowException, match="TIDEGATE_VERIFY_ON_LOAD"):
        mlflow.sklearn.load_model(f"models:/{version.name}/1")


def test_a_registry_without_a_server_is_verified_and_its_store_is_not_written(
    models: dict[str, Path], tmp_path: Path, heard: Heard
) -> None:
    database = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(database)
    mlflow.set_registry_uri(f"tidegate+{database}")
    store = tmp_path / "store"
    shutil.copytree(models["clean"], store)
    client = MlflowClient()
    client.create_registered_model("local")
    assert client.create_model_version("local", str(store)).status == "READY"
    before = sorted(os.listdir(store))
    for _ in range(2):
        assert mlflow.sklearn.load_model("models:/local/1").predict(EXAMPLE).tolist() == [0]
    assert heard.any("vouched for by the registry's version local/1")
    assert sorted(os.listdir(store)) == before


def test_a_client_that_reads_the_store_itself_does_not_change_a_model_by_loading_it(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(database)
    mlflow.set_registry_uri(f"tidegate+{database}")
    store = tmp_path / "store"
    shutil.copytree(models["clean"], store)
    client = MlflowClient()
    client.create_registered_model("local")
    client.create_model_version("local", str(store))
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "off")
    for _ in range(2):
        assert mlflow.sklearn.load_model("models:/local/1").predict(EXAMPLE).tolist() == [0]
    assert (store / "registered_model_meta").exists()
    monkeypatch.setenv("TIDEGATE_VERIFY_ON_LOAD", "require")
    assert mlflow.sklearn.load_model("models:/local/1").predict(EXAMPLE).tolist() == [0]
    client.set_registered_model_alias("local", "champion", "1")
    for note in ("model_name: !!python/name:os.system\nmodel_version: 1\n", "x" * 2000):
        (store / "registered_model_meta").write_text(note)
        assert "CHANGED" in held_back(lambda: mlflow.sklearn.load_model("models:/local/1"))
    (store / "registered_model_meta").unlink()
    (store / "registered_model_meta2").write_text("model_name: local\nmodel_version: '1'\n")
    assert "CHANGED" in held_back(lambda: mlflow.sklearn.load_model("models:/local/1"))
