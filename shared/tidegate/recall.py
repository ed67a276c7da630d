"""Recalling what turned out to be bad, and everything that came from it.

    with Gate.open() as gate:
        report = recall(gate, "claims-2026.csv", actor="ada", reason="the labels are wrong")
        for each in report.affected:
            print(each.digest, each.names, each.owners)

A recall is one row of the ledger. The gate asks for it at every decision, so everything downstream
is held from the commit on; what this module does besides is to tell whom it concerns, and to put
the new decisions on record at once, so that nobody has to run into them first.

Always holds: what is listed is what the gate holds, for both walk the same links; a name that could
mean two things recalls neither; a dry run writes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from tidegate.artifact import Manifest, read_manifest
from tidegate.errors import ArtifactEmptyError, RecordNotFoundError, UsageError
from tidegate.ledger import schema
from tidegate.ledger.lineage import STEP, Direction, walk
from tidegate.ledger.lineage_names import nodes_of
from tidegate.ledger.naming import name_of, packages_everywhere, way_from_above
from tidegate.ledger.recalls import Recall, RecallKind
from tidegate.policy.lineage import Hop
from tidegate.sbom.packages import Presence, parse_pin

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tidegate.gate import Gate
    from tidegate.ledger.lineage_links import Link
    from tidegate.policy.model import Decision

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)
_OTHER = re.compile(r"gitCommit:[0-9a-f]{40}(?:[0-9a-f]{24})?|step:[0-9a-f]{32}")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Target:
    """What a recall is about. `notes` are what the caller should know of it."""

    kind: RecallKind
    target: str
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Affected:
    """An artifact that a recall reaches.

    `names` are those under which it was decided on, or else what steps call it; `versions` its
    registrations as (store, name, version); `owners` who decided on it, registered it or ran the
    steps that made it.
    `way` leads from it back to what was recalled. `decision` is how it stands now; None where
    nobody ever decided on it, or in a dry run.
    """

    digest: str
    names: tuple[str, ...]
    versions: tuple[tuple[str, str, str], ...]
    owners: tuple[str, ...]
    way: tuple[Hop, ...]
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class RecallReport:
    """What a recall comes to. `recall` is None in a dry run.

    `undetermined` are artifacts and steps that name the package without a version, or whose
    packages can't be read: they are not held.
    """

    target: Target
    recall: Recall | None
    affected: tuple[Affected, ...]
    undetermined: tuple[str, ...] = ()


def recall(
    gate: Gate, what: str, *, actor: str, reason: str, dry_run: bool = False
) -> RecallReport:
    """Recall an artifact, a file's content, a commit, a step or a version of a package.

    Args:
        gate: whose ledger it goes into, and by whose policy the decisions are taken anew.
        what: "name==version"; a digest, known or not; a file or folder; or a name on record.
        actor: who recalls it.
        reason: why, for those whose artifacts are held by it.
        dry_run: only say what would be held.

    Raises:
        UsageError: what is named could be several things, or can't be recalled.
        RecordNotFoundError: nothing is on record under that name.
        OperatorError: the ledger can't be read or written.
    """
    target = resolve(gate, what)
    made: Recall | None = None
    if not dry_run:
        made = gate.ledger.add_recall(
            target.kind, target.target, name=target.name, actor=actor, reason=reason,
            now=datetime.now(UTC),
        )  # fmt: skip
    affected, undetermined = _reach(gate, target)
    if made is not None:
        affected = tuple(_decided(gate, each, actor) for each in affected)
    return RecallReport(target, made, affected, undetermined)


def lift(gate: Gate, recall_id: int, *, actor: str, reason: str) -> RecallReport:
    """Lift a recall, and decide anew about what it held.

    Raises:
        RecordNotFoundError: there is no such recall.
        UsageError: it was lifted already.
        OperatorError: the ledger can't be read or written.
    """
    lifted = gate.ledger.lift_recall(recall_id, actor=actor, reason=reason, now=datetime.now(UTC))
    report = reach_of(gate, lifted)
    affected = tuple(_decided(gate, each, actor) for each in report.affected)
    return RecallReport(report.target, lifted, affected, report.undetermined)


def reach_of(gate: Gate, recalled: Recall) -> RecallReport:
    """What a recall on record reaches as of now, with how each stands on record."""
    target = Target(recalled.kind, recalled.target, recalled.name)
    affected, undetermined = _reach(gate, target)
    return RecallReport(target, recalled, affected, undetermined)


def resolve(gate: Gate, what: str) -> Target:
    """What a person means; see `recall`."""
    text = what.strip()
    if not text:
        raise UsageError("nothing is named to be recalled", remedy="name a digest, a package …")
    if os.path.lexists(text):
        return _of_path(gate, text)
    if "==" in text:
        return Target(RecallKind.PACKAGE, str(parse_pin(text)), "")
    if _OTHER.fullmatch(text):
        return _of_digest(gate, text)
    if (digits := _HEX.fullmatch(text)) is not None:
        return _of_digest(gate, f"sha256:{digits[1].lower()}")
    return Target(RecallKind.ARTIFACT, _by_name(gate, text), text)


def _by_name(gate: Gate, name: str) -> str:
    """The one thing that is on record under a name or the beginning of a digest."""
    try:
        nodes = nodes_of(gate.ledger, name)
    except RecordNotFoundError as error:
        raise RecordNotFoundError(
            f"there is no file {name!r} here, and {error.message}",
            remedy="give a path, a package as name==version, the digits of a digest, a version "
            "such as fraud/3, or what a step called it",
        ) from error
    if len(nodes) == 1:
        return nodes[0]
    # The beginning of a content's hash, which stands for all names of the file.
    with gate.ledger.reading() as connection:
        content = schema.content.c
        query = select(content.sha256).where(content.digest.in_(nodes), content.alone == 1)
        hashes = set(connection.execute(query).scalars())
    if len(hashes) == 1:
        return f"sha256:{hashes.pop()}"
    raise UsageError(
        f"{name!r} stands for several artifacts: {', '.join(nodes[:_SHOWN])}",
        remedy="give the digest of the one that is meant, or the whole SHA-256 of the file",
    )


def _of_path(gate: Gate, path: str) -> Target:
    """A file by its content, so that its name does not matter; a folder by its digest."""
    manifest: Manifest = read_manifest(path)
    name = Path(path).name or path
    if manifest.kind != "file":
        return _of_digest(gate, manifest.digest, name)
    if not manifest.files[0].size:
        raise ArtifactEmptyError(f"{path!r} is empty, and an empty file is everywhere")
    return _of_digest(gate, f"sha256:{manifest.files[0].sha256}", name)


def _of_digest(gate: Gate, digest: str, name: str = "") -> Target:
    content = digest.removeprefix("sha256:")
    with gate.ledger.reading() as connection:
        known = any(
            connection.execute(select(column).where(column == value).limit(1)).first() is not None
            for column, value in (
                (schema.artifact.c.digest, digest),
                (schema.decision.c.digest, digest),
                (schema.registration.c.digest, digest),
                (schema.edge.c.source, digest),
                (schema.edge.c.target, digest),
                (schema.content.c.sha256, content),
            )
        )
        if known and not name and digest.startswith("sha256:"):
            named = name_of(connection, digest)
            name = "" if digest.startswith(named) else named
    notes: tuple[str, ...] = ()
    if not known:
        later = "whatever holds it or comes from it will be held"
        notes = (f"nothing is on record about {digest} yet; {later}",)
    return Target(RecallKind.ARTIFACT, digest, name, notes)


def _reach(gate: Gate, target: Target) -> tuple[tuple[Affected, ...], tuple[str, ...]]:
    with gate.ledger.reading() as connection:
        starts, undetermined = _starts(connection, target)
        met: dict[str, Link] = {}
        if starts:
            for seen in walk(connection, starts, Direction.DOWN):
                if seen.new:
                    met.setdefault(seen.link.target, seen.link)
        nodes = [node for node in dict.fromkeys((*starts, *met)) if not node.startswith(STEP)]
        found = tuple(
            _affected(connection, node, way_from_above(connection, node, starts, met))
            for node in nodes
            if not node.startswith("gitCommit:")
        )
    return found, undetermined


def _starts(connection: Connection, target: Target) -> tuple[list[str], tuple[str, ...]]:
    """The nodes that a recall names, and those of which it can't be told."""
    if target.kind is RecallKind.PACKAGE:
        pin = parse_pin(target.target)
        named: dict[str, None] = {}
        unclear: dict[str, None] = {}
        for node, among in packages_everywhere(connection, [pin]):
            presence = pin.among(among)
            if presence is Presence.THERE:
                named[node] = None
            elif presence is Presence.UNDETERMINED:
                unclear[node] = None
        return list(named), tuple(node for node in unclear if node not in named)
    return list(dict.fromkeys(_holding(connection, target.target))), ()


