"""The values that a decision is made of: policy, waiver, review, decision.

All are frozen, hold tuples, and turn into plain JSON types and back, because the ledger keeps
them and a decision must be replayable from what it names. Times are timezone-aware UTC.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidegate.policy.lineage import NO_LINEAGE, Lineage
from tidegate.scanners.interface import Severity

if TYPE_CHECKING:
    # Only what a policy demands needs them: making their classes takes longer than a small scan.
    from tidegate.policy.chain import Chain
    from tidegate.policy.signatures import SignatureCheck, SignatureDemand


class Action(enum.StrEnum):
    """What somebody wants to do with an artifact."""

    REGISTER = "register"
    ALIAS = "alias"
    STAGE = "stage"
    LOAD = "load"
    DEPLOY = "deploy"


class Outcome(enum.StrEnum):
    """`quarantine` waits for a review; `deny` is final until a later review says otherwise."""

    ALLOW = "allow"
    QUARANTINE = "quarantine"
    DENY = "deny"


class Mode(enum.StrEnum):
    """`audit` records what would be held, and holds nothing."""

    ENFORCE = "enforce"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Policy:
    """Which evidence an action needs, and what each severity means.

    A finding at `hold_at` or above quarantines, at `deny_at` or above denies (None: never by
    itself). `severity_overrides` gives a rule another severity. Findings of the unreviewed-code
    rules about a module in `trusted_modules` (or below it) weigh nothing. Waivers and approvals
    last at most `waiver_days` days and reach findings up to `waiver_ceiling`.
    `actions` are those for which evidence is demanded. `contact` and `review_url` tell the
    reader of a refusal where to ask. `chain` is what is demanded of where an artifact came from;
    None demands nothing. `signatures` is by whom a model must be signed; None by nobody.
    `protected_aliases` are names of a registry's aliases, each with who may set it: "admin", an
    admin of the registry, or "passing", whoever does it for a version that passes with nothing
    waived or approved.
    """

    profile: str
    mode: Mode
    hold_at: Severity
    deny_at: Severity | None
    waiver_ceiling: Severity
    waiver_days: int
    trusted_modules: tuple[str, ...] = ()
    severity_overrides: tuple[tuple[str, Severity], ...] = ()
    contact: str | None = None
    review_url: str | None = None
    chain: Chain | None = None
    signatures: SignatureDemand | None = None
    protected_aliases: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, severities and mode by their labels.

        A chain, signatures and protected aliases stand there only where there are any, so that a
        policy without them keeps the digest that it had before they were thought of.
        """
        data = asdict(self)
        del data["chain"]
        if self.chain is not None:
            data["chain"] = self.chain.to_dict()
        del data["signatures"]
        if self.signatures is not None:
            data["signatures"] = self.signatures.to_dict()
        del data["protected_aliases"]
        if self.protected_aliases:
            data["protected_aliases"] = dict(self.protected_aliases)
        data["mode"] = self.mode.value
        for key in ("hold_at", "deny_at", "waiver_ceiling"):
            severity = getattr(self, key)
            data[key] = None if severity is None else severity.label
        data["trusted_modules"] = list(self.trusted_modules)
        data["severity_overrides"] = {rule: s.label for rule, s in self.severity_overrides}
        return {"schema": 1, **data}

    def protection_of(self, alias: str) -> str | None:
        """Who may set an alias, "admin" or "passing", or None for anybody. Case is ignored."""
        wanted = alias.casefold()
        return next((who for name, who in self.protected_aliases if name == wanted), None)

    @property
    def digest(self) -> str:
        """Names this policy in decisions: "sha256:" and the hash of its canonical JSON."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Waiver:
    """An exception from one rule for one digest, until a time, by a person, with a reason.

    `fingerprints` are those of the findings (or unread parts) that the person saw: the waiver
    covers them and nothing that a later scan may find beside them.
    """

    id: int
    digest: str
    rule: str
    fingerprints: tuple[str, ...]
    actor: str
    reason: str
    created_at: datetime
    expires_at: datetime


class ReviewVerdict(enum.StrEnum):
    """What a reviewer said of a held artifact."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Review:
    """What a person decided about one digest after looking at one evidence.

    An approval covers the findings and unread parts listed in `fingerprints`, no others. The
    newest review of a digest is the one that counts.
    """

    id: int
    digest: str
    verdict: ReviewVerdict
    fingerprints: tuple[str, ...]
    actor: str
    reason: str
    created_at: datetime
    evidence_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One ground of a decision. `rule` is a rule id, or a word in capitals for another ground
    (UNSCANNED, UNREAD, REJECTED, CHANGED, RECALLED, BASE-HELD, CHAIN-…, SIGNATURE-…). `covered_by`
    names who or what outweighs it.
    """

    rule: str
    severity: str
    path: str
    message: str
    remedy: str | None = None
    member: str | None = None
    covered_by: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy applied to evidence for one action.

    `outcome` is what the policy came to; `enforced` says whether it holds anything (False in
    audit mode, where the host lets pass and says so). `reasons` are the grounds that hold,
    `notes` those that do not: covered, or below the policy's threshold. `lineage` is what was
    known of where the artifact came from, `signatures` what was found of those on record where
    the action demands one.
    """

    outcome: Outcome
    action: Action
    digest: str
    subject: str
    verdict: str
    policy_digest: str
    profile: str
    enforced: bool
    decided_at: datetime
    reasons: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    evidence_id: str | None = None
    waiver_ids: tuple[int, ...] = ()
    review_id: int | None = None
    actor: str | None = None
    contact: str | None = None
    review_url: str | None = None
    id: int | None = None
    lineage: Lineage = NO_LINEAGE
    signatures: tuple[SignatureCheck, ...] = ()

    @property
    def allowed(self) -> bool:
        """True where the host may go on: allowed, or recorded in audit mode."""
        return self.outcome is Outcome.ALLOW or not self.enforced

    def explain(self) -> str:
        """All of it as a person reads it in a terminal: rule, file, why, remedy, where to ask."""
        from tidegate.policy.explain import explain

        return explain(self)

    def summary(self, limit: int = 500) -> str:
        """The same in at most `limit` characters, for a status banner."""
        from tidegate.policy.explain import summarize

        return summarize(self, limit)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` is its inverse."""
        data = asdict(self)
        data["outcome"], data["action"] = self.outcome.value, self.action.value
        data["decided_at"] = self.decided_at.isoformat()
        data["reasons"] = [asdict(reason) for reason in self.reasons]
        data["notes"] = [asdict(reason) for reason in self.notes]
        data["waiver_ids"] = list(self.waiver_ids)
        data["lineage"] = self.lineage.to_dict() if self.lineage else None
        data["signatures"] = [asdict(check) for check in self.signatures]
        return {"schema": 1, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decision:
        """Read what `to_dict` wrote; KeyError, TypeError or ValueError where it is not that."""
        values = {key: value for key, value in data.items() if key != "schema"}
        values["outcome"] = Outcome(values["outcome"])
        values["action"] = Action(values["action"])
        values["decided_at"] = datetime.fromisoformat(values["decided_at"])
        values["reasons"] = tuple(Reason(**reason) for reason in values["reasons"])
        values["notes"] = tuple(Reason(**reason) for reason in values["notes"])
        values["waiver_ids"] = tuple(values["waiver_ids"])
        # Decisions from before there was a lineage have none.
        known = values.get("lineage")
        values["lineage"] = NO_LINEAGE if known is None else Lineage.from_dict(known)
        checks = values.get("signatures", ())
        if checks:
            from tidegate.policy.signatures import SignatureCheck

            checks = tuple(SignatureCheck(**check) for check in checks)
        values["signatures"] = tuple(checks)
        return cls(**values)
