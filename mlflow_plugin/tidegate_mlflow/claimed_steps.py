"""The step that a version came from, as its run tells it, in the ledger's lineage.

A client that does no more than `log_model` has said a good deal: data sets, parameters, the base
model, the commit, and with `tidegate[mlflow]` what its machine looked like. All of it is the run's
word, and recorded as that. Only these digests are the server's own: the version's bytes; a data
set's, where it lies among the run's own artifacts on this server's disk; and a base model's, where
it is a version of this registry.

Always holds: nothing is read for a run that the server does not serve to that run's readers anyway;
no credential is recorded, only where one stands; and a version is never worse off for a run that
can't be read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mlflow.entities import Run, RunStatus

from tidegate.artifact import LocalSource, Manifest, read_manifest
from tidegate.attestation.step import TOLD, Material, Step, StepOutcome, material
from tidegate.provenance.redaction import Redactor
from tidegate_mlflow import host, on_load
from tidegate_mlflow.names import DIGEST_TAG, data_tag

_log = logging.getLogger(f"mlflow.{__name__}")

_CLAIMS = (
    "name", "outcome", "inputs", "outputs", "parameters", "code", "environment", "host", "actor",
)  # fmt: skip
_BASE_KEYS = ("tidegate.base_model", "mlflow.parentModel", "base_model", "base_model_name",
              "pretrained_model_name_or_path")  # fmt: skip
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MLMODEL_LIMIT = 1 << 20
# Top-level scalars, and where a transformers model came from; a line each, no YAML is parsed.
_MLMODEL_LINE = re.compile(
    r"^(?:(mlflow_version|model_id|run_id|utc_time_created)"
    r"|[ ]+(source_model_name|source_model_revision|python_version)): ['\"]?([^'\"\n]{1,500})",
    re.MULTILINE,
)
_MOST = 500
_LARGEST_DATA = 1 << 30
"""Bytes of all data sets of a run together that a registration hashes, each once."""
_OUTCOMES = {"FINISHED": StepOutcome.SUCCEEDED, "FAILED": StepOutcome.FAILED,
             "KILLED": StepOutcome.FAILED}  # fmt: skip

DigestOf = Callable[[str], str | None]
"""The digest that this registry has for "models:/name/1" or "models:/m-…", if it has one."""


def step_of_run(
    run: Run,
    *,
    subject: str,
    builder: str,
    manifest: Manifest,
    mlmodel: str,
    digest_of: DigestOf,
) -> tuple[Step, tuple[str, ...]]:
    """The step, and where credentials stand in the run.

    Args:
        run: what the tracking server has of it.
        subject: how decisions call the version.
        builder: the URI of what ran it, as far as that is known.
        manifest: the version's bytes.
        mlmodel: the text of its MLmodel file; empty where it has none.
        digest_of: looks up base models.
    """
    redactor = Redactor()
    tags: Mapping[str, str] = dict(list(run.data.tags.items())[:_MOST])
    params = {
        str(key): redactor.value(f"params.{key}", value)
        for key, value in list(run.data.params.items())[:_MOST]
    }
    shown = {key: redactor.value(f"tags.{key}", value) for key, value in tags.items()}
    told = {
        a or b: redactor.text("MLmodel", value) for a, b, value in _MLMODEL_LINE.findall(mlmodel)
    }
    datasets = tuple(_datasets(run, redactor))
    bases = tuple(_bases(run, told, digest_of, redactor))
    inputs = [read for _, read in datasets if read is not None]
    inputs += [found for _, found in bases if found is not None]
    inputs += _code_and_environment(shown)
    parameters: dict[str, Any] = {
        "params": params,
        "datasets": [said for said, _ in datasets],
        "baseModels": [said for said, _ in bases],
        "mlmodel": told,
        "run": run.info.run_id,
        "credentialsIn": list(redactor.hidden),
    }
    facts = {key: value for key, value in shown.items() if key.startswith("tidegate.")}
    finished = run.info.end_time
    body: dict[str, Any] = {
        "name": redactor.text("the run's name", str(run.info.run_name or run.info.run_id)),
        "builder": builder,
        "started_at": _moment(run.info.start_time),
        "finished_at": _moment(finished) if finished else None,
        "outcome": _OUTCOMES.get(RunStatus.to_string(RunStatus.from_string(run.info.status)),
                                 StepOutcome.UNFINISHED),
        "inputs": tuple(dict.fromkeys(inputs)),
        "outputs": (material(subject, TOLD, manifest),),
        "parameters": parameters,
        "code": _some(facts, "tidegate.git.") | _some(shown, "mlflow.source."),
        "environment": _some(facts, "tidegate.python", "tidegate.environment", "tidegate.lock"),
        "host": _some(facts, "tidegate.host", "tidegate.gpu", "tidegate.cuda",
                      "tidegate.container", "tidegate.image"),
        "actor": str(run.info.user_id or shown.get("mlflow.user") or "") or None,
        "claims": _CLAIMS,
    }  # fmt: skip
    return Step(id=_id_of(body), **body), redactor.hidden


def _id_of(body: Mapping[str, Any]) -> str:
    """The same run with the same output is one step, however often it is registered."""
    plain = Step(id=f"step:{'0' * 32}", **body).to_dict()
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return f"step:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _some(tags: Mapping[str, Any], *prefixes: str) -> dict[str, Any]:
    return {key: value for key, value in tags.items() if key.startswith(prefixes)}


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _code_and_environment(tags: Mapping[str, str]) -> Iterator[Material]:
    commit = tags.get("tidegate.git.commit") or tags.get("mlflow.source.git.commit") or ""
    if _COMMIT.fullmatch(commit):
        yield Material(tags.get("mlflow.source.name") or "code", "code", f"gitCommit:{commit}")
    installed = tags.get("tidegate.environment", "")
    if _DIGEST.fullmatch(installed):
        yield Material("libraries", "environment", installed)


def _datasets(run: Run, redactor: Redactor) -> Iterator[tuple[dict[str, Any], Material | None]]:
    """What the run says of each data set, and the material where there is a real digest."""
    here = _DataHere(run)
    for given in (run.inputs.dataset_inputs if run.inputs else ())[:_MOST]:
        dataset, labels = given.dataset, {tag.key: tag.value for tag in given.tags}
        source = _source(dataset.source)
        uri = str(source.get("uri") or source.get("url") or source.get("path") or "")
        said = {
            "name": redactor.text("a data set", str(dataset.name)),
            "mlflowDigest": str(dataset.digest),
            "type": str(dataset.source_type),
            "uri": redactor.url(uri) if uri else None,
            "context": labels.get("mlflow.data.context"),
        }
        name, shown = str(said["name"]), said["uri"] or None
        manifest = here.read(uri)
        claimed = labels.get(DIGEST_TAG) or run.data.tags.get(data_tag(uri), "").partition(" ")[0]
        if manifest is not None:
            yield said, material(name, "data", manifest, uri=shown)
        elif _DIGEST.fullmatch(claimed):
            yield said, Material(name, "data", claimed, shown)
        else:
            yield said, None


def _source(text: str | None) -> dict[str, Any]:
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


class _DataHere:
    """Data sets among the run's own artifacts, if they lie on this disk."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._root = str(run.info.artifact_uri or "").rstrip("/")
        self._left = _LARGEST_DATA
        self._known: dict[str, Manifest | None] = {}

    def read(self, uri: str) -> Manifest | None:
        """The manifest of one; None where it is elsewhere, or there is too much to hash."""
        run_uri = f"runs:/{self._run.info.run_id}"
        if uri.startswith(f"{run_uri}/"):
            uri = self._root + uri.removeprefix(run_uri)
        if not self._root.startswith("mlflow-artifacts:") or not uri.startswith(f"{self._root}/"):
            return None
        if ".." in unquote(unquote(uri)).split("/"):
            return None
        if uri not in self._known:
            self._known[uri] = self._hashed(uri)
        return self._known[uri]

    def _hashed(self, uri: str) -> Manifest | None:
        try:
            with on_load.not_for_the_gate_itself():
                repository, path = host.artifact_place(uri)
                local = repository.get_local_path(path)
            if local is None:
                return None
            source = LocalSource(local)
            size = sum(file.size for file in source.list_files()[1])
            if size > self._left:
                return None
            self._left -= size
            return read_manifest(source)
        except Exception as error:  # noqa: BLE001 - MLflow's repositories raise kinds of their own
            run_id = self._run.info.run_id
            _log.info("a data set of run %s can't be read: %s", run_id, error)
            return None


