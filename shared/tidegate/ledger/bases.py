"""The base models of an artifact that are held, and what holds them.

A base is what went into a step in the role `base`; so is what holds the same bytes, and what a base
was itself made from in that role. Always holds: a base that is let go by a review passes nothing
on, whatever its own bases are; a circle of bases ends in what holds each of them by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from tidegate.ledger.lineage import STEP
from tidegate.ledger.lineage_links import PUT_INTO, SAME_CONTENT, TAKEN_FROM, Link
from tidegate.ledger.naming import name_of, way_from
from tidegate.ledger.reader import Reader
from tidegate.policy.decide import held_base
from tidegate.policy.lineage import HeldBase
from tidegate.policy.model import Policy

_BASE = "base"
_BY_CONTENT = frozenset({PUT_INTO, SAME_CONTENT, TAKEN_FROM})


def held_bases(
    ledger: Reader,
    connection: Connection,
    policy: Policy,
    digest: str,
    links: Iterable[Link],
    *,
    now: datetime,
) -> tuple[HeldBase, ...]:
    """The bases of an artifact that are held, by digest.

    Args:
        ledger: where evidence, reviews and waivers are on record.
        connection: to it.
        policy: what holds a base.
        digest: of the artifact.
        links: all that lead up from it, nearest first.
        now: the one time that expiries are held against.
    """
    links = tuple(links)
    if all(link.role != _BASE for link in links):
        return ()
    graph = _Bases(links)
    met: dict[str, Link] = {}
    for link in links:
        met.setdefault(link.source, link)

    def held(base: str, bases: Iterable[HeldBase]) -> HeldBase | None:
        found = held_base(
            policy,
            ledger.latest_evidence(base),
            digest=base,
            name="",
            now=now,
            waivers=ledger.waivers_for(base),
            reviews=ledger.reviews_for(base),
            bases=tuple(bases),
        )
        return found and replace(found, name=name_of(connection, base))

    direct = graph.of(digest)
    found: dict[str, HeldBase | None] = {}
    # From the farthest to the nearest, without calling itself: nobody bounds how long a line is.
    pending = [(base, False) for base in sorted(direct)]
    begun: set[str] = set()
    while pending:
        base, ready = pending.pop()
        if base in found:
            continue
        if not ready and base not in begun:
            begun.add(base)
            pending.append((base, True))
            pending += [(each, False) for each in sorted(graph.of(base)) if each not in begun]
        elif ready:
            above = (
                found[each] if each in found else held(each, ())
                for each in sorted(graph.of(base) - {base})
            )
            found[base] = held(base, [each for each in above if each is not None])
    passed_on = (found[each] for each in sorted(direct) if each != digest)
    return tuple(
        replace(each, way=way_from(connection, digest, each.digest, met))
        for each in passed_on
        if each is not None
    )


class _Bases:
    """Which bases each artifact was made from."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._content: dict[str, list[Link]] = {}
        self._steps: dict[str, list[str]] = {}
        self._inputs: dict[str, list[str]] = {}
        for link in links:
            if link.role in _BY_CONTENT:
                self._content.setdefault(link.target, []).append(link)
            elif link.source.startswith(STEP):
                self._steps.setdefault(link.target, []).append(link.source)
            elif link.role == _BASE:
                self._inputs.setdefault(link.target, []).append(link.source)
        self._known: dict[str, frozenset[str]] = {}

    def of(self, artifact: str) -> frozenset[str]:
        """The bases that went into the steps which made it, and what holds those bytes."""
        if artifact not in self._known:
            self._known[artifact] = frozenset(
                alike
                for made in self._alike(artifact)
                for step in self._steps.get(made, ())
                for base in self._inputs.get(step, ())
                for alike in self._alike(base)
            )
        return self._known[artifact]

    def _alike(self, artifact: str) -> set[str]:
        """The artifact, and what it shares bytes with further up; no way from part to folder."""
        met = {(artifact, False)}
        pending = [(artifact, False)]
        while pending:
            at, part = pending.pop()
            for link in self._content.get(at, ()):
                if part and link.role == TAKEN_FROM:
                    continue
                there = (link.source, part or link.role == PUT_INTO)
                if there not in met:
                    met.add(there)
                    pending.append(there)
        return {node for node, _ in met}
