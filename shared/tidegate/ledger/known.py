"""What the ledger knows of where an artifact came from, as far as it can hold it.

    lineage_of(ledger, policy, digest, action=Action.LOAD, now=now)

Asked anew at every decision, from the artifact back: so a recall holds what is recorded after it as
well as what was there before, and nothing has to be kept in step. In a ledger without recalls,
steps and demands it costs two short questions.

Always holds: whatever is recalled, held or missing among the ancestors is in the answer, by the
shortest way that the steps on record tell of; what can't be read raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from tidegate.artifact.manifest import Manifest
from tidegate.ledger import schema
from tidegate.ledger.lineage import STEP, Direction, walk
from tidegate.ledger.lineage_links import Link
from tidegate.ledger.naming import packages, way_from
from tidegate.ledger.reader import Reader
from tidegate.ledger.recalls import Recall, RecallKind, recall_from_row, recalls_query
from tidegate.ledger.vouching import chain_facts
from tidegate.policy.chain import gaps, lacking
from tidegate.policy.lineage import NO_LINEAGE, Gap, Lineage, RecallReach
from tidegate.policy.model import Action, Policy
from tidegate.sbom.packages import Presence, parse_pin

_BATCH = 500


def lineage_of(
    ledger: Reader,
    policy: Policy,
    digest: str,
    *,
    action: Action | None,
    now: datetime,
    manifest: Manifest | None = None,
) -> Lineage:
    """The recalls in force that reach a digest, its held bases, and what its chain lacks.

    Args:
        ledger: what is asked.
        policy: which chain is demanded, and what holds a base.
        digest: of the artifact.
        action: that the chain is demanded for; None for any.
        now: the one time that expiries are held against.
        manifest: the artifact's, where it is at hand.
    """
    from tidegate.ledger.bases import held_bases

    chain = policy.chain
    demanded = chain is not None and (action is None or action.value in chain.actions)
    with ledger.reading() as connection:
        rows = connection.execute(recalls_query(in_force=True)).mappings().all()
        recalls = tuple(recall_from_row(row) for row in rows)
        if not (recalls or demanded or _any_step(connection)):
            return NO_LINEAGE
        links = tuple(_links(connection, digest))
        met = first_met(links)
        missing: tuple[Gap, ...] = ()
        if chain is not None and demanded:
            steps = [node for node in met if node.startswith(STEP)]
            facts = chain_facts(connection, digest, steps, manifest)
            missing = lacking(chain, facts) if action is None else gaps(chain, action, facts)
        return Lineage(
            recalls=tuple(_reaches(connection, digest, met, recalls, manifest)),
            bases=held_bases(ledger, connection, policy, digest, links, now=now),
            gaps=missing,
        )


def _any_step(connection: Connection) -> bool:
    return connection.execute(select(schema.edge.c.id).limit(1)).first() is not None


def _links(connection: Connection, digest: str) -> Iterator[Link]:
    for seen in walk(connection, digest, Direction.UP):
        yield seen.link


def first_met(links: Iterable[Link]) -> dict[str, Link]:
    """The link by which each ancestor was met first, nearest first."""
    met: dict[str, Link] = {}
    for link in links:
        met.setdefault(link.source, link)
    return met


def _reaches(
    connection: Connection,
    digest: str,
    met: Mapping[str, Link],
    recalls: tuple[Recall, ...],
    manifest: Manifest | None,
) -> Iterator[RecallReach]:
    nodes = list(dict.fromkeys((digest, *met)))
    found = [*_in(manifest, digest, recalls), *matching(connection, nodes, recalls)]
    named = nearest(nodes, found)
    for recall in recalls:
        node = named.get(recall.id)
        if node is not None:
            yield RecallReach(
                id=recall.id,
                target=recall.target,
                name=recall.name,
                actor=recall.actor,
                reason=recall.reason,
                recalled_at=recall.created_at,
                way=way_from(connection, digest, node, met),
            )


def _in(
    manifest: Manifest | None, digest: str, recalls: Iterable[Recall]
) -> Iterator[tuple[int, str]]:
    """The recalls of a content that is among the artifact's own files, on record or not."""
    if manifest is None:
        return
    own = {f"sha256:{file.sha256}" for file in manifest.files if file.size}
    yield from ((recall.id, digest) for recall in recalls if recall.target in own)


def nearest(nodes: list[str], found: Iterable[tuple[int, str]]) -> dict[int, str]:
    """For each recall the first of the nodes that it names."""
    place = {node: number for number, node in enumerate(nodes)}
    named: dict[int, str] = {}
    for number, node in found:
        if number not in named or place[node] < place[named[number]]:
            named[number] = node
    return named


def matching(
    connection: Connection, nodes: list[str], recalls: Iterable[Recall]
) -> Iterator[tuple[int, str]]:
    """Each pair of a recall and one of the nodes that it names: by digest, content or package."""
    recalls = tuple(recalls)
    if not recalls:
        return
    by_target: dict[str, list[int]] = {}
    for recall in recalls:
        if recall.kind is RecallKind.ARTIFACT:
            by_target.setdefault(recall.target, []).append(recall.id)
    for node in nodes:
        yield from ((number, node) for number in by_target.get(node, ()))
    for target, node in _holding(connection, nodes, by_target):
        yield from ((number, node) for number in by_target[target])
    pins = {
        recall.id: parse_pin(recall.target)
        for recall in recalls
        if recall.kind is RecallKind.PACKAGE
    }
    if pins:
        for node, named in packages(connection, nodes, set(pins.values())):
            yield from (
                (number, node) for number, pin in pins.items() if pin.among(named) is Presence.THERE
            )


def _holding(
    connection: Connection, nodes: list[str], targets: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Each target that is a file's content, with the nodes that hold it."""
    content = schema.content.c
    hashes = [each.removeprefix("sha256:") for each in targets if each.startswith("sha256:")]
    artifacts = [node for node in nodes if not node.startswith(STEP)]
    for sha256 in hashes:
        for at in range(0, len(artifacts), _BATCH):
            query = select(content.digest).where(
                content.sha256 == sha256,
                content.alone.in_((0, 1)),
                content.digest.in_(artifacts[at : at + _BATCH]),
            )
            yield from ((f"sha256:{sha256}", row[0]) for row in connection.execute(query))
