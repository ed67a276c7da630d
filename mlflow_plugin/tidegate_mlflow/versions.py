"""What the gate sees of a model version, and the status with which its row is inserted.

Always holds: a row that is inserted through a gated engine is PENDING_REGISTRATION, in the same
transaction, unless the code around the insert has said otherwise with `inserting`: whoever
forgets to decide leaves it pending, never ready.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import sqlalchemy
from sqlalchemy import event

from tidegate_mlflow import host
from tidegate_mlflow.names import DIGEST_TAG

PENDING, READY, FAILED = "PENDING_REGISTRATION", "READY", "FAILED_REGISTRATION"

_status: ContextVar[str] = ContextVar("tidegate_inserted_status", default=PENDING)
_gated: weakref.WeakSet[sqlalchemy.Engine] = weakref.WeakSet()


def gate_inserts(engine: sqlalchemy.Engine) -> None:
    """From now on, versions inserted through this engine start as pending."""
    _gated.add(engine)


@contextmanager
def inserting(status: str) -> Iterator[None]:
    """Insert versions with this status within the block, in this context only."""
    token = _status.set(status)
    try:
        yield
    finally:
        _status.reset(token)


@event.listens_for(host.SqlModelVersion, "before_insert")
def _set_status(
    _mapper: object, connection: sqlalchemy.Connection, row: host.SqlModelVersion
) -> None:
    if connection.engine in _gated:
        row.status = _status.get()


@dataclass(frozen=True, slots=True)
class VersionRow:
    """The columns of one version that decisions go by."""

    name: str
    version: int
    workspace: str
    created_ms: int
    source: str
    location: str
    status: str
    run_id: str | None
    marked: str | None = field(default=None, compare=False)
    """The digest that clients are told, which is no ground of ours."""

    @classmethod
    def of(cls, row: host.SqlModelVersion) -> VersionRow:
        """Read the columns of an ORM row."""
        source = str(row.source or "")
        return cls(
            name=str(row.name),
            version=int(row.version),
            workspace=str(row.workspace or "default"),
            created_ms=int(row.creation_time or 0),
            source=source,
            location=str(row.storage_location or source),
            status=str(row.status),
            run_id=row.run_id or None,
            marked=next((t.value for t in row.model_version_tags if t.key == DIGEST_TAG), None),
        )

    @property
    def subject(self) -> str:
        """How decisions call the version: "fraud/3", or "team:fraud/3" in a workspace."""
        plain = f"{self.name}/{self.version}"
        return plain if self.workspace == "default" else f"{self.workspace}:{plain}"

    @property
    def is_prompt(self) -> bool:
        """Whether this is a prompt, which has no artifact: its source is MLflow's placeholder."""
        return self.source in host.PROMPT_SOURCES

    @property
    def store(self) -> str:
        """The registry that the version is of, as the ledger keeps it."""
        return f"mlflow:{self.workspace}"
