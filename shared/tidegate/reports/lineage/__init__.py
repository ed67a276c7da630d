"""A part of the lineage graph, written down: for a terminal, a page, a program, another tool.

    FORMATS["mermaid"](graph)

Always holds: every name in a graph may have been chosen by an attacker, and is escaped by the
rules of the format that it goes into; nothing in what is written runs, loads or links to anything.
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.ledger.lineage_graph import Graph
from tidegate.reports.lineage.json import as_json
from tidegate.reports.lineage.mermaid import as_mermaid
from tidegate.reports.lineage.openlineage import as_openlineage
from tidegate.reports.lineage.prov import as_prov
from tidegate.reports.lineage.svg import as_svg
from tidegate.reports.lineage.text import as_text

FORMATS: dict[str, Callable[[Graph], str]] = {
    "text": as_text,
    "json": as_json,
    "mermaid": as_mermaid,
    "svg": as_svg,
    "openlineage": as_openlineage,
    "prov": as_prov,
}

__all__ = ["FORMATS"]
