"""What one scan says about one digest.

Always holds: evidence is a value. It names the bytes it is about (`digest`), the rules it was
made with (`ruleset`) and the tools; its `id` is a hash over all of that, so the same scan of
the same bytes under the same rules is the same evidence, whoever made it and whenever.
A verdict is derived, never stored by hand: nothing unread may read as `pass`.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tidegate.scanners.interface import Finding, Severity, Unread


class Verdict(enum.StrEnum):
    """What evidence comes to, before any policy: see `Evidence.verdict`."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    UNSCANNED = "unscanned"


def finding_fingerprint(finding: Finding) -> str:
    """A short stable name of what a finding is about, the same from scan to scan.

    Reviews and waivers are bound to it: a finding at another place, or about another callable,
    has another fingerprint, so nobody's approval covers what he has not seen.
    """
    about = finding.detail if finding.detail is not None else finding.message
    return _short_hash("finding", finding.rule, finding.path, finding.member or "", about)


def claimed_fingerprint(finding: Finding) -> str:
    """The same for a finding that somebody only claims: by his words, and by how grave he calls it.

    Who approves it has seen no more than that. A scan that finds the same thing in other words, or
    graver, is not what he approved.
    """
    return _short_hash(
        "claimed", finding_fingerprint(finding), finding.severity.label, finding.message
    )


def unread_fingerprint(unread: Unread) -> str:
    """The same for a part that was not looked at."""
    return _short_hash("unread", unread.path, unread.member or "", unread.reason)


def _short_hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Evidence:
    """The findings and unread parts of one scan.

    `digest` is the manifest's ("sha256:" and 64 hex digits). `formats` pairs each path with the
    format told by its content, in the manifest's order. `tools` pairs names with versions.
    `claimed_by` names who sent it, where that is all that speaks for it: the ledger's own side
    has not seen the bytes. So a claim and a scan of our own never are the same evidence.
    """

    digest: str
    ruleset: str
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()
    formats: tuple[tuple[str, str], ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    claimed_by: str | None = None

    @property
    def fingerprints(self) -> frozenset[str]:
        """The fingerprints of all findings and unread parts."""
        found = {finding_fingerprint(finding) for finding in self.findings}
        return frozenset(found | {unread_fingerprint(part) for part in self.unread})

    @property
    def verdict(self) -> Verdict:
        """`fail` with a high or critical finding, else `inconclusive` with an unread part."""
        if any(finding.severity >= Severity.HIGH for finding in self.findings):
            return Verdict.FAIL
        if self.unread:
            return Verdict.INCONCLUSIVE
        return Verdict.PASS

    @cached_property
    def id(self) -> str:
        """The hash of the canonical JSON of this evidence: "ev-" and 32 hex digits."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return "ev-" + hashlib.sha256(canonical.encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` is its inverse."""
        claimed = {} if self.claimed_by is None else {"claimed_by": self.claimed_by}
        return {
            "schema": 1,
            **claimed,
            "digest": self.digest,
            "ruleset": self.ruleset,
            "findings": [
                {
                    "rule": f.rule,
                    "severity": f.severity.label,
                    "path": f.path,
                    "member": f.member,
                    "offset": f.offset,
                    "detail": f.detail,
                    "message": f.message,
                }
                for f in self.findings
            ],
            "unread": [
                {"path": u.path, "member": u.member, "reason": u.reason} for u in self.unread
            ],
            "formats": [list(pair) for pair in self.formats],
            "tools": [list(pair) for pair in self.tools],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """Read what `to_dict` wrote; KeyError, TypeError or ValueError where it is not that."""
        if data["schema"] != 1:
            raise ValueError(f"evidence of schema {data['schema']!r} is not known here")
        return cls(
            digest=str(data["digest"]),
            ruleset=str(data["ruleset"]),
            findings=tuple(
                Finding(
                    rule=f["rule"],
                    severity=Severity.from_label(f["severity"]),
                    path=f["path"],
                    message=f["message"],
                    member=f["member"],
                    offset=f["offset"],
                    detail=f["detail"],
                )
                for f in data["findings"]
            ),
            unread=tuple(Unread(u["path"], u["reason"], u["member"]) for u in data["unread"]),
            formats=tuple((p, f) for p, f in data["formats"]),
            tools=tuple((n, v) for n, v in data["tools"]),
            claimed_by=data.get("claimed_by"),
        )
