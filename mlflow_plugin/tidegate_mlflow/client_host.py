"""The parts of MLflow that clients need and that are not public API, as `host` has a server's.

Facts about MLflow 3.17: one registry object makes every artifact repository, by the scheme of a
URI, and hands out its own table. `RunsArtifactRepository` looks for a logged model under a run's
path and swallows whatever goes wrong with it.
"""

from __future__ import annotations

import os
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import (
    get_artifact_repository,
    get_registered_artifact_repositories,
)
from mlflow.store.artifact.models_artifact_repo import (
    REGISTERED_MODEL_META_FILE_NAME,
    ModelsArtifactRepository,
)
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository
from mlflow.utils.file_utils import create_tmp_dir
from mlflow.utils.uri import (
    get_databricks_profile_uri_from_artifact_uri,
    is_databricks_unity_catalog_uri,
    is_databricks_uri,
    is_oss_unity_catalog_uri,
)

MODEL_META: str = REGISTERED_MODEL_META_FILE_NAME

__all__ = [
    "MODEL_META",
    "ArtifactRepository",
    "ModelsArtifactRepository",
    "RunsArtifactRepository",
    "add_model_meta",
    "get_artifact_repository",
    "logged_model_of_run",
    "names_databricks",
    "new_folder",
    "registry_has_tags",
    "repositories",
]


def repositories() -> dict[str, Any]:
    """MLflow's own table of what makes repositories, by scheme; writing to it takes effect."""
    table: dict[str, Any] = get_registered_artifact_repositories()
    return table


def new_folder() -> str:
    """A new, private, empty folder where MLflow keeps what it downloads."""
    return str(create_tmp_dir())


def names_databricks(uri: str) -> bool:
    """Whether a model's address names a registry of Databricks', as `models://profile@databricks/`
    does, so that MLflow asks that one.
    """
    return get_databricks_profile_uri_from_artifact_uri(uri) is not None


def registry_has_tags() -> bool:
    """Whether versions of the registry in use can be asked for by source and carry our tags.

    Databricks' and Unity Catalog's registries are behind no gate of ours.
    """
    uri = mlflow.get_registry_uri()
    kinds = (is_databricks_uri, is_databricks_unity_catalog_uri, is_oss_unity_catalog_uri)
    return not any(is_of_kind(uri) for is_of_kind in kinds)


def add_model_meta(repository: ModelsArtifactRepository, folder: str) -> None:
    """Write the file in which MLflow notes which version a download was, as MLflow does."""
    if os.path.isfile(os.path.join(folder, "MLmodel")):  # noqa: PTH113, PTH118
        repository._add_registered_model_meta_file(folder)


def logged_model_of_run(
    repository: RunsArtifactRepository, run_id: str, name: str
) -> ArtifactRepository | None:
    """The repository of the logged model that a run's path leads to, if it does.

    Raises:
        MlflowException: the server can't say, though it knows of logged models.
    """
    try:
        return repository._get_logged_model_artifact_repo(run_id=run_id, name=name)
    except MlflowException as error:
        if error.get_http_status_code() == 404:
            # A server from before there were logged models, or no such run.
            return None
        raise
