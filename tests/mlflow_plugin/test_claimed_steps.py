"""What a plain client has said of its run stands in the lineage of the version, as its word."""

from __future__ import annotations

import json
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.numpy_dataset import NumpyDataset

from tidegate.artifact import read_manifest
from tidegate.attestation.step import TOLD_BY_RUN, Step, StepOutcome, material, new_step_id

on_sqlite = pytest.mark.parametrize("server", ["sqlite"], indirect=True)

TOKEN = "ghp_" + "9fK2mQ7xT4vB8nL1" + "wR6yU3jH5sD0aZcE2gXp"


@pytest.fixture
def unlike(models: dict[str, Path], tmp_path: Path) -> Any:
    """A clean model with bytes that nobody else has registered."""

    def make() -> Path:
        folder = tmp_path / uuid.uuid4().hex
        shutil.copytree(models["clean"], folder)
        (folder / "notes.txt").write_text(folder.name)
        return folder

    return make


def register(registry: Any, folder: Path, tell: Any = None, name: str | None = None) -> Any:
    """Log a model's folder in a run that has something to tell, and register it."""
    client = registry.client
    run = client.create_run("0", run_name="train")
    if tell is not None:
        tell(run)
    client.log_artifacts(run.info.run_id, str(folder), "model")
    source = f"{run.info.artifact_uri}/model"
    return registry.create(name or registry.name(), source, run_id=run.info.run_id)


def steps_of(registry: Any, folder: Path) -> list[Step]:
    """The steps on record that came to a folder's bytes."""
    digest = read_manifest(folder).digest
    with registry.gate() as gate, gate.ledger.reading() as connection:
        from sqlalchemy import select

        from tidegate.ledger import schema
        from tidegate.ledger.steps import step_of

        found = connection.execute(
            select(schema.edge.c.source).where(schema.edge.c.target == digest)
        ).scalars()
        steps = [step_of(connection, each) for each in dict.fromkeys(found)]
    return [each for each in steps if each is not None]


def dataset_input(name: str, source: dict[str, str], kind: str = "local") -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return DatasetInput(
        Dataset(name, "0bd1ac7f", kind, json.dumps(source)),
        [InputTag("mlflow.data.context", "training")],
    )


def test_a_run_stands_in_the_lineage_as_its_own_word(registry: Any, unlike: Any) -> None:
    client, commit = registry.client, "ab" * 20
    environment = f"sha256:{'5' * 64}"

    def tell(run: Any) -> None:
        client.log_param(run.info.run_id, "depth", 3)
        client.set_tag(run.info.run_id, "tidegate.git.commit", commit)
        client.set_tag(run.info.run_id, "tidegate.environment", environment)
        client.set_tag(run.info.run_id, "tidegate.host", "gpu-7")
        dataset = NumpyDataset(
            np.zeros(3), HTTPDatasetSource("https://u:p@example.com/a.csv"), name="a"
        )
        client.log_inputs(run.info.run_id, [dataset_input("a", dataset.source.to_dict(), "http")])

    folder = unlike()
    version = register(registry, folder, tell)
    (step,) = steps_of(registry, folder)
    assert (step.name, step.outcome) == ("train", StepOutcome.UNFINISHED)
    assert step.builder.startswith(TOLD_BY_RUN)
    (output,) = step.outputs
    assert (output.name, output.digest) == (f"{version.name}/1", read_manifest(folder).digest)
    assert {(each.role, each.digest) for each in step.inputs} == {
        ("code", f"gitCommit:{commit}"),
        ("environment", environment),
    }
    assert step.parameters["params"] == {"depth": "3"}
    assert step.parameters["datasets"] == [
        {"context": "training", "mlflowDigest": "0bd1ac7f", "name": "a", "type": "http",
         "uri": "https://example.com/a.csv"}
    ]  # fmt: skip
    assert step.host == {"tidegate.host": "gpu-7"}
    assert {"inputs", "outputs", "parameters", "host"} <= set(step.claims)


