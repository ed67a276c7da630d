"""Registration: a version is scanned and decided on before it can be READY.

A version is inserted as PENDING_REGISTRATION, scanned, and ended in one transaction with its
decision: READY, or FAILED_REGISTRATION with a message that names rule, file and the way to a
review. Always holds: what ends is the very row that was scanned, with files that were still the
same when its scan had ended; what can't be read is held.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlparse

from mlflow.entities.model_registry import ModelVersion

from tidegate.artifact import LocalSource, Manifest
from tidegate.errors import ArtifactChangedError, ArtifactError, ArtifactMissingError
from tidegate.policy import Action, Decision
from tidegate.policy.explain import printable
from tidegate.scanners.evidence import Evidence
from tidegate_mlflow import answers, artifacts, bom, host, marks, reserved, review_links
from tidegate_mlflow.answers import gated
from tidegate_mlflow.rows import MESSAGE_LIMIT, Rows
from tidegate_mlflow.versions import FAILED, PENDING, READY, VersionRow, inserting

_log = logging.getLogger(f"mlflow.{__name__}")


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about a version while its bytes were at hand."""

    manifest: Manifest
    evidence: Evidence
    document: str | None
    """Its SBOM."""
    place: str | None
    """Where the bytes lie to stay."""
    copy: str | None = None
    """The location of the gate's own copy."""


