"""MLflow's note in a model's folder: which version a download was.

A client that reads a store from its own disk gets the stored folder itself for a download, and
MLflow writes `registered_model_meta` into it. Whoever only loads a model would so change it, and
the next one would be refused. Always holds: the note is left out of account only where it holds a
name and a version and nothing else, and only where everything beside it is what was registered.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidegate.artifact import Manifest, read_manifest
from tidegate.gate import Gate
from tidegate.policy import Action, Decision
from tidegate.policy.grounds import CHANGED
from tidegate_mlflow import artifacts, host
from tidegate_mlflow.names import MODEL_META
from tidegate_mlflow.versions import VersionRow

_LONGEST = 1024
# As MLflow writes it: two plain scalars, no tag, anchor or collection of YAML.
_NOTE = re.compile(rb"model_name: [\w'\".:/ -]+\nmodel_version: ['\"]?\w+['\"]?\n")

# Put over the gated store, whose methods it calls.
_Store: Any = object


def without_note(folder: Path, manifest: Manifest) -> Manifest | None:
    """The manifest without MLflow's note; None where there is none, or it holds anything else."""
    note = folder / MODEL_META
    entry = next((file for file in manifest.files if file.path == MODEL_META), None)
    if entry is None or entry.size > _LONGEST or not _NOTE.fullmatch(note.read_bytes()):
        return None
    return replace(manifest, files=tuple(file for file in manifest.files if file is not entry))


class Noted(_Store):
    """What is put over the gated registry, so that loading a model does not change it."""

    def _standing(self, row: VersionRow, action: Action) -> Decision:
        decision: Decision = super()._standing(row, action)
        if all(reason.rule != CHANGED for reason in decision.reasons):
            return decision
        known = self._registration(row)
        if known is None:
            return decision
        with artifacts.on_disk(row.location) as model:
            manifest = without_note(model.path, read_manifest(model.path))
        if manifest is None or manifest.digest != known.digest:
            return decision
        gate: Gate = self.gate
        return gate.stand(
            manifest.digest,
            action,
            manifest=manifest,
            subject=row.subject,
            actor=host.acting_user(),
            expected=known.digest,
        )
