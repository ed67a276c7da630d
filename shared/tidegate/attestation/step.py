"""A step of a pipeline as values: what went in, what came out, and what it ran with.

    step = Step(
        id=new_step_id(), name="train", builder="https://ci.example.com/runner",
        started_at=…, finished_at=…, outcome=StepOutcome.SUCCEEDED,
        inputs=(material("train.csv", "data", manifest),), outputs=(…,),
    )

Values only: nothing is read, run or signed here. The ledger records a step (`Ledger.record_step`)
and signs SLSA provenance v1 over it (https://slsa.dev/spec/v1.0/provenance).

Always holds: a step can be written down as it is. Whatever it carries is plain JSON without
fractions (a number with one becomes the text that stands for it), every text can be kept by every
database (other characters become escapes), and it is bounded in size and depth. Identity is in
digests alone, never in names.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tidegate.artifact.manifest import Manifest
from tidegate.errors import UsageError

MAX_MATERIALS = 10_000
"""Inputs and outputs of one step together."""
MAX_BODY = 4 << 20
"""Bytes of a step's parameters, code, environment and host together, as JSON."""
TOLD_BY_RUN = "urn:tidegate:told-by-run:"
"""How the builder begins where a step is what an experiment tracker's run tells of itself. Whoever
may log a run may say anything in it, so no demanded chain counts such a step."""
TOLD = "told"
"""The role of such a step's output. It is an edge of the lineage, and by it nothing is believed of
what other artifacts share with the output (`ledger.lineage`)."""
_MAX_NAME = 4096
_MAX_DEPTH = 32
_MAX_SAFE = 2**63 - 1

