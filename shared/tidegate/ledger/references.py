"""What a person types, and the digest that it stands for.

A reference is one of: a decision's number ("12" or "#12"), a digest ("sha256:…" or its 64 hex
digits), the first six or more hex digits of one, or what an artifact is called where it is used
("fraud/3"). Names are chosen by whoever registers a model, numbers and digests are not.

Always holds: a reference that could mean two different digests resolves to neither. A review
goes to the bytes that the reviewer meant, whatever somebody has called his model.
"""

from __future__ import annotations

import re

from sqlalchemy import Connection, func, select

from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import schema
from tidegate.ledger.records import MAX_INTEGER, checked_text

_NUMBER = re.compile(r"#?([0-9]{1,19})", re.ASCII)
_DIGITS = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})", re.ASCII)
# Enough to see that a reference is ambiguous, and to show between what.
_SHOWN = 5


def resolve(connection: Connection, reference: str) -> str:
    """The one digest that `reference` stands for.

    Raises:
        RecordNotFoundError: it stands for none that is on record.
        UsageError: it stands for several, or is empty.
    """
    reference = checked_text(reference.strip(), "reference", required=True)
    meanings: dict[str, str] = {}
    for digest, meaning in (
        *by_number(connection, reference),
        *by_digits(connection, reference.lower()),
        *by_name(connection, reference),
    ):
        meanings.setdefault(digest, meaning)
    if not meanings:
        raise RecordNotFoundError(
            f"the ledger has no record of {reference!r}",
            remedy="give a decision's number, six or more digits of a digest, or a name such as "
            "fraud/3; `tidegate review list` shows what is held",
        )
    if len(meanings) > 1:
        several = "; ".join(f"{digest} ({meaning})" for digest, meaning in meanings.items())
        raise UsageError(
            f"{reference!r} is ambiguous: {several}",
            remedy="give the digest, or a decision's number with # before it",
        )
    return next(iter(meanings))


def decision_number(reference: str) -> int | None:
    """The number, where a reference can only be that of a decision; None for any other.

    A text of digits alone may also be the beginning of a digest: `resolve` has seen that it is not.
    """
    match = _NUMBER.fullmatch(reference.strip())
    return int(match[1]) if match is not None and 0 < int(match[1]) <= MAX_INTEGER else None


def by_number(connection: Connection, reference: str) -> list[tuple[str, str]]:
    """The digest of a decision's number, with what it was taken for."""
    match = _NUMBER.fullmatch(reference)
    if match is None or not 0 < int(match[1]) <= MAX_INTEGER:
        return []
    table = schema.decision
    digest = connection.execute(select(table.c.digest).where(table.c.id == int(match[1]))).scalar()
    return [] if digest is None else [(digest, f"decision {int(match[1])}")]


def by_digits(connection: Connection, reference: str) -> list[tuple[str, str]]:
    """The digests that begin so, with what each was taken for."""
    match = _DIGITS.fullmatch(reference)
    if match is None:
        return []
    # Hex digits hold none of LIKE's own signs. A decision may be about bytes with no manifest.
    start = f"sha256:{match[1]}"
    columns = (schema.artifact.c.digest, schema.decision.c.digest)
    found = {
        digest: "a digest that begins so"
        for column in columns
        for (digest,) in connection.execute(
            select(column).where(column.startswith(start)).distinct().limit(_SHOWN)
        )
    }
    return list(found.items())[:_SHOWN]


def by_name(connection: Connection, reference: str) -> list[tuple[str, str]]:
    """The digests of what is called so, with what each was taken for."""
    found: list[tuple[str, str]] = []
    for table, what in ((schema.decision, "decision"), (schema.sbom, "SBOM")):
        newest = func.max(table.c.id)
        found += [
            (digest, f"{what} {number}")
            for digest, number in connection.execute(
                select(table.c.digest, newest)
                .where(table.c.subject == reference)
                .group_by(table.c.digest)
                .order_by(newest.desc())
                .limit(_SHOWN)
            )
        ]
    name, slash, version = reference.rpartition("/")
    if slash:
        table = schema.registration
        newest = func.max(table.c.id)
        found += [
            (digest, f"registration {number}")
            for digest, number in connection.execute(
                select(table.c.digest, newest)
                .where(table.c.name == name, table.c.version == version)
                .where(table.c.digest.is_not(None))
                .group_by(table.c.digest)
                .order_by(newest.desc())
                .limit(_SHOWN)
            )
        ]
    return found
