"""The graph that the recorded steps draw, and walking it: where from, where to, by which way.

    for reached in descendants(ledger, digest):
        reached.node, reached.generation       # an artifact's digest or a step's id, and how far

Nodes are artifacts by root digest and steps by id, and an edge goes the way that the bytes went.
Between artifacts there are three more links, which follow from what they hold (`content`): a
single file has the same content as one of another name; it was put into the folders that hold it;
and a single file that no step made out of something else was taken from the folders that hold it.
Only a file that is on record by itself joins, so that two models which share a licence have nothing
to do with each other. And a file that was reached as a part of one folder leads on to the steps
that used it, not to other folders that happen to hold it as well.

What an experiment tracker's run tells of the artifact that was registered from it (the role `told`)
counts for that artifact alone: a way that comes by such an edge goes on by steps, and never by
content. Whoever may log a run may put a file of others into a folder, and say what it is made from.

Generations count steps: what a step made of an artifact is one generation from it.

Always holds: a walk ends, whatever cycles there are, for it goes on from each node once; it meets
nodes in the order of their generation; memory stays flat, whatever the graph's size (what was
reached stands in a file that SQLite throws away); both directions tell of the same links.
"""

from __future__ import annotations

import heapq
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from tidegate.attestation.step import TOLD
from tidegate.ledger.lineage_links import (
    BY_CONTENT,
    PUT_INTO,
    SAME_CONTENT,
    TAKEN_FROM,
    Link,
    Links,
)
from tidegate.ledger.lineage_reached import ReachedNodes
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import checked_text

STEP = "step:"
"""How the id of a step begins; every other node is an artifact, or a code's commit."""
_PATHS_LOOKED_AT = 10_000

# How a walk reached a node, the freest first: what comes later goes on to less.
_ITSELF = 0
# Upwards: a whole artifact that content joins to what was reached. No run's word on it counts.
_JOINED = 1
# A file that was reached as a part of a folder.
_PART = 2
# Downwards: by a run's word, and so on to the steps that used it and nowhere else.
_BY_WORD = 3


