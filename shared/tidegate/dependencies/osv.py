"""One OSV record, from JSON or YAML, to an `Advisory`.

Always holds: what is not of the form raises `MalformedAdvisoryError` and gives nothing; its
size, nesting and number of boundaries are bounded; versions are texts as they were written (YAML's
`1.10` is not the number 1.1); times without a zone are UTC, as the specification has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tidegate.dependencies.cvss import rating_of, score_of
from tidegate.dependencies.interface import (
    Advisory,
    Affected,
    Event,
    EventKind,
    Range,
    normal_name,
)
from tidegate.dependencies.yaml_texts import load_texts
from tidegate.scanners.interface import Severity

LARGEST = 8 << 20
"""Bytes of one record."""
_MOST_PARTS = 200_000
_LONGEST_TEXT = 300
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,127}")
_LABELS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "important": Severity.HIGH,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "negligible": Severity.LOW,
}


class MalformedAdvisoryError(ValueError):
    """The record is none of OSV's form; the message says in what."""


def parse_json(data: bytes) -> Any:
    """The value of a record's bytes.

    Raises:
        MalformedAdvisoryError: they are no JSON, or too many, or nest too deeply.
    """
    if len(data) > LARGEST:
        raise MalformedAdvisoryError(f"it is larger than {LARGEST} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedAdvisoryError("it is no JSON that can be read") from error


def parse_yaml(data: bytes) -> Any:
    """The same for YAML, every scalar as the text that stands there."""
    if len(data) > LARGEST >> 3:
        raise MalformedAdvisoryError(f"it is larger than {LARGEST >> 3} bytes")
    try:
        return load_texts(data)
    except ValueError as error:
        raise MalformedAdvisoryError(str(error)) from error


def read_advisory(record: Any, *, feed: str = "") -> Advisory:
    """The advisory of a record in plain types.

    Raises:
        MalformedAdvisoryError: it is none.
    """
    record = _mapping(record, "the record")
    identity = _text(record.get("id"), "id")
    if not _ID.fullmatch(identity):
        raise MalformedAdvisoryError("its id is none")
    version = record.get("schema_version", "1.0.0")
    if not isinstance(version, str) or version.partition(".")[0] != "1":
        raise MalformedAdvisoryError("it is of another schema than OSV's version 1")
    withdrawn = record.get("withdrawn")
    affected = tuple(_affected(record))
    score, severity = _graveness(record)
    return Advisory(
        id=identity,
        modified=_moment(record.get("modified"), "modified"),
        affected=affected,
        aliases=tuple(
            alias
            for alias in _listed(record, "aliases")
            if isinstance(alias, str) and _ID.fullmatch(alias)
        ),
        summary=_summary(record),
        severity=severity,
        score=score,
        withdrawn=None if withdrawn in {None, ""} else _moment(withdrawn, "withdrawn"),
        feed=feed,
    )


def _affected(record: Mapping[str, Any]) -> Iterator[Affected]:
    parts = 0
    for each in _listed(record, "affected"):
        entry = _mapping(each, "an entry of affected")
        if entry.get("package") is None:
            continue  # A repository by its commits, which no package manager installs.
        package = _mapping(entry["package"], "package")
        ecosystem = _text(package.get("ecosystem"), "ecosystem")
        name = _text(package.get("name"), "a package's name")
        versions = [_text(v, "a version") for v in _listed(entry, "versions")]
        ranges = [_range(r) for r in _listed(entry, "ranges")]
        parts += 1 + len(versions) + sum(1 + len(r.events) for r in ranges)
        if parts > _MOST_PARTS:
            raise MalformedAdvisoryError(f"it names more than {_MOST_PARTS} versions")
        yield Affected(ecosystem, normal_name(ecosystem, name), tuple(ranges), tuple(versions))


def _range(found: Any) -> Range:
    range_ = _mapping(found, "a range")
    kind = _text(range_.get("type"), "a range's type")
    if kind not in {"ECOSYSTEM", "SEMVER", "GIT"}:
        raise MalformedAdvisoryError("a range's type is none")
    events: list[Event] = []
    for each in _listed(range_, "events"):
        event = _mapping(each, "an event")
        if not event or len(event) > len(EventKind):
            raise MalformedAdvisoryError("an event says nothing, or too much")
        for name, version in event.items():
            if name not in set(EventKind):
                raise MalformedAdvisoryError("an event is of no known kind")
            events.append(Event(EventKind(name), _text(version, "an event's version")))
    if not any(event.kind is EventKind.INTRODUCED for event in events):
        raise MalformedAdvisoryError("a range begins nowhere")
    return Range(kind, tuple(events))


def _graveness(record: Mapping[str, Any]) -> tuple[float | None, Severity | None]:
    """The highest score of its CVSS vectors, else the word of the database that it is from."""
    places = [record, *(e for e in _listed(record, "affected") if isinstance(e, Mapping))]
    vectors = [
        each["score"]
        for place in places
        for each in _listed(place, "severity")
        if isinstance(each, Mapping) and isinstance(each.get("score"), str)
    ]
    scores = [score for vector in vectors if (score := score_of(vector)) is not None]
    if scores:
        return max(scores), rating_of(max(scores))
    words = [
        word.lower()
        for place in places
        for key in ("database_specific", "ecosystem_specific")
        if isinstance(specific := place.get(key), Mapping)
        and isinstance(word := specific.get("severity"), str)
    ]
    known = [_LABELS[word] for word in words if word in _LABELS]
    return None, max(known, default=None)


def _summary(record: Mapping[str, Any]) -> str:
    for key in ("summary", "details"):
        text = record.get(key)
        if isinstance(text, str) and text.strip():
            return " ".join(text[: 4 * _LONGEST_TEXT].split())[:_LONGEST_TEXT]
    return ""


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MalformedAdvisoryError(f"{what} is no mapping")
    return value


def _listed(place: Mapping[str, Any], key: str) -> list[Any]:
    value = place.get(key)
    if value is None or value == "":
        return []
    if not isinstance(value, list) or len(value) > _MOST_PARTS:
        raise MalformedAdvisoryError(f"{key} is no list")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value or len(value) > 4 * _LONGEST_TEXT:
        raise MalformedAdvisoryError(f"{what} is missing, or no text")
    if not value.isprintable():
        raise MalformedAdvisoryError(f"{what} holds unprintable characters")
    return value


def _moment(value: Any, what: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(value, what))
    except ValueError as error:
        raise MalformedAdvisoryError(f"{what} is no time") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
