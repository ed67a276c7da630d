"""What is recorded comes back as it was, once, and only if its parts belong together."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from samples.databases import POSTGRESQL_DRIVERS, postgresql_database, why_no_postgresql
from samples.ledger_records import (
    NOW,
    POLICY,
    RULE,
    a_decision,
    a_manifest,
    a_signature,
    an_evidence,
    count,
    record,
)

from tidegate.attestation.signatures import ModelSignatureError
from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import Ledger
from tidegate.policy import Action, Outcome, decide, profile
from tidegate.scanners.evidence import finding_fingerprint
from tidegate.scanners.interface import Severity

HOSTILE_NAME = "weights\x00\ud800';--\u202e.pkl"


def test_a_decision_comes_back_with_all_that_it_stands_on(ledger: Ledger) -> None:
    manifest = a_manifest()
    evidence = an_evidence(manifest, unread="encrypted")
    recorded = record(ledger, unread="encrypted")
    assert recorded.id is not None
    assert ledger.decision(recorded.id) == recorded
    assert ledger.manifest(recorded.digest) == manifest
    assert ledger.evidence(evidence.id) == evidence
    assert ledger.policy(recorded.policy_digest) == POLICY


def test_a_policy_with_every_field_set_comes_back_as_it_was(ledger: Ledger) -> None:
    policy = replace(
        profile("strict"),
        trusted_modules=("churn_features", "fraud.steps"),
        severity_overrides=((RULE, Severity.INFO), ("ZIP-BOMB", Severity.CRITICAL)),
        contact="ml-security@example.com",
        review_url="https://mlflow.example.com/tidegate",
    )
    manifest = a_manifest()
    evidence = an_evidence(manifest)
    ledger.record(
        a_decision(manifest, evidence, policy=policy),
        policy=policy,
        manifest=manifest,
        evidence=evidence,
    )
    assert ledger.policy(policy.digest) == policy


def test_a_signature_over_a_model_comes_back_as_it_was_given_and_once(ledger: Ledger) -> None:
    digest = record(ledger).digest
    first, second = a_signature(a_manifest()), a_signature(a_manifest())
    for bundle in (first, second, first):
        ledger.add_signature(digest=digest, bundle=bundle, actor="grace", now=NOW)
    found = ledger.signatures_for(digest)
    assert [each.bundle for each in found] == [second, first]
    assert {(each.actor, each.digest, each.created_at) for each in found} == {
        ("grace", digest, NOW)
    }


def test_a_signature_over_other_files_or_over_none_on_record_is_not_recorded(
    ledger: Ledger, database_url: str
) -> None:
    digest, other = record(ledger).digest, a_manifest("other.pkl")
    with pytest.raises(ModelSignatureError, match="not over these files"):
        ledger.add_signature(digest=digest, bundle=a_signature(other), actor="grace", now=NOW)
    with pytest.raises(ModelSignatureError, match="no signature that can be read"):
        ledger.add_signature(digest=digest, bundle="nothing", actor="grace", now=NOW)
    with pytest.raises(RecordNotFoundError, match="knows no files"):
        ledger.add_signature(digest=other.digest, bundle=a_signature(other), actor="grace", now=NOW)
    assert count(database_url, "tidegate_signature") == 0


@pytest.mark.parametrize("driver", POSTGRESQL_DRIVERS)
@pytest.mark.postgres
def test_each_postgresql_driver_records_and_reads(driver: str) -> None:
    if reason := why_no_postgresql():
        pytest.skip(reason)
    with postgresql_database(driver) as url, Ledger.open(url) as ledger:
        recorded = record(ledger)
        assert f"+{driver}" in ledger.url
        assert ledger.decision(recorded.id or 0) == recorded
        assert record(ledger).id != recorded.id
        assert count(url, "tidegate_evidence") == 1


def test_a_hostile_file_name_is_kept_as_it_is(ledger: Ledger) -> None:
    recorded = record(ledger, HOSTILE_NAME)
    assert ledger.manifest(recorded.digest).files[0].path == HOSTILE_NAME
    assert ledger.evidence(str(recorded.evidence_id)).findings[0].path == HOSTILE_NAME
    assert ledger.decision(recorded.id or 0).reasons[0].path == HOSTILE_NAME


@pytest.mark.parametrize("subject", ["fraud\x00/3", "fraud\ud800/3"])
def test_a_subject_that_no_database_can_keep_is_refused(ledger: Ledger, subject: str) -> None:
    with pytest.raises(UsageError, match="can't be recorded"):
        record(ledger, subject=subject)
    with pytest.raises(UsageError, match="can't be recorded"):
        ledger.resolve(subject)
    assert ledger.held() == ()


def test_the_same_artifact_evidence_and_policy_are_kept_once(
    ledger: Ledger, database_url: str
) -> None:
    first, second = record(ledger), record(ledger)
    assert (second.id or 0) > (first.id or 0)
    assert count(database_url, "tidegate_decision") == 2
    for table in ("artifact", "evidence", "policy"):
        assert count(database_url, f"tidegate_{table}") == 1


def test_a_decision_without_evidence_or_manifest_is_recorded_too(ledger: Ledger) -> None:
    manifest = a_manifest()
    recorded = ledger.record(
        a_decision(manifest, None), policy=POLICY, manifest=None, evidence=None
    )
    assert ledger.decision(recorded.id or 0).outcome is Outcome.QUARANTINE
    with pytest.raises(RecordNotFoundError):
        ledger.manifest(manifest.digest)


def test_evidence_on_record_need_not_be_given_again(ledger: Ledger) -> None:
    record(ledger)
    manifest = a_manifest()
    again = a_decision(manifest, an_evidence(manifest), action=Action.LOAD)
    assert ledger.record(again, policy=POLICY, manifest=None, evidence=None).id is not None


def test_a_decision_on_evidence_that_nobody_recorded_is_refused(
    ledger: Ledger, database_url: str
) -> None:
    manifest = a_manifest()
    decision = a_decision(manifest, an_evidence(manifest))
    with pytest.raises(RecordNotFoundError):
        ledger.record(decision, policy=POLICY, manifest=manifest, evidence=None)
    # Nothing of the refused decision stays behind.
    assert count(database_url, "tidegate_artifact") == 0


def test_a_decision_on_evidence_about_other_bytes_is_refused(ledger: Ledger) -> None:
    other = record(ledger, "other.pkl", severity=None)
    manifest = a_manifest()
    forged = replace(
        a_decision(manifest, None), evidence_id=other.evidence_id, outcome=Outcome.ALLOW
    )
    with pytest.raises(UsageError, match="other bytes"):
        ledger.record(forged, policy=POLICY, manifest=manifest, evidence=None)


def test_parts_that_do_not_belong_together_are_refused(ledger: Ledger) -> None:
    manifest, other = a_manifest(), a_manifest("other.pkl")
    evidence = an_evidence(manifest)
    decision = a_decision(manifest, evidence)
    clean = an_evidence(manifest, severity=None)
    for wrong in (
        {"manifest": other},
        {"evidence": an_evidence(other)},
        {"evidence": clean},
        {"policy": profile("strict")},
        {"decision": replace(decision, id=7)},
        {"decision": replace(decision, verdict="pass")},
    ):
        given = {
            "decision": decision,
            "policy": POLICY,
            "manifest": manifest,
            "evidence": evidence,
            **wrong,
        }
        with pytest.raises(UsageError):
            ledger.record(given.pop("decision"), **given)  # type: ignore[arg-type]
    assert ledger.held() == ()


def test_evidence_is_not_recorded_before_its_manifest(ledger: Ledger) -> None:
    manifest = a_manifest()
    evidence = an_evidence(manifest)
    with pytest.raises(UsageError, match="manifest"):
        ledger.record(
            a_decision(manifest, evidence), policy=POLICY, manifest=None, evidence=evidence
        )


def test_a_time_without_a_zone_is_refused(ledger: Ledger) -> None:
    manifest = a_manifest()
    naive = a_decision(manifest, None, now=datetime(2026, 3, 1))  # noqa: DTZ001 - what it is about
    with pytest.raises(UsageError, match="time zone"):
        ledger.record(naive, policy=POLICY, manifest=manifest, evidence=None)


def test_evidence_is_found_by_digest_and_ruleset_only(ledger: Ledger) -> None:
    recorded = record(ledger, ruleset="rules-1")
    digest = recorded.digest
    found = ledger.evidence_for(digest, "rules-1")
    assert found is not None
    assert found.id == recorded.evidence_id
    assert ledger.evidence_for(digest, "rules-2") is None
    assert ledger.evidence_for(a_manifest("other.pkl").digest, "rules-1") is None
    record(ledger, ruleset="rules-2", severity=None)
    latest = ledger.latest_evidence(digest)
    assert latest is not None
    assert latest.ruleset == "rules-2"
    again = ledger.evidence_for(digest, "rules-1")
    assert again is not None
    assert again.id == found.id


def test_the_evidence_last_decided_on_counts_even_if_it_was_first_recorded_long_ago(
    ledger: Ledger,
) -> None:
    bad = record(ledger, severity=Severity.HIGH)
    record(ledger, severity=None, now=NOW + timedelta(hours=1))
    record(ledger, severity=Severity.HIGH, now=NOW + timedelta(hours=2))
    for found in (
        ledger.latest_evidence(bad.digest),
        ledger.evidence_for(bad.digest, "rules-1"),
    ):
        assert found is not None
        assert found.id == bad.evidence_id


def test_the_newest_decision_is_told_apart_by_action_and_subject(ledger: Ledger) -> None:
    first = record(ledger, action=Action.REGISTER)
    load = record(ledger, action=Action.LOAD)
    other = record(ledger, subject="churn/1", action=Action.LOAD)
    digest = first.digest
    assert ledger.latest_decision(digest) == other
    assert ledger.latest_decision(digest, subject="fraud/3") == load
    assert ledger.latest_decision(digest, action=Action.REGISTER) == first
    assert ledger.latest_decision(digest, action=Action.DEPLOY) is None
    assert ledger.latest_decision(digest, subject="fraud") is None


def test_what_is_not_on_record_is_not_found(ledger: Ledger) -> None:
    for ask in (
        lambda: ledger.decision(1),
        lambda: ledger.evidence("ev-none"),
        lambda: ledger.manifest("sha256:none"),
        lambda: ledger.policy("sha256:none"),
    ):
        with pytest.raises(RecordNotFoundError):
            ask()
    with pytest.raises(UsageError, match="out of range"):
        ledger.decision(2**63)


def test_a_decision_read_back_is_decided_again_in_the_same_way(ledger: Ledger) -> None:
    held = record(ledger, unread="encrypted")
    evidence = ledger.latest_evidence(held.digest)
    assert evidence is not None
    ledger.add_waiver(
        digest=held.digest,
        rule=RULE,
        fingerprints=[finding_fingerprint(evidence.findings[0])],
        actor="grace",
        reason="known tail of the old writer",
        expires_at=NOW + timedelta(days=10),
        now=NOW,
    )
    now = NOW + timedelta(days=1)
    waived = ledger.record(
        a_decision(
            ledger.manifest(held.digest), evidence, now=now, waivers=ledger.waivers_for(held.digest)
        ),
        policy=POLICY,
        manifest=None,
        evidence=None,
    )
    assert waived.waiver_ids
    for recorded in (held, waived):
        read = ledger.decision(recorded.id or 0)
        replayed = decide(
            ledger.policy(read.policy_digest),
            read.action,
            ledger.evidence(str(read.evidence_id)),
            digest=read.digest,
            subject=read.subject,
            now=read.decided_at,
            waivers=[
                each for each in ledger.waivers_for(read.digest) if each.id in read.waiver_ids
            ],
            actor=read.actor,
        )
        assert replace(replayed, id=read.id) == read
