"""Queries that several readers share: the newest decision of each artifact, and its last review."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, func, select

from tidegate.ledger import records, schema
from tidegate.ledger.records import Held


def newest_decisions(*chosen: ColumnElement[bool]) -> ScalarSelect[Any]:
    """The number of the newest decision about each digest and subject, of those chosen."""
    decided = schema.decision.c
    return (
        select(func.max(decided.id))
        .where(*chosen)
        .group_by(decided.digest, decided.subject)
        .scalar_subquery()
    )


def with_last_review() -> Select[Any]:
    """Decisions beside the newest review of their digests, the newest first; see `held_of`."""
    decided, reviewed = schema.decision, schema.review
    last = (
        select(func.max(reviewed.c.id))
        .where(reviewed.c.digest == decided.c.digest)
        .correlate(decided)
        .scalar_subquery()
    )
    return (
        select(decided, reviewed)
        .outerjoin(reviewed, reviewed.c.id == last)
        .order_by(decided.c.id.desc())
    )


def held_of(row: Any) -> Held:
    """A row of `with_last_review`."""
    return Held(
        records.decision_from_row(row),
        None if row[schema.review.c.id] is None else records.review_from_row(row),
    )
