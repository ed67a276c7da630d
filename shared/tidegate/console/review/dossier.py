"""What a review page shows of one artifact, as one viewer may see it.

Always holds: the page is about the newest decision of its name, whichever number was asked for, and
`seen` changes with anything on record that a reviewer would want to look at again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from tidegate.artifact.manifest import Manifest
from tidegate.console.review.viewer import Viewer
from tidegate.errors import RecordNotFoundError
from tidegate.gate import Gate
from tidegate.ledger.lineage import Direction
from tidegate.ledger.lineage_graph import Graph, graph_around
from tidegate.ledger.records import Registration
from tidegate.ledger.review_lists import history
from tidegate.policy import Decision
from tidegate.policy.grounds import REJECTED, SIGNATURE_RULES, UNSCANNED
from tidegate.policy.lineage import Lineage
from tidegate.policy.model import Reason, Review, Waiver
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Finding, Severity

_LINEAGE_NODES = 40
_NOBODY_WAIVES = SIGNATURE_RULES | {UNSCANNED, REJECTED, "CHANGED"}


@dataclass(frozen=True, slots=True)
class Record:
    """One artifact's record. Newest first throughout."""

    asked: int
    decision: Decision
    evidence: Evidence | None
    manifest: Manifest | None
    history: tuple[Decision, ...]
    reviews: tuple[Review, ...]
    waivers: tuple[Waiver, ...]
    registrations: tuple[Registration, ...]
    lineage: Lineage
    graph: Graph | None
    beyond: tuple[str, ...]
    """Rules of reasons that the policy lets nobody except."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings, the gravest first."""
        found = () if self.evidence is None else self.evidence.findings
        return tuple(sorted(found, key=lambda each: -each.severity))

    @property
    def waivable(self) -> tuple[str, ...]:
        """The rules of reasons that somebody may waive."""
        rules = dict.fromkeys(reason.rule for reason in self.decision.reasons)
        return tuple(rule for rule in rules if rule not in {*_NOBODY_WAIVES, *self.beyond})

    @property
    def seen(self) -> str:
        """Names the state that the page shows; another one where anything has come since."""
        state = {
            "digest": self.decision.digest,
            "subject": self.decision.subject,
            "outcome": self.decision.outcome.value,
            "policy": self.decision.policy_digest,
            "reasons": [_plain(reason) for reason in self.decision.reasons],
            "evidence": None if self.evidence is None else self.evidence.id,
            "decided on": self.decision.evidence_id,
            "reviews": [each.id for each in self.reviews],
            "waivers": [each.id for each in self.waivers],
            "lineage": self.lineage.to_dict(),
        }
        canonical = json.dumps(state, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(reason: Reason) -> list[str | None]:
    return [reason.rule, reason.severity, reason.path, reason.member, reason.message]


def record_of(gate: Gate, number: int, viewer: Viewer) -> Record:
    """The record that a decision's number leads to, as far as the viewer may see it.

    Raises:
        RecordNotFoundError: there is none, or none that he may know of.
    """
    ledger = gate.ledger
    asked = ledger.decision(number)
    registrations = viewer.readable(ledger.registrations_of(asked.digest))
    names = {f"{each.name}/{each.version}" for each in registrations}
    if not viewer.may_list and asked.subject not in names:
        raise RecordNotFoundError(f"the ledger has no decision {number}")
    decision = ledger.latest_decision(asked.digest, subject=asked.subject) or asked
    try:
        manifest = ledger.manifest(asked.digest)
    except RecordNotFoundError:
        # Bytes that nobody could list are decided on as well.
        manifest = None
    decided = history(ledger, asked.digest)
    graph = None
    if viewer.may_list:
        graph = graph_around(
            ledger, (asked.digest,), (Direction.UP, Direction.DOWN), limit=_LINEAGE_NODES
        )
    else:
        decided = tuple(each for each in decided if each.subject in names)
    ceiling = gate.policy.waiver_ceiling
    return Record(
        asked=number,
        decision=decision,
        evidence=ledger.latest_evidence(asked.digest),
        manifest=manifest,
        history=decided,
        reviews=ledger.reviews_for(asked.digest),
        waivers=ledger.waivers_for(asked.digest),
        registrations=registrations,
        lineage=gate.lineage_of(asked.digest),
        graph=graph,
        beyond=tuple(
            dict.fromkeys(
                reason.rule
                for reason in decision.reasons
                if Severity.from_label(reason.severity) > ceiling
            )
        ),
    )


def told_in_a_terminal(gate: Gate, number: int) -> Decision:
    """A decision about a registered version, which its refusal has told already.

    Raises:
        RecordNotFoundError: there is none.
    """
    decision = gate.ledger.decision(number)
    known = gate.ledger.registrations_of(decision.digest)
    if all(f"{each.name}/{each.version}" != decision.subject for each in known):
        raise RecordNotFoundError(f"the ledger has no decision {number}")
    newest = gate.ledger.latest_decision(decision.digest, subject=decision.subject)
    return replace(newest or decision, actor=None)
