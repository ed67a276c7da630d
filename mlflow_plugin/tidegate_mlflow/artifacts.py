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
from urllib.parse import unquote, urlsplit

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.runs_artifact_repo import RunsArtifactRepository

from tidegate.errors import ArtifactMissingError, ArtifactUnreadableError
from tidegate.policy.explain import printable
from tidegate_mlflow import answers, host, on_load, places

_DECODING = "mlflow-artifacts"
"""Of these locations MLflow decodes the path, once; of all others it takes it as it stands."""


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


def underlying(uri: str) -> str:
    """Where the files of a run's address (`runs:/…`) lie.

    Raises:
        ArtifactMissingError: there is no such run.
    """
    try:
        return str(RunsArtifactRepository.get_underlying_uri(uri))
    except MlflowException as error:
        raise ArtifactMissingError(f"the run of {uri!r} can't be found: {error.message}") from error


def local_path_of(location: str) -> Path | None:
    """Where on this machine's disks a location lies, whether there is anything yet or not."""
    repository, path = host.artifact_place(location)
    _refuse_climbing(path, location)
    folder = host.local_folder(str(repository.artifact_uri))
    return None if folder is None else Path(folder, path)


def refuse_two_spellings(source: str) -> None:
    """400 for a source that the server and the guard could take for two places.

    On a disk a name that ends with a backslash is another than the one without; in a URL the two
    may be one. Registered under the one, a model would answer for the bytes of the other.
    """
    split = urlsplit(source)
    decoded = unquote(split.path)
    try:
        if split.scheme in {"", "file"} or len(split.scheme) == 1:
            several = len(places_of(source, "default")) > 1
        elif split.scheme == _DECODING:
            several = unquote(decoded) != decoded or "\\" in decoded
        else:
            several = decoded != split.path or "\\" in decoded
    except (MlflowException, OSError, ValueError):
        # MLflow or the scan will say what is wrong with it.
        return
    if several:
        raise answers.invalid(
            f"Tidegate: the source {printable(source)!r} can be read in two ways. To mend it: log "
            "the model under a name without percent signs and backslashes."
        )


def refuse_whole_store(source: str) -> None:
    """400 for a source that is a whole store or holds the server's own: no model is so large.

    Registered, it would freeze or hold all that lies in it.
    """
    try:
        asked = places_of(source, "default")
        whole = [place for place in asked if place.count("/") < 3 and not place.startswith("file:")]
        own = host.own_storage()
        inside = places_of(own, "default") if own else ()
    except (MlflowException, OSError, ValueError):
        # MLflow or the scan will say what is wrong with it.
        return
    if whole or any(places.is_within(held, place) for place in asked for held in inside):
        raise answers.invalid(
            f"Tidegate: the source {printable(source)!r} is a whole artifact store, not a model."
        )


def places_of(location: str, workspace: str) -> tuple[str, ...]:
    """Every place that a version's storage location stands for."""
    base, path = host.storage_of(location, workspace)
    try:
        return places.of(base, host.local_folder(base), path)
    except places.ClimbingError as error:
        raise answers.invalid("Tidegate: there can be no model at this location.") from error


def _refuse_climbing(path: str, uri: str) -> None:
    decoded = unquote(unquote(path))
    if posixpath.isabs(decoded) or ".." in decoded.replace("\\", "/").split("/"):
        raise ArtifactUnreadableError(f"the model's location {uri!r} leads out of its store")
