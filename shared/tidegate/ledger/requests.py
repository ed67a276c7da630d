"""Asking twice and recording once: writes that come under a key which their sender chose.

    with under(Request(key, "evidence", content_hash, actor="ci", token_id=3)):
        gate.settle(…)                   # its first rows and the request are one transaction

Whoever gets no answer can't know whether his write was recorded. So he sends it again under the
same key, from another process or after a restart if need be, and what was recorded the first time
is the answer.

Always holds: a request is a row, covered by a signed statement, in the transaction of the first
rows that it brings; the check for an earlier one is made in that transaction, under the log's lock;
so no two of one key are ever recorded. A key with another content is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, select

from tidegate.errors import UsageError
from tidegate.ledger import schema
from tidegate.ledger.coverage import cover
from tidegate.ledger.log import Draft
from tidegate.ledger.records import canonical, checked_text, stored_time, unaltered

if TYPE_CHECKING:
    from tidegate.ledger.reader import Reader

REQUEST = "https://tidegate.dev/attestation/request/v1"
MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One write that may come again: its key, what it asks for, and a hash over its content.

    `token_id` is the token under which it came, None for a process with the database itself.
    `table` names the table for whose row it came: rows of others that go before, such as a decision
    that a reviewer's word is held against, don't count as its being done.
    """

    key: str
    operation: str
    content_hash: str
    actor: str
    token_id: int | None = None
    table: str | None = None

    def stored_key(self) -> str:
        """The key as it is kept: each token has a room of its own for keys."""
        checked_text(self.key, "idempotency key", required=True)
        if len(self.key) > MAX_KEY:
            raise UsageError(f"an idempotency key has at most {MAX_KEY} characters")
        return hashlib.sha256(f"{self.token_id or 0}:{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an earlier request of the same key brought on record: tables, and keys in them."""

    operation: str
    rows: tuple[tuple[str, str | int], ...]

    def key_in(self, table: str) -> str | int | None:
        """The key of its row in a table; None where it brought none there."""
        return next((key for name, key in self.rows if name == table), None)


class AlreadyRecordedError(Exception):
    """The request is on record; nothing was written. Never leaves the code that asked."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__("the request is on record already")
        self.recorded = recorded


@dataclass(slots=True)
class _Pending:
    request: Request
    noted: bool = False


_PENDING: ContextVar[_Pending | None] = ContextVar("tidegate_request", default=None)


@contextmanager
def under(request: Request) -> Iterator[None]:
    """Note the request with the first rows (of its table) that this thread records inside.

    Raises:
        AlreadyRecordedError: it is on record; from inside, where something was to be written.
        UsageError: another content is on record under the key.
    """
    mark = _PENDING.set(_Pending(request))
    try:
        yield
    finally:
        _PENDING.reset(mark)


def find(ledger: Reader, request: Request) -> Recorded | None:
    """What an earlier request of that key brought on record, if there was one.

    Raises:
        UsageError: it asked for something else.
    """
    with ledger.reading() as connection:
        return _standing(connection, request)


def noted(connection: Connection, drafts: Sequence[Draft]) -> list[Draft]:
    """Write the row of the request under which this thread works; the statement that covers it.

    For the writer of the log, who holds its lock. Nothing where there is no request, or where it
    was noted already.
    """
    pending = _PENDING.get()
    if pending is None or pending.noted or not drafts:
        return []
    request = pending.request
    tables = {row.table for draft in drafts for row in draft.rows}
    if request.table is not None and request.table not in tables:
        return []
    if (recorded := _standing(connection, request)) is not None:
        raise AlreadyRecordedError(recorded)
    row = {
        "key": request.stored_key(),
        "operation": request.operation,
        "content_hash": request.content_hash,
        "records": canonical([[each.table, each.key] for draft in drafts for each in draft.rows]),
        "token_id": request.token_id,
        "actor": checked_text(request.actor, "actor", required=True),
        "created_at": stored_time(datetime.now(UTC), "time"),
    }
    connection.execute(schema.request.insert().values(row))
    pending.noted = True
    predicate = {"operation": row["operation"], "token": row["token_id"], "actor": row["actor"]}
    return [Draft(drafts[0].subjects[:1], REQUEST, predicate, cover(schema.request, [row]))]


def _standing(connection: Connection, request: Request) -> Recorded | None:
    table = schema.request
    query = select(table).where(table.c.key == request.stored_key())
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if (row[table.c.operation], row[table.c.content_hash]) != (
        request.operation,
        request.content_hash,
    ):
        raise UsageError(
            "another request is on record under this idempotency key",
            remedy="give each request a key of its own, such as a random UUID",
        )
    return _recorded(row)


def _recorded(row: RowMapping) -> Recorded:
    columns = schema.request.c
    with unaltered(f"request {row[columns.key]}"):
        rows: list[Any] = json.loads(row[columns.records])
        return Recorded(row[columns.operation], tuple((name, key) for name, key in rows))
