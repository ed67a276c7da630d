"""From a version's storage location to bytes on this machine's disk.

Always holds: bytes that lie on a local disk are read where they are; others are downloaded
through MLflow's own repositories into a private temporary folder, which is gone afterwards.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mlflow.exceptions import MlflowException

from tidegate.errors import ArtifactMissingError, ArtifactUnreadableError
from tidegate_mlflow import host, on_load


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Where a version's bytes can be read; `lasting` where they lie there to stay."""

    path: Path
    lasting: bool

    @property
    def place(self) -> str | None:
        """The path, for the record, if it means anything tomorrow."""
        return os.path.abspath(self.path) if self.lasting else None  # noqa: PTH100 - as it is


@contextmanager
def on_disk(uri: str) -> Iterator[OnDisk]:
    """The folder (or file) that a storage location stands for.

    Raises:
        ArtifactMissingError: nothing is there.
        ArtifactUnreadableError: the location can't be reached, or leads out of its store.
    """
    try:
        with on_load.not_for_the_gate_itself():
            repository, path = host.artifact_place(uri)
        _refuse_climbing(path, uri)
        local = repository.get_local_path(path)
    except FileNotFoundError as error:
        raise ArtifactMissingError(f"there is no model at {uri!r}") from error
    except (MlflowException, OSError, ValueError) as error:
        if isinstance(error, MlflowException) and error.get_http_status_code() == 404:
            raise ArtifactMissingError(
                f"there is no model at {uri!r}",
                remedy="log the model again; its files were never uploaded, or are gone",
            ) from error
        raise ArtifactUnreadableError(
            f"the model's location {uri!r} can't be resolved: {error}"
        ) from error
    if local is not None:
        yield OnDisk(Path(local), lasting=True)
        return
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        try:
            downloaded = repository.download_artifacts(path, dst_path=folder)
        except FileNotFoundError as error:
            raise ArtifactMissingError(f"there is no model at {uri!r}") from error
        except Exception as error:  # each store's client raises its own kinds
            raise ArtifactUnreadableError(
                f"the model at {uri!r} can't be downloaded for its scan: {error}",
                remedy="check that the server may read the artifact store",
            ) from error
        yield OnDisk(Path(downloaded), lasting=False)


def _refuse_climbing(path: str, uri: str) -> None:
    decoded = unquote(unquote(path))
    if posixpath.isabs(decoded) or ".." in decoded.replace("\\", "/").split("/"):
        raise ArtifactUnreadableError(f"the model's location {uri!r} leads out of its store")
