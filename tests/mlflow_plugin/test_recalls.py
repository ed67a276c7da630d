"""A recall counts at the server from its commit on, for what was registered long before it."""

from __future__ import annotations

import shutil
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from samples.ledger_records import NOW, a_file, a_manifest, a_step, an_evidence
from samples.lineages import made, passed

from tidegate.artifact import read_manifest
from tidegate.attestation.step import material
from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, profile
from tidegate.recall import lift, recall
from tidegate_mlflow.verdicts import Verdicts

READY, FAILED = "READY", "FAILED_REGISTRATION"


@pytest.fixture(autouse=True)
def own_module() -> None:
    """The client has the scientist's module, as his own machine does."""
    assert "samples.own_code" in sys.modules


@pytest.fixture
def trained(models: dict[str, Path], tmp_path: Path) -> Path:
    """A clean model's folder that no other test has."""
    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "notes.txt").write_text(uuid.uuid4().hex)
    return folder


def record_training(registry: Any, folder: Path, data: Any, *, role: str = "data") -> None:
    made = read_manifest(folder)
    step = a_step(
        id=f"step:{uuid.uuid4().hex}",
        name="train",
        started_at=datetime(2026, 11, 20, tzinfo=UTC),
        finished_at=datetime(2026, 11, 20, tzinfo=UTC),
        inputs=(material(data.files[0].path, role, data),),
        outputs=(material("model", "output", made),),
    )
    with registry.gate() as gate:
        gate.ledger.record_step(step)


def test_a_recalled_data_set_holds_the_model_at_every_use_until_the_recall_is_lifted(
    registry: Any, trained: Path, refused: Any
) -> None:
    data = a_file(f"claims-{uuid.uuid4().hex}.csv")
    record_training(registry, trained, data)
    version = registry.register(trained)
    name, client = version.name, registry.client
    client.set_registered_model_alias(name, "champion", version.version)
    champion = f"models:/{name}@champion"
    mlflow.sklearn.load_model(champion)
    with registry.gate() as gate:
        report = recall(gate, data.digest, actor="grace", reason="wrong labels in March")
        number = report.recall.id if report.recall else 0
    listed = {each for affected in report.affected for each in affected.versions}
    assert ("mlflow:default", name, "1") in listed
    for use in (
        lambda: mlflow.sklearn.load_model(champion),
        lambda: mlflow.artifacts.download_artifacts(champion),
        lambda: client.get_model_version_download_uri(name, "1"),
        lambda: client.get_model_version_by_alias(name, "champion"),
        lambda: client.set_registered_model_alias(name, "again", "1"),
        lambda: client.transition_model_version_stage(name, "1", "Production"),
        lambda: registry.create(registry.name(), f"models:/{name}/1"),
    ):
        message = refused(use)
        assert "RECALLED" in message
        assert "wrong labels in March" in message
        assert "step train of 2026-11-20" in message
    # MLflow wraps what comes back from a copy.
    with pytest.raises(MlflowException, match="RECALLED"):
        client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
    assert client.get_model_version(name, "1").status == FAILED
    again = registry.register(trained)
    assert again.status == FAILED
    assert "RECALLED" in again.status_message
    with registry.gate() as gate:
        lift(gate, number, actor="grace", reason="the labels were right")
    assert client.get_model_version(name, "1").status == READY
    assert client.get_model_version(again.name, "1").status == READY
    mlflow.sklearn.load_model(champion)
    client.set_registered_model_alias(name, "again", "1")


def test_a_search_shows_what_a_recall_holds_and_what_it_no_longer_does(
    registry: Any, trained: Path
) -> None:
    version = registry.register(trained)
    search = f"name = '{version.name}'"
    with registry.gate() as gate:
        number = recall(gate, f"{version.name}/1", actor="grace", reason="stolen").recall.id
    (held,) = registry.client.search_model_versions(search)
    assert held.status == FAILED
    assert "stolen" in held.status_message
    with registry.gate() as gate:
        lift(gate, number, actor="grace", reason="found")
    (free,) = registry.client.search_model_versions(search)
    assert (free.status, free.status_message or "") == (READY, "")


