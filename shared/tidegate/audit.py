"""Auditing what is asked for, or installed, against the advisories that are kept.

    for audited in audit_paths(["requirements.txt"], policy, known_feeds): …

The answer is evidence and a decision, as of a scan, so that the policy's thresholds, the reports
and the exit codes are the same. Always holds: without a feed, with a stale one, for a version that
can't be compared and for a line that can't be told, the answer is inconclusive; nothing is run,
resolved or fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tidegate.dependencies import (
    Advisory,
    Certainty,
    Component,
    Match,
    match,
    smallest_safe_upgrade,
)
from tidegate.dependencies.asked import (
    INSTALLED,
    LARGEST,
    Asked,
    AskedList,
    UnreadableListError,
    installed_in,
    read_environment_file,
    read_lock,
    wheels_in,
)
from tidegate.errors import ArtifactMissingError, ArtifactUnreadableError, UsageError
from tidegate.ledger.advisories import Known
from tidegate.policy import Action, Decision, Policy, decide
from tidegate.policy.explain import printable
from tidegate.sbom.requirements import requirements_components
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Finding, Severity, Unread
from tidegate.scanners.requirements import elsewhere
from tidegate.scanners.rules import rule_of
from tidegate.scanners.squatting import imitated

VULNERABLE = "DEPENDENCY-VULNERABLE"
UNPINNED = "DEPENDENCY-UNPINNED"
UNHASHED = "DEPENDENCY-UNHASHED"
ELSEWHERE = "REQUIREMENTS-ELSEWHERE"
IMITATION = "REQUIREMENTS-IMITATION"
_UNSAID = Severity.HIGH
"""What an advisory counts as that says nothing of how grave it is."""

_REQUIREMENTS = re.compile(r"(?:requirements|constraints)[\w.-]*\.(?:txt|lock|in)", re.IGNORECASE)
_LOCK = re.compile(r"pylock(?:\.[\w-]+)?\.toml|uv\.lock|poetry\.lock")
_ENVIRONMENT = re.compile(r"(?:conda|python_env|environment)\.ya?ml")


@dataclass(slots=True)
class Demands:
    """What the lists at one path ask for, each package with the file that does."""

    path: str
    packages: list[tuple[str, Asked]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    single_file: str | None = None
    """The file's name, where the path leads to one."""

    @property
    def components(self) -> list[tuple[str, str]]:
        """The ecosystem and name of each."""
        return [("PyPI", asked.name) for _, asked in self.packages]

    @property
    def digest(self) -> str:
        """Of the list itself: "sha256:" and the hash over names, versions and what is unread."""
        lines = sorted(f"{a.name}\0{a.version}\0{a.elsewhere}" for _, a in self.packages)
        lines += sorted(f"\0{part.path}\0{part.reason}" for part in self.unread)
        return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"


def demands_at(path: str | os.PathLike[str]) -> Demands:
    """What a file, a model's folder, a folder of wheels or a site-packages folder asks for.

    Raises:
        ArtifactError: there is nothing, or it can't be read.
        UsageError: it is no list of packages, and holds none.
    """
    place = Path(path)
    demands = Demands(os.fspath(path))
    try:
        if place.is_dir():
            _read_folder(place, demands)
        elif place.is_file():
            reader = _reader_of(place.name)
            if reader is None:
                raise _no_list(place)
            demands.single_file = place.name
            _read_file(place, place.name, reader, demands)
        else:
            raise ArtifactMissingError(f"there is no file or folder at {str(path)!r}")
    except OSError as error:
        raise ArtifactUnreadableError(f"{str(path)!r} can't be read: {error.strerror}") from error
    return demands


