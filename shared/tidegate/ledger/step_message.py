"""A step as it is sent and kept: its own parts, and the manifests of what it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.step import Step


def step_to_message(step: Step) -> dict[str, Any]:
    """The step in plain JSON types."""
    manifests = {
        each.digest: each.manifest.to_dict()
        for each in (*step.inputs, *step.outputs)
        if each.manifest is not None
    }
    return {"step": step.to_dict(), "manifests": list(manifests.values())}


def step_from_message(message: Mapping[str, Any]) -> Step:
    """Read what `step_to_message` wrote.

    Raises:
        KeyError, TypeError, ValueError, UsageError: it is not that.
    """
    manifests = [Manifest.from_dict(each) for each in message["manifests"]]
    return Step.from_dict(message["step"], {each.digest: each for each in manifests})
