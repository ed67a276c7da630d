"""What passed under older rules, looked at again under today's.

    with Gate.open() as gate:
        for row in rescan(gate):
            print(row.digest, row.state)

Always holds: bytes count only where they hash to the digest on record, wherever they were found;
nothing is recorded unless that is asked for; and what can't be looked at again is a row with its
reason, never one that passes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tidegate import signing
from tidegate.artifact import LocalSource, Manifest, read_manifest
from tidegate.errors import ArtifactError
from tidegate.policy import Action, Decision, decide
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.registry import ruleset_version

if TYPE_CHECKING:
    from tidegate.gate import Gate


class State(enum.StrEnum):
    """What became of one digest."""

    CURRENT = "current"
    """Its evidence is of today's rules already."""
    PASSES = "passes"
    """It passes under today's rules too."""
    WOULD_BE_HELD = "would be held"
    """Today's rules, and what people said of it, do not let it pass."""
    HELD = "held"
    """The same, and now it is on record."""
    OUT_OF_REACH = "out of reach"
    """Its bytes were not found where they lay, so nobody knows."""


@dataclass(frozen=True, slots=True)
class Rescanned:
    """One digest. `decision` is what today's rules come to; `reason` says why there is none."""

    digest: str
    subjects: tuple[str, ...]
    state: State
    decision: Decision | None = None
    reason: str | None = None


def rescan(
    gate: Gate, references: Iterable[str] = (), *, record: bool = False, actor: str | None = None
) -> Iterator[Rescanned]:
    """Scan again what passes by older evidence, one digest after the other.

    Args:
        gate: whose policy and ledger count.
        references: digests, decision numbers or subjects; without any, all that passes.
        record: keep the new evidence and decisions, so that what fails is held from then on.
        actor: who asks.

    Raises:
        RecordNotFoundError: a reference stands for nothing on record.
        OperatorError: the ledger can't be read or written.
    """
    ledger = gate.ledger
    chosen = tuple(ledger.resolve(reference) for reference in references) or ledger.passing()
    for digest in dict.fromkeys(chosen):
        subjects = ledger.subjects_of(digest)
        known = ledger.evidence_for(digest, ruleset_version())
        if known is not None and not known.unread:
            yield Rescanned(digest, subjects, State.CURRENT, _decide(gate, known, subjects, actor))
            continue
        try:
            manifest, source = _find(gate, digest)
        except ArtifactError as error:
            yield Rescanned(digest, subjects, State.OUT_OF_REACH, reason=error.message)
            continue
        evidence = gate.engine.scan(source, manifest)
        decision = _decide(gate, evidence, subjects, actor)
        state = State.PASSES if decision.allowed else State.WOULD_BE_HELD
        if record:
            for subject in subjects or ("",):
                gate.settle(Action.LOAD, manifest, evidence, subject=subject, actor=actor)
            state = State.PASSES if decision.allowed else State.HELD
        yield Rescanned(digest, subjects, state, decision)


def _find(gate: Gate, digest: str) -> tuple[Manifest, LocalSource]:
    """The bytes of the digest, at one of the places on record."""
    places = gate.ledger.places_of(digest)
    for place in places:
        source = LocalSource(place)
        try:
            manifest = read_manifest(source)
        except ArtifactError:
            continue
        if manifest.digest == digest:
            return manifest, source
    if not places:
        raise ArtifactError(
            "no place on this machine is on record for these bytes",
            remedy="scan them where they lie: `tidegate scan --record PATH`",
        )
    raise ArtifactError(f"other bytes, or none, lie at {', '.join(map(repr, places))}")


def _decide(
    gate: Gate, evidence: Evidence, subjects: tuple[str, ...], actor: str | None
) -> Decision:
    return decide(
        gate.policy,
        Action.LOAD,
        evidence,
        digest=evidence.digest,
        subject=subjects[0] if subjects else "",
        now=datetime.now(UTC),
        waivers=gate.ledger.waivers_for(evidence.digest),
        reviews=gate.ledger.reviews_for(evidence.digest),
        lineage=gate.lineage_of(evidence.digest, Action.LOAD),
        signatures=signing.checks(gate.policy, Action.LOAD, gate.ledger, evidence.digest),
        actor=actor,
    )
