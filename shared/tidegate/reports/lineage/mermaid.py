"""The graph as a Mermaid flowchart, for Markdown pages and wikis.

Ids are numbers of ours. In labels every character but letters, digits and a few signs is written
as its number (`#60;`), which Mermaid shows and never takes for markup or for the end of a label.
"""

from __future__ import annotations

import re

from tidegate.ledger.lineage_graph import Graph, Node
from tidegate.reports.lineage.wording import details, title

_ESCAPED = re.compile(r"[^A-Za-z0-9 ._,-]")
_LONGEST = 80
_SHAPES = {"step": ('["', '"]'), "claim": ('(["', '"])')}
_CLASSES = {
    "step": "fill:#e8eef7,stroke:#4a6fa5,color:#1b1b1b",
    "artifact": "fill:#ffffff,stroke:#777777,color:#1b1b1b",
    "held": "fill:#fbe9e7,stroke:#b3261e,color:#1b1b1b",
    "focus": "stroke-width:3px",
}


def as_mermaid(graph: Graph) -> str:
    """A flowchart from left to right."""
    numbers = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for node in graph.nodes:
        before, after = _SHAPES.get(node.kind, ('("', '")'))
        label = f"{_text(title(node))}<br/>{_text(details(node))}"
        lines.append(f"  {numbers[node.id]}{before}{label}{after}")
    lines += [
        f'  {numbers[link.source]} -->|"{_text(link.role)}"| {numbers[link.target]}'
        for link in graph.links
    ]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    for name in ("step", "artifact", "held", "focus"):
        members = [numbers[n.id] for n in graph.nodes if name in _classes(n, graph)]
        if members:
            lines.append(f"  class {','.join(members)} {name}")
    if not graph.complete:
        lines.append('  more["There is more than is shown"]')
    return "\n".join(lines) + "\n"


def _classes(node: Node, graph: Graph) -> set[str]:
    held = node.outcome not in {None, "allow"}
    kind = "step" if node.kind == "step" else "held" if held else "artifact"
    return {kind, "focus"} if node.id in graph.focus else {kind}


def _text(text: str) -> str:
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return _ESCAPED.sub(lambda found: f"#{ord(found[0])};", cut)
