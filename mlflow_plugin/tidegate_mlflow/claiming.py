"""Registration leaves a step in the lineage: the run that a version came from, as it tells it.

Always holds: the step is recorded after the version's decision stands, and a version is never
worse off for what can't be told of its run. Only the run that first registered some bytes tells
where they came from, if no step on record has made or used them; and of a single file none does,
for content joins that to every folder which holds it. So nobody can make up a descent for bytes
that others have registered or work with, and so have them held. No demanded chain counts these
steps.
"""

from __future__ import annotations

import logging
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy import select

from tidegate.attestation.step import TOLD_BY_RUN
from tidegate.ledger import schema
from tidegate.policy.explain import printable
from tidegate_mlflow import artifacts, claimed_steps
from tidegate_mlflow.names import DIGEST_TAG, UNREAD
from tidegate_mlflow.versions import VersionRow

_log = logging.getLogger(f"mlflow.{__name__}")

# Put over the gated store, whose methods it calls.
_Store: Any = object


class Claiming(_Store):
    """What is put over the gated registry, so that runs stand in the lineage of its versions."""

    def create_model_version(self, *args: Any, **kwargs: Any) -> ModelVersion:
        """As the gated registry's."""
        created = super().create_model_version(*args, **kwargs)
        try:
            self._record_step(self._row(created.name, created.version))
        except Exception as error:  # noqa: BLE001 - the version is registered, and that counts
            _log.warning(
                "The step that %s/%s came from can't be recorded: %s",
                printable(str(created.name)),
                created.version,
                error,
            )
        return created

    def _record_step(self, row: VersionRow) -> None:
        if not row.run_id or row.is_prompt or row.marked in {None, UNREAD}:
            return
        digest = str(row.marked)
        try:
            run = MlflowClient().get_run(row.run_id)
        except MlflowException as error:
            _log.info("the run %s can't be read for its step: %s", row.run_id, error)
            return
        if not self._is_first(row, digest) or self._is_in_steps(digest):
            _log.info("%s has bytes that are on record already, and their step.", row.subject)
            return
        manifest = self.gate.ledger.manifest(digest)
        if manifest.kind == "file":
            # A `python_env.yaml`, say, which would be an ancestor of every model that has the same.
            _log.info("%s is a single file, of which no run is believed.", row.subject)
            return
        with artifacts.on_disk(row.location) as model:
            mlmodel = claimed_steps.mlmodel_text(model.path, manifest)
        step, credentials = claimed_steps.step_of_run(
            run,
            subject=row.subject,
            builder=f"{TOLD_BY_RUN}{row.store}",
            manifest=manifest,
            mlmodel=mlmodel,
            digest_of=self._registered_digest,
        )
        claimed_steps.tell_of_credentials(printable(row.subject), row.run_id, credentials)
        self.gate.ledger.record_step(step)

    def _is_first(self, row: VersionRow, digest: str) -> bool:
        """Whether these bytes were registered by this version before any other."""
        *_, first = self.gate.ledger.registrations_of(digest)
        return (first.store, first.version, first.created_ms, first.name) == (
            row.store,
            str(row.version),
            row.created_ms,
            row.name,
        )

    def _is_in_steps(self, digest: str) -> bool:
        """Whether a step made or used these bytes already; who used a public model, say."""
        edge = schema.edge.c
        with self.gate.ledger.reading() as connection:
            return any(
                connection.execute(select(edge.id).where(column == digest).limit(1)).first()
                for column in (edge.source, edge.target)
            )

    def _registered_digest(self, uri: str) -> str | None:
        """The digest of "models:/name/1" or "models:/m-…" in this registry."""
        name, slash, number = uri.removeprefix("models:/").partition("/")
        try:
            if slash and number.isdecimal():
                return _digest_of(self._row(name, number).marked)
            if slash or "'" in name or "@" in name:
                return None
            found = self.search_model_versions(filter_string=f"source_path = 'models:/{name}'")
        except MlflowException:
            return None
        digests = {_digest_of(version.tags.get(DIGEST_TAG)) for version in found} - {None}
        return digests.pop() if len(digests) == 1 else None


def _digest_of(tag: str | None) -> str | None:
    return None if tag == UNREAD else tag
