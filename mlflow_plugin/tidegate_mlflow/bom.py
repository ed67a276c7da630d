"""The bill of materials of a version that is being registered.

What the manifest and the model's own files say is read from the scanned bytes; data sets and
the base model are what the run claims, and marked as claims in the document.

Always holds: a run that can't be read costs the document its data sets, never the version its
registration; and what is written down has passed the strict validator.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tidegate.artifact import Manifest
from tidegate.errors import TidegateError
from tidegate.sbom import BaseModel, BomInput, DataSet, build_bom
from tidegate_mlflow.versions import VersionRow

_log = logging.getLogger(f"mlflow.{__name__}")

_REQUIREMENTS_LIMIT = 1 << 20
_BASE_MODEL_TAGS = ("mlflow.parentModel", "base_model", "tidegate.base_model")
_BASE_MODEL_PARAMS = ("base_model", "base_model_name", "pretrained_model_name_or_path")


def preload() -> None:
    """Load the validator now, so that the first registration need not wait for it.

    Not in a thread: MLflow guards imports with a lock of its own, and two threads that import
    at the same time can then wait for each other for ever.
    """
    build_bom(BomInput("warm-up", "0", Manifest("folder", ()), datetime.now(UTC)))


def bill_of_materials(row: VersionRow, manifest: Manifest, model: Path) -> str | None:
    """The document for one version, or None where it can't be made; the log says why."""
    try:
        return build_bom(
            BomInput(
                name=row.name,
                version=str(row.version),
                manifest=manifest,
                created_at=datetime.now(UTC),
                requirements=_requirements(manifest, model),
                properties=(("run-id", row.run_id or ""), ("source", row.source)),
                **_claims_of(row.run_id),
            )
        )
    except TidegateError as error:
        _log.warning("no SBOM for %s: %s", row.subject, error.message)
        return None


def _requirements(manifest: Manifest, model: Path) -> str | None:
    """The text of requirements.txt, if those are the scanned bytes."""
    import hashlib

    for entry in manifest.files:
        if entry.path == "requirements.txt" and entry.size <= _REQUIREMENTS_LIMIT:
            data = (model / entry.path).read_bytes()
            if hashlib.sha256(data).hexdigest() == entry.sha256:
                return data.decode("utf-8", "replace")
    return None


def _claims_of(run_id: str | None) -> dict[str, Any]:
    """What the run says of its data sets and base model."""
    if not run_id:
        return {}
    try:
        run = MlflowClient().get_run(run_id)
    except MlflowException as error:
        _log.info("the run %s can't be read for the SBOM: %s", run_id, error)
        return {}
    datasets = tuple(
        DataSet(
            name=given.dataset.name,
            digest=given.dataset.digest,
            source=given.dataset.source,
            context=next(
                (tag.value for tag in given.tags if tag.key == "mlflow.data.context"), None
            ),
        )
        for given in (run.inputs.dataset_inputs if run.inputs else ())
    )
    named = [run.data.tags.get(tag) for tag in _BASE_MODEL_TAGS]
    named += [run.data.params.get(param) for param in _BASE_MODEL_PARAMS]
    base = next((name for name in named if name), None)
    metrics = tuple(sorted((key, float(value)) for key, value in run.data.metrics.items()))
    return {
        "datasets": datasets,
        "base_model": BaseModel(name=base) if base else None,
        "metrics": metrics[:50],
    }
