"""The graph as OpenLineage events, one a line: https://openlineage.io/spec/2-0-2/OpenLineage.json.

Each step is a run with a START event and the one that ended it; an artifact is a dataset, named by
its digest in the namespace `tidegate`, for a dataset of OpenLineage has one name, and digests are
the only names that nobody can choose. What steps and people called it, and the links that follow
from content, stand in a facet of our own. Everything is JSON in ASCII, so no name can break out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from tidegate import __version__
from tidegate.attestation.step import Step, StepOutcome
from tidegate.ledger.lineage import STEP
from tidegate.ledger.lineage_graph import Graph, Node

NAMESPACE = "tidegate"
PRODUCER = f"https://tidegate.dev/lineage/{__version__}"
_SPEC = "https://openlineage.io/spec"
_RUN_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_DATASET_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/DatasetEvent"
_VERSION_FACET = (
    f"{_SPEC}/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
)
_ENDED = {
    StepOutcome.SUCCEEDED: "COMPLETE",
    StepOutcome.FAILED: "FAIL",
    StepOutcome.UNFINISHED: "ABORT",
}


def as_openlineage(graph: Graph) -> str:
    """The events, in the order of the steps' beginnings; those of artifacts last."""
    steps = [node.step for node in graph.nodes if node.step is not None]
    steps.sort(key=lambda step: (step.started_at, step.id))
    events = [event for step in steps for event in _run(graph, step)]
    latest = max((event["eventTime"] for event in events), default="1970-01-01T00:00:00Z")
    events += _datasets(graph, latest)
    return "".join(f"{json.dumps(event)}\n" for event in events)


def _run(graph: Graph, step: Step) -> Iterator[dict[str, Any]]:
    nodes = {node.id: node for node in graph.nodes}
    inputs = [(nodes[link.source], link.role) for link in graph.links if link.target == step.id]
    outputs = [(nodes[link.target], link.role) for link in graph.links if link.source == step.id]
    ended = step.finished_at or step.started_at
    for kind, at in (("START", step.started_at), (_ENDED[step.outcome], ended)):
        yield {
            "eventType": kind,
            "eventTime": _time(at),
            "producer": PRODUCER,
            "schemaURL": _RUN_EVENT,
            "run": {
                "runId": str(UUID(hex=step.id.removeprefix(STEP))),
                "facets": {
                    "tidegate_step": _facet(
                        "step", builder=step.builder, outcome=step.outcome.value,
                        exitCode=step.exit_code, actor=step.actor, claims=list(step.claims),
                    )
                },
            },
            "job": {"namespace": NAMESPACE, "name": step.name, "facets": {}},
            "inputs": [_dataset(node, role) for node, role in inputs],
            "outputs": [] if kind == "START" else [_dataset(node, role) for node, role in outputs],
        }  # fmt: skip


def _datasets(graph: Graph, at: str) -> Iterator[dict[str, Any]]:
    """An event for each artifact that content joins to others."""
    by_content: dict[str, list[dict[str, str]]] = {}
    for link in graph.links:
        if not link.source.startswith(STEP) and not link.target.startswith(STEP):
            found = {"source": link.source, "role": link.role}
            by_content.setdefault(link.target, []).append(found)
    for node in graph.nodes:
        if node.id in by_content:
            dataset = _dataset(node, None)
            dataset["facets"]["tidegate_content"] = _facet("content", links=by_content[node.id])
            yield {
                "eventTime": at,
                "producer": PRODUCER,
                "schemaURL": _DATASET_EVENT,
                "dataset": dataset,
            }


def _dataset(node: Node, role: str | None) -> dict[str, Any]:
    artifact = _facet(
        "artifact", kind=node.kind, names=list(node.names), versions=list(node.versions),
        deployments=list(node.deployments), outcome=node.outcome, role=role,
    )  # fmt: skip
    version = {
        "_producer": PRODUCER,
        "_schemaURL": _VERSION_FACET,
        "datasetVersion": node.id,
    }
    return {
        "namespace": NAMESPACE,
        "name": node.id,
        "facets": {"version": version, "tidegate_artifact": artifact},
    }


def _facet(name: str, **values: object) -> dict[str, Any]:
    schema = f"https://tidegate.dev/openlineage/v1#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": schema, **values}


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