class Direction(StrEnum):
    """Up to where things come from, or down to what came of them."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Seen:
    """A link that a walk came along. `generation` is that of its far end, `new` the first time
    that the walk met it.
    """

    link: Link
    generation: int
    new: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """A node that a walk met: how many steps away, and the link by which it was met first."""

    node: str
    generation: int
    link: Link

    @property
    def is_step(self) -> bool:
        """Whether it is a step and no artifact."""
        return self.node.startswith(STEP)


def ancestors(
    ledger: Reader, nodes: str | Iterable[str], *, depth: int | None = None
) -> Iterator[Reached]:
    """What went into these nodes, and into that: nearest first, each node once.

    Args:
        ledger: where the steps are on record.
        nodes: root digests or step ids, as `lineage_names.nodes_of` finds them.
        depth: how many generations to go; None for all.
    """
    yield from _reached(ledger, nodes, Direction.UP, depth)


def descendants(
    ledger: Reader, nodes: str | Iterable[str], *, depth: int | None = None
) -> Iterator[Reached]:
    """What came of these nodes, and of that; see `ancestors`."""
    yield from _reached(ledger, nodes, Direction.DOWN, depth)


def _reached(
    ledger: Reader, nodes: str | Iterable[str], direction: Direction, depth: int | None
) -> Iterator[Reached]:
    with ledger.reading() as connection:
        for seen in walk(connection, nodes, direction, depth=depth):
            if seen.new:
                yield Reached(_far(seen.link, direction), seen.generation, seen.link)


def walk(
    connection: Connection,
    nodes: str | Iterable[str],
    direction: Direction,
    *,
    depth: int | None = None,
) -> Iterator[Seen]:
    """Every link that there is from these nodes on, in the order of their generation.

    A link may be told of more than once, where a step gives it twice.
    """
    given = [nodes] if isinstance(nodes, str) else dict.fromkeys(nodes)
    start = [checked_text(node, "node") for node in given]
    links = Links(connection, down=direction is Direction.DOWN)
    with closing(ReachedNodes()) as reached:
        reached.add(start)
        begin, generation = 1, 0
        while begin <= reached.size and (depth is None or generation <= depth):
            if generation or not all(node.startswith(STEP) for node in start):
                yield from _joined(reached, links, begin, generation, direction)
                end = reached.size
                if generation == depth:
                    return
                yield from _along_edges(reached, links, (begin, end), generation + 1, direction)
            else:
                # The start itself is a step: it stands where those of the first turn would.
                end = 0
                if depth == 0:
                    return
            steps = reached.size
            yield from _along_edges(reached, links, (end + 1, steps), generation + 1, direction)
            begin, generation = steps + 1, generation + 1


def _along_edges(
    reached: ReachedNodes,
    links: Links,
    numbers: tuple[int, int],
    generation: int,
    direction: Direction,
) -> Iterator[Seen]:
    """What the nodes of these numbers lead to by the edges of steps."""
    for batch in reached.between(*numbers):
        for page in links.edges([node for node, _ in batch]):
            told = [link for link in page if _is_told(link)]
            if not told:
                yield from _met(reached, page, generation, direction)
                continue
            seen = [link for link in page if not _is_told(link)]
            yield from _met(reached, seen, generation, direction)
            if direction is Direction.UP:
                free = {node for node, way in batch if way == _ITSELF}
                told = [link for link in told if link.target in free]
                yield from _met(reached, told, generation, direction)
            else:
                yield from _met(reached, told, generation, direction, way=_BY_WORD)


def _joined(
    reached: ReachedNodes, links: Links, begin: int, generation: int, direction: Direction
) -> Iterator[Seen]:
    """What artifacts of a generation lead to by what they hold: of the same generation."""
    by_content = _JOINED if direction is Direction.UP else _ITSELF
    for batch in reached.growing(begin):
        whole = [node for node, way in batch if way <= _JOINED and not node.startswith(STEP)]
        parts = [node for node, way in batch if way == _PART]
        for page, as_part in links.by_content(whole):
            way = _PART if as_part else by_content
            yield from _met(reached, page, generation, direction, way=way)
        for page in links.of_parts(parts):
            yield from _met(reached, page, generation, direction, way=_PART)


def _met(
    reached: ReachedNodes,
    links: Sequence[Link],
    generation: int,
    direction: Direction,
    *,
    way: int = _ITSELF,
) -> Iterator[Seen]:
    ends = [_far(link, direction) for link in links]
    new = reached.add(ends, way=way)
    for link, end in zip(links, ends, strict=True):
        yield Seen(link, generation, end in new)
        new.discard(end)


def _is_told(link: Link) -> bool:
    """Whether it is a run's word on what came of it."""
    return link.role == TOLD and link.source.startswith(STEP)


def _far(link: Link, direction: Direction) -> str:
    return link.target if direction is Direction.DOWN else link.source


Path = tuple[Link, ...]


def paths(
    ledger: Reader, source: Iterable[str], target: Iterable[str], *, limit: int = 10
) -> tuple[Path, ...]:
    """Ways from some nodes down to others, without going in circles, the shorter first.

    At most `limit`, however many there are; there is one if any leads there, but where ten
    thousand beginnings lead astray.
    """
    starts, ends = list(dict.fromkeys(source)), sorted(set(target))
    with ledger.reading() as connection, closing(sqlite3.connect("")) as kept:
        # `left` is how many links lie between a node and the target, by the way it was met first.
        kept.executescript(
            "CREATE TABLE above (node TEXT PRIMARY KEY, left INTEGER) WITHOUT ROWID;"
            "CREATE TABLE link (source, target, role, PRIMARY KEY (source, target, role))"
            " WITHOUT ROWID;"
        )
        kept.executemany("INSERT INTO above VALUES (?, 0)", [(each,) for each in ends])
        for seen in walk(connection, ends, Direction.UP):
            link = seen.link
            row = (link.source, link.target, link.role)
            kept.execute("INSERT OR IGNORE INTO link VALUES (?, ?, ?)", row)
            if seen.new:
                kept.execute(
                    "INSERT OR IGNORE INTO above SELECT ?, left + 1 FROM above WHERE node = ?",
                    (link.source, link.target),
                )
        return tuple(sorted(_ways(kept, starts, set(ends), limit), key=len))