_ID = re.compile(r"step:[0-9a-f]{32}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|gitCommit:[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ROLE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StepOutcome(StrEnum):
    """How a step ended. Unfinished: whoever watched it was gone before its end."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True, slots=True)
class Material:
    """One thing that went into a step or came out of it.

    `role` says what it was there: data, base, code, environment, output, byproduct, or another
    word in lower case. `digest` is the artifact's root digest ("sha256:…"), or of a code's state
    "gitCommit:…". With a `manifest` the bytes were really read; without, the digest is a claim.
    """

    name: str
    role: str
    digest: str
    uri: str | None = None
    manifest: Manifest | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what is no material; escape what no database can keep."""
        object.__setattr__(self, "name", _named(self.name, "material's name"))
        if self.uri is not None:
            object.__setattr__(self, "uri", _named(self.uri, "material's URI"))
        if not _ROLE.fullmatch(self.role):
            raise UsageError(
                f"{self.role!r} is not a role",
                remedy="give a word in lower case, such as data, base, code or environment",
            )
        if not _DIGEST.fullmatch(self.digest):
            raise UsageError(
                f"{self.digest!r} is not the digest of a material",
                remedy="give sha256: and 64 hex digits in lower case, or gitCommit: and the commit",
            )
        if self.manifest is not None and self.manifest.digest != self.digest:
            raise UsageError(f"the manifest of {self.name!r} is about other bytes than its digest")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the manifest; `from_dict` reads them."""
        return {
            "name": self.name,
            "role": self.role,
            "digest": self.digest,
            "uri": self.uri,
            "read": self.manifest is not None,
        }


def material(name: str, role: str, manifest: Manifest, *, uri: str | None = None) -> Material:
    """A material whose bytes were read."""
    return Material(name, role, manifest.digest, uri, manifest)


def new_step_id() -> str:
    """An id that no other step has: "step:" and 32 hex digits."""
    return f"step:{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a step.

    `builder` is the URI of what ran it, `actor` who started it. `parameters`, `code`,
    `environment`, `host` and `metrics` (what it came to) are plain JSON. `claims` names the parts
    that are only the caller's word, such as "host" or "inputs", as opposed to what the recorder saw
    for itself. `parent` is the id of the step that it ran in. `notes` are sentences for a person
    who reads the record: what was odd about the run.
    """

    id: str
    name: str
    builder: str
    started_at: datetime
    outcome: StepOutcome
    finished_at: datetime | None = None
    exit_code: int | None = None
    inputs: tuple[Material, ...] = ()
    outputs: tuple[Material, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    actor: str | None = None
    claims: tuple[str, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise UsageError for what is no step; make everything plain."""
        for given in (self.id, self.parent):
            if given is not None and not _ID.fullmatch(given):
                raise UsageError(
                    f"{given!r} is not the id of a step", remedy="take one from new_step_id()"
                )
        put = object.__setattr__
        put(self, "name", _named(self.name, "step's name"))
        put(self, "builder", _named(self.builder, "step's builder"))
        put(self, "actor", None if self.actor is None else _named(self.actor, "step's actor"))
        put(self, "outcome", StepOutcome(self.outcome))
        put(self, "started_at", _in_utc(self.started_at))
        if self.finished_at is not None:
            put(self, "finished_at", _in_utc(self.finished_at))
        if self.exit_code is not None and not -(2**31) <= self.exit_code < 2**32:
            raise UsageError(f"{self.exit_code} is not an exit code")
        put(self, "claims", tuple(_named(claim, "claim") for claim in self.claims))
        put(self, "notes", tuple(_named(note, "note") for note in self.notes))
        if len(self.inputs) + len(self.outputs) > MAX_MATERIALS:
            raise UsageError(
                f"the step names more than {MAX_MATERIALS:,} inputs and outputs",
                remedy="name the folder that holds them",
            )
        for name in _FACTS:
            put(self, name, _plain_object(getattr(self, name), f"step's {name}"))
        if len(json.dumps([self.notes, *(getattr(self, name) for name in _FACTS)])) > MAX_BODY:
            raise UsageError(
                f"the step's {', '.join(_FACTS)} are larger than {MAX_BODY >> 20} MiB together",
                remedy="record what is large as a file among the inputs",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` reads them. Manifests stay out."""
        return {
            "schema": 1,
            "id": self.id,
            "name": self.name,
            "builder": self.builder,
            "started_at": _written(self.started_at),
            "finished_at": None if self.finished_at is None else _written(self.finished_at),
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "inputs": [each.to_dict() for each in self.inputs],
            "outputs": [each.to_dict() for each in self.outputs],
            "actor": self.actor,
            "claims": list(self.claims),
            "parent": self.parent,
            "notes": list(self.notes),
            **{name: getattr(self, name) for name in _FACTS},
        }

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], manifests: Mapping[str, Manifest] | None = None
    ) -> Step:
        """Read what `to_dict` wrote, with the manifests of materials that are at hand.

        Raises:
            KeyError, TypeError, ValueError, UsageError: it is not of that form.
        """
        if data["schema"] != 1:
            raise ValueError(f"a step of schema {data['schema']!r} is not known here")
        known = {each.name for each in fields(cls)} | {"schema"}
        if unknown := data.keys() - known:
            raise ValueError(f"the step has fields that are not known here: {sorted(unknown)}")
        values = {key: value for key, value in data.items() if key != "schema"}
        for name in ("inputs", "outputs"):
            values[name] = tuple(_material(each, manifests or {}) for each in data[name])
        values["started_at"] = datetime.fromisoformat(data["started_at"])
        if data["finished_at"] is not None:
            values["finished_at"] = datetime.fromisoformat(data["finished_at"])
        values["claims"] = tuple(data["claims"])
        values["notes"] = tuple(data["notes"])
        return cls(**values)


_FACTS = ("parameters", "code", "environment", "host", "metrics")


def _material(data: Mapping[str, Any], manifests: Mapping[str, Manifest]) -> Material:
    manifest = manifests.get(data["digest"]) if data["read"] else None
    return Material(data["name"], data["role"], data["digest"], data["uri"], manifest)


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise UsageError("the step's time names no time zone", remedy="give a time in UTC")
    return moment.astimezone(UTC)


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _named(text: str, what: str) -> str:
    """A name that people read: escaped where need be, not empty, not endless."""
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"the {what} is empty", remedy=f"give the {what}")
    if len(text) > _MAX_NAME:
        raise UsageError(f"the {what} is longer than {_MAX_NAME} characters")
    return storable(text)


def storable(text: str) -> str:
    """The text with NUL and lone surrogates, which no database keeps, as escapes."""
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain_object(value: object, what: str, depth: int = 1) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"the {what} is no object of names and values")
    plain = {storable(str(key)): _plain(each, what, depth) for key, each in value.items()}
    if len(plain) != len(value):
        raise UsageError(f"two names in the {what} are written alike")
    return plain


def _plain(value: object, what: str, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise UsageError(f"the {what} is nested deeper than {_MAX_DEPTH}")
    if isinstance(value, str):
        return storable(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Beyond this, readers of JSON in other languages round.
        return int(value) if abs(value) <= _MAX_SAFE else str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, Mapping):
        return _plain_object(value, what, depth + 1)
    if isinstance(value, list | tuple):
        return [_plain(each, what, depth + 1) for each in value]
    raise UsageError(
        f"the {what} holds a {type(value).__name__}, which is no plain JSON",
        remedy="give texts, numbers, truth values, lists and objects",
    )
