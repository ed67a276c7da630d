"""The values of matching: components, advisories in OSV's form, and what was found.

OSV is the Open Source Vulnerability format, https://ossf.github.io/osv-schema/. Ecosystems are
written as it writes them, with a release behind a colon where there is one ("Debian:12"). Names of
PyPI are normalised (PEP 503) in components and advisories alike; others stand as they are.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import datetime

from tidegate.scanners.interface import Severity

_SEPARATORS = re.compile(r"[-_.]+")


def normal_name(ecosystem: str, name: str) -> str:
    """A package's name as its ecosystem compares it."""
    if base_of(ecosystem) == "PyPI":
        return _SEPARATORS.sub("-", name).lower()
    return name


def base_of(ecosystem: str) -> str:
    """The ecosystem without a release: "Debian" of "Debian:12"."""
    return ecosystem.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Component:
    """One version of a package; `version` is None where it is not known which."""

    ecosystem: str
    name: str
    version: str | None

    @property
    def normal_name(self) -> str:
        """The name as the ecosystem compares it."""
        return normal_name(self.ecosystem, self.name)

    def __str__(self) -> str:
        """As a person reads it: "torch 2.0.0 (PyPI)"."""
        return f"{self.name} {self.version or '(any version)'} ({self.ecosystem})"


class EventKind(enum.StrEnum):
    """What a version is to a range."""

    INTRODUCED = "introduced"
    FIXED = "fixed"
    LAST_AFFECTED = "last_affected"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Event:
    """A boundary. The version "0" of an `introduced` is before every other."""

    kind: EventKind
    version: str


@dataclass(frozen=True, slots=True)
class Range:
    """Boundaries in any order. `type` is "ECOSYSTEM", "SEMVER" or "GIT"."""

    type: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Affected:
    """One package that an advisory is about: affected is what a range or the list names."""

    ecosystem: str
    name: str
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advisory:
    """One record. `severity` is None where it does not say how grave it is in a way we can score.

    `modified` and `withdrawn` are timezone-aware. `feed` names where it came from.
    """

    id: str
    modified: datetime
    affected: tuple[Affected, ...]
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: Severity | None = None
    score: float | None = None
    withdrawn: datetime | None = None
    feed: str = ""

    @property
    def names(self) -> frozenset[str]:
        """Its id and aliases: two advisories that share one are about the same thing."""
        return frozenset((self.id, *self.aliases))


class Certainty(enum.StrEnum):
    """How sure it is that the component is affected."""

    AFFECTED = "affected"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Match:
    """That an advisory is about a component, or may be.

    `fixed` are the versions with which the ranges that hold the component end, as they are
    written. `why` says why it is undetermined; "" where it is not.
    """

    component: Component
    advisory: Advisory
    certainty: Certainty
    fixed: tuple[str, ...] = ()
    why: str = ""
