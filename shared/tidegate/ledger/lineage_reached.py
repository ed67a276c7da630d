"""The nodes that a walk has reached, in the order in which it reached them.

Always holds: a node is numbered once for each way to reach it that goes on to more than those by
which it was reached before; ways are numbers, the freest is 0; memory stays flat: from some
thousands of nodes on SQLite keeps them, in a file of its own that is gone when it is closed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

_BATCH = 2_000
_IN_MEMORY = 20_000

Numbered = list[tuple[str, int]]
"""Nodes, each with the way by which it was reached."""


class ReachedNodes:
    """Numbered from 1 on."""

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[str, int] = {}
        self._order: Numbered = []
        self._file: sqlite3.Connection | None = None
        self._has_ways = False
        self.size = 0

    def close(self) -> None:
        """Throw the file away."""
        if self._file is not None:
            self._file.close()

    def add(self, nodes: Sequence[str], *, way: int = 0) -> set[str]:
        """Number the nodes that were reached by no way so free; those met for the first time."""
        wanted = list(dict.fromkeys(nodes))
        if not wanted:
            return set()
        known: dict[str, int] = {}
        if way or self._has_ways:
            self._has_ways = True
            known = self._known(wanted)
            wanted = [node for node in wanted if known.get(node, way + 1) > way]
        added = self._added(wanted, way)
        self.size += len(added)
        return {node for node in added if node not in known}

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

    def _known(self, nodes: Sequence[str]) -> dict[str, int]:
        """The freest way by which each of these nodes was reached, if it was."""
        if self._file is None:
            return {node: self._held[node] for node in nodes if node in self._held}
        query = "SELECT node, MIN(way) FROM json_each(?) JOIN reached ON node = value GROUP BY node"
        return dict(self._file.execute(query, (json.dumps(nodes),)).fetchall())

    def _added(self, nodes: Sequence[str], way: int) -> list[str]:
        if self._file is None and self.size + len(nodes) > _IN_MEMORY:
            self._file = self._to_file()
        if self._file is None:
            added = [node for node in nodes if self._held.get(node, way + 1) > way]
            self._order += [(node, way) for node in added]
            self._held |= dict.fromkeys(added, way)
            return added
        query = (
            "INSERT OR IGNORE INTO reached (node, way) SELECT value, ? FROM json_each(?) "
            "RETURNING node"
        )
        return [node for (node,) in self._file.execute(query, (way, json.dumps(nodes))).fetchall()]

    def _to_file(self) -> sqlite3.Connection:
        """Move what is held in memory into a file."""
        file = sqlite3.connect("", isolation_level=None)
        file.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE reached (number INTEGER PRIMARY KEY, node TEXT, way INTEGER,"
            " UNIQUE (node, way)); BEGIN"
        )
        file.executemany("INSERT INTO reached (node, way) VALUES (?, ?)", self._order)
        self._held.clear()
        self._order.clear()
        return file

    def _batch(self, first: int, last: int) -> Numbered:
        if self._file is None:
            return self._order[first - 1 : last]
        query = "SELECT node, way FROM reached WHERE number BETWEEN ? AND ? ORDER BY number"
        return [(node, way) for node, way in self._file.execute(query, (first, last))]