def test_a_review_lets_a_recalled_version_go(registry: Any, trained: Path, refused: Any) -> None:
    version = registry.register(trained)
    reference = f"{version.name}/1"
    with registry.gate() as gate:
        recall(gate, reference, actor="grace", reason="looks odd")
    refused(lambda: mlflow.sklearn.load_model(f"models:/{reference}"))
    with registry.gate() as gate:
        assert gate.approve(reference, actor="ada", reason="it is not odd").allowed
    assert registry.client.get_model_version(version.name, "1").status == READY
    mlflow.sklearn.load_model(f"models:/{reference}")


def test_a_package_of_the_servers_own_bill_of_materials_is_recalled(
    registry: Any, trained: Path, refused: Any
) -> None:
    (trained / "requirements.txt").write_text("scikit-learn==1.9.1\nEvil.Package==6.6.6\n")
    version = registry.register(trained)
    assert version.status == READY
    with registry.gate() as gate:
        report = recall(gate, "evil-package==6.6.6", actor="grace", reason="malware")
        message = refused(lambda: mlflow.sklearn.load_model(f"models:/{version.name}/1"))
        assert "evil-package==6.6.6" in message
        lift(gate, report.recall.id, actor="grace", reason="the test is over")


def test_a_model_tuned_from_a_rejected_base_is_held(
    registry: Any, models: dict[str, Path], trained: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(models["clean-pickle"], base)
    (base / "notes.txt").write_text(uuid.uuid4().hex)
    version = registry.register(base)
    assert version.status == READY
    with registry.gate() as gate:
        gate.reject(f"{version.name}/1", actor="ada", reason="backdoored")
    record_training(registry, trained, read_manifest(base), role="base")
    tuned = registry.register(trained)
    assert tuned.status == FAILED
    assert "BASE-HELD" in tuned.status_message
    with registry.gate() as gate:
        gate.approve(f"{version.name}/1", actor="ada", reason="it was another one")
    assert registry.client.get_model_version(tuned.name, "1").status == READY


def test_stages_that_put_a_version_away_stay_open(registry: Any, trained: Path) -> None:
    version = registry.register(trained)
    with registry.gate() as gate:
        recall(gate, f"{version.name}/1", actor="grace", reason="bad")
    with pytest.raises(MlflowException):
        registry.client.transition_model_version_stage(version.name, "1", "Staging")
    registry.client.transition_model_version_stage(version.name, "1", "Archived")


def test_no_answer_outlives_what_came_to_be_known_of_a_base(tmp_path: Path) -> None:
    base, child = a_manifest("base.skops"), a_manifest("child.skops")
    with Gate(profile("standard"), Ledger.open(f"sqlite:///{tmp_path}/ledger.db")) as gate:
        made(gate, [("base", base)], [child])
        for each in (base, child):
            passed(gate, each)
        verdicts = Verdicts(gate)
        verdicts.look()
        assert verdicts.of(child.digest, "child").allowed
        gate.settle(Action.REGISTER, base, an_evidence(base, ruleset="rules-2"), subject="base")
        verdicts.look()
        assert not verdicts.of(child.digest, "child").allowed
        gate.approve(base.digest, actor="ada", reason="known tail")
        verdicts.look()
        assert verdicts.of(child.digest, "child").allowed
        recall(gate, "torch==2.0.0", actor="ada", reason="bad release")
        verdicts.look()
        assert verdicts.of(child.digest, "child").allowed
        gate.ledger.add_sbom(
            digest=base.digest,
            subject="base",
            body='{"components": [{"type": "library", "name": "torch", "version": "2.0.0"}]}',
            now=NOW,
        )
        verdicts.look()
        assert not verdicts.of(child.digest, "child").allowed
