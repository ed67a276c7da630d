"""MLflow's registry as `tidegate verify models:/…` asks it: aliases, versions, and their files.

It is the client that `MLFLOW_TRACKING_URI` and `MLFLOW_REGISTRY_URI` say, with their credentials.
Always holds: files come as they were registered; the note that MLflow's own loader writes into a
model it downloads is not among them, since it would make other bytes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from tidegate.errors import OperatorError
from tidegate.registered import RegisteredModel

_Answer = TypeVar("_Answer")


class MlflowRegistry:
    """See `tidegate.registered.Registry`."""

    def __init__(self) -> None:
        self._client = MlflowClient()

    def by_alias(self, name: str, alias: str) -> RegisteredModel:
        """The version that an alias stands for now."""
        return _told(
            f"{name}@{alias}", lambda: _of(self._client.get_model_version_by_alias(name, alias))
        )

    def by_version(self, name: str, version: str) -> RegisteredModel:
        """The version of that number."""
        return _told(
            f"{name}/{version}", lambda: _of(self._client.get_model_version(name, version))
        )

    def download(self, model: RegisteredModel, folder: Path) -> Path:
        """Put the version's files into a folder, which must be empty."""

        def fetch() -> Path:
            uri = self._client.get_model_version_download_uri(model.name, model.version)
            return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))

        return _told(model.subject, fetch)


def _of(version: ModelVersion) -> RegisteredModel:
    workspace = str(getattr(version, "workspace", None) or "default")
    return RegisteredModel(
        store=f"mlflow:{workspace}",
        name=str(version.name),
        version=str(version.version),
        created_ms=int(version.creation_timestamp),
        source=str(version.source or ""),
    )


def _told(what: str, ask: Callable[[], _Answer]) -> _Answer:
    try:
        return ask()
    except (MlflowException, OSError, ValueError) as error:
        raise OperatorError(
            f"MLflow's registry does not give {what}: {error}",
            remedy="see that MLFLOW_TRACKING_URI names the server, and that it has that version",
        ) from error
