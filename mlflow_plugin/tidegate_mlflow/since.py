"""Which versions may stand otherwise than their rows say: what was let go or recalled since.

A row's status is what people see; what counts is asked anew at every use. These questions keep the
one in step with the other, and are short where nothing has happened.
"""

from __future__ import annotations

from sqlalchemy import func, select

from tidegate.ledger import Ledger, schema
from tidegate.policy import Outcome


def may_be_let_go(ledger: Ledger, digest: str) -> bool:
    """Whether anybody has reviewed or waived it, or it was held for where it came from.

    In the latter case a recall may have been lifted since, or its base approved; where that was
    recorded, the last decision allows it.
    """
    if ledger.waivers_for(digest) or ledger.reviews_for(digest):
        return True
    last = ledger.latest_decision(digest)
    return last is not None and (last.allowed or bool(last.lineage))


def anything_is_recalled(ledger: Ledger) -> bool:
    """Whether a recall is in force, so that what shows as ready may no longer be."""
    return bool(ledger.recalls(in_force=True))


def held_versions(ledger: Ledger) -> frozenset[tuple[str, int]]:
    """Number and time of creation of every registered version that is held on record."""
    decision, registration = schema.decision.c, schema.registration.c
    newest = select(func.max(decision.id)).group_by(decision.digest, decision.subject)
    held = select(decision.digest).where(
        decision.id.in_(newest.scalar_subquery()), decision.outcome != Outcome.ALLOW.value
    )
    query = select(registration.version, registration.created_ms).where(
        registration.digest.in_(held.scalar_subquery())
    )
    with ledger.reading() as connection:
        return frozenset((str(row[0]), int(row[1])) for row in connection.execute(query))
