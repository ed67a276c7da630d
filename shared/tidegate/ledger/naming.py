"""Nodes of the graph as people know them: their names, the way between two, their packages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, select

from tidegate.ledger import schema
from tidegate.ledger.lineage import STEP
from tidegate.ledger.lineage_links import PUT_INTO, SAME_CONTENT, TAKEN_FROM, Link
from tidegate.policy.lineage import Hop
from tidegate.sbom.packages import Named, Pin, packages_in_bom, packages_in_environment

_BATCH = 500
_LONGEST = 200
_BY_CONTENT = frozenset({PUT_INTO, SAME_CONTENT, TAKEN_FROM})


def way_from(
    connection: Connection, digest: str, node: str, met: Mapping[str, Link]
) -> tuple[Hop, ...]:
    """The way from an artifact back to one of its ancestors.

    Args:
        connection: to the ledger.
        digest: of the artifact.
        node: the ancestor: an artifact or a step.
        met: the link by which each ancestor was met first, on the walk from the artifact.
    """
    down: list[Link] = []
    while node != digest:
        down.append(met[node])
        node = met[node].target
    return _hops(connection, reversed(down))


def way_from_above(
    connection: Connection, digest: str, starts: Container[str], met: Mapping[str, Link]
) -> tuple[Hop, ...]:
    """The way from an artifact back to where a walk downwards began.

    Args:
        connection: to the ledger.
        digest: of the artifact.
        starts: the nodes that the walk began with.
        met: the link by which each descendant was met first.
    """
    up: list[Link] = []
    while digest not in starts:
        up.append(met[digest])
        digest = met[digest].source
    return _hops(connection, up)


def _hops(connection: Connection, links: Iterable[Link]) -> tuple[Hop, ...]:
    """Links from an artifact back, as people read them: a step together with its input.

    Of a very long way the two ends: nobody reads the middle, and a decision keeps what is here.
    """
    links = tuple(links)
    if len(links) > _LONGEST:
        links = (*links[: _LONGEST // 2], *links[-_LONGEST // 2 :])
    steps = _steps(connection, links)
    names = _names(connection, links)
    hops: list[Hop] = []
    for link in links:
        if link.source.startswith(STEP):
            hops.append(Hop(*steps[link.source], "", ""))
        elif link.role in _BY_CONTENT:
            hops.append(Hop(None, "", link.role, name_of(connection, link.source)))
        else:
            if hops and hops[-1].step is not None and not hops[-1].role:
                hops.pop()
            name = names.get((link.source, link.target, link.role), link.source[:19])
            hops.append(Hop(*steps[link.target], link.role, name))
    return tuple(hops)


def _steps(connection: Connection, links: Sequence[Link]) -> dict[str, tuple[str, str]]:
    """The name of each step on a way, and when it began."""
    step = schema.step.c
    wanted = {node for link in links for node in (link.source, link.target)}
    found = {node: (node, "") for node in wanted if node.startswith(STEP)}
    if found:
        query = select(step.id, step.name, step.body).where(step.id.in_(found))
        for number, name, body in connection.execute(query):
            found[number] = (name, str(json.loads(body).get("started_at", "")))
    return found


def _names(connection: Connection, links: Sequence[Link]) -> dict[tuple[str, str, str], str]:
    """What each step on a way called its input: the first name where it gave several."""
    edge = schema.edge.c
    found: dict[tuple[str, str, str], str] = {}
    inputs = [link for link in links if link.target.startswith(STEP)]
    if inputs:
        query = select(edge.source, edge.target, edge.role, edge.name).where(
            edge.source.in_({link.source for link in inputs}),
            edge.target.in_({link.target for link in inputs}),
        )
        for source, target, role, name in connection.execute(query.order_by(edge.id)):
            found.setdefault((source, target, role), name)
    return found


def _batches(nodes: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(nodes), _BATCH):
        yield nodes[at : at + _BATCH]


def name_of(connection: Connection, digest: str) -> str:
    """What an artifact was called last: by a decision, a step, or its file's own name."""
    decision, edge, artifact = schema.decision.c, schema.edge.c, schema.artifact.c
    named = connection.execute(
        select(decision.subject)
        .where(decision.digest == digest, decision.subject != "")
        .order_by(decision.id.desc())
        .limit(1)
    ).scalar()
    for column in (edge.target, edge.source):
        named = (
            named or connection.execute(select(edge.name).where(column == digest).limit(1)).scalar()
        )
    if named is None:
        body = connection.execute(
            select(artifact.manifest).where(artifact.digest == digest)
        ).scalar()
        manifest = json.loads(body) if body is not None else None
        if manifest is not None and manifest.get("kind") == "file":
            named = manifest["files"][0][0]
    return str(named or digest[:19])


def packages(
    connection: Connection, nodes: Sequence[str], pins: Iterable[Pin]
) -> Iterator[tuple[str, frozenset[Named] | None]]:
    """What the SBOMs of artifacts and the environments of steps say was there, node by node.

    Those that name none of the packages, in whatever version, may be left out.
    """
    may_name = _may_name(pins)
    sbom, step = schema.sbom.c, schema.step.c
    for batch in _batches(nodes):
        for digest, body in connection.execute(
            select(sbom.digest, sbom.body).where(sbom.digest.in_(batch)).order_by(sbom.id)
        ):
            if may_name(body):
                yield digest, _parsed(body)
        for number, body in connection.execute(
            select(step.id, step.body).where(step.id.in_(batch)).order_by(step.id)
        ):
            if may_name(body):
                yield number, _installed(body)


def packages_everywhere(
    connection: Connection, pins: Iterable[Pin]
) -> Iterator[tuple[str, frozenset[Named] | None]]:
    """The same for everything on record."""
    for column in (schema.sbom.c.digest, schema.step.c.id):
        last = ""
        while True:
            query = select(column).where(column > last).distinct().order_by(column).limit(_BATCH)
            batch = [row[0] for row in connection.execute(query)]
            if not batch:
                break
            yield from packages(connection, batch, pins)
            last = batch[-1]


_known: dict[str, frozenset[Named] | None] = {}
_MOST_KNOWN = 512


def _parsed(body: str) -> frozenset[Named] | None:
    """The packages of an SBOM, whose text never changes: read once for each text."""
    key = hashlib.sha256(body.encode()).hexdigest()
    if key not in _known:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = packages_in_bom(body)
    return _known[key]


def _installed(body: str) -> frozenset[Named] | None:
    try:
        step = json.loads(body)
    except ValueError:
        return None
    return packages_in_environment(step.get("environment") if isinstance(step, dict) else None)


def _may_name(pins: Iterable[Pin]) -> Callable[[str], object]:
    """Whether a JSON text may name one of some packages: far faster than reading it."""
    # Any spelling of a name, and any escape that could stand for one of its letters.
    names = (r"[-_.]+".join(map(re.escape, pin.name.split("-"))) for pin in pins)
    return re.compile("|".join([*names, r"\\u00", "%[0-9a-f]{2}"]), re.IGNORECASE).search
