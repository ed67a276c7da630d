"""What the ledger gives back, and how values become rows and rows become values again.

Always holds: a body is canonical JSON in plain ASCII, so that no name in it, however hostile,
can be refused or changed by a database; a row that does not parse, or does not say what its key
and its columns say, raises `OperatorError`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from tidegate.artifact.manifest import Manifest
from tidegate.errors import OperatorError, UsageError
from tidegate.ledger import schema
from tidegate.policy.chain import chain_from_dict
from tidegate.policy.model import Decision, Mode, Policy, Review, ReviewVerdict, Waiver
from tidegate.policy.signatures import demand_from_dict
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Severity

MAX_INTEGER = 2**63 - 1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Held:
    """A decision that waits for somebody, with the newest review of its digest if there is one."""

    decision: Decision
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """One version's row in a model registry, and the bytes and decision that it stands on.

    `store` is the registry, `created_ms` the version's own time of creation in milliseconds: a
    version that is deleted and made anew under its old number is another registration.
    `digest` is None where the bytes could not be read.
    """

    id: int
    store: str
    name: str
    version: str
    created_ms: int
    source: str
    digest: str | None
    decision_id: int | None


@dataclass(frozen=True, slots=True)
class RecordedSignature:
    """A signature over a model, as it was given, by whoever recorded it.

    Whether it counts is for a policy to say. `created_at` is when it was recorded.
    """

    id: int
    digest: str
    bundle: str
    actor: str
    created_at: datetime


def canonical(data: Any) -> str:
    """JSON with one spelling for one value: what identifiers are hashed over."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def stored_time(moment: datetime, what: str) -> str:
    """A time as the ledger keeps it; UsageError for one that names no time zone."""
    if moment.tzinfo is None:
        raise UsageError(f"the {what} names no time zone", remedy="give a time in UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str) -> datetime:
    """A time as the ledger keeps it; ValueError for another text, or one without a time zone."""
    found = datetime.fromisoformat(text)
    _require(found.tzinfo is not None)
    return found


def checked_text(value: str, what: str, *, required: bool = False) -> str:
    """The text, if every database can keep it as it is; UsageError otherwise.

    PostgreSQL refuses NUL and no UTF-8 has lone surrogates; an escape instead could make two
    names one. With `required`, the empty text and mere blanks are refused as well.
    """
    if _UNSTORABLE.search(value):
        raise UsageError(f"the {what} {value!r} holds a character that can't be recorded")
    if required and not value.strip():
        raise UsageError(f"the {what} is empty", remedy=f"give the {what}")
    return value


def checked_digest(digest: str) -> str:
    """The digest, if it is one; UsageError otherwise."""
    if not _DIGEST.fullmatch(digest):
        raise UsageError(
            f"{digest!r} is not a digest", remedy="give sha256: and 64 hex digits in lower case"
        )
    return digest


def checked_integer(value: int, what: str) -> int:
    """The number, if a column can hold it; UsageError otherwise."""
    if not 0 <= value <= MAX_INTEGER:
        raise UsageError(f"the {what} {value} is out of range")
    return value


@contextmanager
def unaltered(record: str) -> Iterator[None]:
    """Turn whatever a broken row raises into the one error that says so."""
    try:
        yield
    except (
        UsageError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise OperatorError(
            f"the ledger's record was altered: {record} does not read as what was recorded",
            remedy="find out who wrote to the ledger's database, and restore it from a backup",
        ) from error


def manifest_from_row(row: RowMapping) -> Manifest:
    """The manifest, whose files must hash to the row's digest."""
    digest = row[schema.artifact.c.digest]
    with unaltered(f"artifact {digest}"):
        manifest = Manifest.from_dict(json.loads(row[schema.artifact.c.manifest]))
        _require(manifest.digest == digest)
    return manifest


def evidence_from_row(row: RowMapping, *, about: str | None = None) -> Evidence:
    """The evidence, whose content must hash to the row's id and agree with the row's columns.

    With `about` it must also be about that digest.
    """
    columns = schema.evidence.c
    with unaltered(f"evidence {row[columns.id]}"):
        evidence = Evidence.from_dict(json.loads(row[columns.body]))
        _require(evidence.id == row[columns.id])
        _require(evidence.digest == row[columns.digest] == (about or evidence.digest))
        _require(evidence.ruleset == row[columns.ruleset])
        _require(evidence.verdict.value == row[columns.verdict])
    return evidence


def policy_from_row(row: RowMapping) -> Policy:
    """The policy, whose content must hash to the row's digest."""
    columns = schema.policy.c
    with unaltered(f"policy {row[columns.digest]}"):
        data = json.loads(row[columns.body])
        # Over what stands there, not over the policy made of it: a later version of this code
        # may give a policy more fields, and still finds the old ones as they were.
        digest = hashlib.sha256(canonical(data).encode()).hexdigest()
        _require(row[columns.digest] == f"sha256:{digest}")
        return policy_from_dict(data)


def policy_from_dict(data: Mapping[str, Any]) -> Policy:
    """Read what `Policy.to_dict` wrote; KeyError, TypeError or ValueError where it is not that."""
    if data["schema"] != 1:
        raise ValueError(f"a policy of schema {data['schema']!r} is not known here")
    known = {field.name for field in fields(Policy)}
    if unknown := set(data) - known - {"schema"}:
        # A field that is left out could be one that held something back.
        raise ValueError(f"the policy has fields that are not known here: {sorted(unknown)}")
    values = {key: value for key, value in data.items() if key != "schema"}
    values["mode"] = Mode(values["mode"])
    values["hold_at"] = Severity.from_label(values["hold_at"])
    values["waiver_ceiling"] = Severity.from_label(values["waiver_ceiling"])
    deny_at = values["deny_at"]
    values["deny_at"] = None if deny_at is None else Severity.from_label(deny_at)
    values["trusted_modules"] = tuple(values["trusted_modules"])
    # Sorted by rule since they were written; the order in the policy's file meant nothing.
    values["severity_overrides"] = tuple(
        (rule, Severity.from_label(label)) for rule, label in values["severity_overrides"].items()
    )
    values["protected_aliases"] = tuple(dict(values.get("protected_aliases", {})).items())
    if "chain" in values:
        values["chain"] = chain_from_dict(values["chain"])
    if "signatures" in values:
        values["signatures"] = demand_from_dict(values["signatures"])
    return Policy(**values)


def decision_to_row(decision: Decision) -> dict[str, Any]:
    """The columns of a decision; its id stays out of the body, for the database gives it."""
    return {
        "digest": checked_text(decision.digest, "digest"),
        "action": decision.action.value,
        "subject": checked_text(decision.subject, "subject"),
        "outcome": decision.outcome.value,
        "enforced": decision.enforced,
        "evidence_id": decision.evidence_id,
        "policy_digest": decision.policy_digest,
        "body": canonical(replace(decision, id=None).to_dict()),
        "actor": None if decision.actor is None else checked_text(decision.actor, "actor"),
        "created_at": stored_time(decision.decided_at, "time of the decision"),
    }


def decision_from_row(row: RowMapping) -> Decision:
    """The decision, whose body must say the same as the row's columns."""
    columns = schema.decision.c
    with unaltered(f"decision {row[columns.id]}"):
        decision = Decision.from_dict(json.loads(row[columns.body]))
        _require(decision.id is None)
        for name, value in decision_to_row(decision).items():
            _require(name == "body" or row[columns[name]] == value)
    return replace(decision, id=row[columns.id])


def review_from_row(row: RowMapping) -> Review:
    """The review of a row."""
    columns = schema.review.c
    with unaltered(f"review {row[columns.id]}"):
        _require(all(isinstance(row[key], str) for key in (columns.actor, columns.reason)))
        return Review(
            id=row[columns.id],
            digest=row[columns.digest],
            verdict=ReviewVerdict(row[columns.verdict]),
            fingerprints=_fingerprints(row[columns.fingerprints]),
            actor=row[columns.actor],
            reason=row[columns.reason],
            created_at=moment(row[columns.created_at]),
            evidence_id=row[columns.evidence_id],
        )


def waiver_from_row(row: RowMapping) -> Waiver:
    """The waiver of a row."""
    columns = schema.waiver.c
    with unaltered(f"waiver {row[columns.id]}"):
        _require(all(isinstance(row[key], str) for key in (columns.actor, columns.reason)))
        return Waiver(
            id=row[columns.id],
            digest=row[columns.digest],
            rule=row[columns.rule],
            fingerprints=_fingerprints(row[columns.fingerprints]),
            actor=row[columns.actor],
            reason=row[columns.reason],
            created_at=moment(row[columns.created_at]),
            expires_at=moment(row[columns.expires_at]),
        )


def signature_from_row(row: RowMapping) -> RecordedSignature:
    """The signature of a row, whose bundle must hash to what its key says."""
    columns = schema.signature.c
    with unaltered(f"signature {row[columns.id]}"):
        bundle = row[columns.bundle]
        _require(bundle_hash(bundle) == row[columns.bundle_hash])
        _require(isinstance(row[columns.actor], str))
        return RecordedSignature(
            id=row[columns.id],
            digest=row[columns.digest],
            bundle=bundle,
            actor=row[columns.actor],
            created_at=moment(row[columns.created_at]),
        )


def bundle_hash(bundle: str) -> str:
    """What a signature goes by in its table: the hex SHA-256 of its file."""
    return hashlib.sha256(bundle.encode()).hexdigest()


def registration_from_row(row: RowMapping) -> Registration:
    """The registration of a row."""
    return Registration(
        **{field.name: row[schema.registration.c[field.name]] for field in fields(Registration)}
    )


def _require(agrees: bool) -> None:
    if not agrees:
        raise ValueError("the row's content is not what its key or its columns say")


def _fingerprints(text: str) -> tuple[str, ...]:
    values = json.loads(text)
    _require(isinstance(values, list) and all(isinstance(value, str) for value in values))
    return tuple(values)
