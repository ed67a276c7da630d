"""Verify on load: MLflow's repositories for `models:/` and `runs:/`, which hand over only what
was checked.

They take the place of MLflow's own in every process that has Tidegate and MLflow, by entry point;
whoever calls `mlflow.pyfunc.load_model("models:/fraud@champion")` changes nothing. A download goes
into a private folder, is hashed there, and is handed over if its registry's version has that very
digest and is let go (see `vouching`). A model that no gated registry knows, and no ledger, is
loaded as MLflow does, unless `TIDEGATE_VERIFY_ON_LOAD=require`.

Always holds: no byte of a registered model reaches a caller, or a loader, before all of it was
hashed; a part of a model is checked by the manifest, or by downloading the whole; and whatever
keeps us from checking is an error, never a pass.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST

from tidegate.artifact import Manifest
from tidegate.errors import TidegateError
from tidegate.policy.explain import printable
from tidegate.settings import Settings
from tidegate_mlflow import client_host, pins, vouching
from tidegate_mlflow.client_host import ArtifactRepository
from tidegate_mlflow.staging import Stage, differences, staged
from tidegate_mlflow.vouching import Claim, RefusedOnLoadError

_log = logging.getLogger(f"mlflow.{__name__}")

_META = frozenset({client_host.MODEL_META})


class VerifyingModelsRepository(client_host.ModelsArtifactRepository):
    """What `models:/` stands for: a version by number, alias or stage, or a logged model."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        self._settings = vouching.settings_of_process()
        pins.watch()
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        self._claim: Claim | None = None

    def claim(self) -> Claim:
        """What the registry says of it; asked once."""
        if self._claim is None:
            shown = printable(self.artifact_uri)
            if client_host.names_databricks(self.artifact_uri):
                # Which is behind no gate. Of any other host in an address MLflow takes no notice.
                self._claim = Claim(shown)
            elif self.is_logged_model_uri:
                model_id = self.artifact_uri.rstrip("/").rsplit("/", 1)[-1]
                place = vouching.place_of_logged_model(model_id)
                self._claim = vouching.claim_of_sources((f"models:/{model_id}", place), shown)
            else:
                self._claim = vouching.claim_of_version(self.model_name, self.model_version, shown)
        return self._claim

    def download_artifacts(
        self,
        artifact_path: str | None,
        dst_path: str | None = None,
        lineage_header_info: dict[str, Any] | None = None,
    ) -> str:
        """As MLflow's, for what may be loaded.

        Raises:
            MlflowException: PERMISSION_DENIED for what may not; what MLflow raises otherwise.
        """
        path = _inside(artifact_path)
        claim = self.claim()
        if not claim.registered and self._settings.ledger is None:
            vouching.require_nothing(claim, self._settings)
            return str(super().download_artifacts(artifact_path, dst_path, lineage_header_info))
        with _refusing(claim), _staged(dst_path) as stage:
            if path:
                _fetch_part(self.repo, claim, "", path, stage, self._settings)
            else:
                self.repo.download_artifacts("", str(stage.folder))
                checked = _check_whole(claim, stage, "", self._settings)
                pins.pin(self.repo, checked, claim.shown)
            _refuse_strangers(claim, stage)
            delivered = str(stage.deliver() / path)
        client_host.add_model_meta(self, delivered)
        return delivered

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
            shutil.move(self.download_artifacts(remote_file_path, folder), local_path)


