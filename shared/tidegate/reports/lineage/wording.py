"""The words that the formats for people share."""

from __future__ import annotations

from tidegate.ledger.lineage_graph import Node
from tidegate.policy.explain import printable

_HELD = {"quarantine": "held for review", "deny": "refused"}
_KIND = {"claim": "digest that nobody read", "artifact": "empty artifact"}


def title(node: Node) -> str:
    """What to call a node, on one line."""
    return printable(node.title)


def details(node: Node) -> str:
    """What else to say of it, on one line."""
    parts = [_KIND.get(node.kind, node.kind)]
    if node.kind == "step":
        if node.step is None:
            return "step that is not on record"
        parts += [node.step.outcome.value, f"{node.step.started_at:%Y-%m-%d %H:%M} UTC"]
    elif node.title != node.short:
        parts.append(node.short)
    if others := [each for each in node.versions if each != node.title]:
        parts.append(f"also {', '.join(map(printable, others))}")
    if node.deployments:
        parts.append(f"deployed as {', '.join(map(printable, node.deployments))}")
    if node.outcome in _HELD:
        parts.append(_HELD[node.outcome])
    return ", ".join(parts)
