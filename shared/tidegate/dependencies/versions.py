"""Versions compared as their ecosystems do.

PyPI goes by PEP 440 (`packaging`), Debian and Ubuntu by Debian's policy, Alpine by apk, the Red
Hat family and SUSE by rpm, npm by Semantic Versioning (`univers`, of the extra `audit`).

Always holds: what can't be compared raises `UncomparableError`, which is answered by undetermined
and never by "not affected"; no text is longer than `LONGEST`, so that comparing costs bounded time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tidegate.dependencies.interface import base_of

LONGEST = 256

_DEBIAN, _ALPINE, _RPM, _SEMVER = (
    "DebianVersion",
    "AlpineLinuxVersion",
    "RpmVersion",
    "SemverVersion",
)
_UNIVERS = {
    "Debian": _DEBIAN,
    "Ubuntu": _DEBIAN,
    "Alpine": _ALPINE,
    "Alpaquita": _ALPINE,
    "Chainguard": _ALPINE,
    "Wolfi": _ALPINE,
    "AlmaLinux": _RPM,
    "Fedora": _RPM,
    "Mageia": _RPM,
    "Photon OS": _RPM,
    "Red Hat": _RPM,
    "Rocky Linux": _RPM,
    "SUSE": _RPM,
    "openEuler": _RPM,
    "openSUSE": _RPM,
    "npm": _SEMVER,
}


class UncomparableError(ValueError):
    """The text is no version of the ecosystem, or the ecosystem's versions can't be compared."""


def compare(ecosystem: str, version: str, boundary: str) -> int:
    """-1, 0 or 1, as a component's version is before, at or behind an advisory's boundary.

    A local version of PyPI's ("2.0.0+cu118") is at the boundary that its public version is at,
    unless the boundary is a local version itself: it is built from the same source.

    Raises:
        UncomparableError: one of them is no version of the ecosystem.
    """
    one, other = parsed(ecosystem, version), parsed(ecosystem, boundary)
    if base_of(ecosystem) == "PyPI" and one.local is not None and other.local is None:
        one = parsed(ecosystem, one.public)
    if one == other:
        return 0
    return -1 if one < other else 1


def same(ecosystem: str, version: str, listed: str) -> bool:
    """Whether a listed version is the component's; texts that are no versions by their letters."""
    if version == listed:
        return True
    try:
        return compare(ecosystem, version, listed) == 0
    except UncomparableError:
        return version.casefold() == listed.casefold()


def is_prerelease(ecosystem: str, version: str) -> bool:
    """Whether installers pass over it; only PyPI's are told."""
    return base_of(ecosystem) == "PyPI" and bool(parsed(ecosystem, version).is_prerelease)


@lru_cache(maxsize=1 << 16)
def parsed(ecosystem: str, version: str) -> Any:
    """The version in a form that compares with others of its ecosystem.

    Raises:
        UncomparableError: it is none.
    """
    if len(version) > LONGEST:
        raise UncomparableError(f"a version of more than {LONGEST} characters")
    base = base_of(ecosystem)
    if base == "PyPI":
        from packaging.version import InvalidVersion, Version

        try:
            return Version(version)
        except InvalidVersion as error:
            raise UncomparableError(f"{version!r} is no version by PEP 440") from error
    return _of_univers(base)(version)


@lru_cache
def _of_univers(base: str) -> Callable[[str], Any]:
    name = _UNIVERS.get(base)
    if name is None:
        raise UncomparableError(f"versions of {base} can't be compared here")
    try:
        from univers import versions
    except ImportError as error:
        raise UncomparableError(
            f"comparing versions of {base} needs the library univers, of the extra `audit`"
        ) from error
    kind = getattr(versions, name)

    def parse(version: str) -> Any:
        try:
            return kind(version)
        except (versions.InvalidVersion, ValueError, AttributeError, TypeError) as error:
            raise UncomparableError(f"{version!r} is no version of {base}") from error

    return parse