def test_a_data_set_among_the_runs_artifacts_has_the_digest_of_its_bytes(
    registry: Any, unlike: Any, tmp_path: Path
) -> None:
    data = tmp_path / "train.csv"
    data.write_text("a,b\n1,2\n")

    def tell(run: Any) -> None:
        registry.client.log_artifact(run.info.run_id, str(data), "data")
        uri = f"runs:/{run.info.run_id}/data/train.csv"
        outside = f"{run.info.artifact_uri}/../../../0/x/train.csv"
        registry.client.log_inputs(
            run.info.run_id,
            [
                dataset_input("train", {"uri": uri}),
                dataset_input("outside", {"uri": outside}),
                dataset_input("passwords", {"uri": "/etc/passwd"}),
            ],
        )

    folder = unlike()
    register(registry, folder, tell)
    (step,) = steps_of(registry, folder)
    (read,) = [each for each in step.inputs if each.role == "data"]
    assert (read.name, read.digest) == ("train", read_manifest(data).digest)
    assert read.manifest is not None
    named = {each["name"] for each in step.parameters["datasets"]}
    assert named == {"train", "outside", "passwords"}


def test_a_base_model_of_this_registry_has_its_registered_digest(
    registry: Any, unlike: Any
) -> None:
    base, folder = unlike(), unlike()
    name = registry.name()
    register(registry, base, name=name)
    register(
        registry,
        folder,
        lambda run: registry.client.set_tag(run.info.run_id, "base_model", f"models:/{name}/1"),
    )
    (step,) = steps_of(registry, folder)
    (found,) = [each for each in step.inputs if each.role == "base"]
    assert (found.name, found.digest) == (f"models:/{name}/1", read_manifest(base).digest)


@on_sqlite
def test_credentials_in_a_run_are_told_by_their_place_alone(registry: Any, unlike: Any) -> None:
    def tell(run: Any) -> None:
        run_id = run.info.run_id
        registry.client.log_param(run_id, "hub_token", "a-plain-word")
        registry.client.log_param(run_id, "url", f"https://user:{TOKEN}@example.com/data")
        registry.client.set_tag(run_id, "note", f"export GITHUB_TOKEN={TOKEN}")

    folder = unlike()
    version = register(registry, folder, tell)
    assert version.status == "READY"
    (step,) = steps_of(registry, folder)
    places = step.parameters["credentialsIn"]
    assert set(places) == {"params.hub_token", "params.url", "tags.note"}
    body = json.dumps(step.to_dict())
    log = registry.server.log()
    assert TOKEN not in body + log
    assert "a-plain-word" not in body + log
    assert "seems to hold credentials, in params" in log


@on_sqlite
def test_nobody_makes_up_a_descent_for_bytes_that_are_on_record(registry: Any, unlike: Any) -> None:
    bad, victim = unlike(), unlike()
    name = registry.name()
    register(registry, bad, name=name)
    register(registry, victim)
    register(
        registry,
        victim,
        lambda run: registry.client.set_tag(run.info.run_id, "base_model", f"models:/{name}/1"),
    )
    (step,) = steps_of(registry, victim)
    assert step.inputs == ()


@on_sqlite
def test_no_demanded_chain_counts_what_a_run_tells(registry: Any, unlike: Any) -> None:
    from tidegate.ledger.vouching import chain_facts

    folder = unlike()
    register(registry, folder)
    (step,) = steps_of(registry, folder)
    manifest = read_manifest(folder)
    with registry.gate() as gate, gate.ledger.reading() as connection:
        facts = chain_facts(connection, manifest.digest, [step.id], manifest)
    assert not facts.made
    assert facts.steps == ()
    assert facts.roles == ()


@on_sqlite
def test_a_model_that_no_run_logged_is_registered_without_a_step(
    registry: Any, unlike: Any
) -> None:
    folder = unlike()
    model = registry.client.create_logged_model("0")
    registry.client.log_model_artifacts(model.model_id, str(folder))
    registry.client.finalize_logged_model(model.model_id, "READY")
    uri = f"models:/{model.model_id}"
    assert registry.create(registry.name(), uri, model_id=model.model_id).status == "READY"
    assert steps_of(registry, folder) == []


