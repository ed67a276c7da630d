"""The nodes that a walk has reached, in the order in which it reached them.

Always holds: a node is numbered once for each of the two ways to reach it, as itself or only as a
part of a folder, and as itself counts for both; memory stays flat, for SQLite keeps them in a file
of its own that is gone when it is closed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

_BATCH = 2_000

Numbered = list[tuple[str, bool]]
"""Nodes, each with whether it was reached only as a part."""


class ReachedNodes:
    """Numbered from 1 on."""

    def __init__(self) -> None:
        """Begin with none."""
        self._nodes = sqlite3.connect("", isolation_level=None)
        self._nodes.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE reached (number INTEGER PRIMARY KEY, node TEXT, part INTEGER,"
            " UNIQUE (node, part)); BEGIN"
        )
        self._has_parts = False
        self.size = 0

    def close(self) -> None:
        """Throw the file away."""
        self._nodes.close()

    def add(self, nodes: Sequence[str], *, part: bool = False) -> set[str]:
        """Number the nodes that are not numbered yet; those that are met for the first time."""
        if not nodes:
            return set()
        wanted = json.dumps(list(dict.fromkeys(nodes)))
        known: set[str] = set()
        if part or self._has_parts:
            known = {
                node
                for (node,) in self._nodes.execute(
                    "SELECT node FROM json_each(?) JOIN reached ON node = value AND part = ?",
                    (wanted, not part),
                )
            }
        if part:
            self._has_parts = True
            wanted = json.dumps([node for node in dict.fromkeys(nodes) if node not in known])
        added = self._nodes.execute(
            "INSERT OR IGNORE INTO reached (node, part) SELECT value, ? FROM json_each(?) "
            "RETURNING node",
            (part, wanted),
        ).fetchall()
        self.size += len(added)
        return {node for (node,) in added} - known

    def between(self, first: int, last: int) -> Iterator[Numbered]:
        """The nodes of these numbers, in batches."""
        while first <= last:
            batch = self._batch(first, min(last, first + _BATCH - 1))
            yield batch
            first += len(batch)

    def growing(self, first: int) -> Iterator[Numbered]:
        """The nodes from this number on, also those that are added meanwhile."""
        while first <= self.size:
            batch = self._batch(first, first + _BATCH - 1)
            yield batch
            first += len(batch)

    def _batch(self, first: int, last: int) -> Numbered:
        query = "SELECT node, part FROM reached WHERE number BETWEEN ? AND ? ORDER BY number"
        return [(node, bool(part)) for node, part in self._nodes.execute(query, (first, last))]
