"""The links of the graph, asked for from a batch of nodes in one direction.

Always holds: what is asked for downwards is what is asked for upwards, read the other way; answers
come in pages, however many links a node has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, TextClause, text

SAME_CONTENT = "same content"
"""Two single files with the same bytes under two names."""
PUT_INTO = "put into"
"""A single file, and a folder that holds it."""
TAKEN_FROM = "taken from"
"""A folder, and a single file of it that no step made out of something else."""
BY_CONTENT = frozenset({SAME_CONTENT, PUT_INTO, TAKEN_FROM})
"""The roles of links that follow from content. No material's role has a blank in it."""

_BATCH = 2_000
# Up to here an answer is taken at once; a longer one is read from a cursor, which takes PostgreSQL
# several times as long to begin.
_AT_ONCE = 10_000
_PAGE = 2_000

# Joined to rather than asked for with IN, which on SQLite would sort them first. CROSS JOIN keeps
# SQLite to this order.
_GIVEN = {
    "sqlite": "json_each(:nodes) AS given CROSS JOIN",
    "postgresql": "json_array_elements_text(CAST(:nodes AS json)) AS given(value) JOIN",
}
# A folder joins single files alone, a single file everything: said so that the index, which has
# `alone` after the hash, never reads past the folders that hold what this folder holds.
_BY_CONTENT = (
    "SELECT here.digest, there.digest, here.alone, there.alone "
    "FROM {given} tidegate_content AS here ON here.digest = given.value "
    "JOIN tidegate_content AS there "
    "ON there.sha256 = here.sha256 AND there.alone >= {least} "
    "WHERE here.digest <> there.digest"
)
# A step that read the content, alone or in a folder, did not make it: it handed it on.
_NO_STEP_MADE_IT = (
    "NOT EXISTS (SELECT 1 FROM tidegate_content AS made JOIN tidegate_edge AS written "
    "ON written.target = made.digest WHERE made.sha256 = here.sha256 AND made.alone = 1 "
    "AND NOT EXISTS (SELECT 1 FROM tidegate_edge AS was_read JOIN tidegate_content AS had "
    "ON had.digest = was_read.source WHERE was_read.target = written.source "
    "AND had.sha256 = here.sha256))"
)


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the graph, the way that the bytes went.

    `role` is a material's, or one of the three that follow from content.
    """

    source: str
    target: str
    role: str


class Links:
    """The links from nodes in one direction."""

    def __init__(self, connection: Connection, *, down: bool) -> None:
        """Ask on this connection."""
        self._connection = connection
        self._down = down
        near, upper = ("source", "here") if down else ("target", "there")
        self._edges = self._query(
            "SELECT edge.source, edge.target, edge.role "  # noqa: S608 - names of ours
            f"FROM {{given}} tidegate_edge AS edge ON edge.{near} = given.value"
        )
        # Only what is taken from a folder hangs on who made it: there the upper one is the folder.
        self._contents = self._query(
            f"{_BY_CONTENT} AND ({upper}.alone = 1 OR {_NO_STEP_MADE_IT})",
            least="1 - here.alone",
        )
        self._parts = self._query(f"{_BY_CONTENT} AND here.alone = 1", least="1")

    def edges(self, nodes: Sequence[str]) -> Iterator[list[Link]]:
        """Those of steps: from an artifact to the step, or from the step to an artifact."""
        for page in self._pages(nodes, self._edges):
            yield [Link(*row) for row in page]

    def by_content(self, nodes: Sequence[str]) -> Iterator[tuple[list[Link], bool]]:
        """Those by content, and whether their far ends are met as parts of a folder."""
        for page in self._pages(nodes, self._contents):
            yield [self._by_content(*row) for row in page if row[2]], False
            yield [self._by_content(*row) for row in page if not row[2]], True

    def of_parts(self, nodes: Sequence[str]) -> Iterator[list[Link]]:
        """From single files that were met as a part of a folder: to the same content alone."""
        for page in self._pages(nodes, self._parts):
            yield [self._by_content(*row) for row in page]

    def _by_content(self, here: str, there: str, here_alone: int, there_alone: int) -> Link:
        source, target = (here, there) if self._down else (there, here)
        if here_alone and there_alone:
            return Link(source, target, SAME_CONTENT)
        source_alone = here_alone if self._down else there_alone
        return Link(source, target, PUT_INTO if source_alone else TAKEN_FROM)

    def _query(self, template: str, least: str = "") -> TextClause:
        return text(template.format(given=_GIVEN[self._connection.dialect.name], least=least))

    def _pages(self, nodes: Sequence[str], query: TextClause) -> Iterator[list[tuple[Any, ...]]]:
        for at in range(0, len(nodes), _BATCH):
            given = {"nodes": json.dumps(nodes[at : at + _BATCH])}
            some = text(f"{query.text} LIMIT {_AT_ONCE + 1}")
            found = self._connection.execute(some, given).all()
            if len(found) <= _AT_ONCE:
                if found:
                    yield [tuple(row) for row in found]
                continue
            options = {"stream_results": True, "yield_per": _PAGE}
            for page in self._connection.execute(
                query, given, execution_options=options
            ).partitions():
                yield [tuple(row) for row in page]