def audited(
    demands: Demands, known: Known, policy: Policy, *, now: datetime | None = None
) -> tuple[Evidence, Decision]:
    """What is known of what is asked for, and what the policy makes of it.

    Args:
        demands: as `demands_at` read them.
        known: the advisories about them, and the feeds that were asked.
        policy: whose thresholds count.
        now: the time that the feeds' age goes by.
    """
    now = now or datetime.now(UTC)
    findings, unread = list(demands.findings), list(demands.unread)
    unread += _doubts_of(known, now)
    if known.feeds and demands.packages and not known.covers("PyPI"):
        why = "no feed has a single advisory about packages of PyPI's, so nothing is known of them"
        unread.append(Unread("", f"{why}: `tidegate feeds add` brings one that has"))
    for place, asked in demands.packages:
        found, doubts = _judged(place, asked, known.about("PyPI", asked.name))
        findings += found
        unread += doubts
    findings += _unhashed(demands)
    evidence = Evidence(
        digest=demands.digest,
        ruleset=_ruleset(known),
        findings=tuple(dict.fromkeys(findings)),
        unread=tuple(dict.fromkeys(unread)),
        formats=() if demands.single_file is None else ((demands.single_file, "packages"),),
    )
    decision = decide(
        policy, Action.REGISTER, evidence, digest=demands.digest, subject=demands.path, now=now
    )
    return evidence, decision


def _ruleset(known: Known) -> str:
    return "; ".join(
        f"{feed.name}: {feed.entries} advisories up to {feed.newest:%Y-%m-%d}"
        for feed in known.feeds
    )


def _doubts_of(known: Known, now: datetime) -> list[Unread]:
    if not known.feeds:
        why = "there is no feed of advisories, so nothing is known of any package"
        return [Unread("", f"{why}: `tidegate feeds add` makes one")]
    return [
        Unread(
            "",
            f"the feed {feed.name} is {feed.age(now).days} days old, and may be "
            f"{feed.max_age_days}: `tidegate feeds sync` brings it up to date",
        )
        for feed in known.feeds
        if feed.is_stale(now)
    ]


def _judged(
    place: str, asked: Asked, advisories: Sequence[Advisory]
) -> tuple[list[Finding], list[Unread]]:
    findings: list[Finding] = []
    unread: list[Unread] = []
    if asked.elsewhere is not None:
        why = f"{asked.name} is not taken from an index but from elsewhere ({asked.elsewhere})."
        findings.append(_finding(ELSEWHERE, place, why, asked.name))
    if (meant := imitated(asked.name)) is not None:
        why = f"The package {asked.name} is not {meant}, and is named to be taken for it."
        # A number behind the name may as well mark a later edition of the same package.
        plain = asked.name.lower().rstrip("-_.0123456789") == meant
        severity = Severity.MEDIUM if plain else None
        findings.append(_finding(IMITATION, place, why, asked.name, severity))
    component = Component("PyPI", asked.name, asked.version)
    matches = match(component, advisories)
    if asked.version is None:
        why = f"{asked.name} is asked for without an exact version."
        findings.append(_finding(UNPINNED, place, why, asked.name))
        if matches:
            ids = ", ".join(each.advisory.id for each in matches[:5])
            unread.append(
                Unread(
                    place,
                    f"{asked.name} has no exact version, so {len(matches)} advisories may be about "
                    f"it ({ids}{', …' if len(matches) > 5 else ''})",
                )
            )
        return findings, unread
    groups = _same_things(matches)
    upgrade = smallest_safe_upgrade(component, advisories) if groups else None
    for group in groups:
        if any(each.certainty is Certainty.AFFECTED for each in group):
            findings.append(_vulnerable(place, component, group, upgrade))
        else:
            names = ", ".join(sorted(group[0].advisory.names))
            unread.append(
                Unread(
                    place, f"{component}: undetermined whether {names} is about it: {group[0].why}"
                )
            )
    return findings, unread


