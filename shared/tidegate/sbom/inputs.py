"""What a bill of materials is made from: plain values that any adapter can fill.

The strings come from runs, tags and files that somebody else wrote. They are kept here as they
were given; `tidegate.sbom.wording` makes them fit for print when the document is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidegate.artifact.manifest import Manifest


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set that the run names.

    `digest` is what the run claims, in its own notation; `sha256` (64 hex digits) is given only
    where the bytes were hashed. `context` says what the data was for: "training", "evaluation".
    """

    name: str
    digest: str | None = None
    sha256: str | None = None
    source: str | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model that this one was made from. `source` is a URL or a registry's name for it."""

    name: str
    version: str | None = None
    source: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class BomInput:
    """One model version.

    `created_at` is the document's time and must know its zone. `requirements` is the text of
    the model's requirements.txt, None where it has none: the dependencies then count as unknown.
    `metrics` pairs names with values. `properties` pairs further names with values; the names
    get the prefix "tidegate:". `revision` counts the documents about the same version, from 1.
    """

    name: str
    version: str
    manifest: Manifest
    created_at: datetime
    requirements: str | None = None
    datasets: tuple[DataSet, ...] = ()
    base_model: BaseModel | None = None
    description: str | None = None
    task: str | None = None
    architecture: str | None = None
    metrics: tuple[tuple[str, float], ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    revision: int = 1
