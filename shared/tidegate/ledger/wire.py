"""What goes over the ledger's HTTP API, as both of its sides write and read it.

Always holds: what is read is wholly of the form, or KeyError, TypeError or ValueError is raised.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from tidegate.artifact.manifest import Manifest
from tidegate.ledger.records import Held, RecordedSignature, Registration
from tidegate.policy.model import Action, Decision, Review, ReviewVerdict, Waiver
from tidegate.scanners.evidence import Evidence

_T = TypeVar("_T")


def new_key() -> str:
    """An idempotency key that no other request has."""
    return uuid.uuid4().hex


def evidence_message(
    manifest: Manifest,
    evidence: Evidence,
    *,
    action: Action,
    subject: str,
    says: str | None = None,
) -> dict[str, Any]:
    """Evidence as it is sent, in plain JSON types. Whose claim it is the console says."""
    sent = replace(evidence, claimed_by=None)
    return {
        "manifest": manifest.to_dict(),
        "evidence": {"id": sent.id, **sent.to_dict()},
        "action": action.value,
        "subject": subject,
        "says": says,
    }


def review_to_dict(review: Review) -> dict[str, Any]:
    """A review in plain JSON types."""
    return _to_dict(review) | {
        "verdict": review.verdict.value,
        "created_at": review.created_at.isoformat(),
    }


def review_from_dict(data: Mapping[str, Any]) -> Review:
    """Read what `review_to_dict` wrote."""
    return Review(
        **{
            **data,
            "verdict": ReviewVerdict(data["verdict"]),
            "fingerprints": tuple(data["fingerprints"]),
            "created_at": datetime.fromisoformat(data["created_at"]),
        }
    )


def signature_to_dict(signature: RecordedSignature) -> dict[str, Any]:
    """A signature as it stands in an answer."""
    return {**asdict(signature), "created_at": signature.created_at.isoformat()}


def signature_from_dict(data: Mapping[str, Any]) -> RecordedSignature:
    """Read what `signature_to_dict` wrote; KeyError, TypeError or ValueError where it is not."""
    created_at = datetime.fromisoformat(data["created_at"])
    if created_at.tzinfo is None:
        raise ValueError("a time without its offset")
    return RecordedSignature(**{**data, "created_at": created_at})


def waiver_to_dict(waiver: Waiver) -> dict[str, Any]:
    """A waiver in plain JSON types."""
    return _to_dict(waiver) | {
        "created_at": waiver.created_at.isoformat(),
        "expires_at": waiver.expires_at.isoformat(),
    }


def waiver_from_dict(data: Mapping[str, Any]) -> Waiver:
    """Read what `waiver_to_dict` wrote."""
    return Waiver(
        **{
            **data,
            "fingerprints": tuple(data["fingerprints"]),
            "created_at": datetime.fromisoformat(data["created_at"]),
            "expires_at": datetime.fromisoformat(data["expires_at"]),
        }
    )


def _to_dict(value: Review | Waiver) -> dict[str, Any]:
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return found | {"fingerprints": list(value.fingerprints)}


def held_from_dict(data: Mapping[str, Any]) -> Held:
    """Something held, with its review, as an answer has it."""
    review = data["review"]
    return Held(
        Decision.from_dict(data["decision"]), None if review is None else review_from_dict(review)
    )


def registration_from_dict(data: Mapping[str, Any]) -> Registration:
    """A registration as an answer has it."""
    return Registration(**data)


def optional(read: Callable[[Any], _T]) -> Callable[[Any], _T | None]:
    """Reads what may be missing."""
    return lambda found: None if found is None else read(found)


def each_of(read: Callable[[Any], _T]) -> Callable[[Any], tuple[_T, ...]]:
    """Reads a list of them."""

    def read_all(found: Any) -> tuple[_T, ...]:
        if not isinstance(found, list):
            raise TypeError("no list")
        return tuple(read(each) for each in found)

    return read_all
