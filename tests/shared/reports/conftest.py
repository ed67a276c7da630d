"""A report with one artifact of each kind: passing, held, unread, in error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tidegate.errors import ArtifactMissingError, TidegateError
from tidegate.policy import Action, Policy, decide, profile
from tidegate.reports import ArtifactReport, ScanReport
from tidegate.scanners import Evidence, Finding, Severity, Unread

NOW = datetime(2026, 11, 1, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32

EXEC = Finding(
    "PICKLE-EXEC",
    Severity.CRITICAL,
    "data/model.pkl",
    "os.system is called with 'echo hi'",
    offset=11,
    detail="os.system",
)
NESTED = Finding(
    "PICKLE-EXEC",
    Severity.CRITICAL,
    "model.zip",
    "eval is called",
    "a/data.pkl",
    5,
    "builtins.eval",
)
PLAIN = Finding("PICKLE-PLAIN", Severity.INFO, "data/other.pkl", "a pickle of known classes")


@pytest.fixture
def entry() -> Callable[..., ArtifactReport]:
    """What is said of an artifact with these findings and unread parts."""

    def make(
        path: str = "model",
        *,
        findings: tuple[Finding, ...] = (),
        unread: tuple[Unread, ...] = (),
        policy: Policy | None = None,
        error: TidegateError | None = None,
    ) -> ArtifactReport:
        if error is not None:
            return ArtifactReport.of(path, error=error)
        evidence = Evidence(DIGEST, "2026.11-test", findings, unread)
        decision = decide(
            policy or profile("standard"),
            Action.REGISTER,
            evidence,
            digest=DIGEST,
            subject=path,
            now=NOW,
        )
        return ArtifactReport.of(path, evidence=evidence, decision=decision)

    return make


@pytest.fixture
def report(entry: Callable[..., ArtifactReport]) -> ScanReport:
    return ScanReport(
        "2026.11-test",
        (
            entry("good", findings=(PLAIN,)),
            entry("bad", findings=(EXEC, NESTED)),
            entry("odd", unread=(Unread("blob.bin", "unknown format", "inner.bin"),)),
            entry("gone", error=ArtifactMissingError("there is no 'gone'", remedy="check it")),
        ),
    )


@pytest.fixture
def audited(entry: Callable[..., ArtifactReport]) -> ScanReport:
    return ScanReport("2026.11-test", (entry("bad", findings=(EXEC,), policy=profile("audit")),))