def test_a_step_that_can_not_be_recorded_costs_a_version_nothing(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate_mlflow import claimed_steps

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("not today")

    monkeypatch.setattr(claimed_steps, "step_of_run", broken)
    database = f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(database)
    mlflow.set_registry_uri(f"tidegate+{database}")
    client = mlflow.MlflowClient()
    run = client.create_run(client.create_experiment("e", str(tmp_path / "runs")))
    client.log_artifacts(run.info.run_id, str(models["clean"]), "model")
    client.create_registered_model("local")
    source = f"{run.info.artifact_uri}/model"
    assert client.create_model_version("local", source, run.info.run_id).status == "READY"


@on_sqlite
def test_the_fluent_client_leaves_a_step_of_what_it_logged(registry: Any, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    X = np.random.default_rng(uuid.uuid4().int % 2**32).normal(size=(60, 3))
    model = LogisticRegression().fit(X, X[:, 0] > 0)
    name = f"fluent-{uuid.uuid4().hex[:8]}"
    data = tmp_path / "data.csv"
    data.write_text("a\n1\n")
    with mlflow.start_run(run_name="fluent"):
        dataset = mlflow.data.from_numpy(X, source=str(data), name="train")
        mlflow.log_input(dataset, "training")
        mlflow.log_param("C", 1.0)
        mlflow.sklearn.log_model(
            model, name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
    digest = registry.client.get_model_version(name, "1").tags["tidegate.digest"]
    with registry.gate() as gate:
        assert gate.dossier(digest).digest == digest
    local = mlflow.artifacts.download_artifacts(f"models:/{name}/1")
    (Path(local) / "registered_model_meta").unlink()
    (step,) = steps_of(registry, Path(local))
    assert step.name == "fluent"
    assert [each["name"] for each in step.parameters["datasets"]] == ["train"]
    (claimed,) = [each for each in step.inputs if each.role == "data"]
    assert (claimed.digest, claimed.manifest) == (read_manifest(data).digest, None)


@on_sqlite
def test_nobody_makes_up_a_descent_for_bytes_that_a_step_used(
    registry: Any, unlike: Any, models: dict[str, Path]
) -> None:
    """A public base model, which somebody registers only now, with a bad tale."""
    base, bad = unlike(), registry.name()
    register(registry, models["hostile"], name=bad)
    used = Step(
        id=new_step_id(),
        name="tune",
        builder="https://ci.example.com",
        started_at=datetime.now(UTC),
        outcome=StepOutcome.SUCCEEDED,
        inputs=(material("base", "base", read_manifest(base)),),
    )
    with registry.gate() as gate:
        gate.ledger.record_step(used)
    tell = f"models:/{bad}/1"
    register(
        registry, base, lambda run: registry.client.set_tag(run.info.run_id, "base_model", tell)
    )
    assert steps_of(registry, base) == []


@on_sqlite
@pytest.mark.parametrize("shared", ["python_env.yaml", "notes.txt"])
def test_nobody_makes_up_a_descent_for_others_models_by_one_of_their_files(
    registry: Any, unlike: Any, models: dict[str, Path], shared: str
) -> None:
    """A version of a single file, as models of others hold it, ties none of them to its run."""
    victim, bad = unlike(), registry.name()
    registered = register(registry, victim)
    register(registry, models["hostile"], name=bad)
    run = registry.client.create_run("0")
    registry.client.set_tag(run.info.run_id, "base_model", f"models:/{bad}/1")
    registry.client.log_artifact(run.info.run_id, str(victim / shared))
    source = f"{run.info.artifact_uri}/{shared}"
    registry.create(registry.name(), source, run_id=run.info.run_id)
    registry.client.get_model_version_download_uri(registered.name, registered.version)


def test_a_run_gets_no_more_hashed_for_naming_its_data_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each data set is hashed once, and all of them together up to a limit."""
    from types import SimpleNamespace

    from tidegate_mlflow import claimed_steps, host

    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("0123456789")
    hashed: list[str] = []

    def read(source: Any) -> Any:
        hashed.append("one")
        return read_manifest(source)

    def at(uri: str) -> tuple[Any, str]:
        place = SimpleNamespace(get_local_path=lambda path: str(tmp_path / path))
        return place, uri.rpartition("/")[2]

    monkeypatch.setattr(claimed_steps, "read_manifest", read)
    monkeypatch.setattr(claimed_steps, "_LARGEST_DATA", 15)
    monkeypatch.setattr(host, "artifact_place", at)
    info = SimpleNamespace(run_id="r", artifact_uri="mlflow-artifacts:/0/r/artifacts")
    here = claimed_steps._DataHere(SimpleNamespace(info=info))
    found = [here.read("runs:/r/a.csv") for _ in range(5)]
    assert found == [read_manifest(tmp_path / "a.csv")] * 5
    assert here.read("runs:/r/b.csv") is None
    assert hashed == ["one"]
