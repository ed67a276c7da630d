"""The part of an audit that holds the index of content against the manifests it follows from.

Always holds: the index is read before the manifests, so that what is recorded meanwhile has its
manifest; memory stays flat, in a file that SQLite throws away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from tidegate.ledger import content

KEY = ("sha256", "alone", "digest")

_STANDS = text(
    "SELECT 1 FROM tidegate_content WHERE sha256 = :sha256 AND alone = :alone AND digest = :digest"
)


class ContentIndex:
    """The rows that stand, and those that should."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen = sqlite3.connect("", isolation_level=None)
        columns = f"({', '.join(KEY)}, PRIMARY KEY ({', '.join(KEY)})) WITHOUT ROWID"
        self._seen.executescript(f"CREATE TABLE stood {columns}; CREATE TABLE due {columns}; BEGIN")

    def close(self) -> None:
        """Throw the file away."""
        self._seen.close()

    def read(self, pages: Iterable[Sequence[Mapping[str, Any]]]) -> None:
        """Take the rows that stand."""
        for page in pages:
            self._seen.executemany(
                "INSERT OR IGNORE INTO stood VALUES (?, ?, ?)",
                [tuple(_shown(row[name]) for name in KEY) for row in page],
            )

    def expect(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of manifests, from which the index follows."""
        for row in rows:
            manifest = content.readable(row["digest"], row["manifest"])
            if manifest is not None:
                self._seen.executemany(
                    "INSERT OR IGNORE INTO due VALUES (:sha256, :alone, :digest)",
                    content.content_rows(manifest),
                )

    def problems(self, connection: Connection) -> Iterator[tuple[str, str, str]]:
        """Where the two differ: the kind, the row's key, and what about it."""
        for key in self._seen.execute("SELECT * FROM stood EXCEPT SELECT * FROM due"):
            yield "inserted", "/".join(map(str, key)), "no manifest on record says so"
        for key in self._seen.execute("SELECT * FROM due EXCEPT SELECT * FROM stood"):
            # Recorded while the audit ran, it may stand by now.
            found = connection.execute(_STANDS, dict(zip(KEY, key, strict=True)))
            if found.first() is None:
                yield "deleted", "/".join(map(str, key)), "is gone; a manifest on record says so"


def _shown(value: object) -> object:
    """A part of a key that SQLite takes again; one that is no text is none that is due."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value