def _bases(
    run: Run, mlmodel: Mapping[str, str], digest_of: DigestOf, redactor: Redactor
) -> Iterator[tuple[str, Material | None]]:
    """What the model was made from, by name, and the material where there is a digest."""
    named = [run.data.tags.get(key) or run.data.params.get(key) for key in _BASE_KEYS]
    hub = mlmodel.get("source_model_name")
    revision = mlmodel.get("source_model_revision")
    named.append(f"{hub}@{revision}" if hub and revision else hub)
    models = run.inputs.model_inputs if run.inputs else ()
    named += [f"models:/{model.model_id}" for model in models[:_MOST]]
    for name in dict.fromkeys(filter(None, named)):
        shown = redactor.text("a base model", str(name))
        digest = str(name) if _DIGEST.fullmatch(str(name)) else None
        if digest is None and str(name).startswith("models:/"):
            digest = digest_of(str(name))
        yield shown, Material(shown, "base", digest) if digest else None


def mlmodel_text(folder: Path, manifest: Manifest) -> str:
    """The text of the MLmodel file, if those are the bytes that were scanned."""
    for entry in manifest.files:
        if entry.path == "MLmodel" and entry.size <= _MLMODEL_LIMIT:
            data = (folder / entry.path).read_bytes()
            if hashlib.sha256(data).hexdigest() == entry.sha256:
                return data.decode("utf-8", "replace")
    return ""


def tell_of_credentials(subject: str, run_id: str, places: tuple[str, ...]) -> None:
    """Say in the server's log where credentials stand in a run, and not what they are."""
    if places:
        _log.warning(
            "The run %s of %s seems to hold credentials, in %s. Whoever may read the run may read "
            "them: revoke them, then delete them from the run.",
            run_id,
            subject,
            ", ".join(places[:20]),
        )
