"""Lineages to recall things in: steps on record between artifacts that were decided on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samples.ledger_records import NOW, a_file, a_manifest, a_step, an_evidence

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.step import Material, Step, material
from tidegate.gate import Gate
from tidegate.policy import Action, Decision

_steps = 1000


def made(
    gate: Gate,
    inputs: Sequence[tuple[str, Manifest]],
    outputs: Sequence[Manifest],
    *,
    name: str = "train",
    made_as: str = "output",
    **changes: Any,
) -> Step:
    """Record a step between artifacts; inputs come with their roles, outputs have `made_as`."""
    global _steps  # noqa: PLW0603 - ids need only differ
    _steps += 1
    step = a_step(
        _steps,
        name=name,
        started_at=NOW,
        finished_at=NOW,
        inputs=tuple(material(_name(each), role, each) for role, each in inputs),
        outputs=tuple(material(_name(each), made_as, each) for each in outputs),
        **changes,
    )
    gate.ledger.record_step(step)
    return step


def passed(
    gate: Gate, manifest: Manifest, *, subject: str | None = None, actor: str = "ada"
) -> Decision:
    """Put an artifact on record whose scan found nothing."""
    return gate.settle(
        Action.REGISTER,
        manifest,
        an_evidence(manifest, severity=None),
        subject=_name(manifest) if subject is None else subject,
        actor=actor,
    )


def ten_levels(gate: Gate) -> tuple[Manifest, set[str], set[str]]:
    """A data set, what came of it over ten levels with branches, and what did not.

    Each level has two artifacts: one made from both of the level above, one from a stranger's data
    alone, which goes into nothing. Beside them stands a line of strangers of the same length.

    Returns:
        The data set, the digests of what came of it (itself among them), and all others.
    """
    data, other = a_file("bad.csv"), a_file("other.csv")
    below, beside = {data.digest}, {other.digest}
    before, stranger = [data], other
    for manifest in (data, other):
        passed(gate, manifest)
    for level in range(1, 11):
        here = [a_manifest(f"level-{level}-{branch}.skops") for branch in "ab"]
        clean = a_manifest(f"clean-{level}.skops")
        made(gate, [("data", each) for each in (*before, other)], [here[0]], name=f"a{level}")
        made(gate, [("base", before[-1])], [here[1]], name=f"b{level}")
        made(gate, [("data", stranger)], [clean], name=f"c{level}")
        for manifest in (*here, clean):
            passed(gate, manifest)
        below |= {each.digest for each in here}
        beside.add(clean.digest)
        before, stranger = here, clean
    return data, below, beside


def claimed(name: str, role: str, digest: str, uri: str | None = None) -> Material:
    """An input whose bytes were not read."""
    return Material(name, role, digest, uri)


def _name(manifest: Manifest) -> str:
    return manifest.files[0].path
