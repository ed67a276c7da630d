"""What a report holds, whatever its format, and what a format has to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import PurePath

from tidegate.errors import ArtifactLinkError, ArtifactMissingError, TidegateError
from tidegate.policy.grounds import UNREAD_REMEDY
from tidegate.policy.model import Decision, Outcome, Reason
from tidegate.scanners.evidence import Evidence, Verdict
from tidegate.scanners.interface import Finding, Unread

_GRAVITY = (Outcome.ALLOW, Outcome.QUARANTINE, Outcome.DENY)


@dataclass(frozen=True, slots=True)
class ArtifactReport:
    """What is said about one artifact. `path` is as the caller gave it, `digest` None on error.

    `outcome` is what the policy came to, `enforced` whether it holds anything. Without a
    decision, which only an error can cause, the artifact is inconclusive and quarantined.
    """

    path: str
    digest: str | None
    verdict: str
    outcome: Outcome
    enforced: bool
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()
    decision: Decision | None = None
    error: TidegateError | None = None
    single_file: bool = False
    unread_remedy: str = UNREAD_REMEDY
    """What a person does about a part that was not read."""

    @classmethod
    def of(
        cls,
        path: str,
        *,
        evidence: Evidence | None = None,
        decision: Decision | None = None,
        error: TidegateError | None = None,
    ) -> ArtifactReport:
        """The report of one examination. Anything missing or contradictory is never a pass."""
        if isinstance(error, ArtifactLinkError) and evidence and decision:
            # What lies beside the links was read; its digest is not that of the artifact.
            return cls(
                path=path,
                digest=None,
                verdict=Verdict.FAIL.value,
                outcome=max(decision.outcome, Outcome.QUARANTINE, key=_GRAVITY.index),
                enforced=True,
                findings=evidence.findings,
                unread=(Unread("", error.message), *evidence.unread),
                decision=decision,
            )
        if (
            error is not None
            or evidence is None
            or decision is None
            or decision.digest != evidence.digest
        ):
            reason = error.message if error is not None else "there is no evidence about it"
            return cls(
                path=path,
                digest=None,
                verdict=Verdict.INCONCLUSIVE.value,
                outcome=Outcome.QUARANTINE,
                enforced=True,
                unread=(Unread("", reason),),
                error=error,
            )
        return cls(
            path=path,
            digest=evidence.digest,
            verdict=evidence.verdict.value,
            outcome=decision.outcome,
            enforced=decision.enforced,
            findings=evidence.findings,
            unread=evidence.unread,
            decision=decision,
            # A single file stands in its evidence under its own name.
            single_file=[name for name, _ in evidence.formats] == [PurePath(path).name],
        )

    @property
    def allowed(self) -> bool:
        """True where nothing is held: the policy allows, or only records (audit mode)."""
        return self.outcome is Outcome.ALLOW or not self.enforced

    @property
    def grounds(self) -> tuple[Reason, ...]:
        """What holds it besides what the scan found: a rejection, a recall, a held base, a gap."""
        shown = {"UNREAD", *(finding.rule for finding in self.findings)}
        reasons = self.decision.reasons if self.decision is not None else ()
        return tuple(reason for reason in reasons if reason.rule not in shown)

    @property
    def only_inconclusive(self) -> bool:
        """True where it is held for want of evidence alone, not for anything that was found."""
        if self.allowed:
            return False
        if self.decision is None:
            return True
        return all(reason.rule in {"UNREAD", "UNSCANNED"} for reason in self.decision.reasons)

    @property
    def is_missing(self) -> bool:
        """True where there is nothing at the path, which is the caller's mistake."""
        return isinstance(self.error, ArtifactMissingError)

    @property
    def where_to_ask(self) -> str | None:
        """Whom to ask for a review, and how; None for what is not held for one."""
        decision = self.decision
        if decision is None or self.outcome is Outcome.ALLOW:
            return None
        where = [] if decision.id is None else [f"tidegate review show {decision.id}"]
        where += [place for place in (decision.review_url, decision.contact) if place]
        if self.digest is None or decision.id is not None:
            return ", ".join(where) or None
        if decision.enforced and self.outcome is Outcome.QUARANTINE:
            first = "; put it on record first, with `tidegate scan --record`"
            return ", ".join(where or ["your registry admin"]) + first
        return ", ".join(where) or None

    def location(self, path: str) -> str:
        """A path inside this artifact, as the caller would name it."""
        if self.single_file or not path:
            return self.path
        return f"{self.path.rstrip('/')}/{path}"


@dataclass(frozen=True, slots=True)
class ScanReport:
    """One run over some artifacts, in the order in which they were given."""

    ruleset: str
    artifacts: tuple[ArtifactReport, ...]

    @property
    def audit(self) -> bool:
        """True where something would be held, and is not because the policy only records."""
        return any(
            not entry.enforced and entry.outcome is not Outcome.ALLOW for entry in self.artifacts
        )

    @property
    def exit_code(self) -> int:
        """0 nothing held, 1 held by policy, 2 a path leads nowhere, 3 only for want of evidence."""
        held = [entry for entry in self.artifacts if not entry.allowed]
        if not held:
            return 0
        if not all(entry.only_inconclusive for entry in held):
            return 1
        return 2 if any(entry.is_missing for entry in held) else 3


class ReportFormat(ABC):
    """One way of writing a report down."""

    name: str

    @abstractmethod
    def render(self, report: ScanReport) -> str:
        """The whole report as text that ends in a newline and can go to a terminal as it is."""
