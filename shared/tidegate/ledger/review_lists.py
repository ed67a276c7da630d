"""What the review pages list: decisions a page at a time, and where runs hold credentials.

Always holds: a page is one bounded query that goes on from a number, so that a long ledger is
never read as a whole; of a credential nothing is on record but where it stands.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, select

from tidegate.ledger import records, schema
from tidegate.ledger.newest import held_of, newest_decisions, with_last_review
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import Held, checked_text
from tidegate.ledger.steps import step_from_row
from tidegate.policy.model import Decision, Outcome, ReviewVerdict

if TYPE_CHECKING:
    from tidegate.attestation.step import Step

_LIKE_ESCAPE = "\\"


class Shown(enum.StrEnum):
    """Which decisions a list shows."""

    HELD = "held"
    APPROVED = "approved"
    REJECTED = "rejected"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class RunWithCredentials:
    """A run that seems to hold credentials, and the names of what holds them."""

    step: Step
    run: str
    places: tuple[str, ...]


def decisions(
    reader: Reader, shown: Shown, *, name: str = "", before: int | None = None, limit: int = 50
) -> tuple[Held, ...]:
    """The newest decision about each digest and subject, with its newest review, newest first.

    Args:
        reader: the ledger.
        shown: held is what may not be used now; approved what may since a person approved it;
            rejected what a person refused.
        name: a subject ("fraud/3") or what stands before its version ("fraud"); all where empty.
        before: only those with a smaller number.
        limit: at most so many.
    """
    decided = schema.decision.c
    named: tuple[ColumnElement[bool], ...] = ()
    if name:
        name = checked_text(name, "name")
        of_model = decided.subject.startswith(f"{name}/", autoescape=True)
        named = ((decided.subject == name) | of_model,)
    query = (
        with_last_review()
        .where(decided.id.in_(newest_decisions(*named)), *named, *_chosen(shown))
        .limit(limit)
    )
    if before is not None:
        query = query.where(decided.id < records.checked_integer(before, "decision"))
    with reader.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return tuple(held_of(row) for row in rows)


def _chosen(shown: Shown) -> tuple[ColumnElement[bool], ...]:
    allowed = schema.decision.c.outcome == Outcome.ALLOW.value
    verdict = schema.review.c.verdict
    return {
        Shown.ALL: (),
        Shown.HELD: (~allowed,),
        Shown.APPROVED: (allowed, verdict == ReviewVerdict.APPROVE.value),
        Shown.REJECTED: (~allowed, verdict == ReviewVerdict.REJECT.value),
    }[shown]


def history(reader: Reader, digest: str, *, limit: int = 50) -> tuple[Decision, ...]:
    """The decisions about a digest, the newest first."""
    table = schema.decision
    query = (
        select(table)
        .where(table.c.digest == checked_text(digest, "digest"))
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    with reader.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return tuple(records.decision_from_row(row) for row in rows)


def runs_with_credentials(
    reader: Reader, *, after: str | None = None, limit: int = 50
) -> tuple[RunWithCredentials, ...]:
    """Runs whose parameters, tags or environment seem to hold credentials, by their steps' ids.

    Args:
        reader: the ledger.
        after: only those after this step's id.
        limit: at most so many.
    """
    table = schema.step
    # The bodies are canonical JSON, in which every quote within a text is escaped.
    query = (
        select(table)
        .where(table.c.body.like('%"credentialsIn":["%', escape=_LIKE_ESCAPE))
        .order_by(table.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(table.c.id > checked_text(after, "step"))
    with reader.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return tuple(_found(step_from_row(row)) for row in rows)


def _found(step: Step) -> RunWithCredentials:
    told: Any = step.parameters.get("credentialsIn")
    places = tuple(str(each) for each in told) if isinstance(told, list | tuple) else ()
    return RunWithCredentials(step, str(step.parameters.get("run", "")), places)
