"""Recalls on record: what was named bad, by whom and why, and which of them were lifted.

A recall names a digest (an artifact's root digest; the SHA-256 of a file's content, wherever that
file lies; a commit of code; a step) or one version of a package. What it reaches is no part of it:
that is asked anew each time, so that what is recorded after a recall is held by it too.

Always holds: a recall stays on record, lifted or not; it is lifted at most once, and a later one
about the same thing is another recall.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import records, schema
from tidegate.ledger.records import checked_digest, checked_integer, checked_text, stored_time

_OTHER = re.compile(r"gitCommit:[0-9a-f]{40}(?:[0-9a-f]{24})?|step:[0-9a-f]{32}")


class RecallKind(enum.StrEnum):
    """What a recall names."""

    ARTIFACT = "artifact"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Lift:
    """That a recall no longer holds anything."""

    id: int
    actor: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Recall:
    """One recall. `target` is "sha256:…", "gitCommit:…", "step:…" or "name==version"; `name`
    what it was called, or "".
    """

    id: int
    kind: RecallKind
    target: str
    name: str
    actor: str
    reason: str
    created_at: datetime
    lift: Lift | None = None

    @property
    def in_force(self) -> bool:
        """Whether it holds anything."""
        return self.lift is None


def recall_row(
    kind: RecallKind, target: str, *, name: str, actor: str, reason: str, now: datetime
) -> dict[str, Any]:
    """The columns of a recall; UsageError where one can't be recorded."""
    if kind is RecallKind.ARTIFACT and not _OTHER.fullmatch(target):
        target = checked_digest(target)
    return {
        "kind": kind.value,
        "target": checked_text(target, "package", required=True),
        "name": checked_text(name, "name"),
        "actor": checked_text(actor, "actor", required=True),
        "reason": checked_text(reason, "reason", required=True),
        "created_at": stored_time(now, "time of the recall"),
    }


def lift_row(recall_id: int, *, actor: str, reason: str, now: datetime) -> dict[str, Any]:
    """The columns of a lift; UsageError where one can't be recorded."""
    return {
        "recall_id": checked_integer(recall_id, "recall's number"),
        "actor": checked_text(actor, "actor", required=True),
        "reason": checked_text(reason, "reason", required=True),
        "created_at": stored_time(now, "time of the lift"),
    }


def require_in_force(connection: Connection, recall_id: int) -> Recall:
    """The recall of a number.

    Raises:
        RecordNotFoundError: there is none.
        UsageError: it was lifted already.
    """
    number = checked_integer(recall_id, "recall's number")
    query = recalls_query().where(schema.recall.c.id == number)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise RecordNotFoundError(
            f"there is no recall {recall_id}", remedy="`tidegate recall --list` shows them all"
        )
    found = recall_from_row(row)
    if found.lift is not None:
        raise UsageError(
            f"recall {recall_id} was lifted already by {found.lift.actor} on "
            f"{found.lift.created_at:%Y-%m-%d}"
        )
    return found


def recalls_query(*, in_force: bool = False) -> Select[*tuple[Any, ...]]:
    """Recalls with their lifts, the newest first."""
    recall, lift = schema.recall, schema.recall_lift
    query = (
        select(recall, lift)
        .outerjoin(lift, lift.c.recall_id == recall.c.id)
        .order_by(recall.c.id.desc())
    )
    return query.where(lift.c.id.is_(None)) if in_force else query


def recall_from_row(row: RowMapping) -> Recall:
    """The recall of a row of `recalls_query`."""
    columns, lift = schema.recall.c, schema.recall_lift.c
    with records.unaltered(f"recall {row[columns.id]}"):
        texts = (columns.target, columns.name, columns.actor, columns.reason)
        if not all(isinstance(row[each], str) for each in texts):
            raise ValueError("a recall's columns are texts")
        return Recall(
            id=row[columns.id],
            kind=RecallKind(row[columns.kind]),
            target=row[columns.target],
            name=row[columns.name],
            actor=row[columns.actor],
            reason=row[columns.reason],
            created_at=records.moment(row[columns.created_at]),
            lift=None
            if row[lift.id] is None
            else Lift(
                row[lift.id],
                str(row[lift.actor]),
                str(row[lift.reason]),
                records.moment(row[lift.created_at]),
            ),
        )


def recall_to_dict(recall: Recall) -> Mapping[str, Any]:
    """Plain JSON types."""
    data = {each.name: getattr(recall, each.name) for each in fields(Recall)}
    data["kind"] = recall.kind.value
    data["created_at"] = recall.created_at.isoformat()
    if recall.lift is not None:
        data["lift"] = {
            "actor": recall.lift.actor,
            "reason": recall.lift.reason,
            "created_at": recall.lift.created_at.isoformat(),
        }
    return data
