"""The nodes that a walk has reached, in the order in which it reached them.

Always holds: a node is numbered once for each of the two ways to reach it, as itself or only as a
part of a folder, and as itself counts for both; memory stays flat: from some thousands of nodes on
SQLite keeps them, in a file of its own that is gone when it is closed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

_BATCH = 2_000
_IN_MEMORY = 20_000

Numbered = list[tuple[str, bool]]
"""Nodes, each with whether it was reached only as a part."""


class ReachedNodes:
    """Numbered from 1 on."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[tuple[str, bool], None] = {}
        self._order: Numbered = []
        self._file: sqlite3.Connection | None = None
        self._has_parts = False
        self.size = 0

    def close(self) -> None:
        """Throw the file away."""
        if self._file is not None:
            self._file.close()

    def add(self, nodes: Sequence[str], *, part: bool = False) -> set[str]:
        """Number the nodes that are not numbered yet; those that are met for the first time."""
        wanted = list(dict.fromkeys(nodes))
        if not wanted:
            return set()
        # Of those that are known the other way, the parts are no news and get no number either.
        known = self._known(wanted, not part) if part or self._has_parts else set()
        if part:
            self._has_parts = True
            wanted = [node for node in wanted if node not in known]
        added = self._added(wanted, part)
        self.size += len(added)
        return set(added) - known

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

    def _known(self, nodes: Sequence[str], part: bool) -> set[str]:
        if self._file is None:
            return {node for node in nodes if (node, part) in self._held}
        query = "SELECT node FROM json_each(?) JOIN reached ON node = value AND part = ?"
        return {node for (node,) in self._file.execute(query, (json.dumps(nodes), part))}

    def _added(self, nodes: Sequence[str], part: bool) -> list[str]:
        if self._file is None and self.size + len(nodes) > _IN_MEMORY:
            self._file = self._to_file()
        if self._file is None:
            added = [node for node in nodes if (node, part) not in self._held]
            self._order += [(node, part) for node in added]
            self._held |= dict.fromkeys(self._order[self.size :])
            return added
        query = (
            "INSERT OR IGNORE INTO reached (node, part) SELECT value, ? FROM json_each(?) "
            "RETURNING node"
        )
        return [node for (node,) in self._file.execute(query, (part, json.dumps(nodes))).fetchall()]

    def _to_file(self) -> sqlite3.Connection:
        """Move what is held in memory into a file."""
        file = sqlite3.connect("", isolation_level=None)
        file.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE reached (number INTEGER PRIMARY KEY, node TEXT, part INTEGER,"
            " UNIQUE (node, part)); BEGIN"
        )
        file.executemany("INSERT INTO reached (node, part) VALUES (?, ?)", self._order)
        self._held.clear()
        self._order.clear()
        return file

    def _batch(self, first: int, last: int) -> Numbered:
        if self._file is None:
            return self._order[first - 1 : last]
        query = "SELECT node, part FROM reached WHERE number BETWEEN ? AND ? ORDER BY number"
        return [(node, bool(part)) for node, part in self._file.execute(query, (first, last))]
