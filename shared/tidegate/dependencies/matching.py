"""Whether advisories are about a component, and to which version it must go to be rid of them.

The rules are those of OSV's specification ("Evaluation"): a version is affected that is listed, or
that the last boundary at or before it leaves affected; `fixed` ends a range before itself,
`last_affected` behind itself, a `limit` bounds it. Boundaries stand in any order.

Always holds: a range with a boundary that can't be compared is undetermined for what its list does
not name; so is a component without a version, one whose release of a distribution is not known,
and an advisory that names its versions by commits alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cmp_to_key

from tidegate.dependencies.interface import (
    Advisory,
    Affected,
    Certainty,
    Component,
    Event,
    EventKind,
    Match,
    Range,
    base_of,
)
from tidegate.dependencies.versions import (
    UncomparableError,
    among,
    compare,
    is_prerelease,
    parsed,
)

_BEFORE_ALL = "0"
_NO_LIMIT = "*"


def match(component: Component, advisories: Iterable[Advisory]) -> tuple[Match, ...]:
    """The advisories that are about a component, or may be, in their order.

    Args:
        component: its ecosystem with the release where it has one: "Debian:12". Debian's and
            Ubuntu's advisories name source packages.
        advisories: any; those of other packages are passed over.
    """
    found: list[Match] = []
    name = component.normal_name
    for advisory in advisories:
        if advisory.withdrawn is not None:
            continue
        mine = [
            each
            for each in advisory.affected
            if each.name == name and base_of(each.ecosystem) == base_of(component.ecosystem)
        ]
        judged = [one for each in mine if (one := _judge(component, advisory, each)) is not None]
        sure = [one for one in judged if one.certainty is Certainty.AFFECTED]
        if sure:
            fixed = tuple(dict.fromkeys(version for one in sure for version in one.fixed))
            found.append(Match(component, advisory, Certainty.AFFECTED, fixed))
        elif judged:
            found.append(judged[0])
    return tuple(found)


def smallest_safe_upgrade(component: Component, advisories: Sequence[Advisory]) -> str | None:
    """The smallest later version that fixes something and that no advisory is known about.

    None where the advisories name none. Pre-releases count only for a pre-release, or where there
    is nothing else. That the version is still on the index is not looked at.
    """
    if component.version is None:
        return None
    name, current = component.normal_name, component.version
    candidates = {
        event.version
        for advisory in advisories
        if advisory.withdrawn is None
        for affected in advisory.affected
        if affected.name == name and _release_fits(component.ecosystem, affected.ecosystem)
        for range_ in affected.ranges
        if range_.type != "GIT"
        for event in range_.events
        if event.kind is EventKind.FIXED
    }
    later: list[str] = []
    for candidate in candidates:
        try:
            if compare(component.ecosystem, current, candidate) < 0:
                later.append(candidate)
        except UncomparableError:
            continue  # It is no version that anybody could install.

    def order(one: str, other: str) -> int:
        return compare(component.ecosystem, one, other)

    later.sort(key=cmp_to_key(order))
    early = {each for each in later if is_prerelease(component.ecosystem, each)}
    if early and not _is_early(component):
        later = [each for each in later if each not in early] + [e for e in later if e in early]
    for candidate in later:
        if not match(Component(component.ecosystem, component.name, candidate), advisories):
            return candidate
    return None


def _is_early(component: Component) -> bool:
    try:
        return is_prerelease(component.ecosystem, component.version or "")
    except UncomparableError:
        return False


def _release_fits(component: str, affected: str) -> bool:
    """Whether an advisory's release is, or includes, the component's."""
    return affected == component or ":" not in affected


def _judge(component: Component, advisory: Advisory, affected: Affected) -> Match | None:
    """None where the entry is not about the component."""

    def undetermined(why: str) -> Match:
        fixed = [e.version for r in affected.ranges for e in r.events if e.kind is EventKind.FIXED]
        return Match(component, advisory, Certainty.UNDETERMINED, tuple(fixed), why)

    unknown_release = ":" not in component.ecosystem and ":" in affected.ecosystem
    if not unknown_release and not _release_fits(component.ecosystem, affected.ecosystem):
        return None
    if component.version is None:
        return undetermined("no version is given")
    comparable = [each for each in affected.ranges if each.type != "GIT"]
    if not comparable and not affected.versions:
        return undetermined("it names the affected versions by commits alone, or not at all")
    listed = among(affected.ecosystem, component.version, affected.versions)
    why, fixed, inside = "", [], listed
    for each in comparable:
        try:
            if _inside(component.version, affected.ecosystem, each):
                inside = True
                fixed += _ends(component.version, affected.ecosystem, each)
        except UncomparableError as error:
            why = str(error)
    if inside:
        if unknown_release:
            return undetermined(f"it is about {affected.ecosystem}, and no release is given")
        if not fixed:
            fixed = _ends_of_any(component.version, affected, comparable)
        return Match(component, advisory, Certainty.AFFECTED, tuple(fixed))
    if why:
        return undetermined(why)
    if not comparable:
        try:
            parsed(affected.ecosystem, component.version)
        except UncomparableError as error:
            return undetermined(str(error))
    return None


def _inside(version: str, ecosystem: str, range_: Range) -> bool:
    boundaries = [e for e in range_.events if e.kind is not EventKind.LIMIT]
    limits = [e.version for e in range_.events if e.kind is EventKind.LIMIT]
    starts = [event for event in boundaries if event.kind is EventKind.INTRODUCED]
    if len(starts) != 1 or starts[0].version != _BEFORE_ALL:
        boundaries = _sorted(ecosystem, boundaries)
    else:
        boundaries.sort(key=lambda event: event.kind is not EventKind.INTRODUCED)
    # All are compared before anything is said, so that one that can't be is never overlooked.
    sides = [(event, _side(version, ecosystem, event)) for event in boundaries]
    bounded = [limit == _NO_LIMIT or compare(ecosystem, version, limit) < 0 for limit in limits]
    inside = False
    for event, side in sides:
        if event.kind is EventKind.INTRODUCED and side >= 0:
            inside = True
        elif side > 0 or (side == 0 and event.kind is EventKind.FIXED):
            inside = False
    return inside and (not bounded or any(bounded))


def _side(version: str, ecosystem: str, event: Event) -> int:
    if event.kind is EventKind.INTRODUCED and event.version == _BEFORE_ALL:
        parsed(ecosystem, version)
        return 1
    return compare(ecosystem, version, event.version)


def _sorted(ecosystem: str, events: Iterable[Event]) -> list[Event]:
    """By version. Of two at the same version what begins a range comes last, and so counts."""

    def order(one: Event, other: Event) -> int:
        starts = [e.kind is EventKind.INTRODUCED and e.version == _BEFORE_ALL for e in (one, other)]
        if any(starts):
            return starts[1] - starts[0]
        by_version = compare(ecosystem, one.version, other.version)
        if by_version:
            return by_version
        begins = [e.kind is EventKind.INTRODUCED for e in (one, other)]
        return begins[0] - begins[1]

    return sorted(events, key=cmp_to_key(order))


def _ends(version: str, ecosystem: str, range_: Range) -> list[str]:
    """The first `fixed` behind the version."""
    later = [
        event.version
        for event in _sorted(ecosystem, [e for e in range_.events if e.kind is EventKind.FIXED])
        if compare(ecosystem, version, event.version) < 0
    ]
    return later[:1]


def _ends_of_any(version: str, affected: Affected, ranges: Iterable[Range]) -> list[str]:
    """For what only the list names: the first later `fixed` of each range that can be compared."""
    ends: list[str] = []
    for each in ranges:
        try:
            ends += _ends(version, affected.ecosystem, each)
        except UncomparableError:
            continue
    return ends
