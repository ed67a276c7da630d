"""What a claim is worth: evidence and steps from holders of a token, who have the bytes elsewhere.

The console has not seen the bytes. So what it is sent is a claim, marked with the holder's name,
and these rules say when it is taken:

1. It is of the form and whole: the manifest hashes to the digest, the evidence to its id, both are
   about the same bytes, and the rules that it names are those of this console, no older ones.
2. Where the ledger's own side has scanned these bytes under these rules, that scan counts, and the
   claim changes nothing, whether it says more or less.
3. A claim may lack nothing that the own side ever found in these bytes, under whatever rules: only
   a new scan of the own side, or a review, takes a finding away.
4. Nor may it lack what other holders claimed under the same rules, nor any finding that the same
   holder did; only a part that he could not read before may he have read now.
5. What is recorded of a step is its holder's word, all of it.

Always holds: what the console saw for itself outranks what it is told; no claim makes anything pass
that was held for something seen in it; looking and recording are one transaction.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.step import Step
from tidegate.console.messages import ManifestMessage, Settle, StepMessage
from tidegate.errors import UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.ledger.tokens import Token
from tidegate.policy import Decision
from tidegate.scanners.evidence import Evidence, finding_fingerprint, unread_fingerprint
from tidegate.scanners.registry import ruleset_version
from tidegate.scanners.rules import rules

_log = logging.getLogger(__name__)

_SKEW = timedelta(minutes=5)


class ConflictError(UsageError):
    """What is claimed does not go with what is on record."""


def actor_of(token: Token, says: str | None) -> str:
    """Who acts: the token's holder, and in brackets whom he says that it is for."""
    return token.holder if not says else f"{token.holder} (says: {says})"


def settle(gate: Gate, token: Token, message: Settle) -> Decision:
    """Decide on claimed evidence, and record it.

    Raises:
        UsageError: it is not whole, or of other rules.
        ConflictError: it lacks something that is on record.
    """
    manifest = read_manifest(message.manifest)
    claim = _read_evidence(message, manifest)
    with gate.ledger.transaction() as connection:
        own = gate.ledger.evidence_for(manifest.digest, claim.ruleset)
        if own is not None and own.fingerprints != claim.fingerprints:
            _log.warning(
                "%s claims other findings in %s than the ledger's own scan, which counts",
                token.holder,
                manifest.digest,
            )
        if own is None:
            claim = replace(claim, claimed_by=token.holder)
            _require_no_less(gate.ledger, claim)
        return gate.settle(
            message.action,
            manifest,
            own or claim,
            subject=message.subject,
            actor=actor_of(token, message.says),
            connection=connection,
        )


def read_manifest(message: ManifestMessage) -> Manifest:
    """The manifest of a message.

    Raises:
        UsageError: its files are not those of its digest, or of no artifact.
    """
    try:
        manifest = Manifest.from_dict(message.model_dump(by_alias=True))
    except ValueError as error:
        raise UsageError(f"the manifest can't be taken: {error}") from error
    paths = [file.path.encode() for file in manifest.files]
    if manifest.kind == "file" and len(paths) != 1:
        raise UsageError("the manifest can't be taken: a single file is one")
    if any(left >= right for left, right in pairwise(paths)):
        raise UsageError("the manifest can't be taken: its files are not in the order of paths")
    for path in paths:
        if path.startswith(b"/") or {b"", b".", b".."}.intersection(path.split(b"/")):
            raise UsageError("the manifest can't be taken: a path leads out of the artifact")
    return manifest


def read_step(token: Token, message: StepMessage) -> Step:
    """The step of a message, marked as the holder's word in all its parts.

    Raises:
        UsageError: it is no step, or is said to have been in a time that is yet to come.
    """
    manifests = [read_manifest(each) for each in message.manifests]
    try:
        step = Step.from_dict(message.step, {each.digest: each for each in manifests})
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"this is no step that can be taken: {error!r}"[:500]) from error
    latest = datetime.now(UTC) + _SKEW
    if step.started_at > latest or (step.finished_at is not None and step.finished_at > latest):
        raise UsageError(
            "the step is said to have run in a time that is yet to come",
            remedy="set the clock of the machine that ran it",
        )
    return replace(step, actor=actor_of(token, step.actor), claims=_ALL_OF_A_STEP)


_ALL_OF_A_STEP = (
    "name", "builder", "times", "outcome", "inputs", "outputs", "parameters", "code",
    "environment", "host", "metrics", "parent", "notes",
)  # fmt: skip


def _read_evidence(message: Settle, manifest: Manifest) -> Evidence:
    data = message.evidence.model_dump(by_alias=True)
    claim = Evidence.from_dict(data)
    if claim.digest != manifest.digest:
        raise UsageError("the evidence is about other bytes than the manifest")
    if claim.id != message.evidence.id:
        raise UsageError(
            "the evidence does not hash to its id",
            remedy="run the same version of Tidegate here and at the console",
        )
    if claim.ruleset != ruleset_version():
        raise UsageError(
            f"the evidence was made by the rules {claim.ruleset}, and this console goes by "
            f"{ruleset_version()}",
            remedy="run the same version of Tidegate here and at the console, and scan again",
        )
    if unknown := {finding.rule for finding in claim.findings} - rules().keys():
        raise UsageError(f"the evidence names rules that there are not: {sorted(unknown)[0]}")
    return claim


def _require_no_less(ledger: Ledger, claim: Evidence) -> None:
    said = _gravities(claim)
    for known in ledger.evidence_about(claim.digest):
        findings_only = False
        if known.claimed_by is None:
            whose = "the ledger's own scan"
        elif known.ruleset != claim.ruleset:
            continue
        elif known.claimed_by == claim.claimed_by:
            whose, findings_only = "an earlier scan of the same holder", True
        else:
            whose = f"the scan of {known.claimed_by}"
        wanted = _gravities(known, findings_only=findings_only)
        if any(said.get(name, -1) < gravity for name, gravity in wanted.items()):
            raise ConflictError(
                f"{whose} ({known.id}) found in these bytes what this evidence lacks, or found it "
                "graver",
                remedy="let the ledger's own side scan them (`tidegate scan --record` or `rescan` "
                "beside its database), or ask for a review",
            )


def _gravities(evidence: Evidence, *, findings_only: bool = False) -> dict[str, int]:
    """How grave each thing in it is, by its fingerprint; a part not read has no gravity."""
    found = {} if findings_only else dict.fromkeys(map(unread_fingerprint, evidence.unread), 0)
    for finding in evidence.findings:
        name = finding_fingerprint(finding)
        found[name] = max(found.get(name, 0), int(finding.severity))
    return found
