"""The last look at a document before it leaves: the strict schema, and the references.

Always holds: the JSON schema can't see a reference that points nowhere or a name that is used
twice, so both are looked for here; validation takes time in proportion to the document, since
a large one is shown to the validator in slices that together hold every component.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tidegate.errors import OperatorError

# The validator compares the members of a list pairwise; this many keep that cheap.
_SLICE = 100
_SHOWN = 5
# Keys of CycloneDX objects that hold a bom-ref, or a list of them.
_REFERRING = frozenset({"ref", "dependsOn", "provides", "assemblies", "dependencies"})


class SbomInvalidError(OperatorError):
    """The document that was built is not valid CycloneDX; it is a fault of Tidegate."""


def check_bom(text: str) -> None:
    """Raise `SbomInvalidError` unless `text` is a valid CycloneDX 1.6 document, strictly."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise _invalid(["it is not a JSON object"])
    problems = [*_reference_problems(document), *_schema_problems(document)]
    if problems:
        raise _invalid(problems)


def _invalid(problems: list[str]) -> SbomInvalidError:
    shown = "; ".join(problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return SbomInvalidError(
        f"the SBOM is not valid CycloneDX 1.6: {shown}{more}",
        remedy="report this to the maintainers of Tidegate, with the model's requirements.txt",
    )


@cache
def _validator() -> Any:
    # One for the process: reading the schemas takes longer than validating a small document.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_6)


def _schema_problems(document: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    for part in _slices(document):
        error = _validator().validate_str(json.dumps(part))
        if error is not None:
            where = "/".join(str(step) for step in error.data.absolute_path) or "the document"
            problems.append(f"{where}: {ascii(error.data.message)[:200]}")
    return problems


def _slices(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document in documents of few components; all of it, unless it is large."""
    metadata = document.get("metadata")
    subject = metadata.get("component") if isinstance(metadata, dict) else None
    holders: list[tuple[dict[str, Any], str]] = [
        (document, "components"),
        (document, "dependencies"),
    ]
    if isinstance(subject, dict):
        holders.append((subject, "components"))
    long = [(h, k) for h, k in holders if isinstance(h.get(k), list) and len(h[k]) > _SLICE]
    whole = [(holder, key, holder[key]) for holder, key in long]
    if not whole:
        yield document
        return
    try:
        for holder, key, _ in whole:
            holder[key] = []
        yield document
        for holder, key, members in whole:
            for start in range(0, len(members), _SLICE):
                holder[key] = members[start : start + _SLICE]
                yield document
            holder[key] = []
    finally:
        for holder, key, members in whole:
            holder[key] = members


def _reference_problems(document: dict[str, Any]) -> list[str]:
    defined: set[str] = set()
    used: set[str] = set()
    problems: list[str] = []
    for key, value in _pairs(document):
        if key == "bom-ref":
            if value in defined:
                problems.append(f"bom-ref {value!a} is used twice")
            defined.add(str(value))
        elif key in _REFERRING:
            named = value if isinstance(value, list) else [value]
            used.update(name for name in named if isinstance(name, str))
    problems += [f"reference {name!a} points to nothing" for name in sorted(used - defined)]
    entries = [str(entry.get("ref")) for entry in document.get("dependencies", ())]
    if len(entries) != len(set(entries)):
        problems.append("the dependency graph has two entries for one component")
    return problems


def _pairs(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth, without recursion."""
    waiting: list[Any] = [document]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield from here.items()
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