def _same_things(matches: Iterable[Match]) -> list[list[Match]]:
    """Matches by what they are about: two feeds, and two databases, tell of one thing twice."""
    groups: list[tuple[set[str], list[Match]]] = []
    for each in matches:
        names, members = set(each.advisory.names), [each]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = [*group[1], *members]
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _vulnerable(
    place: str, component: Component, group: list[Match], upgrade: str | None
) -> Finding:
    sure = [each.advisory for each in group if each.certainty is Certainty.AFFECTED]
    graves = [each.severity for each in sure if each.severity is not None]
    severity = max(graves) if graves else _UNSAID
    names = sorted({name for each in sure for name in each.names})
    shown = next((name for name in names if name.startswith("CVE-")), sure[0].id)
    others = [name for name in names if name != shown]
    summary = next((each.summary for each in sure if each.summary), "")
    message = f"{component} has {shown}"
    if others:
        message += f" ({', '.join(others[:6])})"
    message += f": {summary.rstrip('.')}." if summary else "."
    if upgrade is not None:
        message += f" The smallest version with no known advisory is {upgrade}."
    else:
        message += " No version without a known advisory is on record."
    feeds = ", ".join(sorted({each.feed for each in sure}))
    message += f" Told by {feeds}."
    return _finding(VULNERABLE, place, message, f"{component.normal_name} {shown}", severity)


def _finding(
    rule: str, place: str, message: str, detail: str, severity: Severity | None = None
) -> Finding:
    grave = rule_of(rule).severity if severity is None else severity
    return Finding(rule, grave, place, printable(message), detail=printable(detail))


def _unhashed(demands: Demands) -> list[Finding]:
    """One finding for each list that could name digests and does not, or not all."""
    counted: dict[str, list[str]] = {}
    for place, asked in demands.packages:
        if asked.hashed is False and asked.version is not None:
            counted.setdefault(place, []).append(asked.name)
    return [
        _finding(
            UNHASHED, place, f"{len(names)} packages have no digest, {names[0]} for one.", "digests"
        )
        for place, names in counted.items()
    ]


def _read_folder(folder: Path, demands: Demands) -> None:
    names = sorted(each.name for each in folder.iterdir())
    readers = [(name, reader) for name in names if (reader := _reader_of(name)) is not None]
    for name, reader in readers:
        if (folder / name).is_file():
            _read_file(folder / name, name, reader, demands)
        else:
            demands.unread.append(Unread(name, "the list is no file, or leads nowhere"))
    found = bool(readers)
    for suffixes, lists in ((INSTALLED, installed_in), ((".whl",), wheels_in)):
        if any(name.endswith(suffixes) for name in names):
            found = True
            _add(lists(folder), "", demands)
    if not found:
        raise _no_list(folder)


_Reader = Callable[[bytes], AskedList]


def _reader_of(name: str) -> _Reader | None:
    if _LOCK.fullmatch(name):
        return read_lock
    if _ENVIRONMENT.fullmatch(name):
        return read_environment_file
    return _read_requirements if _REQUIREMENTS.fullmatch(name) else None


def _read_requirements(data: bytes) -> AskedList:
    if len(data) > LARGEST:
        raise UnreadableListError(f"it is larger than {LARGEST} bytes")
    return AskedList(requirements=(data.decode("utf-8", "replace"),))


def _read_file(path: Path, name: str, reader: _Reader, demands: Demands) -> None:
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    try:
        _add(reader(data), name, demands)
    except UnreadableListError as error:
        demands.unread.append(Unread(name, f"the list can't be read: {error}"))


def _add(asked: AskedList, name: str, demands: Demands) -> None:
    demands.packages += [(name, each) for each in asked.packages]
    demands.unread += [Unread(name, f"{what}: {why}") for what, why in asked.unread]
    for text in asked.requirements:
        read = requirements_components(text)
        for package in read.packages:
            demands.packages.append(
                (
                    name,
                    Asked(
                        package.name,
                        package.version,
                        package.line,
                        bool(package.hashes),
                        None if package.url is None else "an address",
                    ),
                )
            )
        for line in read.unread:
            why = elsewhere(line.text) if line.text else None
            if why is not None:
                shown = printable(line.text)[:200]
                message = f"Line {line.line} {why}: {shown}"
                demands.findings.append(_finding(ELSEWHERE, name, message, shown))
            demands.unread.append(Unread(name, f"line {line.line}: {line.reason}"))


def _no_list(place: Path) -> UsageError:
    return UsageError(
        f"{str(place)!r} is no list of packages that is known here, and holds none",
        remedy="name a requirements.txt, pylock.toml, uv.lock, poetry.lock, conda.yaml or "
        "python_env.yaml, a model's folder, a folder of wheels, or a site-packages folder",
    )
