"""`tidegate rules`: what Tidegate looks for, why it matters and how to mend it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option
from tidegate.cli.output import emit

if TYPE_CHECKING:
    from tidegate.scanners.rules import Rule


_INTRODUCTION = (
    "What a scan looks for. This page is made by `tidegate rules list --format markdown`; "
    "`tidegate rules show ID` tells the same in a terminal. Under `standard` a finding holds an "
    "artifact from *high* on, under `strict` from *medium* on."
)


@click.group("rules")
def command() -> None:
    """Say what Tidegate looks for, why it matters and how to mend it."""


@command.command("list")
@format_option("text", "json", "markdown")
def list_rules(form: str) -> None:
    """All rules with their severity; as Markdown, the reference page with all that they say."""
    from tidegate.scanners.rules import rules

    table = rules().values()
    if form == "markdown":
        emit(_page(table))
        return
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


def _page(table: Iterable[Rule]) -> str:
    rows = list(table)
    lines = [
        "# Rules",
        "",
        _INTRODUCTION,
        "",
        "| rule | severity | what it says |",
        "|---|---|---|",
        *(f"| [{r.id}](#{r.id.lower()}) | {r.severity.label} | {r.title} |" for r in rows),
    ]
    for rule in rows:
        lines += ["", f"## {rule.id}", "", f"**{rule.title}** ({rule.severity.label})", ""]
        lines += [rule.description, "", f"*To mend it:* {rule.remediation}"]
        if rule.cwe or rule.attack:
            links = [*map(_cwe, rule.cwe), *map(_technique, rule.attack)]
            lines += ["", f"Catalogued as {', '.join(links)}."]
    return "\n".join(lines) + "\n"


def _cwe(number: str) -> str:
    return f"[{number}](https://cwe.mitre.org/data/definitions/{number.removeprefix('CWE-')}.html)"


def _technique(name: str) -> str:
    """A technique of MITRE ATLAS ("AML.T…") or ATT&CK ("T…")."""
    if name.startswith("AML."):
        return f"[{name}](https://atlas.mitre.org/techniques/{name})"
    return f"[{name}](https://attack.mitre.org/techniques/{name.replace('.', '/')}/)"


def _row(rule: Rule) -> dict[str, Any]:
    return {**asdict(rule), "severity": rule.severity.label}
