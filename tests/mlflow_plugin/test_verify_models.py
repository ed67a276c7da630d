"""`tidegate verify models:/… --signature` where models are served: what verifies, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from samples.model_signers import curve_key, key_files

from tidegate.artifact import read_manifest
from tidegate.cli import main


@pytest.fixture
def verify(
    registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Callable[..., tuple[int, str]]:
    """Run a command on a host that serves; its exit code, and all that it printed."""
    monkeypatch.setenv("TIDEGATE_LEDGER", registry.server.database)
    monkeypatch.setenv("TIDEGATE_ACTOR", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.server.address)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        return code, "".join(capsys.readouterr())

    return run


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return key_files(tmp_path, curve_key())


def test_a_signed_model_is_left_for_serving_and_an_unsigned_one_is_not(
    registry: Any, models: dict[str, Path], verify: Any, keys: tuple[Path, Path]
) -> None:
    private, public = keys
    version = registry.register(models["clean"])
    registry.client.set_registered_model_alias(version.name, "champion", version.version)
    uri = f"models:/{version.name}@champion"
    arguments = ("verify", uri, "--key", public, "--to", "served", "--signature")
    code, told = verify(*arguments)
    assert code == 1, told
    assert "no signature over it is on record" in told
    assert not Path("served").exists()

    assert verify("sign", f"{version.name}/{version.version}", "--key", private)[0] == 0
    code, told = verify(*arguments)
    assert code == 0, told
    assert read_manifest("served").digest == read_manifest(models["clean"]).digest
    assert verify(*arguments)[0] == 2, "nothing is written over"
    assert [each.name for each in Path().glob(".tidegate-*")] == []


def test_a_numbered_version_is_verified_where_its_files_are_already(
    registry: Any, models: dict[str, Path], verify: Any, keys: tuple[Path, Path]
) -> None:
    version = registry.register(models["clean"])
    reference = f"{version.name}/{version.version}"
    verify("sign", reference, "--key", keys[0])
    here = ("--path", registry.bytes_of(version), "--key", keys[1], "--signature")
    assert verify("verify", f"models:/{reference}", *here)[0] == 0
    (registry.bytes_of(version) / "extra.txt").write_text("x")
    code, told = verify("verify", f"models:/{reference}", *here)
    assert code == 1
    assert "CHANGED" in told


def test_bytes_that_were_changed_in_the_store_are_not_left_for_serving(
    registry: Any, models: dict[str, Path], verify: Any, keys: tuple[Path, Path]
) -> None:
    version = registry.register(models["clean"])
    reference = f"{version.name}/{version.version}"
    verify("sign", reference, "--key", keys[0])
    (registry.bytes_of(version) / "extra.txt").write_text("x")
    code, told = verify(
        "verify", f"models:/{reference}", "--key", keys[1], "--to", "served", "--signature"
    )
    assert code in {1, 3}, told
    assert not Path("served").exists()


def test_a_held_version_is_1_and_is_not_even_downloaded(
    registry: Any, models: dict[str, Path], verify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate_mlflow.registry import MlflowRegistry

    def refuse(*arguments: object) -> None:
        raise AssertionError("it was downloaded")

    monkeypatch.setattr(MlflowRegistry, "download", refuse)
    version = registry.register(models["hostile"])
    code, told = verify("verify", f"models:/{version.name}/{version.version}", "-f", "json")
    assert code == 1
    (row,) = json.loads(told)["artifacts"]
    assert row["allowed"] is False
    assert row["subject"] == f"{version.name}/{version.version}"


@pytest.mark.parametrize("uri", ["models:/nobody/1", "models:/nobody@champion"])
def test_what_the_registry_does_not_know_is_3(verify: Any, uri: str) -> None:
    code, told = verify("verify", uri)
    assert code == 3
    assert "registry does not give" in told


def test_a_version_that_the_ledger_does_not_know_is_3(
    registry: Any, models: dict[str, Path], verify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.register(models["clean"])
    monkeypatch.setenv("TIDEGATE_LEDGER", "sqlite:///other.db")
    assert verify("db", "upgrade")[0] == 0
    code, told = verify("verify", f"models:/{version.name}/{version.version}")
    assert code == 3
    assert "no registration of" in told


def test_a_model_that_was_logged_verifies_as_it_was_registered(
    registry: Any, verify: Any, keys: tuple[Path, Path]
) -> None:
    import mlflow
    from sklearn.linear_model import LogisticRegression

    name = registry.name()
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model, name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
    assert verify("sign", f"{name}/1", "--key", keys[0])[0] == 0
    code, told = verify(
        "verify", f"models:/{name}/1", "--key", keys[1], "--to", "served", "--signature"
    )
    assert code == 0, told
    assert mlflow.sklearn.load_model("served").predict([[1.0]]).tolist() == [1]
