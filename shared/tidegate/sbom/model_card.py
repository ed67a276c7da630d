"""The parts of CycloneDX 1.6 that the library has no classes for, laid over its JSON by bom-ref.

These are the model card (what the model was made for and from, how well it does) and the
compositions (which parts of the document are complete and which are known not to be).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.sbom.inputs import BomInput
from tidegate.sbom.wording import printable


def model_card(given: BomInput, dataset_refs: Sequence[str]) -> dict[str, Any]:
    """The `modelCard` object; {} where nothing is known that would stand in it."""
    parameters: dict[str, Any] = {}
    if given.task:
        parameters["task"] = printable(given.task)
    if given.architecture:
        parameters["modelArchitecture"] = printable(given.architecture)
    if dataset_refs:
        parameters["datasets"] = [{"ref": ref} for ref in dataset_refs]
    card: dict[str, Any] = {}
    if parameters:
        card["modelParameters"] = parameters
    if given.metrics:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [
                # The schema wants strings; repr is the shortest text that reads back the same.
                {"type": printable(name), "value": repr(float(value))}
                for name, value in given.metrics
            ]
        }
    return card


def compositions(model_ref: str, *, files: str, dependencies: str) -> list[dict[str, Any]]:
    """What the document claims to be complete about.

    `files` is the aggregate for the model's parts and `dependencies` for what it needs, in the
    schema's words: "complete", "incomplete", "unknown".
    """
    return [
        {"aggregate": files, "assemblies": [model_ref]},
        {"aggregate": dependencies, "dependencies": [model_ref]},
    ]


def overlay(
    document: dict[str, Any], given: BomInput, dataset_refs: Sequence[str], *, all_files: bool
) -> None:
    """Put the missing parts into the library's document, in place."""
    subject = document["metadata"]["component"]
    if card := model_card(given, dataset_refs):
        subject["modelCard"] = card
    # What a requirements file names is the first ring only; what those need is not in it.
    known = "unknown" if given.requirements is None else "incomplete"
    document["compositions"] = compositions(
        subject["bom-ref"],
        files="complete" if all_files else "incomplete",
        dependencies=known,
    )
