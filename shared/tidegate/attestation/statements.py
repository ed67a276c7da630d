"""in-toto statements (v1): what is said about which bytes.

A statement names its subjects by digest and says one thing of them, the predicate, whose type is
a URI. Its bytes are canonical: keys sorted, no white space, no floating point numbers, UTF-8; the
same statement is the same bytes on every machine, and a reader gets back what was written.

Always holds: a statement has a subject with a digest; reading refuses whatever is not of the
form (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md), unknown fields of the
statement itself among it, and keys that stand twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.errors import UsageError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

_DIGEST = {"sha256": re.compile(r"[0-9a-f]{64}"), "gitCommit": re.compile(r"[0-9a-f]{40,64}")}


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that a statement is about: a name for people, and the digest that counts."""

    name: str
    digest: str
    """"sha256:" and 64 hex digits, or "gitCommit:" and the commit."""
    annotations: Mapping[str, Any] | None = None
    """What a resource descriptor may carry besides, by names that say whose they are."""

    def to_dict(self) -> dict[str, Any]:
        """As it stands in a statement: a resource descriptor."""
        algorithm, _, value = self.digest.partition(":")
        descriptor: dict[str, Any] = {"name": self.name, "digest": {algorithm: value}}
        if self.annotations:
            descriptor["annotations"] = dict(self.annotations)
        return descriptor


@dataclass(frozen=True, slots=True)
class Statement:
    """Subjects, and one thing that is said about all of them."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """The canonical bytes; UsageError where the predicate is not plain JSON."""
        if not self.subjects:
            raise UsageError("a statement needs a subject")
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [subject.to_dict() for subject in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Statement:
        """Read a statement, canonical or not; ValueError where it is none."""
        found = parse_json(data)
        if not isinstance(found, dict) or found.get("_type") != STATEMENT_TYPE:
            raise ValueError("no in-toto statement of version 1")
        if unknown := found.keys() - {"_type", "subject", "predicateType", "predicate"}:
            raise ValueError(f"a statement has no field {sorted(unknown)[0]!r}")
        subjects, predicate = found.get("subject"), found.get("predicate", {})
        kind = found.get("predicateType")
        if not isinstance(subjects, list) or not subjects:
            raise ValueError("the statement has no subject")
        if not isinstance(kind, str) or not kind or not isinstance(predicate, dict):
            raise ValueError("the statement has no predicate with a type")
        return cls(tuple(_subject(each) for each in subjects), kind, predicate)


def _subject(found: object) -> Subject:
    digests = found.get("digest") if isinstance(found, dict) else None
    name = found.get("name", "") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(digests, dict) or not isinstance(name, str):
        raise ValueError("a subject has a name and a digest")
    annotations = found.get("annotations")
    if annotations is not None and not isinstance(annotations, dict):
        raise ValueError("a subject's annotations are an object")
    for algorithm, form in _DIGEST.items():
        value = digests.get(algorithm)
        if isinstance(value, str) and form.fullmatch(value):
            return Subject(name, f"{algorithm}:{value}", annotations)
    raise ValueError(f"the subject {name!r} has no digest of a kind that is known here")


def canonical_json(data: object) -> bytes:
    """The one way to write it: sorted keys, no white space, UTF-8.

    Raises:
        UsageError: a value is no plain JSON, or a floating point number, which no two languages
            are sure to write alike.
    """
    _require_plain(data)
    try:
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"this can't be written as a statement: {error}") from error


def _require_plain(data: object) -> None:
    pending = [data]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            if not all(isinstance(key, str) for key in each):
                raise UsageError("a statement's keys are texts")
            pending.extend(each.values())
        elif isinstance(each, list | tuple):
            pending.extend(each)
        elif not isinstance(each, str | bool | int | None):
            raise UsageError(
                f"a statement holds no {type(each).__name__}",
                remedy="give a number with a fraction as a text",
            )


def parse_json(data: bytes, *, fractions_as_text: bool = False) -> Any:
    """JSON as one reads what others signed; ValueError for a key that stands twice, and NaN.

    With `fractions_as_text` a number with a fraction becomes the text that stands for it.
    """
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_constant=_refuse_constant,
            parse_float=str if fractions_as_text else None,
        )
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
