"""An admin's word counts at the server, in both directions, from the moment it is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest

READY, FAILED = "READY", "FAILED_REGISTRATION"
RULE = "PICKLE-UNREVIEWED-CODE"


@pytest.fixture(autouse=True)
def own_module() -> None:
    """The client has the scientist's module, as his own machine does."""

    assert "samples.own_code" in sys.modules


def test_a_waived_version_is_ready_and_loads(
    registry: Any, models: dict[str, Path], refused: Any
) -> None:
    version = registry.register(models["own-code"])
    reference = f"{version.name}/{version.version}"
    assert RULE in refused(lambda: mlflow.sklearn.load_model(f"models:/{reference}"))
    with registry.gate() as gate:
        decision = gate.waive(reference, rule=RULE, actor="ada", reason="read it", days=30)
        gate_rejects_again = reference
    assert decision.allowed
    shown = registry.client.get_model_version(version.name, version.version)
    assert (shown.status, shown.status_message) == (READY, None)
    mlflow.sklearn.load_model(f"models:/{reference}")
    with registry.gate() as gate:
        gate.reject(gate_rejects_again, actor="ada", reason="it leaks")
    assert "it leaks" in refused(lambda: mlflow.sklearn.load_model(f"models:/{reference}"))


def test_a_search_shows_what_has_been_let_go(registry: Any, models: dict[str, Path]) -> None:
    version = registry.register(models["hostile"])
    search = f"name = '{version.name}'"
    (before,) = registry.client.search_model_versions(search)
    assert before.status == FAILED
    with registry.gate() as gate:
        gate.approve(f"{version.name}/1", actor="ada", reason="a test of ours")
    (after,) = registry.client.search_model_versions(search)
    assert (after.status, after.status_message or "") == (READY, "")
    with registry.gate() as gate:
        gate.reject(f"{version.name}/1", actor="ada", reason="the test is over")


def test_a_rejected_clean_version_is_refused_and_shows_why(
    registry: Any, models: dict[str, Path], refused: Any, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "notes.txt").write_text(registry.server.address)
    version = registry.register(folder)
    registry.client.set_registered_model_alias(version.name, "champion", version.version)
    with registry.gate() as gate:
        gate.reject(f"{version.name}/1", actor="ada", reason="trained on leaked data")
    message = refused(lambda: mlflow.sklearn.load_model(f"models:/{version.name}@champion"))
    assert "trained on leaked data" in message
    shown = registry.client.get_model_version(version.name, version.version)
    assert shown.status == FAILED
    assert "REJECTED" in shown.status_message


def test_the_same_bytes_are_held_under_any_other_name(
    registry: Any, models: dict[str, Path], tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(models["clean"], folder)
    (folder / "notes.txt").write_text(registry.server.address + "again")
    first = registry.register(folder)
    with registry.gate() as gate:
        gate.reject(f"{first.name}/1", actor="ada", reason="no")
    assert registry.register(folder).status == FAILED
