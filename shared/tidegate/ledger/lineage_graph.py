"""A part of the graph with all that a person wants to see of it, to be drawn or written down.

Always holds: it is bounded, and says so where there is more; every link joins two nodes that it
holds. The names in it come from whoever recorded them: whoever writes it down escapes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from tidegate.attestation.step import Step
from tidegate.ledger import schema
from tidegate.ledger.lineage import STEP, Direction, Path, walk
from tidegate.ledger.lineage_links import BY_CONTENT, Link
from tidegate.ledger.reader import Reader
from tidegate.ledger.steps import step_from_row
from tidegate.policy.model import Action, Outcome

LIMIT = 500
"""How many nodes are shown where nobody says otherwise."""
_LINKS_FOR_EACH = 20
_NAMES = 5


@dataclass(frozen=True, slots=True)
class Node:
    """An artifact or a step.

    `kind` is step, file, folder, artifact (on record, of no content), commit, or claim: a digest
    of which nobody read the bytes. `generation` is how many steps lie between it and what was
    asked for, negative where it went into that. `names` are what steps and decisions called it,
    `versions` its registrations ("fraud/3"), `deployments` what it was let go to be deployed as,
    `outcome` the newest decision's about it.
    """

    id: str
    kind: str
    generation: int
    names: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    outcome: str | None = None
    step: Step | None = None

    @property
    def title(self) -> str:
        """What to call it."""
        if self.step is not None:
            return self.step.name
        return next(iter((*self.versions, *self.names)), self.short)

    @property
    def short(self) -> str:
        """The id, cut to what tells it from others."""
        kind, _, digits = self.id.partition(":")
        return f"{kind}:{digits[:12]}"


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes, and the links between them by the direction in which they were met.

    `focus` are the nodes that it was asked for, `up` the links by which they came about, `down`
    those to what came of them; a direction that was not asked for is None. `complete` is False
    where more was reached than is shown.
    """

    focus: tuple[str, ...]
    nodes: tuple[Node, ...]
    up: tuple[Link, ...] | None
    down: tuple[Link, ...] | None
    complete: bool

    @property
    def links(self) -> tuple[Link, ...]:
        """All links, each once; two artifacts are joined by content in one direction only."""
        links: dict[Link, None] = {}
        joined: set[frozenset[str]] = set()
        for link in (*(self.up or ()), *(self.down or ())):
            if not _says_again(link, joined):
                links[link] = None
        return tuple(links)


def graph_around(
    ledger: Reader,
    focus: Sequence[str],
    directions: Sequence[Direction],
    *,
    depth: int | None = None,
    limit: int = LIMIT,
) -> Graph:
    """What went into some nodes or came of them, nearest first, up to `limit` nodes."""
    generations = dict.fromkeys(focus, 0)
    found: dict[Direction, dict[Link, None]] = {}
    complete = True
    with ledger.reading() as connection:
        for direction in directions:
            is_up = direction is Direction.UP
            links = found.setdefault(direction, {})
            joined: set[frozenset[str]] = set()
            for seen in walk(connection, focus, direction, depth=depth):
                far = seen.link.source if is_up else seen.link.target
                if far not in generations and len(generations) >= limit:
                    complete = False
                    break
                if len(links) >= limit * _LINKS_FOR_EACH:
                    complete = False
                    break
                if _says_again(seen.link, joined):
                    continue
                generations.setdefault(far, -seen.generation if is_up else seen.generation)
                links[seen.link] = None
        nodes = _described(connection, generations)
    up, down = found.get(Direction.UP), found.get(Direction.DOWN)
    return Graph(
        tuple(focus),
        nodes,
        None if up is None else tuple(up),
        None if down is None else tuple(down),
        complete,
    )


def _says_again(link: Link, joined: set[frozenset[str]]) -> bool:
    """Whether two artifacts that content joins are so already, the other way round perhaps."""
    if link.role not in BY_CONTENT:
        return False
    pair = frozenset((link.source, link.target))
    if pair in joined:
        return True
    joined.add(pair)
    return False


def graph_of_paths(ledger: Reader, focus: Sequence[str], ways: Sequence[Path]) -> Graph:
    """The nodes along some ways down, which all begin, or all end, at the focus."""
    generations = dict.fromkeys(focus, 0)
    links: dict[Link, None] = {}
    begins = bool(ways) and ways[0][0].source in focus
    for way in ways:
        links |= dict.fromkeys(way)
        generation = 0 if begins else -sum(link.source.startswith(STEP) for link in way)
        for link in way:
            generations.setdefault(link.source, generation)
            generation += link.target.startswith(STEP) if begins else link.source.startswith(STEP)
            generations.setdefault(link.target, generation)
    with ledger.reading() as connection:
        nodes = _described(connection, generations)
    drawn = tuple(links)
    return Graph(tuple(focus), nodes, None if begins else drawn, drawn if begins else None, True)


def _described(connection: Connection, generations: dict[str, int]) -> tuple[Node, ...]:
    return tuple(
        _step(connection, node, generation)
        if node.startswith(STEP)
        else _artifact(connection, node, generation)
        for node, generation in generations.items()
    )


def _step(connection: Connection, node: str, generation: int) -> Node:
    query = select(schema.step).where(schema.step.c.id == node)
    row = connection.execute(query).mappings().first()
    return Node(node, "step", generation, step=None if row is None else step_from_row(row))


def _artifact(connection: Connection, node: str, generation: int) -> Node:
    edge, decision, registration = schema.edge.c, schema.decision.c, schema.registration.c
    names = dict.fromkeys(
        name
        for column in (edge.target, edge.source)
        for name in connection.execute(
            select(edge.name).where(column == node).limit(_NAMES)
        ).scalars()
    )
    newest = connection.execute(
        select(decision.subject, decision.outcome)
        .where(decision.digest == node)
        .order_by(decision.id.desc())
        .limit(1)
    ).first()
    versions = connection.execute(
        select(registration.name, registration.version)
        .where(registration.digest == node)
        .order_by(registration.id.desc())
        .limit(_NAMES)
    ).all()
    deployments = connection.execute(
        select(decision.subject)
        .where(
            decision.digest == node,
            decision.action == Action.DEPLOY.value,
            decision.outcome == Outcome.ALLOW.value,
        )
        .group_by(decision.subject)
        .order_by(func.max(decision.id).desc())
        .limit(_NAMES)
    ).scalars()
    if newest is not None and newest.subject:
        names[newest.subject] = None
    return Node(
        node,
        _kind(connection, node),
        generation,
        tuple(names)[:_NAMES],
        tuple(dict.fromkeys(f"{name}/{version}" for name, version in versions)),
        tuple(deployments),
        None if newest is None else newest.outcome,
    )


def _kind(connection: Connection, node: str) -> str:
    if node.startswith("gitCommit:"):
        return "commit"
    content = schema.content.c
    alone = connection.execute(select(content.alone).where(content.digest == node).limit(1)).first()
    if alone is not None:
        return "file" if alone[0] else "folder"
    artifact = schema.artifact.c
    manifest = connection.execute(select(artifact.manifest).where(artifact.digest == node)).scalar()
    return "claim" if manifest is None else "artifact"
