"""The MLmodel file of a model that was checked, when it is asked for again by another address.

Some flavors (transformers, sentence-transformers) download a model by `models:/…` and then fetch
its MLmodel file once more, from the place that the registry named. That second copy must be the
one that was checked: it says which classes to load, and from where.

Always holds: within a process, an MLmodel file at a place from which a model was checked is handed
over only if it is that model's. Places that no model was checked from are nobody's business here.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tidegate.artifact import FileEntry, Manifest, read_manifest
from tidegate.errors import TidegateError
from tidegate_mlflow import client_host
from tidegate_mlflow.client_host import ArtifactRepository
from tidegate_mlflow.vouching import RefusedOnLoadError

_log = logging.getLogger(f"mlflow.{__name__}")

_MLMODEL = "MLmodel"
_KEPT = 256
_lock = threading.Lock()
_pinned: OrderedDict[str, tuple[FileEntry, str]] = OrderedDict()
_opened_as: weakref.WeakKeyDictionary[ArtifactRepository, str] = weakref.WeakKeyDictionary()


def watch() -> None:
    """See every repository that MLflow opens in this process from now on, whatever its scheme."""
    table = client_host.repositories()
    with _lock:
        for scheme, make in table.items():
            if scheme not in {"models", "runs"} and not hasattr(make, "seen_by_tidegate"):
                table[scheme] = _seen(make)


def pin(repository: ArtifactRepository, manifest: Manifest, shown: str) -> None:
    """Remember the MLmodel file of what was just checked, by the place it came from."""
    place = _opened_as.get(repository)
    entry = next((file for file in manifest.files if file.path == _MLMODEL), None)
    if place is None or entry is None:
        return
    with _lock:
        _pinned[place.rstrip("/")] = (entry, shown)
        _pinned.move_to_end(place.rstrip("/"))
        while len(_pinned) > _KEPT:
            _pinned.popitem(last=False)


def _seen(make: Callable[..., ArtifactRepository]) -> Callable[..., ArtifactRepository]:
    @functools.wraps(make)
    def opened(artifact_uri: str, *args: Any, **kwargs: Any) -> ArtifactRepository:
        repository = make(artifact_uri, *args, **kwargs)
        place = str(artifact_uri).rstrip("/")
        _opened_as[repository] = place
        with _lock:
            known = _pinned.get(place)
        if known is not None:
            real = repository.download_artifacts
            repository.download_artifacts = functools.partial(_checked, real, *known)
        return repository

    opened.seen_by_tidegate = True  # type: ignore[attr-defined]
    return opened


def _checked(
    download: Callable[..., str],
    expected: FileEntry,
    shown: str,
    artifact_path: str | None = None,
    dst_path: str | None = None,
) -> str:
    """Download; an MLmodel file must be the one that was checked."""
    local = str(download(artifact_path, dst_path))
    if os.path.normpath(artifact_path or "") != _MLMODEL:
        return local
    try:
        (found,) = read_manifest(local).files
    except TidegateError as error:
        raise RefusedOnLoadError(f"Tidegate: {error.explain()}") from error
    if found.sha256 != expected.sha256:
        _log.warning("Tidegate refused the MLmodel file of %s, asked for by its place.", shown)
        raise RefusedOnLoadError(
            f"Tidegate: CHANGED. The MLmodel file of {shown} is not the one that was checked a "
            "moment ago, so it is not used.\n"
            "  To mend it: find out who changed it in the artifact store"
        )
    return local
