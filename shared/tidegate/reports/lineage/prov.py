"""The graph as W3C PROV, in PROV-JSON (https://www.w3.org/submissions/prov-json/).

An artifact is an entity, a step an activity, whoever started it and what ran it agents. A digest is
a qualified name as it stands: the part before its colon is a prefix. Names are labels only.
"""

from __future__ import annotations

import json
from typing import Any

from tidegate.ledger.lineage import STEP
from tidegate.ledger.lineage_graph import Graph, Node
from tidegate.ledger.lineage_links import SAME_CONTENT

_PREFIXES = {
    "sha256": "https://tidegate.dev/artifact/sha256/",
    "gitCommit": "https://tidegate.dev/artifact/gitCommit/",
    "step": "https://tidegate.dev/step/",
    "agent": "https://tidegate.dev/agent/",
    "tidegate": "https://tidegate.dev/prov#",
}

Records = dict[str, dict[str, dict[str, Any]]]


def as_prov(graph: Graph) -> str:
    """A whole PROV-JSON document, in ASCII."""
    records: Records = {}
    agents: dict[tuple[str, str], str] = {}
    for node in graph.nodes:
        if node.kind == "step":
            records.setdefault("activity", {})[node.id] = _activity(node)
            _agents(records, agents, node)
        else:
            records.setdefault("entity", {})[node.id] = _entity(node)
    for link in graph.links:
        if link.target.startswith(STEP):
            _relate(records, "used", activity=link.target, entity=link.source, role=link.role)
        elif link.source.startswith(STEP):
            _relate(
                records, "wasGeneratedBy", entity=link.target, activity=link.source,
                role=link.role,
            )  # fmt: skip
        elif link.role == SAME_CONTENT:
            _relate(records, "alternateOf", alternate1=link.target, alternate2=link.source)
        else:
            _relate(
                records, "wasDerivedFrom", generatedEntity=link.target, usedEntity=link.source,
                type=link.role,
            )  # fmt: skip
    return json.dumps({"prefix": _PREFIXES, **records}, indent=2) + "\n"


def _entity(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {"prov:label": node.title, "tidegate:kind": node.kind}
    if node.names:
        found["tidegate:name"] = list(node.names)
    if node.versions:
        found["tidegate:version"] = list(node.versions)
    if node.deployments:
        found["tidegate:deployment"] = list(node.deployments)
    if node.outcome is not None:
        found["tidegate:decision"] = node.outcome
    return found


def _activity(node: Node) -> dict[str, Any]:
    step = node.step
    if step is None:
        return {"prov:label": node.title}
    found: dict[str, Any] = {
        "prov:startTime": step.started_at.isoformat(),
        "prov:label": step.name,
        "tidegate:outcome": step.outcome.value,
    }
    if step.finished_at is not None:
        found["prov:endTime"] = step.finished_at.isoformat()
    if step.exit_code is not None:
        found["tidegate:exitCode"] = step.exit_code
    return found


def _agents(records: Records, agents: dict[tuple[str, str], str], node: Node) -> None:
    """Who started a step, and what ran it. Their ids are numbers: a name is no qualified name."""
    if node.step is None:
        return
    for kind, label, role in (
        ("prov:SoftwareAgent", node.step.builder, "builder"),
        ("prov:Person", node.step.actor, "actor"),
    ):
        if label is None:
            continue
        if (kind, label) not in agents:
            agents[kind, label] = f"agent:{len(agents) + 1}"
            records.setdefault("agent", {})[agents[kind, label]] = {
                "prov:type": {"$": kind, "type": "prov:QUALIFIED_NAME"},
                "prov:label": label,
            }
        agent = agents[kind, label]
        _relate(records, "wasAssociatedWith", activity=node.id, agent=agent, role=role)


def _relate(records: Records, kind: str, **values: str) -> None:
    relations = records.setdefault(kind, {})
    found = {f"prov:{name}": value for name, value in values.items()}
    relations[f"_:{kind}{len(relations) + 1}"] = found
