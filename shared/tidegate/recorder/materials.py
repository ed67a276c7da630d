"""What a step names, and the bytes that it stands for.

An input is a file or folder, which is hashed; or a digest, a model version (`models:/fraud/3`) or
anything else that the ledger knows, whose digest is looked up there; or a URI whose digest the
caller gives. Always holds: what exists as a file is that file, whatever it is called; a material
with a manifest was read here, one without is on somebody's word and is named among the claims.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.artifact import HashMemory, Manifest, read_manifest
from tidegate.artifact.hub_snapshot import source_at
from tidegate.artifact.manifest import FileEntry
from tidegate.artifact.source import SourceFile
from tidegate.attestation.step import Material, material
from tidegate.errors import ArtifactError, RecordNotFoundError, UsageError
from tidegate.provenance import CodeVersion, Environment, Redactor

if TYPE_CHECKING:
    from tidegate.ledger import LedgerReader

Named = str | os.PathLike[str]
"""How a caller names an input or output."""

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_VERSION = re.compile(r"models:/{1,3}(?P<name>[^/@]+)/(?P<version>[0-9]+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
INSTALLED = "distributions.txt"
"""The name of an environment's list of what is installed, as an artifact."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A material that was read from a path, which is looked at again at the step's end."""

    path: Path
    material: Material
    files: tuple[SourceFile, ...]
    """The very files, as they were when they were read."""

    def fetched_from(self, uri: str) -> Watched:
        """The same with another address than its path."""
        return replace(self, material=replace(self.material, uri=uri))


class Materials:
    """Turns names into materials; one for each step, so that unchanged files are hashed once."""

    def __init__(
        self, redactor: Redactor, ledger: Callable[[], AbstractContextManager[LedgerReader]]
    ) -> None:
        """`ledger` opens the one in which names are looked up."""
        self._redactor = redactor
        self._ledger = ledger
        self._hashes = HashMemory()

    def of_input(self, named: Named, role: str, *, digest: str | None = None) -> Watched | Material:
        """What an input stands for: read from its path, or taken from the ledger or the caller.

        Raises:
            ArtifactError: it can't be read.
            RecordNotFoundError: it is not on record.
            UsageError: it is of no form that is known here.
        """
        path = _path_of(named)
        checked_role(role)
        if digest is not None:
            return self._claimed(os.fspath(named), role, digest)
        if path is not None:
            return self.read(path, role)
        text = os.fspath(named)
        if _DIGEST.fullmatch(text) or text.startswith("models:"):
            return self._on_record(text, role)
        if _SCHEME.match(text):
            raise UsageError(
                f"the input {self._redactor.url(text)!r} can't be read from here",
                remedy="name a local copy, or say which bytes it is: "
                's.input("s3://…", digest="sha256:…")',
            )
        # It says best itself that there is nothing.
        return self.read(Path(text), role)

    def of_version(self, text: str, role: str) -> Material:
        """A model version that is on record; see `is_version`.

        Raises:
            RecordNotFoundError: it is not on record.
            OperatorError: the ledger can't be asked.
        """
        return self._on_record(text, role)

    def read(self, path: Path, role: str) -> Watched:
        """Hash a file or folder. A link is followed: what is read lies at its end."""
        place = _place(path)
        source = source_at(place)
        manifest = read_manifest(source, memory=self._hashes)
        named = absolute(path)
        name = self._redactor.text("a name", named.name or "root")
        uri = self._redactor.text("a path", place.as_uri())
        return Watched(named, material(name, role, manifest, uri=uri), source.list_files()[1])

    def again(self, watched: Watched) -> Material | str | None:
        """What lies at the path now if it is something else, or what is odd about it."""
        try:
            source = source_at(_place(watched.path))
            manifest = read_manifest(source, memory=self._hashes)
        except ArtifactError as error:
            return f"could not be read again at the end: {error.message}"
        if manifest.digest == watched.material.digest:
            if source.list_files()[1] == watched.files:
                return None
            return (
                "was written, replaced or touched while the step ran; its bytes are the same now, "
                "and what they were in between was not seen"
            )
        return replace(watched.material, digest=manifest.digest, manifest=manifest)

    def _claimed(self, text: str, role: str, digest: str) -> Material:
        found = _DIGEST.fullmatch(digest)
        if found is None:
            raise UsageError(
                f"{digest!r} is not a digest", remedy="give sha256: and 64 hex digits in lower case"
            )
        shown = self._redactor.url(text)
        name = shown.partition("?")[0].rstrip("/").rpartition("/")[2] or shown
        return Material(name, role, f"sha256:{found[1]}", shown)

    def _on_record(self, text: str, role: str) -> Material:
        if text.startswith("models:"):
            version = _version_of(text)
            digest = self._registered(version["name"], version["version"])
            return Material(f"{version['name']}/{version['version']}", role, digest, text)
        found = _DIGEST.fullmatch(text)
        digest = f"sha256:{found[1]}" if found else text
        with self._ledger() as ledger:
            if ledger.resolve(digest) != digest:
                # Somebody gave other bytes that name.
                raise RecordNotFoundError(f"the ledger has no record of the digest {digest}")
        return Material(digest, role, digest)

    def _registered(self, name: str, version: str) -> str:
        """The digest of a version. What anybody may call a decision's subject does not count."""
        reference = f"{name}/{version}"
        with self._ledger() as ledger:
            digest = ledger.resolve(reference)
            if not any(
                (each.name, each.version) == (name, version)
                for each in ledger.registrations_of(digest)
            ):
                raise RecordNotFoundError(
                    f"the ledger has no registration of the model version {reference!r}",
                    remedy="name it by its digest, or a copy of it by its path",
                )
        return digest


