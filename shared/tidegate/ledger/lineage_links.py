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
"""A folder, and a single file of it that no step made."""
BY_CONTENT = frozenset({SAME_CONTENT, PUT_INTO, TAKEN_FROM})
"""The roles of links that follow from content. No material's role has a blank in it."""

_BATCH = 500
# Up to here an answer is taken at once; a longer one is read from a cursor, which takes PostgreSQL
# several times as long to begin.
_AT_ONCE = 10_000
_PAGE = 2_000

_GIVEN = {
    "sqlite": "(SELECT value FROM json_each(:nodes))",
    "postgresql": "(SELECT json_array_elements_text(CAST(:nodes AS json)))",
}
_BY_CONTENT = (
    "SELECT here.digest, there.digest, there.alone FROM tidegate_content AS here "
    "JOIN tidegate_content AS there ON there.sha256 = here.sha256 "
    "WHERE here.digest IN {given} AND here.digest <> there.digest AND "
)
_NO_STEP_MADE_IT = (
    "NOT EXISTS (SELECT 1 FROM tidegate_content AS made JOIN tidegate_edge AS edge "
    "ON edge.target = made.digest WHERE made.sha256 = here.sha256 AND made.alone = 1)"
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
        near = "source" if down else "target"
        files, folders = "here.alone = 1", "here.alone = 0 AND there.alone = 1"
        self._edges = self._query(
            f"SELECT source, target, role FROM tidegate_edge WHERE {near} IN {{given}}"  # noqa: S608 - names of ours
        )
        self._of_files = self._query(
            _BY_CONTENT
            + (files if down else f"{files} AND (there.alone = 1 OR {_NO_STEP_MADE_IT})")
        )
        self._of_parts = self._query(f"{_BY_CONTENT}{files} AND there.alone = 1")
        self._of_folders = self._query(
            _BY_CONTENT + (f"{folders} AND {_NO_STEP_MADE_IT}" if down else folders)
        )

    def edges(self, nodes: Sequence[str]) -> Iterator[list[Link]]:
        """Those of steps: from an artifact to the step, or from the step to an artifact."""
        for page in self._pages(nodes, self._edges):
            yield [Link(source, target, role) for source, target, role in page]

    def of_files(self, nodes: Sequence[str]) -> Iterator[list[Link]]:
        """From single files: to the same content alone, and to folders that hold it."""
        yield from self._contents(nodes, self._of_files, here_alone=True)

    def of_parts(self, nodes: Sequence[str]) -> Iterator[list[Link]]:
        """From single files that were met as a part of a folder: to the same content alone."""
        yield from self._contents(nodes, self._of_parts, here_alone=True)

    def of_folders(self, nodes: Sequence[str]) -> Iterator[list[Link]]:
        """From folders: to the single files that they hold, where those lie in this direction."""
        yield from self._contents(nodes, self._of_folders, here_alone=False)

    def _contents(
        self, nodes: Sequence[str], query: TextClause, *, here_alone: bool
    ) -> Iterator[list[Link]]:
        for page in self._pages(nodes, query):
            yield [self._by_content(*row, here_alone) for row in page]

    def _by_content(self, here: str, there: str, there_alone: int, here_alone: bool) -> Link:
        source, target = (here, there) if self._down else (there, here)
        if here_alone and there_alone:
            return Link(source, target, SAME_CONTENT)
        source_alone = here_alone if self._down else there_alone
        return Link(source, target, PUT_INTO if source_alone else TAKEN_FROM)

    def _query(self, template: str) -> TextClause:
        return text(template.format(given=_GIVEN[self._connection.dialect.name]))

    def _pages(
        self, nodes: Sequence[str], query: TextClause
    ) -> Iterator[list[tuple[str, str, Any]]]:
        for at in range(0, len(nodes), _BATCH):
            given = {"nodes": json.dumps(nodes[at : at + _BATCH])}
            some = text(f"{query.text} LIMIT {_AT_ONCE + 1}")
            found = self._connection.execute(some, given).all()
            if len(found) <= _AT_ONCE:
                if found:
                    yield [(row[0], row[1], row[2]) for row in found]
                continue
            options = {"stream_results": True, "yield_per": _PAGE}
            for page in self._connection.execute(
                query, given, execution_options=options
            ).partitions():
                yield [(row[0], row[1], row[2]) for row in page]
