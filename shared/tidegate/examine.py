"""One look at an artifact without a ledger: hash, scan and decide, and keep nothing.

Always holds: what can't be read is an error in the result, never a decision that allows.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tidegate.artifact import LocalSource, Manifest, read_manifest
from tidegate.errors import ArtifactError, ArtifactLinkError, TidegateError
from tidegate.policy import Action, Decision, Policy, decide
from tidegate.policy.lineage import NO_LINEAGE, Lineage
from tidegate.scanners.engine import ScanEngine
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Finding, Limits
from tidegate.scanners.rules import rule_of

if TYPE_CHECKING:
    from tidegate.artifact.manifest import PendingManifest


_MAX_LINKS = 100


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of looking at one artifact without a ledger. Either `error` is set, or all else.

    With an error about links, `evidence` and `decision` are about what lies beside them.
    """

    path: str
    manifest: Manifest | None = None
    evidence: Evidence | None = None
    decision: Decision | None = None
    error: TidegateError | None = None


def examine(
    path: str | os.PathLike[str],
    policy: Policy,
    *,
    action: Action = Action.REGISTER,
    engine: ScanEngine | None = None,
    limits: Limits | None = None,
    hashing: PendingManifest | None = None,
) -> Examination:
    """Hash, scan and decide, with nothing read from or written to a ledger. Does not raise for
    the artifact: its error is in the result.

    `hashing` is the hashing of that path, where it was begun already.
    """
    own = engine or ScanEngine(limits)
    shown = os.fspath(path)
    try:
        source = hashing.source if hashing else LocalSource(path)
        pending = own.begin(source)
        try:
            manifest = hashing.result() if hashing else read_manifest(source)
        except BaseException:
            pending.cancel()
            raise
        evidence = pending.evidence(manifest)
        decision = decide(
            policy,
            action,
            evidence,
            digest=manifest.digest,
            subject=shown,
            now=datetime.now(UTC),
            lineage=_untold(policy, action, manifest),
        )
        return Examination(shown, manifest, evidence, decision)
    except ArtifactLinkError as error:
        return _beside_links(path, error, policy, action, own)
    except ArtifactError as error:
        return Examination(shown, error=error)
    finally:
        if engine is None:
            own.close()


def _untold(policy: Policy, action: Action, manifest: Manifest) -> Lineage:
    """Nobody was asked where it came from, so of a chain that is demanded all is missing."""
    if policy.chain is None:
        return NO_LINEAGE
    from tidegate.policy.chain import ChainFacts, gaps

    content = manifest.files[0].sha256 if manifest.kind == "file" else None
    return Lineage(gaps=gaps(policy.chain, action, ChainFacts(manifest.digest, content)))


def _beside_links(
    path: str | os.PathLike[str],
    error: ArtifactLinkError,
    policy: Policy,
    action: Action,
    engine: ScanEngine,
) -> Examination:
    """What is found in a folder beside its links. It is held for the links in any case."""
    shown = os.fspath(path)
    try:
        source = LocalSource(path, without_links=True)
        pending = engine.begin(source)
        try:
            manifest = read_manifest(source)
        except BaseException:
            pending.cancel()
            raise
        evidence = pending.evidence(manifest)
    except ArtifactError:
        return Examination(shown, error=error)
    links = tuple(
        Finding(
            "ARTIFACT-LINK",
            rule_of("ARTIFACT-LINK").severity,
            link,
            "It is a symbolic link, which is not followed.",
        )
        for link in error.links[:_MAX_LINKS]
    )
    evidence = replace(evidence, findings=(*links, *evidence.findings))
    decision = decide(
        policy, action, evidence, digest=evidence.digest, subject=shown, now=datetime.now(UTC)
    )
    return Examination(shown, evidence=evidence, decision=decision, error=error)