def of_surroundings(
    code: CodeVersion, environment: Environment, script: Watched | None
) -> tuple[Material, ...]:
    """The code and the environment as inputs: what can be asked for by its digest."""
    found: list[Material] = []
    if code.git is not None and code.git.commit is not None:
        uri = None if code.git.remote is None else _source_uri(code.git.remote)
        found.append(Material("source", "code", f"gitCommit:{code.git.commit}", uri))
    if script is not None:
        found.append(script.material)
    if environment.digest is not None:
        data = environment.listing.encode()
        entry = FileEntry(INSTALLED, len(data), environment.digest.removeprefix("sha256:"))
        found.append(material(INSTALLED, "environment", Manifest("file", (entry,))))
    return tuple(found)


def _source_uri(remote: str) -> str:
    """The remote as SPDX and SLSA have it; what is no URL stays as it is."""
    return f"git+{remote}" if _SCHEME.match(remote) and not remote.startswith("git") else remote


def is_version(named: Named) -> bool:
    """Whether it names a version of a model in a registry, and is no file.

    Raises:
        UsageError: it names a model in a registry, and no one version of it.
    """
    if not isinstance(named, str) or not named.startswith("models:") or _path_of(named):
        return False
    _version_of(named)
    return True


def absolute(path: Named) -> Path:
    """The path from the root on; no link is resolved."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - it would not take ".." away


def _version_of(text: str) -> re.Match[str]:
    version = _VERSION.fullmatch(text)
    if version is None:
        raise UsageError(
            f"{text!r} does not name one version of a model",
            remedy="give models:/NAME/VERSION; an alias or a stage may mean another version "
            "tomorrow",
        )
    return version


def checked_role(role: str) -> str:
    """The role; UsageError where it is none, before any work is done."""
    return Material("any", role, f"sha256:{'0' * 64}").role


def several(given: Iterable[Named], what: str) -> tuple[Named, ...]:
    """The things that are named; UsageError for one name where a list of them belongs."""
    if isinstance(given, str | os.PathLike):
        raise UsageError(f"{what} is a list", remedy=f"write {what}=[{os.fspath(given)!r}]")
    return tuple(given)


def _place(path: Path) -> Path:
    """Where a path leads now. Only the path itself may be a link; links within are refused."""
    return Path(os.path.realpath(path)) if path.is_symlink() else absolute(path)


def _path_of(named: Named) -> Path | None:
    """The path, where it is one or something lies there."""
    if not isinstance(named, str):
        return Path(named)
    try:
        path = Path(named)
        return path if named and (path.exists() or path.is_symlink()) else None
    except (OSError, ValueError):
        return None
