"""The statements that go with what the ledger records.

A scan is a test result, a decision a verification summary, a step SLSA provenance, an SBOM its own
document, each in the predicate that others know; reviews, waivers, registrations and model
signatures have predicates of ours, whose schemas stand in docs/reference/predicates/. Always holds:
a statement repeats of a record what others may want to act on, and covers all of it by its rows'
hashes; nothing that the author of an artifact wrote gets into it but rule ids, an SBOM, what a step
says of itself and the names of what was registered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Table, select

from tidegate import __version__
from tidegate.artifact.manifest import Manifest
from tidegate.attestation.keys import SigningKey
from tidegate.attestation.statements import Subject, canonical_json, parse_json
from tidegate.attestation.step import Material, Step
from tidegate.errors import UsageError
from tidegate.ledger import log, schema
from tidegate.ledger.coverage import CoveredRow, cover, row_hash
from tidegate.ledger.log import Draft
from tidegate.ledger.records import canonical
from tidegate.policy.model import Decision, Outcome
from tidegate.scanners.evidence import Evidence, Verdict

VSA = "https://slsa.dev/verification_summary/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
CYCLONEDX = "https://cyclonedx.org/bom"
DECISION_FIELD = "https://tidegate.dev/attestation/decision/v1"
REVIEW = "https://tidegate.dev/attestation/review/v1"
WAIVER = "https://tidegate.dev/attestation/waiver/v1"
SLSA = "https://slsa.dev/provenance/v1"
STEP = "https://tidegate.dev/attestation/step/v1"
"""The build type of a step, and the field with what SLSA has no place for."""
MATERIAL = "https://tidegate.dev/attestation/material/v1"
"""The annotation of a step's inputs and outputs."""
MODEL_SIGNATURE = "https://tidegate.dev/attestation/model-signature/v1"
RECALL = "https://tidegate.dev/attestation/recall/v1"
RECALL_LIFT = "https://tidegate.dev/attestation/recall-lift/v1"
REGISTRATION = "https://tidegate.dev/attestation/registration/v1"
RECORD = "https://tidegate.dev/attestation/record/v1"

