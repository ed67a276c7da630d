"""A data set that is logged from a file or folder says what its bytes hash to."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.data.dataset_source_registry import get_dataset_source_from_json

from tidegate.artifact import read_manifest
from tidegate_mlflow import dataset_source
from tidegate_mlflow.names import DATA_TAG, data_tag

FRAME = pd.DataFrame({"a": [1, 2], "b": [3, 4]})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "train.csv"
    FRAME.to_csv(path, index=False)
    return path


def logged(tmp_path: Path, source: Any) -> tuple[Any, str | None]:
    """The data set as the tracking server has it after a plain `log_input`, and its digest."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run() as run:
        mlflow.log_input(mlflow.data.from_pandas(FRAME, source=source, name="train"), "training")
    found = mlflow.get_run(run.info.run_id)
    (given,) = found.inputs.dataset_inputs
    noted = [value for key, value in found.data.tags.items() if key.startswith(DATA_TAG)]
    assert noted in ([], [found.data.tags.get(data_tag(str(source)))])
    assert all(value.endswith(f" {source}") for value in noted)
    return given.dataset, noted[0].partition(" ")[0] if noted else None


@pytest.mark.parametrize("form", [str, Path, lambda path: path.as_uri()])
def test_a_logged_file_has_its_digest_beside_mlflows_own(
    data: Path, tmp_path: Path, form: Any
) -> None:
    dataset, digest = logged(tmp_path, form(data))
    assert digest == read_manifest(data).digest
    assert dataset.source_type == "local"
    assert dataset.digest == mlflow.data.from_pandas(FRAME, source="x").digest
    again = get_dataset_source_from_json(dataset.source, "local")
    assert Path(again.load()).read_bytes() == data.read_bytes()


def test_other_bytes_with_mlflows_same_digest_have_a_digest_of_their_own(
    data: Path, tmp_path: Path
) -> None:
    first, digest = logged(tmp_path, str(data))
    data.write_text(data.read_text() + "5,6\n")
    second, other = logged(tmp_path, str(data))
    assert first.digest == second.digest
    assert other == read_manifest(data).digest != digest


def test_a_folder_has_one_over_all_its_files(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    data.rename(folder / "train.csv")
    (folder / "more.csv").write_text("a\n")
    _, digest = logged(tmp_path, str(folder))
    assert digest == read_manifest(folder).digest


def test_what_can_not_be_hashed_is_logged_without_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logged(tmp_path, str(tmp_path / "nowhere.csv"))[1] is None
    monkeypatch.setattr(dataset_source, "_LARGEST", 3)
    assert logged(tmp_path, str(data))[1] is None


def test_it_is_switched_off_with_the_rest(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_RUN_CONTEXT", "off")
    assert logged(tmp_path, str(data))[1] is None


def test_asking_outside_of_a_run_begins_none(data: Path, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    assert mlflow.data.from_pandas(FRAME, source=str(data)).source.to_dict() == {"uri": str(data)}
    assert mlflow.active_run() is None
    assert mlflow.search_runs(output_format="list") == []


def test_other_sources_are_mlflows_own(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        remote = mlflow.data.from_pandas(FRAME, source="s3://bucket/train.csv")
    assert json.loads(remote.source.to_json()) == {"uri": "s3://bucket/train.csv"}
    assert type(remote.source).__module__.startswith("mlflow.")


def test_it_can_do_what_mlflows_class_can() -> None:
    from mlflow.data.artifact_dataset_sources import _create_dataset_source_for_artifact_repo

    stock = _create_dataset_source_for_artifact_repo("file", "LocalArtifactDatasetSource")
    ours = dataset_source.LocalArtifactDatasetSource
    assert {name for name in dir(stock) if not name.startswith("__")} <= set(dir(ours))
    assert mlflow.data.sources.LocalArtifactDatasetSource is ours
    for raw in ("/data/a.csv", "a.csv", Path("a.csv"), "file:///a", "s3://b/a", 3, None):
        assert bool(ours._can_resolve(raw)) == bool(stock._can_resolve(raw)), raw
