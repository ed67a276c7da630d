"""The bill of materials of a registered model version, as CycloneDX 1.6 JSON.

    text = build_bom(BomInput("fraud", "3", manifest, created_at, requirements=requirements_txt))

The model is the subject, with every file and its SHA-256 as its parts; what it needs (packages),
learned from (data sets) and descends from (base model) hang on it in the dependency graph.

Always holds: what comes out has been validated against the strict schema, and no reference in
it dangles or is used twice; what could not be read is named as unknown, never left out in
silence; nothing secret from a URL (a password, a signed query) gets in; and the same input
gives the same text.
"""

from tidegate.sbom.build import build_bom
from tidegate.sbom.check import SbomInvalidError, check_bom
from tidegate.sbom.inputs import BaseModel, BomInput, DataSet
from tidegate.sbom.requirements import (
    RequiredPackage,
    Requirements,
    RequirementsUnread,
    requirements_components,
)

__all__ = [
    "BaseModel",
    "BomInput",
    "DataSet",
    "RequiredPackage",
    "Requirements",
    "RequirementsUnread",
    "SbomInvalidError",
    "build_bom",
    "check_bom",
    "requirements_components",
]