Written = list[tuple[Table, Mapping[str, Any]]]
"""Rows that were just put in, each with all its columns."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ADOPTED_AT_ONCE = 1000


def of_decision(decision: Decision, evidence: Evidence | None, written: Written) -> list[Draft]:
    """A test result for evidence that is new, and a verification summary for the decision."""
    drafts = []
    subject = _subject(decision.subject, decision.digest, written)
    of_scan = [each for each in written if each[0] in (schema.artifact, schema.evidence)]
    if evidence is not None and any(table is schema.evidence for table, _ in of_scan):
        drafts.append(_draft(subject, TEST_RESULT, _test_result(evidence), of_scan))
        written = [each for each in written if each not in of_scan]
    predicate = {
        "verifier": {"id": "https://tidegate.dev/gate", "version": {"tidegate": __version__}},
        "timeVerified": decision.decided_at.isoformat(),
        "resourceUri": f"tidegate:{quote(decision.subject)}",
        "policy": {
            "uri": f"tidegate:policy/{quote(decision.profile)}",
            "digest": {"sha256": decision.policy_digest.removeprefix("sha256:")},
        },
        "verificationResult": "PASSED" if decision.outcome is Outcome.ALLOW else "FAILED",
        # Levels of our own: a model that passed the gate has by that no SLSA level.
        "verifiedLevels": [f"TIDEGATE_{decision.action.value.upper()}"]
        if decision.outcome is Outcome.ALLOW
        else ["FAILED"],
        DECISION_FIELD: {
            "action": decision.action.value,
            "outcome": decision.outcome.value,
            "enforced": decision.enforced,
            "verdict": decision.verdict,
            "evidence": decision.evidence_id,
            "actor": decision.actor,
        },
    }
    return [*drafts, _draft(subject, VSA, predicate, written)]


def of_review(written: Written) -> Draft:
    """What a person decided about bytes."""
    ((_, row),) = written
    predicate = {
        "verdict": row["verdict"],
        "fingerprints": json.loads(row["fingerprints"]),
        "actor": row["actor"],
        "reason": row["reason"],
        "evidence": row["evidence_id"],
        "createdOn": row["created_at"],
    }
    return _draft(_subject("", row["digest"], written), REVIEW, predicate, written)


def of_waiver(written: Written) -> Draft:
    """An exception from a rule."""
    ((_, row),) = written
    predicate = {
        "rule": row["rule"],
        "fingerprints": json.loads(row["fingerprints"]),
        "actor": row["actor"],
        "reason": row["reason"],
        "createdOn": row["created_at"],
        "expiresOn": row["expires_at"],
    }
    return _draft(_subject("", row["digest"], written), WAIVER, predicate, written)


def of_sbom(written: Written) -> Draft:
    """The SBOM itself, where it is a JSON object; otherwise that there is one."""
    ((_, row),) = written
    subject = _subject(row["subject"], row["digest"], written)
    try:
        document = parse_json(row["body"].encode(), fractions_as_text=True)
        canonical_json(document)
    except (ValueError, UsageError):
        document = None
    if not isinstance(document, dict):
        return _draft(subject, RECORD, {"kind": "sbom"}, written)
    return _draft(subject, CYCLONEDX, document, written)


def of_registration(written: Written) -> Draft:
    """That a version of a model in a registry is these bytes."""
    ((_, row),) = written
    predicate = {
        "store": row["store"],
        "name": row["name"],
        "version": row["version"],
        "createdMs": row["created_ms"],
        "source": row["source"],
        "decision": row["decision_id"],
    }
    subject = _subject(f"{row['name']}/{row['version']}", row["digest"], written)
    return _draft(subject, REGISTRATION, predicate, written)


def of_step(step: Step, manifests: Mapping[str, Manifest], written: Written) -> Draft:
    """SLSA provenance: the outputs were made by this step from these inputs.

    Args:
        step: the step.
        manifests: those of its materials, by digest, as far as they are on record.
        written: the rows that were written with it, its own among them.
    """
    made = [each for each in step.outputs if each.role != "byproduct"]
    beside = [each for each in step.outputs if each.role == "byproduct"]
    metadata = {"invocationId": step.id, "startedOn": _seconds(step.started_at)}
    if step.finished_at is not None:
        metadata["finishedOn"] = _seconds(step.finished_at)
    predicate = {
        "buildDefinition": {
            "buildType": STEP,
            "externalParameters": {"name": step.name, "parameters": step.parameters},
            "internalParameters": {
                "code": step.code,
                "environment": step.environment,
                "host": step.host,
            },
            "resolvedDependencies": [_descriptor(each, manifests) for each in step.inputs],
        },
        "runDetails": {
            "builder": {"id": step.builder, "version": {"tidegate": __version__}},
            "metadata": metadata,
            "byproducts": [_descriptor(each, manifests) for each in beside],
        },
        STEP: {
            "outcome": step.outcome.value,
            "exitCode": step.exit_code,
            "actor": step.actor,
            "claims": list(step.claims),
            "metrics": step.metrics,
            "parent": step.parent,
            "notes": list(step.notes),
        },
    }
    subjects = [_described(each, manifests) for each in made]
    if not subjects:
        (row,) = (row for table, row in written if table is schema.step)
        subjects = [Subject(step.name, f"sha256:{row_hash(schema.step, row)}")]
    return replace(_draft(subjects[0], SLSA, predicate, written), subjects=tuple(subjects))


def _descriptor(material: Material, manifests: Mapping[str, Manifest]) -> dict[str, Any]:
    """A resource descriptor, as in-toto has it."""
    described = _described(material, manifests).to_dict()
    return described if material.uri is None else {**described, "uri": material.uri}


def _described(material: Material, manifests: Mapping[str, Manifest]) -> Subject:
    """A file by the hash that others compute of it too, anything else by its root digest."""
    manifest = manifests.get(material.digest)
    digest = material.digest
    if manifest is not None and manifest.kind == "file":
        digest = f"sha256:{manifest.files[0].sha256}"
    annotation = {
        "role": material.role,
        "root": material.digest,
        "kind": None if manifest is None else manifest.kind,
        "read": material.manifest is not None,
    }
    return Subject(material.name, digest, {MATERIAL: annotation})


def _seconds(moment: datetime) -> str:
    """RFC 3339 in UTC, as SLSA asks for."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def of_signature(written: Written) -> Draft:
    """That a signature over these bytes was recorded; by whom it counts is for a policy to say."""
    ((_, row),) = written
    predicate = {
        "bundle": {"digest": {"sha256": row["bundle_hash"]}},
        "actor": row["actor"],
        "createdOn": row["created_at"],
    }
    return _draft(_subject("", row["digest"], written), MODEL_SIGNATURE, predicate, written)


