"""Use: every call that names a version to be used asks again for what stands on record.

- `get_model_version_download_uri`, `set_registered_model_alias`, `transition_model_version_stage`
  and `copy_model_version` hash the bytes again, and are refused with 403 for what is held;
- `get_model_version_by_alias` and `get_latest_versions` go by the record: an alias or stage that
  was set before a revocation leads no further;
- a version whose bytes are no longer those of its registration is refused, however clean;
- a version from before the gate was installed is scanned when it is first used.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.entities.model_registry.model_version_stages import (
    DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS,
    get_canonical_stage,
)
from mlflow.store.entities.paged_list import PagedList

from tidegate.errors import ArtifactMissingError
from tidegate.policy import Action, Decision, Outcome
from tidegate.policy.explain import printable
from tidegate_mlflow import answers, artifacts, host, marks, review_links, since
from tidegate_mlflow.answers import gated
from tidegate_mlflow.registering import Registering
from tidegate_mlflow.rows import MESSAGE_LIMIT
from tidegate_mlflow.versions import FAILED, PENDING, READY, VersionRow

_log = logging.getLogger(f"mlflow.{__name__}")


class Using(Registering):
    """The calls by which versions are named, promoted and used."""

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
        """As MLflow's, refused for what is held, and to those from whom the alias is protected."""
        decision = self._require(Action.ALIAS, name, version)
        if decision is not None:
            self._require_right_to(alias, decision)
        super().set_registered_model_alias(name, alias, version)

    @gated
    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """As MLflow's, refused to those from whom the alias is protected."""
        if not super().get_registered_model(name)._is_prompt():
            self._require_right_to(alias, None)
        super().delete_registered_model_alias(name, alias)

    def _require_right_to(self, alias: str, decision: Decision | None) -> None:
        """Refuse a protected alias to whoever may not set it, or to what does not simply pass."""
        protection = self.gate.policy.protection_of(alias)
        if protection == "admin" and not host.acting_admin():
            raise answers.refused(
                f"Tidegate: the alias {alias!r} is set and deleted by admins of this server alone, "
                "by the policy's protected_aliases. Ask one of them; a server tells who is an "
                "admin where it runs --app-name tidegate-auth."
            )
        if protection != "passing" or decision is None:
            return
        covered = decision.waiver_ids or decision.review_id is not None
        if decision.outcome is not Outcome.ALLOW or covered:
            told = review_links.for_the_asker(decision).explain()
            raise answers.refused(
                f"Tidegate: the alias {alias!r} is for versions that pass with nothing waived or "
                f"approved, by the policy's protected_aliases.\n{told}"
            )

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
    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """As MLflow's, refused for what is held since the alias was set."""
        found = super().get_model_version_by_alias(name, alias)
        row = self._row(found.name, found.version)
        decision = self._decided(row)
        if decision is not None and not decision.allowed:
            self._show(row, decision)
            raise answers.refusal(decision)
        return found

    @gated
    def get_latest_versions(self, name: str, stages: Any = None) -> list[ModelVersion]:
        """As MLflow's; one that is held since it got its stage says so."""
        found: list[ModelVersion] = super().get_latest_versions(name, stages)
        for each in found:
            if each.status == READY:
                decision = self._decided(self._row(each.name, each.version))
                if decision is not None and not decision.allowed:
                    each._status = FAILED
                    told = review_links.for_the_record(decision)
                    each._status_message = told.summary(MESSAGE_LIMIT)
        return found

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

    def _require(self, action: Action, name: str, version: Any) -> Decision | None:
        """The decision where the version may be used so (None: a prompt); else the refusal."""
        row = self._row(name, version)
        if row.is_prompt:
            self._refuse_hollow(row.name)
            return None
        if row.status == PENDING:
            raise answers.refused(
                f"Tidegate: {printable(row.subject)} has no decision yet: its scan has not ended. "
                "Wait for it; if the server was stopped meanwhile, register the model again."
            )
        decision = self._standing(row, action)
        self._show(row, self._for_loading(row, decision))
        self._mark(row, decision)
        if not decision.allowed:
            _log.warning("Tidegate refused to %s %s.", action.value, printable(row.subject))
            raise answers.refusal(decision)
        if row.status == FAILED:
            self._keep_released(row, decision.digest)
        return decision

    def _standing(self, row: VersionRow, action: Action) -> Decision:
        """Hash the version's bytes again, and what is on record for them."""
        known = self._registration(row)
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

    def _for_loading(self, row: VersionRow, decision: Decision) -> Decision:
        """What the version's status goes by: what may not be promoted may still be loaded."""
        known = self._registration(row)
        if decision.action is Action.LOAD or known is None or known.digest != decision.digest:
            return decision
        return self.gate.standing_of(decision.digest, Action.LOAD, subject=row.subject)

    def _status_now(self, row: VersionRow) -> str:
        """The status that a version's row has from now on, by how its bytes stand on record."""
        known = self._registration(row)
        if known is None or known.digest is None or row.is_prompt:
            return row.status
        if row.status == FAILED and not since.may_be_let_go(self.gate.ledger, known.digest):
            return row.status
        decision = self.gate.standing_of(known.digest, Action.LOAD, subject=row.subject)
        self._show(row, decision)
        return READY if decision.allowed else FAILED

    def _mark(self, row: VersionRow, decision: Decision) -> None:
        """Tell clients the digest of a version that was registered before they were told."""
        if not decision.allowed or row.marked == decision.digest:
            return
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._get_sql_model_version(session, row.name, row.version)
            if stored.creation_time == row.created_ms:
                marks.put_digest(stored, decision.digest)

    def _keep_released(self, row: VersionRow, digest: str) -> None:
        """Keep a copy of what was held when it was scanned and is let go now."""
        manifest = self.gate.ledger.manifest(digest)
        with artifacts.on_disk(row.location) as model:
            copy = self._copy_of(row, model, manifest)
        if copy is None or copy == row.location:
            return
        with self.ManagedSessionMaker(read_only=False) as session:
            stored = self._get_sql_model_version(session, row.name, row.version)
            if replace(VersionRow.of(stored), status=row.status) == row:
                stored.storage_location = copy
