"""What a signed statement says of the rows that it covers.

Every statement of the ledger's log carries one field more than its predicate's own, under the name
`FIELD`: its number, the hash of the statement before it, the time, and for each row that it covers
the table, the key and a hash over all columns. So a row can't be changed without its statement
telling, and statements can't be dropped, moved or put between without the next one telling.

Always holds: a row hashes the same on every database that keeps the same values.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Table

from tidegate.ledger.records import canonical

FIELD = "https://tidegate.dev/attestation/records/v1"
GENESIS = "0" * 64
"""What stands for the statement before the first."""

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class CoveredRow:
    """A row by its table, its key and the hash over all its columns."""

    table: str
    key: str | int
    sha256: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What stands in a statement under `FIELD`."""

    number: int
    previous: str
    at: str
    rows: tuple[CoveredRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `read_coverage` reads them."""
        return {
            "number": self.number,
            "previous": self.previous,
            "at": self.at,
            "rows": [
                {"table": row.table, "key": row.key, "sha256": row.sha256} for row in self.rows
            ],
        }


def read_coverage(predicate: Mapping[str, Any]) -> Coverage:
    """What a statement's predicate says of rows; ValueError where that is not of the form."""
    found = predicate.get(FIELD)
    if not isinstance(found, dict) or found.keys() != {"number", "previous", "at", "rows"}:
        raise ValueError(f"the statement has no {FIELD}")
    number, previous, at, rows = (found[name] for name in ("number", "previous", "at", "rows"))
    if type(number) is not int or not isinstance(at, str) or not isinstance(rows, list):
        raise ValueError("the statement's number, time or rows are not of the form")
    if not isinstance(previous, str) or not _HASH.fullmatch(previous):
        raise ValueError("the statement does not name the one before it")
    return Coverage(number, previous, at, tuple(_row(each) for each in rows))


def cover(table: Table, rows: Iterable[Mapping[str, Any]]) -> tuple[CoveredRow, ...]:
    """Rows as they are in the database, each under its primary key."""
    (key,) = table.primary_key.columns
    return tuple(CoveredRow(table.name, row[key.name], row_hash(table, row)) for row in rows)


def row_hash(table: Table, row: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of all columns of a row, by name."""
    booleans = {column.name for column in table.columns if isinstance(column.type, Boolean)}
    values = {
        column.name: _plain(row[column.name], column.name in booleans) for column in table.columns
    }
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def shown_key(key: object) -> str:
    """A key as one text: JSON, in which 1 and "1" are two."""
    return json.dumps(_plain(key, is_boolean=False))


def _plain(value: Any, is_boolean: bool) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"bytes": bytes(value).hex()}
    # SQLite keeps truth as 0 and 1. Any other number there is no truth that was recorded.
    if is_boolean and type(value) is int and value in {0, 1}:
        return bool(value)
    return value


def _row(found: object) -> CoveredRow:
    if not isinstance(found, dict) or found.keys() != {"table", "key", "sha256"}:
        raise ValueError("a covered row has a table, a key and a hash")
    table, key, sha256 = found["table"], found["key"], found["sha256"]
    if not isinstance(table, str) or type(key) not in {int, str}:
        raise ValueError("a covered row's table is a text, its key a text or a number")
    if not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
        raise ValueError("a covered row's hash is 64 hex digits")
    return CoveredRow(table, key, sha256)
