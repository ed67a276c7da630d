"""Versions compared as their ecosystems do.

PyPI goes by PEP 440 (`packaging`), Debian and Ubuntu by Debian's policy, Alpine by apk, the Red
Hat family and SUSE by rpm, npm by Semantic Versioning (`univers`, of the extra `audit`).

Always holds: what can't be compared raises `UncomparableError`, which is answered by undetermined
and never by "not affected"; no text is longer than `LONGEST`, so that comparing costs bounded time.
"""

from __future__ import annotations

import contextlib
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


def among(ecosystem: str, version: str, listed: tuple[str, ...]) -> bool:
    """Whether one of the listed versions is the component's; the same as `same` of each."""
    if version in listed:
        return True
    if base_of(ecosystem) != "PyPI":
        return any(same(ecosystem, version, each) for each in listed)
    known, texts = _told_apart(listed)
    try:
        mine = parsed("PyPI", version)
    except UncomparableError:
        return version.casefold() in texts
    return mine in known or (mine.local is not None and parsed("PyPI", mine.public) in known)


@lru_cache(maxsize=1 << 15)
def _told_apart(listed: tuple[str, ...]) -> tuple[frozenset[Any], frozenset[str]]:
    """Versions of PyPI's as those, and all as texts without case."""
    known = set()
    for each in listed:
        with contextlib.suppress(UncomparableError):  # It is among the texts.
            known.add(parsed("PyPI", each))
    return frozenset(known), frozenset(each.casefold() for each in listed)


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
