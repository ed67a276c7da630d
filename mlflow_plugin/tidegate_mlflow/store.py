"""The gated model registry: MLflow's SQL store, in which every version needs a decision.

A version is inserted as PENDING_REGISTRATION, scanned, and ended in one transaction with its
decision: READY, or FAILED_REGISTRATION with a message that names rule, file and the way to a
review. Later calls hash the bytes again and ask what stands on record:

- `get_model_version_download_uri`, `set_registered_model_alias` and
  `transition_model_version_stage` are refused with 403 for what is held;
- a version whose bytes are no longer those of its registration is refused, however clean;
- a version from before the gate was installed is scanned when it is first used.

Always holds: no row of this store is READY for an instant without an allowing decision, prompts
are left to MLflow, and nothing is answered by a 5xx.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlparse

from mlflow.entities.model_registry import ModelVersion
from mlflow.entities.model_registry.model_version_stages import (
    DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS,
    get_canonical_stage,
)
from mlflow.store.entities.paged_list import PagedList

from tidegate.artifact import Manifest
from tidegate.errors import ArtifactError, ArtifactMissingError, TidegateError, UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger, is_remote
from tidegate.policy import Action, Decision, Mode
from tidegate.policy.explain import printable
from tidegate.scanners.evidence import Evidence
from tidegate.settings import read_settings
from tidegate_mlflow import answers, artifacts, bom, host, marks, reserved, since
from tidegate_mlflow.answers import gated
from tidegate_mlflow.claiming import Claiming
from tidegate_mlflow.deploying import Deploying
from tidegate_mlflow.versions import FAILED, PENDING, READY, VersionRow, gate_inserts, inserting

# Below MLflow's own logger, whose settings decide what a server prints.
_log = logging.getLogger(f"mlflow.{__name__}")

_MESSAGE_LIMIT = 500

# The methods below call `super()` for MLflow's own, with whichever store stands behind them.
_Store: Any = object


class _GatedMethods(_Store):
    """What is put over MLflow's store classes, with and without workspaces."""

    def __init__(self, db_uri: str, read_db_uri: str | None = None) -> None:
        super().__init__(db_uri, read_db_uri=read_db_uri)
        gate_inserts(self.engine)
        settings = read_settings()
        self._shares_database = settings.ledger is None
        if is_remote(settings.ledger or ""):
            raise UsageError(
                "a registry records a version's decision with the version, which takes the "
                "ledger's database, and TIDEGATE_LEDGER is a console's address",
                remedy="unset TIDEGATE_LEDGER on the MLflow server, or give it a database's URL",
            )
        ledger = Ledger.on_engine(self.engine) if self._shares_database else settings.ledger_url()
        self.gate = Gate.open(ledger=ledger, keep_spare=True)
        self.gate.engine.prepare()
        bom.preload()
        _log.info(
            "Tidegate gates this registry: policy %s (%s), ledger %s.",
            self.gate.policy.profile,
            self.gate.policy.digest[:19],
            self.gate.ledger.url,
        )
        if self.gate.policy.mode is Mode.AUDIT:
            _log.warning("Tidegate runs in audit mode: decisions are recorded, nothing is held.")

    # Registration

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
            with artifacts.on_disk(row.location) as model:
                manifest, evidence = self.gate.gather(model.path)
                _refuse_unfinished(row, manifest)
                document = bom.bill_of_materials(row, manifest, model.path)
                place = model.place
        except ArtifactError as error:
            self._end_unreadable(row, error)
            return None
        return self._end_decided(row, manifest, evidence, document, place)

    def _end_decided(
        self,
        row: VersionRow,
        manifest: Manifest,
        evidence: Evidence,
        document: str | None,
        place: str | None,
    ) -> Decision:
        """The decision, the SBOM and the row's status, together where they share a database."""
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._same_row(session, row)
            connection = session.connection() if self._shares_database else None
            decision = self.gate.settle(
                Action.REGISTER,
                manifest,
                evidence,
                subject=row.subject,
                actor=host.acting_user(),
                place=place,
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
            if document is not None:
                ledger.add_sbom(
                    digest=manifest.digest,
                    subject=row.subject,
                    body=document,
                    now=decision.decided_at,
                    connection=connection,
                )
            marks.put_digest(stored, manifest.digest)
            stored.status = READY if decision.allowed else FAILED
            stored.status_message = decision.summary(_MESSAGE_LIMIT)
            if decision.outcome == "allow":
                stored.status_message = None
        _log.info("%s: %s", printable(row.subject), decision.outcome.value)
        return decision

    def _end_unreadable(self, row: VersionRow, error: ArtifactError) -> None:
        """What can't be read is held; there is no digest that anybody could review."""
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._same_row(session, row)
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
            stored.status_message = message[:_MESSAGE_LIMIT]

    def _same_row(self, session: Any, row: VersionRow) -> host.SqlModelVersion:
        """The version's row, if it is still the one that was looked at.

        Between the scan and its end somebody may have deleted the version and made another of
        the same number, which this decision is not about.
        """
        stored = self._get_sql_model_version(session, row.name, row.version)
        if VersionRow.of(stored) != row:
            raise answers.refused(
                f"Tidegate: {printable(row.subject)} was changed while it was scanned. "
                "Register the model again."
            )
        return stored

    # Use

    @gated
    def copy_model_version(self, src_mv: ModelVersion, dst_name: str) -> ModelVersion:
        """As MLflow's, refused for what is held before anything is made."""
        self._require(Action.LOAD, src_mv.name, src_mv.version)
        return super().copy_model_version(src_mv, dst_name)

    @gated
    def get_model_version_download_uri(self, name: str, version: Any) -> str:
        """As MLflow's, refused for what is held."""
        self._require(Action.LOAD, name, version)
        return str(super().get_model_version_download_uri(name, version))

    @gated
    def set_registered_model_alias(self, name: str, alias: str, version: Any) -> None:
        """As MLflow's, refused for what is held."""
        self._require(Action.ALIAS, name, version)
        super().set_registered_model_alias(name, alias, version)

    @gated
    def transition_model_version_stage(
        self, name: str, version: Any, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """As MLflow's, refused for what is held, except to put it away (None, Archived)."""
        if get_canonical_stage(stage) in DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS:
            self._require(Action.STAGE, name, version)
        return super().transition_model_version_stage(
            name, version, stage, archive_existing_versions
        )

    @gated
    def get_model_version(self, name: str, version: Any) -> ModelVersion:
        """As MLflow's; a held version that has since been let go, or held anew, says so."""
        found = super().get_model_version(name, version)
        recalled = found.status == READY and since.anything_is_recalled(self.gate.ledger)
        if found.status == FAILED or recalled:
            row = self._row(name, version)
            if self._status_now(row) != row.status:
                return super().get_model_version(name, version)
        return found

    @gated
    def search_model_versions(self, *args: Any, **kwargs: Any) -> PagedList[ModelVersion]:
        """As MLflow's; what has since been let go, or is held by a recall, says so."""
        found = super().search_model_versions(*args, **kwargs)
        recalled = since.anything_is_recalled(self.gate.ledger)
        held = since.held_versions(self.gate.ledger) if recalled else frozenset()
        for each in found:
            is_held = (str(each.version), each.creation_timestamp) in held
            if each.status == FAILED or (each.status == READY and is_held):
                row = self._row(each.name, each.version)
                if self._status_now(row) != row.status:
                    shown = super().get_model_version(each.name, each.version)
                    each._status, each._status_message = shown.status, shown.status_message
        return found

    def _require(self, action: Action, name: str, version: Any) -> None:
        """Return where the version may be used so; otherwise raise the refusal."""
        row = self._row(name, version)
        if row.is_prompt:
            self._refuse_hollow(row.name)
            return
        if row.status == PENDING:
            raise answers.refused(
                f"Tidegate: {printable(row.subject)} has no decision yet: its scan has not ended. "
                "Wait for it; if the server was stopped meanwhile, register the model again."
            )
        decision = self._standing(row, action)
        if action is not Action.DEPLOY:
            # What may not be deployed may still be loaded, and its status says so.
            self._show(row, decision)
        self._mark(row, decision)
        if not decision.allowed:
            _log.warning("Tidegate refused to %s %s.", action.value, printable(row.subject))
            raise answers.refusal(decision)

    def _standing(self, row: VersionRow, action: Action) -> Decision:
        """Hash the version's bytes again, and what is on record for them."""
        known = self.gate.ledger.registration_at(
            store=row.store,
            version=str(row.version),
            created_ms=row.created_ms,
            source=row.location,
        )
        if known is None and row.status == READY:
            # From before the gate: its evidence is made now, and binds it from now on.
            adopted = self._decide_registration(row)
            if adopted is not None:
                return adopted
        if known is None or known.digest is None:
            raise ArtifactMissingError(
                f"{printable(row.subject)} was never read in full, so there is no evidence for it",
                remedy="register the model again",
            )
        with artifacts.on_disk(row.location) as model:
            return self.gate.standing(
                model.path,
                action,
                subject=row.subject,
                actor=host.acting_user(),
                expected=known.digest,
            )

    def _status_now(self, row: VersionRow) -> str:
        """The status that a version's row has from now on, by how its bytes stand on record."""
        known = self.gate.ledger.registration_at(
            store=row.store,
            version=str(row.version),
            created_ms=row.created_ms,
            source=row.location,
        )
        if known is None or known.digest is None or row.is_prompt:
            return row.status
        if row.status == FAILED and not since.may_be_let_go(self.gate.ledger, known.digest):
            return row.status
        decision = self.gate.standing_of(known.digest, Action.LOAD, subject=row.subject)
        self._show(row, decision)
        return READY if decision.allowed else FAILED

    def _show(self, row: VersionRow, decision: Decision) -> None:
        """Keep the status that people see in step with the decision."""
        status = READY if decision.allowed else FAILED
        if status == row.status:
            return
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._get_sql_model_version(session, row.name, row.version)
            if stored.creation_time != row.created_ms or stored.status == PENDING:
                return
            stored.status = status
            allowed = decision.outcome == "allow"
            stored.status_message = None if allowed else decision.summary(_MESSAGE_LIMIT)

    def _mark(self, row: VersionRow, decision: Decision) -> None:
        """Tell clients the digest of a version that was registered before they were told."""
        if not decision.allowed or row.marked == decision.digest:
            return
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._get_sql_model_version(session, row.name, row.version)
            if stored.creation_time == row.created_ms:
                marks.put_digest(stored, decision.digest)

    def _row(self, name: str, version: Any) -> VersionRow:
        with self.ManagedSessionMaker() as session:
            return VersionRow.of(self._get_sql_model_version(session, name, version))

    # Tags

    @gated
    def set_registered_model_tag(self, name: str, tag: Any) -> None:
        """As MLflow's, without tags of ours; a model with versions can't be made a prompt."""
        reserved.refuse_reserved(tag.key)
        if reserved.is_prompt_tag(tag.key) and not super().get_registered_model(name)._is_prompt():
            raise answers.invalid(f"Tidegate: {name!r} is a model and can't be made a prompt.")
        super().set_registered_model_tag(name, tag)

    @gated
    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """As MLflow's, without tags of ours."""
        reserved.refuse_reserved(key)
        super().delete_registered_model_tag(name, key)

    @gated
    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """As MLflow's, without tags of ours; a model's version can't be made a prompt's."""
        reserved.refuse_reserved(tag.key)
        if reserved.is_prompt_tag(tag.key) and not self._row(name, version).is_prompt:
            raise answers.invalid(f"Tidegate: {name}/{version} is a model, not a prompt.")
        super().set_model_version_tag(name, version, tag)

    @gated
    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """As MLflow's, without tags of ours."""
        reserved.refuse_reserved(key)
        super().delete_model_version_tag(name, version, key)


class GatedStore(Deploying, Claiming, _GatedMethods, host.SqlAlchemyStore):
    """The gated registry of a server without workspaces."""


class GatedWorkspaceStore(Deploying, Claiming, _GatedMethods, host.WorkspaceAwareSqlAlchemyStore):
    """The gated registry of a server with workspaces."""


def open_store(database: str) -> GatedStore | GatedWorkspaceStore:
    """The gated registry on a database, with workspaces where the server keeps them apart.

    Args:
        database: a SQLAlchemy URL, without our prefix.

    Raises:
        MlflowException: the gate can't work: a policy with errors, a ledger out of reach. A
            server that asks for its store then does not start.
    """
    kind = GatedWorkspaceStore if host.workspaces_enabled() else GatedStore
    try:
        return kind(database, read_db_uri=host.read_replica_uri())
    except TidegateError as error:
        raise answers.invalid(f"Tidegate can't start: {error.explain()}") from error


def _refuse_unfinished(row: VersionRow, manifest: Manifest) -> None:
    """A logged model whose upload has not ended has no MLmodel file yet."""
    is_logged_model = row.source.startswith("models:/m-")
    if is_logged_model and all(file.path != "MLmodel" for file in manifest.files):
        raise ArtifactMissingError(
            "the logged model has no MLmodel file, so its upload has not ended",
            remedy="log the model to its end, then register it again",
        )