class VerifyingRunsRepository(client_host.RunsArtifactRepository):
    """What `runs:/` stands for. Where a version came from there, its bytes are checked as well."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        self._settings = vouching.settings_of_process()
        super().__init__(artifact_uri, tracking_uri, registry_uri)

    def download_artifacts(self, artifact_path: str, dst_path: str | None = None) -> str:
        """As MLflow's; of a registered model, the registered bytes and no others.

        Raises:
            MlflowException: PERMISSION_DENIED for what may not be loaded.
        """
        run_id, base = self.parse_runs_uri(self.artifact_uri)
        base, within = _inside(base), _inside(artifact_path)
        path = posixpath.join(base, within) if base and within else base or within
        name, _, rest = path.partition("/")
        model = client_host.logged_model_of_run(self, run_id, name) if name else None
        if isinstance(model, VerifyingModelsRepository) and model.claim().registered:
            # MLflow would lay the run's own files of that name among the model's.
            target = os.path.join(dst_path or client_host.new_folder(), name)  # noqa: PTH118
            Path(target).mkdir(parents=True, exist_ok=True)
            return model.download_artifacts(rest, target)
        claims = self._claims(run_id, path)
        if not claims:
            self._refuse_disguise(run_id, path)
            vouching.require_nothing(Claim(printable(self.artifact_uri)), self._settings)
            return str(super().download_artifacts(artifact_path, dst_path))
        with _refusing(next(iter(claims.values()))), _staged(dst_path) as stage:
            run = client_host.get_artifact_repository(self._root(run_id), self.tracking_uri)
            beneath = [place for place in claims if path.startswith(f"{place}/")]
            if not beneath:
                run.download_artifacts(path, str(stage.folder))
            for place in beneath:
                _fetch_part(run, claims[place], place, path, stage, self._settings)
            for place in claims.keys() - set(beneath):
                if (stage.folder / place).exists():
                    _check_whole(claims[place], stage, place, self._settings)
            return str(stage.deliver(base) / within)

    def _refuse_disguise(self, run_id: str, path: str) -> None:
        """Raise for a path that a server would take for one that a version was made from."""
        plain = _as_servers_read(path)
        if plain != path and self._claims(run_id, plain):
            shown = printable(f"runs:/{run_id}/{plain}")
            raise RefusedOnLoadError(
                f"Tidegate: {printable(repr(path))} is another spelling of {shown}, of which a "
                "version was made, so it can't be told which bytes are meant.\n"
                f"  To mend it: ask for {shown}"
            )

    def _root(self, run_id: str) -> str:
        uri = client_host.RunsArtifactRepository.get_underlying_uri(
            f"runs:/{run_id}", self.tracking_uri
        )
        return str(uri).rstrip("/")

    def _claims(self, run_id: str, path: str) -> dict[str, Claim]:
        """The folders of the run that versions were made from and that a download touches."""
        starts = (f"{self._root(run_id)}/", f"runs:/{run_id}/")
        names = path.split("/") if path else []
        above = ["/".join(names[: count + 1]) for count in range(len(names))]
        sources = [f"{start}{place}" for start in starts for place in above]
        known = vouching.claim_of_sources(sources, "").versions
        found: dict[str, list[vouching.Version]] = {}
        for version in (*known, *vouching.versions_of_run(run_id)):
            for start in starts:
                place = version.source.rstrip("/").removeprefix(start)
                touched = place in above or not path or place.startswith(f"{path}/")
                if version.digest and version.source.startswith(start) and touched:
                    found.setdefault(place, []).append(version)
        return {
            place: Claim(printable(f"runs:/{run_id}/{place}"), tuple(dict.fromkeys(versions)))
            for place, versions in found.items()
        }


def _fetch_part(
    repository: ArtifactRepository,
    claim: Claim,
    root: str,
    path: str,
    stage: Stage,
    settings: Settings,
) -> None:
    """Download `path`, a part of the registered folder `root`, and check it, into the stage."""
    digest = claim.digest_of_one()
    whole = vouching.manifest_on_record(digest, settings) if digest else None
    if whole is not None:
        repository.download_artifacts(path, str(stage.folder))
        part = stage.manifest(root)
        vouching.check(claim, whole, settings)
        if part is not None and (wrong := differences(whole, part)):
            raise RefusedOnLoadError(
                f"Tidegate: CHANGED. In {claim.shown}, {printable('; '.join(wrong[:5]))}, "
                "so it is not loaded.\n"
                "  To mend it: find out who changed it, in the artifact store or on the way here"
            )
        return
    _log.info(
        "All of %s is downloaded to check %r of it, for its digest is over all files; with "
        "TIDEGATE_LEDGER set, the part would do.",
        claim.shown,
        printable(path),
    )
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        all_of_it = Stage(Path(folder), None)
        repository.download_artifacts(root, folder)
        _check_whole(claim, all_of_it, root, settings)
        source = all_of_it.folder / path
        if not source.exists():
            raise MlflowException(
                f"There is no {path!r} in {claim.shown}.", error_code=RESOURCE_DOES_NOT_EXIST
            )
        target = stage.folder / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)


def _check_whole(claim: Claim, stage: Stage, root: str, settings: Settings) -> Manifest:
    """All files beneath `root` in the stage, against who vouches for them."""
    found = stage.manifest(root)
    if found is None:
        raise RefusedOnLoadError(
            f"Tidegate: nothing arrived of {claim.shown}, so there is nothing to load.\n"
            "  To mend it: see whether its files still lie in the artifact store"
        )
    found = _without_note(claim, stage, root, found)
    vouching.check(claim, found, settings)
    vouching.remember(found)
    return found


def _without_note(claim: Claim, stage: Stage, root: str, found: Manifest) -> Manifest:
    """Without the note that MLflow of another client has left in the store, if that is all."""
    rest = replace(found, files=tuple(f for f in found.files if f.path != client_host.MODEL_META))
    digests = {version.digest for version in claim.versions}
    if found.digest in digests or rest.digest not in digests:
        return found
    (stage.folder / root / client_host.MODEL_META).unlink()
    return rest


def _refuse_strangers(claim: Claim, stage: Stage) -> None:
    if strangers := stage.strangers(_META):
        raise RefusedOnLoadError(
            f"Tidegate: {claim.shown} is not put among other files: "
            f"{printable(', '.join(map(repr, strangers[:5])))} would be loaded with it.\n"
            "  To mend it: give an empty folder as dst_path"
        )


@contextmanager
def _staged(dst_path: str | None) -> Iterator[Stage]:
    """A stage for MLflow's `dst_path`, with MLflow's own errors where that can't be used."""
    if dst_path is not None and not Path(dst_path).is_dir():
        raise MlflowException(
            f"The destination path for downloaded artifacts is no folder: {dst_path}",
            error_code=RESOURCE_DOES_NOT_EXIST,
        )
    with staged(dst_path, client_host.new_folder) as stage:
        yield stage


@contextmanager
def _refusing(claim: Claim) -> Iterator[None]:
    """Say in the log what was refused, and leave with MLflow's kind of error only."""
    try:
        yield
    except RefusedOnLoadError:
        _log.warning("Tidegate refused to load %s.", claim.shown)
        raise
    except TidegateError as error:
        _log.warning("Tidegate refused to load %s: %s", claim.shown, error.message)
        raise RefusedOnLoadError(f"Tidegate: {error.explain()}") from error


def _as_servers_read(path: str) -> str:
    """A path as it comes out at the end of a URL: without escapes, and before a query."""
    plain = path
    while (decoded := unquote(plain)) != plain:
        plain = decoded
    return _inside(re.split("[?#]", plain.replace("\\", "/"), maxsplit=1)[0])


def _inside(path: str | None) -> str:
    """A path within an artifact in its one spelling.

    Raises:
        MlflowException: it leads out.
    """
    if not path or posixpath.normpath(path) == ".":
        return ""
    plain = posixpath.normpath(path)
    if plain.startswith("/") or ".." in plain.split("/"):
        raise MlflowException(
            f"The path {path!r} leads out of the artifact.", error_code=INVALID_PARAMETER_VALUE
        )
    return plain
