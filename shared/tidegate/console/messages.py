"""What may be sent to the console, and what comes back: the edge, where pydantic stands guard.

Always holds: a field that is not known is refused, so that nobody believes in one that does
nothing; every text and list has an end; nothing here decides anything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from tidegate.attestation.signatures.bundle import MAX_BYTES
from tidegate.policy.model import Action, ReviewVerdict


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("a character that can't be recorded")
    return text


def _with_time_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("give the time with its offset, such as +00:00")
    return moment


_Text = Annotated[
    str, StringConstraints(strict=True, max_length=1 << 16), AfterValidator(_storable)
]
_Name = Annotated[str, StringConstraints(strict=True, max_length=4096), AfterValidator(_storable)]
_Reason = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=1 << 14),
    AfterValidator(_storable),
]
Digest = Annotated[str, StringConstraints(strict=True, pattern=r"^sha256:[0-9a-f]{64}$")]
_Hash = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
_Size = Annotated[StrictInt, Field(ge=0, le=2**63 - 1)]
_Many = 1_000_000


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ManifestMessage(_Message):
    """A manifest, as `Manifest.to_dict` writes it."""

    schema_: Literal[1] = Field(alias="schema")
    kind: Literal["file", "folder"]
    digest: Digest
    files: list[tuple[_Name, _Size, _Hash]] = Field(min_length=1, max_length=_Many)


class FindingMessage(_Message):
    """One finding."""

    rule: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z0-9-]{1,64}$")]
    severity: Literal["info", "low", "medium", "high", "critical"]
    path: _Name
    member: _Text | None
    offset: Annotated[StrictInt, Field(ge=0, le=2**63 - 1)] | None
    detail: _Text | None
    message: _Text


class UnreadMessage(_Message):
    """A part that was not looked at."""

    path: _Name
    member: _Text | None
    reason: _Text


class EvidenceMessage(_Message):
    """Evidence, as `Evidence.to_dict` writes it, with its id. Who claims it is not his to say."""

    id: Annotated[str, StringConstraints(strict=True, pattern=r"^ev-[0-9a-f]{32}$")]
    schema_: Literal[1] = Field(alias="schema")
    digest: Digest
    ruleset: _Name
    findings: list[FindingMessage] = Field(max_length=_Many)
    unread: list[UnreadMessage] = Field(max_length=_Many)
    formats: list[tuple[_Name, _Name]] = Field(max_length=_Many)
    tools: list[tuple[_Name, _Name]] = Field(max_length=100)


class Settle(_Message):
    """Evidence about bytes, and what is about to be done with them.

    `says` is who asks, by the sender's own word; it is recorded beside the token's holder.
    """

    manifest: ManifestMessage
    evidence: EvidenceMessage
    action: Action
    subject: _Name = ""
    says: _Name | None = None


class Standing(_Message):
    """Bytes of a digest that somebody is about to use."""

    digest: Digest
    action: Action
    manifest: ManifestMessage | None = None
    subject: _Name = ""
    says: _Name | None = None
    expected: Digest | None = None


class ReviewMessage(_Message):
    """A person's word on what a reference stands for."""

    reference: _Name
    verdict: ReviewVerdict
    reason: _Reason


class WaiverMessage(_Message):
    """An exception from one rule, until a time or for a number of days."""

    reference: _Name
    rule: _Name
    reason: _Reason
    until: Annotated[datetime, AfterValidator(_with_time_zone)] | None = None
    days: Annotated[StrictInt, Field(ge=1, le=36_500)] | None = None


class SignatureMessage(_Message):
    """A signature over a model, as its file has it."""

    digest: Digest
    bundle: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_BYTES)]


class Signed(_Message):
    """The signature as it is on record."""

    signature: dict[str, Any]


class CheckpointMessage(_Message):
    """The checkpoint that the new one is to take the place of."""

    after: Annotated[str, StringConstraints(strict=True, max_length=1 << 16)] | None = None


class StepMessage(_Message):
    """A step of a pipeline, as `Step.to_dict` writes it, and the manifests of what it read."""

    step: dict[str, Any]
    manifests: list[ManifestMessage] = Field(max_length=10_000)


class Stepped(_Message):
    """A step that is on record, and whether it is since this request."""

    step: str
    new: bool


class Problem(_Message):
    """What every answer says that is not a success."""

    error: str
    message: str
    remedy: str | None = None


class Decided(_Message):
    """A decision, as `Decision.to_dict` writes it."""

    decision: dict[str, Any]


class Asked(_Message):
    """What the ledger answers to a question."""

    answer: Any


class Note(_Message):
    """A signed checkpoint, and the hashes that prove it the continuation of the one given."""

    note: str
    proof: list[str]


class AccountMessage(_Message):
    """Whose token it is and what it allows; the rules and the policy that the console goes by."""

    holder: str
    scopes: list[str]
    expires_at: datetime
    ruleset: str
    policy: dict[str, Any]
