"""The rule table: id, severity, text, remedy and references of every rule, kept as data.

The rows stand in `data/rules/`, one file for each family, in the order in which reports show
them; this module reads and checks them. A rule id is never reused and never changes its meaning:
waivers name it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tidegate.scanners.interface import Severity
from tidegate.scanners.tables import read_table, tables_in


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: what the rule means for a person, how to mend it, and where it is catalogued.

    `unreviewed` marks rules about code that nobody known has looked at: a policy's
    `trusted_modules` answers those, and no other.
    """

    id: str
    title: str
    severity: Severity
    description: str
    remediation: str
    cwe: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    unreviewed: bool = False


@cache
def rules() -> dict[str, Rule]:
    """All rules by id, family by family."""
    rows = [row for name in tables_in("rules") for row in read_table(name)["rules"]]
    table = {row["id"]: _rule(row) for row in rows}
    if len(table) != len(rows):
        raise ValueError("a rule id stands in the table twice")
    return table


def _rule(row: dict[str, Any]) -> Rule:
    return Rule(
        id=row["id"],
        title=row["title"],
        severity=Severity.from_label(row["severity"]),
        description=row["description"],
        remediation=row["remediation"],
        cwe=tuple(row.get("cwe", ())),
        attack=tuple(row.get("attack", ())),
        unreviewed=row.get("unreviewed", False),
    )


def rule_of(rule_id: str) -> Rule:
    """The rule of that id; KeyError for an id that the table does not have."""
    return rules()[rule_id]
