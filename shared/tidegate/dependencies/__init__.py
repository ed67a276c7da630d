"""Advisories about packages, and whether they are about a given one.

    advisory = read_advisory(record)                      # one OSV record, or why it can't be read
    for found in match(Component("PyPI", "torch", "2.0.0+cu118"), advisories):
        found.advisory.id, found.certainty, found.fixed

Nothing here reads a ledger or asks a network. Always holds: what can't be compared is
`undetermined`, never left out; a withdrawn advisory matches nothing; and an empty answer says that
no advisory is known, which is not that there is none.
"""

from tidegate.dependencies.interface import (
    Advisory,
    Affected,
    Certainty,
    Component,
    Event,
    Match,
    Range,
)
from tidegate.dependencies.matching import match, smallest_safe_upgrade
from tidegate.dependencies.osv import MalformedAdvisoryError, read_advisory

__all__ = [
    "Advisory",
    "Affected",
    "Certainty",
    "Component",
    "Event",
    "MalformedAdvisoryError",
    "Match",
    "Range",
    "match",
    "read_advisory",
    "smallest_safe_upgrade",
]
