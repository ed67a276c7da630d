"""`tidegate rules`: what Tidegate looks for, why it matters and how to mend it."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option
from tidegate.cli.output import emit

if TYPE_CHECKING:
    from tidegate.scanners.rules import Rule


@click.group("rules")
def command() -> None:
    """Say what Tidegate looks for, why it matters and how to mend it."""


@command.command("list")
@format_option("text", "json")
def list_rules(form: str) -> None:
    """All rules with their severity."""
    from tidegate.scanners.rules import rules

    table = rules().values()
    if form == "json":
        emit(json.dumps([_row(rule) for rule in table], indent=2) + "\n")
        return
    widest = max(len(rule.id) for rule in table)
    emit("".join(f"{r.id:<{widest}}  {r.severity.label:<8}  {r.title}\n" for r in table))


@command.command("show")
@click.argument("rule", metavar="ID")
@format_option("text", "json")
def show(rule: str, form: str) -> None:
    """One rule in full."""
    from tidegate.errors import RecordNotFoundError
    from tidegate.scanners.rules import rules

    found = rules().get(rule.upper())
    if found is None:
        raise RecordNotFoundError(
            f"there is no rule {rule!r}", remedy="`tidegate rules list` shows them all"
        )
    if form == "json":
        emit(json.dumps(_row(found), indent=2) + "\n")
        return
    lines = [f"{found.id} ({found.severity.label}): {found.title}", ""]
    lines += textwrap.wrap(found.description, 96)
    lines += ["", *textwrap.wrap(f"To mend it: {found.remediation}", 96)]
    if found.cwe or found.attack:
        lines += ["", "Catalogued as " + ", ".join((*found.cwe, *found.attack))]
    emit("\n".join(lines) + "\n")


def _row(rule: Rule) -> dict[str, Any]:
    return {**asdict(rule), "severity": rule.severity.label}