class Registering(Rows):
    """The calls that make registered models and versions."""

    @gated
    def create_registered_model(
        self,
        name: str,
        tags: Any = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> Any:
        """As MLflow's, without tags of ours."""
        return super().create_registered_model(
            name, reserved.without_reserved(tags), description, deployment_job_id
        )

    @gated
    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Any = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """As MLflow's, but the version that comes back is scanned and decided on.

        Held versions come back as FAILED_REGISTRATION, which MLflow's client turns into an error
        with our message.
        """
        if not name.isprintable():
            raise answers.invalid("Tidegate: the model's name holds unprintable characters.")
        tags = reserved.without_reserved(tags)
        is_prompt = source in host.PROMPT_SOURCES
        if is_prompt:
            self._refuse_hollow(name)
        else:
            self._refuse_disguise(name, tags)
            self._refuse_held_source(source)
            artifacts.refuse_two_spellings(source)
            artifacts.refuse_whole_store(source)
        with inserting(READY if is_prompt else PENDING):
            created = super().create_model_version(
                name, source, run_id, tags, run_link, description, local_model_path, model_id
            )
        if is_prompt:
            return created
        self._decide_registration(self._row(created.name, created.version))
        return super().get_model_version(created.name, created.version)

    def _refuse_hollow(self, name: str) -> None:
        """A prompt's placeholder as a model's source would be a version without any bytes."""
        if not super().get_registered_model(name)._is_prompt():
            raise answers.invalid(
                f"Tidegate: {printable(name)!r} is a model, and this source is a prompt's."
            )

    def _refuse_disguise(self, name: str, tags: list[Any]) -> None:
        """A real version with a prompt's tag, or under a prompt's name, is hidden from searches."""
        if any(reserved.is_prompt_tag(tag.key) for tag in tags):
            raise answers.invalid(
                f"Tidegate: the tag {host.PROMPT_TAG!r} belongs to prompts, and this is a model."
            )
        if super().get_registered_model(name)._is_prompt():
            raise answers.invalid(
                f"Tidegate: {name!r} is a prompt; register the model under another name."
            )

    def _refuse_held_source(self, source: str) -> None:
        """A copy of another version asks for that version first, so that its refusal arrives."""
        parsed = urlparse(source)
        parts = parsed.path.strip("/").split("/")
        if parsed.scheme == "models" and len(parts) == 2:
            self.get_model_version_download_uri(parts[0], parts[1])

    def _decide_registration(self, row: VersionRow) -> Decision | None:
        """Scan one version and end its registration. None where its bytes can't be read."""
        try:
            row = self._settled(row)
            with artifacts.on_disk(row.location) as model:
                files = LocalSource(model.path).list_files()
                manifest, evidence = self.gate.gather(model.path)
                _refuse_unfinished(row, manifest)
                document = bom.bill_of_materials(row, manifest, model.path)
                found = Found(manifest, evidence, document, model.place)
                if self.gate.foresee(
                    Action.REGISTER, manifest, evidence, subject=row.subject
                ).allowed:
                    found = replace(found, copy=self._copy_of(row, model, manifest))
                # From now on it is registered, and the guard lets nobody change it any more.
                if LocalSource(model.path).list_files() != files:
                    raise ArtifactChangedError(
                        "the model was changed while it was scanned",
                        remedy="log it anew, and register it when its upload has ended",
                    )
        except ArtifactError as error:
            self._end_unreadable(row, error)
            return None
        return self._end_decided(row, found)

    def _settled(self, row: VersionRow) -> VersionRow:
        """The row, with a run's address in its location replaced by where that run's files lie."""
        if not row.location.startswith("runs:"):
            return row
        location = artifacts.underlying(row.location)
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._same_row(session, row)
            stored.storage_location = location
        return replace(row, location=location)

    def _end_decided(self, row: VersionRow, found: Found) -> Decision:
        """The decision, the SBOM and the row's status, together where they share a database."""
        manifest = found.manifest
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._same_row(session, row)
            connection = session.connection() if self._shares_database else None
            decision = self.gate.settle(
                Action.REGISTER,
                manifest,
                found.evidence,
                subject=row.subject,
                actor=host.acting_user(),
                place=found.place,
                connection=connection,
            )
            ledger = self.gate.ledger
            ledger.add_registration(
                store=row.store,
                name=row.name,
                version=str(row.version),
                created_ms=row.created_ms,
                source=row.location,
                digest=manifest.digest,
                decision_id=decision.id,
                connection=connection,
            )
            if found.document is not None:
                ledger.add_sbom(
                    digest=manifest.digest,
                    subject=row.subject,
                    body=found.document,
                    now=decision.decided_at,
                    connection=connection,
                )
            marks.put_digest(stored, manifest.digest)
            stored.status = READY if decision.allowed else FAILED
            stored.status_message = review_links.for_the_record(decision).summary(MESSAGE_LIMIT)
            if decision.outcome == "allow":
                stored.status_message = None
            if decision.allowed and found.copy is not None:
                stored.storage_location = found.copy
        _log.info("%s: %s", printable(row.subject), decision.outcome.value)
        return decision

    def _end_unreadable(self, row: VersionRow, error: ArtifactError) -> None:
        """What can't be read is held; there is no digest that anybody could review.

        Where nothing lies yet nothing is recorded either: it may be logged there still, and then
        be registered.
        """
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._same_row(session, row)
            if not isinstance(error, ArtifactMissingError):
                self.gate.ledger.add_registration(
                    store=row.store,
                    name=row.name,
                    version=str(row.version),
                    created_ms=row.created_ms,
                    source=row.location,
                    digest=None,
                    decision_id=None,
                    connection=session.connection() if self._shares_database else None,
                )
            message = printable(f"Tidegate: held, because {error.message}")
            if error.remedy:
                message += f". To mend it: {printable(error.remedy)}"
            marks.put_digest(stored, None)
            stored.status = FAILED
            stored.status_message = message[:MESSAGE_LIMIT]


def _refuse_unfinished(row: VersionRow, manifest: Manifest) -> None:
    """A logged model whose upload has not ended has no MLmodel file yet."""
    is_logged_model = row.source.startswith("models:/m-")
    if is_logged_model and all(file.path != "MLmodel" for file in manifest.files):
        raise ArtifactMissingError(
            "the logged model has no MLmodel file, so its upload has not ended",
            remedy="log the model to its end, then register it again",
        )
