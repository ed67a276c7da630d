"""A model version to describe, and how to read the document about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tidegate.artifact import FileEntry, Manifest
from tidegate.sbom import BaseModel, BomInput, DataSet, build_bom

REQUIREMENTS = """\
# what the model was logged with
scikit-learn==1.9.1
numpy>=1.26,<3
cloudpickle[extra]==3.1 ; python_version >= "3.11"
"""


@pytest.fixture
def described() -> BomInput:
    return BomInput(
        name="fraud",
        version="3",
        manifest=Manifest(
            "folder",
            (FileEntry("MLmodel", 512, "a" * 64), FileEntry("data/model.skops", 2048, "b" * 64)),
        ),
        created_at=datetime(2026, 11, 1, 12, 0, tzinfo=UTC),
        requirements=REQUIREMENTS,
        datasets=(
            DataSet("claims-2026", digest="1f2e3d4c", sha256="c" * 64, context="training"),
            DataSet("holdout", source="https://data.example.com/holdout.csv", context="evaluation"),
        ),
        base_model=BaseModel("tabular-base", version="2"),
        task="classification",
        metrics=(("accuracy", 0.97),),
    )


@pytest.fixture
def document(described: BomInput) -> Callable[..., dict[str, Any]]:
    """Build the document of the model version, with some of its fields changed."""

    def build(**changes: Any) -> dict[str, Any]:
        return json.loads(build_bom(replace(described, **changes)))

    return build
