"""Rows as they lie in the database, for whoever looks whether they were changed.

Always holds: what the driver gives is taken as it is, also where it is no text that could have been
recorded; nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, text

from tidegate.errors import TamperedError
from tidegate.ledger import schema
from tidegate.ledger.coverage import row_hash

_PAGE = 500


def pages(
    connection: Connection, table: Table, key: Sequence[str], after: tuple[object, ...] | None
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """A table's rows in the order of its key, as the driver gives them, a page at a time."""
    columns, order = ", ".join(table.columns.keys()), ", ".join(key)
    marks = ", ".join(f":k{position}" for position in range(len(key)))
    query = f"SELECT {columns} FROM {table.name}"  # noqa: S608 - names of ours
    limit = f" ORDER BY {order} LIMIT {_PAGE}"
    first = after is None
    while True:
        where = "" if first else f" WHERE ({order}) > ({marks})"
        given = {f"k{position}": value for position, value in enumerate(after or ())}
        try:
            page = [
                dict(row)
                for row in connection.execute(text(query + where + limit), given).mappings()
            ]
        except UnicodeEncodeError as error:
            raise TamperedError(f"{table.name} has a key that is no text") from error
        if not page:
            return
        yield page
        after, first = tuple(page[-1][name] for name in key), False


def stands(connection: Connection, name: str, key: str, sha256: str) -> bool:
    """Whether a row is there after all, and is what was said of it."""
    table = next((each for each in schema.RECORDS if each.name == name), None)
    if table is None:
        return False
    (column,) = table.primary_key.columns
    columns = ", ".join(table.columns.keys())
    query = f"SELECT {columns} FROM {name} WHERE {column.name} = :key"  # noqa: S608 - names of ours
    row = connection.execute(text(query), {"key": json.loads(key)}).mappings().first()
    return row is not None and row_hash(table, dict(row)) == sha256


def node_stands(connection: Connection, level: int, number: int) -> bool:
    """Whether a node of the tree is there."""
    query = text("SELECT 1 FROM tidegate_log_node WHERE level = :level AND number = :number")
    return connection.execute(query, {"level": level, "number": number}).first() is not None


def as_bytes(envelope: object) -> bytes:
    """An envelope as it was signed, whatever the driver gives it as."""
    if isinstance(envelope, bytes):
        return envelope
    return str(envelope).encode("utf-8", "surrogateescape")


@contextmanager
def as_stored(connection: Connection) -> Iterator[None]:
    """Let SQLite's driver give texts that are no UTF-8 too: they may be what was tampered with."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    before = driver.text_factory
    driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before
