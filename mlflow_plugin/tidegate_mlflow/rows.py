"""What every gated call goes by: a version's row, its registration, and what stands on record.

Always holds: a registration counts only for a row whose location is the one that was scanned, or
that of the gate's copy of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from tidegate.artifact import Manifest
from tidegate.errors import UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger, is_remote
from tidegate.ledger.records import Registration
from tidegate.policy import Decision, Mode
from tidegate.policy.explain import printable
from tidegate.settings import read_settings
from tidegate_mlflow import answers, artifacts, bom, host, kept, review_links
from tidegate_mlflow.guarded_places import Registered
from tidegate_mlflow.verdicts import Verdicts
from tidegate_mlflow.versions import FAILED, PENDING, READY, VersionRow, gate_inserts

# Below MLflow's own logger, whose settings decide what a server prints.
_log = logging.getLogger(f"mlflow.{__name__}")

MESSAGE_LIMIT = 500
"""Characters that MLflow's column for a status message takes."""

# The methods of these classes call `super()` for MLflow's own, whichever store stands behind them.
_Store: Any = object


class Rows(_Store):
    """The gate of a store, and what is asked about a version in more than one place."""

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
        self.verdicts = Verdicts(self.gate)
        self._keep = settings.keep
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

    def are_alive(self, versions: tuple[Registered, ...]) -> bool:
        """Whether any of these registrations' rows still stands in the registry, not deleted."""
        wanted = {(each.workspace, each.version, each.created_ms) for each in versions}
        columns = host.SqlModelVersion
        with self.ManagedSessionMaker() as session:
            for times in _batches(sorted({each.created_ms for each in versions})):
                rows = session.query(
                    columns.workspace, columns.version, columns.creation_time
                ).filter(
                    columns.creation_time.in_(times),
                    columns.current_stage != host.DELETED_STAGE,
                )
                if any((each[0] or "default", str(each[1]), each[2]) in wanted for each in rows):
                    return True
        return False

    def _row(self, name: str, version: Any) -> VersionRow:
        with self.ManagedSessionMaker() as session:
            return VersionRow.of(self._get_sql_model_version(session, name, version))

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

    def _registration(self, row: VersionRow) -> Registration | None:
        """The registration of a row, under whatever name it was made, of these very bytes."""
        ledger, version = self.gate.ledger, str(row.version)
        made = ledger.registration_of(row.store, row.name, version, row.created_ms)
        candidates = (
            (made,) if made else ledger.registrations_made(row.store, version, row.created_ms)
        )
        for each in candidates:
            if row.location in kept.locations_of(each.source, each.digest):
                return each
        return None

    def _decided(self, row: VersionRow) -> Decision | None:
        """What stands on record for a version's bytes, without a look at them."""
        known = None if row.is_prompt else self._registration(row)
        if known is None or known.digest is None:
            return None
        self.verdicts.look()
        return self.verdicts.of(known.digest, row.subject)

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
            told = review_links.for_the_record(decision)
            stored.status_message = None if allowed else told.summary(MESSAGE_LIMIT)

    def _copy_of(self, row: VersionRow, model: artifacts.OnDisk, manifest: Manifest) -> str | None:
        """The location of the gate's copy of what passes; None where none is kept."""
        location = kept.location_for(row.location, manifest.digest)
        if self._keep == "off" or location is None or not model.lasting or not model.path.is_dir():
            return None
        try:
            target = artifacts.local_path_of(location)
            cloned_only = self._keep == "clone"
            if target and kept.keep(model.path, manifest, target, cloned_only=cloned_only):
                return location
        except OSError as error:
            _log.error(
                "The gate can't keep a copy of %s, so its digest is checked where it was logged: "
                "%s",
                printable(row.subject),
                error,
            )
        return None


def _batches(times: list[int]) -> Iterator[list[int]]:
    """So many at once as every database takes in one question."""
    for start in range(0, len(times), 500):
        yield times[start : start + 500]
