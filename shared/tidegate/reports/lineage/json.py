"""The graph as one JSON object, all in ASCII."""

from __future__ import annotations

import json
from typing import Any

from tidegate.ledger.lineage_graph import Graph, Node


def as_json(graph: Graph) -> str:
    """`{"schema": 1, "focus": […], "nodes": […], "links": […], "complete": …}`."""
    found = {
        "schema": 1,
        "focus": list(graph.focus),
        "nodes": [_node(node) for node in graph.nodes],
        "links": [
            {"source": link.source, "target": link.target, "role": link.role}
            for link in graph.links
        ],
        "complete": graph.complete,
    }
    return json.dumps(found, indent=2) + "\n"


def _node(node: Node) -> dict[str, Any]:
    step = node.step
    found: dict[str, Any] = {
        "id": node.id,
        "kind": node.kind,
        "generation": node.generation,
        "title": node.title,
    }
    if node.kind != "step":
        return {
            **found,
            "names": list(node.names),
            "versions": list(node.versions),
            "deployments": list(node.deployments),
            "outcome": node.outcome,
        }
    return {**found, "step": None if step is None else step.to_dict()}