def _ways(
    kept: sqlite3.Connection, starts: Sequence[str], ends: set[str], limit: int
) -> Iterator[Path]:
    """Ways through links that all lead to the end.

    The next is always one of those that come out shortest, and of these the one gone farthest.
    """
    query = "SELECT source, target, role, left FROM link JOIN above ON node = target"
    order = itertools.count()
    open_ways: list[tuple[int, int, Path, str]] = [(0, next(order), (), node) for node in starts]
    found = 0
    while open_ways and found < limit:
        _, _, way, node = heapq.heappop(open_ways)
        if way and node in ends:
            yield way
            found += 1
            continue
        been = {link.source for link in way} | {node}
        for row in kept.execute(f"{query} WHERE source = ?", (node,)):
            link, left = Link(*row[:3]), row[3]
            number = next(order)
            if number < _PATHS_LOOKED_AT and link.target not in been and _may_follow(way, link):
                longer = (len(way) + 1 + left, -number, (*way, link), link.target)
                heapq.heappush(open_ways, longer)


def _may_follow(way: Path, link: Link) -> bool:
    """A part of one folder leads into no other, and a run's word to nothing by content."""
    if way and _is_told(way[-1]):
        return link.role not in BY_CONTENT
    if link.role != PUT_INTO:
        return True
    for before in reversed(way):
        if before.role != SAME_CONTENT:
            return before.role != TAKEN_FROM
    return True


def why(ledger: Reader, nodes: Iterable[str], *, limit: int = 20) -> tuple[Path, ...]:
    """Why something is here: from each origin of it, the shortest way down to it.

    An origin is a node that nothing on record went into. At most `limit`, the farthest first; none
    where nothing on record says where it came from.
    """
    start = list(nodes)
    with ledger.reading() as connection, closing(sqlite3.connect("")) as kept:
        kept.executescript(
            "CREATE TABLE met (node TEXT PRIMARY KEY, target, role, generation) WITHOUT ROWID;"
            "CREATE TABLE below (node TEXT PRIMARY KEY) WITHOUT ROWID;"
        )
        for seen in walk(connection, start, Direction.UP):
            link = seen.link
            if seen.new:
                row = (link.source, link.target, link.role, seen.generation)
                kept.execute("INSERT OR IGNORE INTO met VALUES (?, ?, ?, ?)", row)
            kept.execute("INSERT OR IGNORE INTO below VALUES (?)", (link.target,))
        origins = kept.execute(
            "SELECT node FROM met WHERE node NOT IN (SELECT node FROM below) "
            "ORDER BY generation DESC, node LIMIT ?",
            (limit,),
        ).fetchall()
        if not origins:
            # It all goes in a circle: then the farthest node stands for where it came from.
            origins = kept.execute(
                "SELECT node FROM met ORDER BY generation DESC, node LIMIT 1"
            ).fetchall()
        return tuple(_way_down(kept, node) for (node,) in origins)


def _way_down(kept: sqlite3.Connection, node: str) -> Path:
    way: list[Link] = []
    while (row := kept.execute("SELECT * FROM met WHERE node = ?", (node,)).fetchone()) is not None:
        link = Link(row[0], row[1], row[2])
        way.append(link)
        node = link.target
    return tuple(way)
