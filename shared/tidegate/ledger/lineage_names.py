"""What a person calls a node of the graph, and the nodes that he means.

A reference is whatever `references` takes, or one of: a model's version as MLflow writes it
("models:/fraud/3"), a step's id or its beginning, the SHA-256 of a file's content or its beginning
(what `sha256sum` prints), a git commit, or what a step called an input or output, or itself.

Always holds: a reference that could mean two different things stands for neither; names are chosen
by whoever records them, digests are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlalchemy import Column, Connection, select

from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import references, schema
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import checked_text

_STEP = re.compile(r"step:([0-9a-f]{6,32})", re.ASCII)
_COMMIT = re.compile(r"(?:gitcommit:)?([0-9a-f]{6,64})", re.ASCII)
_DIGITS = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})", re.ASCII)
_MODELS = "models:/"
_SHOWN = 5
# Folders that hold a file of which nothing else is known.
_HOLDERS = 1000

Meaning = tuple[tuple[str, ...], str]
"""The nodes, all of which are one thing, and what the reference was taken for."""


def nodes_of(ledger: Reader, reference: str) -> tuple[str, ...]:
    """The nodes that a reference stands for.

    Almost always one. The SHA-256 of a file's content stands for that file under all names under
    which it is on record, or else for the folders that hold it.

    Raises:
        RecordNotFoundError: it stands for nothing on record.
        UsageError: it stands for several things, is empty, or is an alias.
    """
    reference = checked_text(reference.strip(), "reference", required=True)
    if reference.startswith(_MODELS):
        reference = _version(reference)
    with ledger.reading() as connection:
        meanings: dict[frozenset[str], str] = {}
        for nodes, meaning in _meanings(connection, reference):
            meanings.setdefault(frozenset(nodes), meaning)
    if not meanings:
        raise RecordNotFoundError(
            f"the ledger has no record of {reference!r}",
            remedy="give six or more digits of a digest, what sha256sum prints of a file, a "
            "version such as models:/fraud/3, or what a step called it",
        )
    if len(meanings) > 1:
        several = "; ".join(f"{min(nodes)} ({what})" for nodes, what in meanings.items())
        raise UsageError(
            f"{reference!r} is ambiguous: {several}", remedy="give the digest of the one you mean"
        )
    return tuple(sorted(next(iter(meanings))))


def _version(reference: str) -> str:
    name, slash, version = reference.removeprefix(_MODELS).rpartition("/")
    if not slash or not name or not version:
        raise UsageError(
            f"{reference!r} names no version: an alias or stage means another one tomorrow",
            remedy="give the version that it stands for now, such as models:/fraud/3",
        )
    return f"{name}/{version}"


def _meanings(connection: Connection, reference: str) -> Iterator[Meaning]:
    for digest, meaning in (
        *references.by_number(connection, reference),
        *references.by_name(connection, reference),
    ):
        yield (digest,), meaning
    yield from _by_digits(connection, reference.lower())
    yield from _by_step_name(connection, reference)
    for digest in _called(connection, reference):
        yield (digest,), f"what a step called {reference!r}"


def _by_digits(connection: Connection, reference: str) -> Iterator[Meaning]:
    if found := _STEP.fullmatch(reference):
        for node in _beginning(connection, schema.step.c.id, f"step:{found[1]}"):
            yield (node,), "a step that begins so"
    edge, content = schema.edge.c, schema.content.c
    if found := _COMMIT.fullmatch(reference):
        for node in _beginning(connection, edge.source, f"gitCommit:{found[1]}"):
            yield (node,), "a commit that begins so"
    found = _DIGITS.fullmatch(reference)
    if found is None:
        return
    for column in (schema.artifact.c.digest, schema.decision.c.digest, edge.source, edge.target):
        for node in _beginning(connection, column, f"sha256:{found[1]}"):
            yield (node,), "a digest that begins so"
    for sha256 in _beginning(connection, content.sha256, found[1]):
        query = select(content.digest).where(content.sha256 == sha256)
        alone = connection.execute(query.where(content.alone == 1).limit(_HOLDERS)).scalars().all()
        if alone:
            yield tuple(alone), f"a file with the content {sha256}"
        elif len(found[1]) == len(sha256):
            yield tuple(connection.execute(query.limit(_HOLDERS)).scalars()), "folders that hold it"


def _beginning(connection: Connection, column: Column[str], start: str) -> list[str]:
    """The first few values that begin so, by the column's index."""
    # "g" comes after every hex digit. LIKE would read the whole table on SQLite.
    query = select(column).where(column >= start, column < f"{start}g")
    rows = connection.execute(query.distinct().order_by(column).limit(_SHOWN)).scalars()
    return [value for value in rows if value.startswith(start)]


def _by_step_name(connection: Connection, reference: str) -> Iterator[Meaning]:
    table = schema.step
    query = select(table.c.id).where(table.c.name == reference).limit(_SHOWN)
    for node in connection.execute(query).scalars():
        yield (node,), f"a step called {reference!r}"


def _called(connection: Connection, name: str) -> list[str]:
    edge = schema.edge.c
    found: dict[str, None] = {}
    for column, other in ((edge.source, edge.target), (edge.target, edge.source)):
        query = select(column).where(edge.name == name, other.startswith("step:"))
        found |= dict.fromkeys(connection.execute(query.distinct().limit(_SHOWN)).scalars())
    return list(found)[:_SHOWN]
