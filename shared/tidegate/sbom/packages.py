"""Which packages an SBOM or a step's environment names, and whether a given version is among them.

Always holds: names are compared as PyPI compares them, versions as PEP 440 does, so that neither
spelling nor a trailing zero hides one; `2.0.0` is also `2.0.0+cu118`, as `pip install` sees it. A
package that is named without a version, and a document that can't be read, are undetermined:
neither among them nor known not to be.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tidegate.errors import UsageError

Named = tuple[str, str | None]
"""A package's normalised name, and its version where one is given."""

# What has a name and a version too, and is no package.
_NO_PACKAGES = frozenset({"file", "data", "machine-learning-model", "device", "device-driver"})


class Presence(enum.Enum):
    """Whether a version of a package is among others."""

    THERE = "there"
    UNDETERMINED = "undetermined"
    NOT_THERE = "not there"


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of a package. `str` gives it as "name==version", the name normalised."""

    name: str
    version: str

    def __str__(self) -> str:
        """As it stands in a recall."""
        return f"{self.name}=={self.version}"

    def among(self, packages: Iterable[Named] | None) -> Presence:
        """Whether it is among these; None stands for packages that are not known."""
        if packages is None:
            return Presence.UNDETERMINED
        versions = [version for name, version in packages if name == self.name]
        if any(version is not None and self._is(version) for version in versions):
            return Presence.THERE
        return Presence.UNDETERMINED if None in versions else Presence.NOT_THERE

    def _is(self, other: str) -> bool:
        from packaging.version import InvalidVersion, Version

        try:
            mine, given = Version(self.version), Version(other)
        except InvalidVersion:
            return self.version.casefold() == other.casefold()
        return mine == given or (mine.local is None and mine == Version(given.public))


def parse_pin(text: str) -> Pin:
    """The package and version in "name==version".

    Raises:
        UsageError: it is not of that form.
    """
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    name, sign, version = (part.strip() for part in text.partition("=="))
    try:
        normal = canonicalize_name(name, validate=True)
    except ValueError:
        normal = None
    if not sign or normal is None or not version or any(c.isspace() or c in "=*" for c in version):
        raise UsageError(
            f"{text!r} is no version of a package", remedy="give it as name==version, exactly one"
        )
    try:
        return Pin(normal, str(Version(version)))
    except InvalidVersion:
        return Pin(normal, version)


def packages_in_bom(body: str) -> frozenset[Named] | None:
    """The packages of a CycloneDX document; None where it can't be read."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return frozenset(named for each in _components(document) if (named := _named(each)))


def packages_in_environment(environment: Any) -> frozenset[Named] | None:
    """The packages of a step's environment; None where it does not say what was installed."""
    installed = environment.get("distributions") if isinstance(environment, dict) else None
    if not isinstance(installed, list):
        return None
    pairs = (each.partition("==") for each in installed if isinstance(each, str))
    return frozenset((_normal(name), version or None) for name, _, version in pairs)


def _components(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    pending: list[Any] = [document]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
        elif isinstance(each, dict):
            if "name" in each and ("type" in each or "purl" in each):
                yield each
            pending += each.values()


def _named(component: dict[str, Any]) -> Named | None:
    name, version, purl = (component.get(key) for key in ("name", "version", "purl"))
    if component.get("type") in _NO_PACKAGES or not isinstance(name, str):
        return None
    if isinstance(purl, str):
        if not purl.lower().startswith("pkg:pypi/"):
            return None
        path, _, of_purl = purl[9:].partition("?")[0].partition("#")[0].rpartition("@")
        if path:
            name, version = unquote(path), version or unquote(of_purl)
    return _normal(name), version if isinstance(version, str) and version else None


def _normal(name: str) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)
