"""Building the document: our values into the library's, its JSON with ours laid over, checked.

References are made from what a part is (a file's position in the manifest, a package's name and
position), never from a string that somebody else chose, so nobody can make two of them collide.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tidegate import __version__
from tidegate.artifact.manifest import FileEntry
from tidegate.errors import UsageError
from tidegate.sbom.check import check_bom
from tidegate.sbom.inputs import BaseModel, BomInput, DataSet
from tidegate.sbom.model_card import overlay
from tidegate.sbom.requirements import RequiredPackage, Requirements, requirements_components
from tidegate.sbom.wording import label, printable, web_address, without_credentials

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

MODEL_REF = "model"
MAX_FILES = 5000
"""Files that are listed one by one; a folder of more is known by its manifest's digest."""

_HEX = frozenset("0123456789abcdef")
# A namespace of our own, so that our serial numbers are nobody else's.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tidegate:sbom")


def build_bom(given: BomInput) -> str:
    """The CycloneDX 1.6 document of a model version, as JSON text, validated.

    The serial number is derived from the manifest's digest, the name and the version; with the
    time coming from the caller, the same input gives the same text.

    Raises:
        UsageError: the input has no name, or its time has no zone.
        SbomInvalidError: the document failed its own check.

    """
    if not given.name or given.created_at.tzinfo is None or given.revision < 1:
        raise UsageError("an SBOM needs a model's name, a time with its zone, and a revision ≥ 1")
    from cyclonedx.output.json import JsonV1Dot6

    required = requirements_components(given.requirements or "")
    document = json.loads(JsonV1Dot6(_bom(given, required)).output_as_string())
    overlay(
        document,
        given,
        [_dataset_ref(number) for number in range(len(given.datasets))],
        all_files=len(given.manifest.files) <= MAX_FILES,
    )
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    check_bom(text)
    return text


def serial_number(given: BomInput) -> uuid.UUID:
    """The document's serial number; the same for every revision about the same version."""
    about = json.dumps([given.manifest.digest, given.name, given.version])
    return uuid.uuid5(_NAMESPACE, about)


def _bom(given: BomInput, required: Requirements) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
    from cyclonedx.model.tool import ToolRepository

    tool = Component(
        type=ComponentType.APPLICATION, name="tidegate", version=__version__, bom_ref="tool"
    )
    model = _model(given)
    packages = [_package(number, package) for number, package in enumerate(required.packages)]
    datasets = [_dataset(number, dataset) for number, dataset in enumerate(given.datasets)]
    return Bom(
        serial_number=serial_number(given),
        version=given.revision,
        metadata=BomMetaData(
            timestamp=given.created_at,
            tools=ToolRepository(components=[tool]),
            component=model,
            lifecycles=[PredefinedLifecycle(LifecyclePhase.POST_BUILD)],
            properties=_properties(_unknowns(given, required)),
        ),
        components=[*packages, *datasets],
        dependencies=[
            Dependency(model.bom_ref, [Dependency(c.bom_ref) for c in (*packages, *datasets)])
        ],
    )


def _unknowns(given: BomInput, required: Requirements) -> Iterator[tuple[str, str]]:
    """What a reader must not take for "there is none"."""
    if len(given.manifest.files) > MAX_FILES:
        yield "files-unlisted", f"{len(given.manifest.files) - MAX_FILES} files of the manifest"
    if given.requirements is None:
        yield "requirements-unread", "the model has no requirements.txt"
    for line in required.unread:
        yield "requirements-unread", f"line {line.line}: {line.reason}: {line.text}"
    if not given.datasets:
        yield "datasets-unknown", "the run names no data set"


def _model(given: BomInput) -> Component:
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    files = given.manifest.files
    alone = given.manifest.kind == "file"
    parts = [] if alone else [_file(n, each) for n, each in enumerate(files[:MAX_FILES])]
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=printable(given.name),
        version=printable(given.version) or None,
        description=printable(given.description, 4096) if given.description else None,
        bom_ref=MODEL_REF,
        hashes=_sha256(files[0].sha256) if alone else None,
        components=parts,
        pedigree=Pedigree(ancestors=[_base_model(given.base_model)]) if given.base_model else None,
        properties=_properties(
            [
                ("manifest-digest", given.manifest.digest),
                ("files", str(len(files))),
                ("size", str(given.manifest.total_size)),
                *given.properties,
            ]
        ),
    )


def _file(number: int, file: FileEntry) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.FILE,
        name=printable(file.path, 4096),
        bom_ref=f"file:{number}",
        hashes=_sha256(file.sha256),
        properties=_properties([("size", str(file.size))]),
    )


def _package(number: int, package: RequiredPackage) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    # What comes from an address need not be PyPI's package of that name, so it gets no purl.
    named = PackageURL("pypi", name=package.name, version=package.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=printable(package.name),
        version=printable(package.version) if package.version else None,
        bom_ref=f"package:{number}:{printable(package.name, 100)}",
        purl=None if package.url is not None else named,
        properties=_properties(
            [
                ("specifier", package.specifier),
                ("marker", package.marker or ""),
                ("extras", ",".join(package.extras)),
                ("url", package.url or ""),
                *(("accepted-hash", accepted) for accepted in package.hashes),
            ]
        ),
    )


def _dataset_ref(number: int) -> str:
    return f"data:{number}"


def _dataset(number: int, dataset: DataSet) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.DATA,
        name=label(dataset.name) or "unnamed",
        bom_ref=_dataset_ref(number),
        hashes=_sha256(dataset.sha256),
        external_references=_origin(dataset.source),
        properties=_properties(
            [
                ("context", dataset.context or ""),
                ("claimed-digest", dataset.digest or ""),
                ("source", _bare(dataset.source)),
            ]
        ),
    )


def _base_model(base: BaseModel) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=label(base.name) or "unnamed",
        version=printable(base.version) if base.version else None,
        bom_ref="base-model",
        hashes=_sha256(base.sha256),
        external_references=_origin(base.source),
        properties=_properties([("source", _bare(base.source))]),
    )


def _bare(source: str | None) -> str:
    return without_credentials(source) if source else ""


def _sha256(content: str | None) -> Any:
    """A hash for the library, or none where what was given is not one."""
    from cyclonedx.model import HashAlgorithm, HashType

    if content is None or len(content) != 64 or not _HEX.issuperset(content.lower()):
        return None
    return [HashType(alg=HashAlgorithm.SHA_256, content=content.lower())]


def _origin(source: str | None) -> Any:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    address = web_address(source) if source else None
    if address is None:
        return None
    return [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(address))]


def _properties(pairs: Iterable[tuple[str, str]]) -> Any:
    """Properties of our namespace, without those that say nothing."""
    from cyclonedx.model import Property

    return [
        Property(name=f"tidegate:{printable(name, 128)}", value=label(value, 4096))
        for name, value in pairs
        if value
    ]