def of_recall(written: Written) -> Draft:
    """That an artifact, a file's content or a version of a package is not to be relied on."""
    ((_, row),) = written
    predicate = {
        "kind": row["kind"],
        "target": row["target"],
        "name": row["name"],
        "actor": row["actor"],
        "reason": row["reason"],
        "createdOn": row["created_at"],
    }
    return _draft(_subject(row["name"], row["target"], written), RECALL, predicate, written)


def of_recall_lift(target: str, written: Written) -> Draft:
    """That a recall no longer holds anything."""
    ((_, row),) = written
    predicate = {
        "recall": row["recall_id"],
        "target": target,
        "actor": row["actor"],
        "reason": row["reason"],
        "createdOn": row["created_at"],
    }
    return _draft(_subject("", target, written), RECALL_LIFT, predicate, written)


def adopt(connection: Connection, key: SigningKey) -> None:
    """Cover the rows that were recorded before there was a log, a thousand to a statement.

    What they say is taken as it stands: a change made before this moment can't be told any more.
    """
    log.lock(connection)
    pending: list[CoveredRow] = []
    for row in _rows_of_records(connection):
        pending.append(row)
        if len(pending) == _ADOPTED_AT_ONCE:
            log.append(connection, [_adoption(pending)], key)
            pending = []
    if pending:
        log.append(connection, [_adoption(pending)], key)


def _adoption(rows: Sequence[CoveredRow]) -> Draft:
    listed = canonical([[row.table, row.key, row.sha256] for row in rows])
    digest = f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"
    return Draft((Subject("adopted records", digest),), RECORD, {"kind": "adopted"}, tuple(rows))


def _rows_of_records(connection: Connection) -> Iterator[CoveredRow]:
    for table in schema.RECORDS:
        (key,) = table.primary_key.columns
        query = select(table).order_by(key).limit(_ADOPTED_AT_ONCE)
        page = list(connection.execute(query).mappings())
        while page:
            yield from cover(table, [dict(row) for row in page])
            page = list(connection.execute(query.where(key > page[-1][key.name])).mappings())


def _test_result(evidence: Evidence) -> dict[str, Any]:
    passed = evidence.verdict is Verdict.PASS
    failed = evidence.verdict is Verdict.FAIL
    rules = sorted({finding.rule for finding in evidence.findings})
    return {
        "result": "PASSED" if passed else "FAILED" if failed else "WARNED",
        "configuration": [
            {
                "name": "tidegate ruleset",
                "annotations": {"version": evidence.ruleset},
            }
        ],
        "failedTests" if failed else "warnedTests": rules,
        DECISION_FIELD: {
            "evidence": evidence.id,
            "verdict": evidence.verdict.value,
            "findings": len(evidence.findings),
            "unread": len(evidence.unread),
            **({} if evidence.claimed_by is None else {"claimedBy": evidence.claimed_by}),
        },
    }


def _subject(name: str, digest: str | None, written: Written) -> Subject:
    """The bytes that it is about; where there is no digest of them, the record itself."""
    if digest is not None and _DIGEST.fullmatch(digest):
        return Subject(name, digest)
    table, row = written[-1]
    return Subject(name, f"sha256:{row_hash(table, row)}")


def _draft(subject: Subject, kind: str, predicate: Mapping[str, Any], written: Written) -> Draft:
    rows: list[CoveredRow] = []
    for table, group in groupby(written, key=lambda each: each[0]):
        rows += cover(table, [row for _, row in group])
    return Draft((subject,), kind, predicate, tuple(rows))
