"""Advisories as plain JSON types, short, for keeping them.

Always holds: `advisory_from` reads what `advisory_to` wrote, and is the same advisory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate.dependencies.interface import Advisory, Affected, Event, EventKind, Range
from tidegate.scanners.interface import Severity


def advisory_to(advisory: Advisory) -> dict[str, Any]:
    """Everything but the feed."""
    return {
        "id": advisory.id,
        "modified": advisory.modified.isoformat(),
        "withdrawn": None if advisory.withdrawn is None else advisory.withdrawn.isoformat(),
        "aliases": list(advisory.aliases),
        "summary": advisory.summary,
        "severity": None if advisory.severity is None else advisory.severity.label,
        "score": advisory.score,
        "affected": [
            [
                each.ecosystem,
                each.name,
                [[r.type, [[e.kind.value, e.version] for e in r.events]] for r in each.ranges],
                list(each.versions),
            ]
            for each in advisory.affected
        ],
    }


def advisory_from(data: Mapping[str, Any], *, feed: str) -> Advisory:
    """The advisory; KeyError, TypeError or ValueError where it is not what was written."""
    withdrawn, severity = data["withdrawn"], data["severity"]
    return Advisory(
        id=data["id"],
        modified=datetime.fromisoformat(data["modified"]),
        affected=tuple(
            Affected(
                ecosystem,
                name,
                tuple(
                    Range(kind, tuple(Event(EventKind(what), version) for what, version in events))
                    for kind, events in ranges
                ),
                tuple(versions),
            )
            for ecosystem, name, ranges, versions in data["affected"]
        ),
        aliases=tuple(data["aliases"]),
        summary=data["summary"],
        severity=None if severity is None else Severity.from_label(severity),
        score=data["score"],
        withdrawn=None if withdrawn is None else datetime.fromisoformat(withdrawn),
        feed=feed,
    )