def _holding(connection: Connection, target: str) -> Iterator[str]:
    """Every node that is the digest, or holds a file of that content."""
    edge, content = schema.edge.c, schema.content.c
    for column in (
        schema.artifact.c.digest,
        schema.decision.c.digest,
        schema.registration.c.digest,
        edge.source,
        edge.target,
    ):
        query = select(column).where(column == target).limit(1)
        yield from (str(row[0]) for row in connection.execute(query))
    query = select(content.digest).where(content.sha256 == target.removeprefix("sha256:"))
    yield from (str(row[0]) for row in connection.execute(query))


def _affected(connection: Connection, digest: str, way: tuple[Hop, ...]) -> Affected:
    decision, registration, edge = schema.decision.c, schema.registration.c, schema.edge.c
    names: dict[str, None] = {}
    owners: dict[str, None] = {}
    query = select(decision.subject, decision.actor).where(decision.digest == digest)
    for subject, actor in connection.execute(query.order_by(decision.id.desc())):
        if subject:
            names[subject] = None
        if actor:
            owners[actor] = None
    versions = tuple(
        (row.store, row.name, row.version)
        for row in connection.execute(
            select(registration.store, registration.name, registration.version)
            .where(registration.digest == digest)
            .order_by(registration.id.desc())
        )
    )
    made_by = select(edge.source, edge.name).where(edge.target == digest).order_by(edge.id)
    steps = [(str(row.source), str(row.name)) for row in connection.execute(made_by)]
    for step_id, name in steps:
        if not names:
            names[name] = None
        actor = _actor_of(connection, step_id)
        if actor:
            owners[actor] = None
    if not names and not versions:
        # What no step made and nobody decided on, as a data set, is called as its readers call it.
        called = select(edge.name).where(edge.source == digest).order_by(edge.id).limit(1)
        names |= dict.fromkeys(connection.execute(called).scalars())
    return Affected(digest, tuple(names), versions, tuple(owners), way)


def _actor_of(connection: Connection, step_id: str) -> str | None:
    from tidegate.ledger.steps import step_from_row

    table = schema.step
    row = connection.execute(select(table).where(table.c.id == step_id)).mappings().first()
    return None if row is None else step_from_row(row).actor


def _decided(gate: Gate, affected: Affected, actor: str) -> Affected:
    """The artifact with how it stands from now on, which is put on record for each of its names."""
    from dataclasses import replace

    if not gate.ledger.subjects_of(affected.digest):
        return affected
    decisions = gate.restand(affected.digest, actor)
    return replace(affected, decision=next(iter(decisions.values())))


def recall_of(gate: Gate, recall_id: int) -> Recall:
    """The recall of a number; RecordNotFoundError where there is none."""
    for each in gate.ledger.recalls():
        if each.id == recall_id:
            return each
    raise RecordNotFoundError(
        f"there is no recall {recall_id}", remedy="`tidegate recall --list` shows them all"
    )
