"""The decision: what holds, what lets go, and what never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.policy import (
    Action,
    Decision,
    Mode,
    Outcome,
    Policy,
    Review,
    ReviewVerdict,
    Waiver,
    decide,
    profile,
)
from tidegate.scanners.evidence import Evidence, finding_fingerprint, unread_fingerprint
from tidegate.scanners.interface import Finding, Severity, Unread
from tidegate.scanners.rules import rules

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

EXEC = Finding("PICKLE-EXEC", Severity.CRITICAL, "model.pkl", "calls os.system", detail="os.system")
OWN_CODE = Finding(
    "PICKLE-UNREVIEWED-CODE",
    Severity.HIGH,
    "model.pkl",
    "needs churn.Encoder",
    detail="churn.Encoder",
)
MILD = Finding("PICKLE-TRAILING", Severity.MEDIUM, "model.pkl", "3 bytes follow")
UNREAD = Unread("weights.bin", "unknown format")


def evidence(*findings: Finding, unread: tuple[Unread, ...] = ()) -> Evidence:
    return Evidence(DIGEST, "rules-1", tuple(findings), unread)


def judged(policy: Policy, given_: Evidence | None, **kwargs: object) -> Decision:
    values: dict[str, object] = {"digest": DIGEST, "subject": "fraud/1", "now": NOW} | kwargs
    return decide(policy, Action.REGISTER, given_, **values)  # type: ignore[arg-type]


def waiver(finding: Finding = OWN_CODE, **changes: object) -> Waiver:
    base = Waiver(
        7,
        DIGEST,
        finding.rule,
        (finding_fingerprint(finding),),
        "ada",
        "looked at it",
        NOW - timedelta(days=1),
        NOW + timedelta(days=29),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def review(verdict: ReviewVerdict, *findings: Finding, **changes: object) -> Review:
    prints = tuple(finding_fingerprint(f) for f in findings)
    base = Review(3, DIGEST, verdict, prints, "ada", "because", NOW - timedelta(days=1))
    return replace(base, **changes)  # type: ignore[arg-type]


STANDARD, STRICT, AUDIT = profile("standard"), profile("strict"), profile("audit")


def test_clean_evidence_passes() -> None:
    decision = judged(STANDARD, evidence())
    assert decision.outcome is Outcome.ALLOW
    assert decision.allowed


@pytest.mark.parametrize("policy", [STANDARD, STRICT])
def test_no_evidence_is_held(policy: Policy) -> None:
    decision = judged(policy, None)
    assert not decision.allowed
    assert decision.verdict == "unscanned"
    assert [reason.rule for reason in decision.reasons] == ["UNSCANNED"]


def test_evidence_about_other_bytes_is_no_evidence() -> None:
    decision = judged(STANDARD, replace(evidence(), digest=OTHER))
    assert decision.reasons[0].rule == "UNSCANNED"


def test_an_unread_part_is_held_although_nothing_was_found() -> None:
    decision = judged(STANDARD, evidence(unread=(UNREAD,)))
    assert decision.outcome is Outcome.QUARANTINE
    assert "unknown format" in decision.reasons[0].message


@pytest.mark.parametrize(
    ("policy", "finding", "outcome"),
    [
        (STANDARD, EXEC, Outcome.QUARANTINE),
        (STANDARD, OWN_CODE, Outcome.QUARANTINE),
        (STANDARD, MILD, Outcome.ALLOW),
        (STRICT, EXEC, Outcome.DENY),
        (STRICT, OWN_CODE, Outcome.QUARANTINE),
        (STRICT, MILD, Outcome.QUARANTINE),
    ],
)
def test_what_each_severity_means(policy: Policy, finding: Finding, outcome: Outcome) -> None:
    assert judged(policy, evidence(finding)).outcome is outcome


def test_audit_comes_to_the_same_and_holds_nothing() -> None:
    decision = judged(AUDIT, evidence(EXEC))
    assert decision.outcome is Outcome.QUARANTINE
    assert decision.allowed
    assert "audit mode" in decision.explain()


def test_the_gravest_reason_comes_first() -> None:
    decision = judged(STANDARD, evidence(OWN_CODE, EXEC))
    assert [reason.rule for reason in decision.reasons] == [EXEC.rule, OWN_CODE.rule]


def test_a_policy_may_weigh_a_rule_otherwise() -> None:
    heavier = replace(STANDARD, severity_overrides=((MILD.rule, Severity.HIGH),))
    assert judged(heavier, evidence(MILD)).outcome is Outcome.QUARANTINE
    lighter = replace(STANDARD, severity_overrides=((OWN_CODE.rule, Severity.LOW),))
    assert judged(lighter, evidence(OWN_CODE)).allowed


class TestTrustedModules:
    policy = replace(STANDARD, trusted_modules=("churn",))

    def test_code_of_a_trusted_module_is_only_noted(self) -> None:
        decision = judged(self.policy, evidence(OWN_CODE))
        assert decision.allowed
        assert decision.notes[0].covered_by is not None

    @pytest.mark.parametrize("name", ["churns.Encoder", "xchurn.Encoder", "os.churn.Encoder"])
    def test_a_module_that_only_looks_alike_is_held(self, name: str) -> None:
        assert not judged(self.policy, evidence(replace(OWN_CODE, detail=name))).allowed

    def test_trust_reaches_no_rule_about_known_dangers(self) -> None:
        trusting = replace(STANDARD, trusted_modules=("os",))
        assert not judged(trusting, evidence(EXEC)).allowed


class TestWaivers:
    def test_a_waiver_lets_its_finding_go_and_is_named(self) -> None:
        decision = judged(STANDARD, evidence(OWN_CODE), waivers=(waiver(),))
        assert decision.allowed
        assert decision.waiver_ids == (7,)
        assert "ada" in (decision.notes[0].covered_by or "")

    @pytest.mark.parametrize(
        "changes",
        [
            {"digest": OTHER},
            {"rule": "PICKLE-EXEC"},
            {"expires_at": NOW},
            {"created_at": NOW + timedelta(seconds=1)},
            {"expires_at": NOW + timedelta(days=365)},
            {"fingerprints": ()},
        ],
        ids=["other bytes", "other rule", "expired", "not yet", "longer than allowed", "unseen"],
    )
    def test_a_waiver_that_does_not_fit_covers_nothing(self, changes: dict[str, object]) -> None:
        decision = judged(STANDARD, evidence(OWN_CODE), waivers=(waiver(**changes),))
        assert not decision.allowed
        assert decision.waiver_ids == ()

    def test_a_new_finding_of_a_waived_rule_is_held(self) -> None:
        new = replace(OWN_CODE, detail="churn.Other")
        decision = judged(STANDARD, evidence(OWN_CODE, new), waivers=(waiver(),))
        assert not decision.allowed
        assert len(decision.reasons) == 1

    def test_no_waiver_reaches_above_the_ceiling(self) -> None:
        decision = judged(STRICT, evidence(EXEC), waivers=(waiver(EXEC),))
        assert decision.outcome is Outcome.DENY

    def test_an_unread_part_can_be_waived_by_its_own_name(self) -> None:
        covering = waiver(rule="UNREAD", fingerprints=(unread_fingerprint(UNREAD),))
        assert judged(STANDARD, evidence(unread=(UNREAD,)), waivers=(covering,)).allowed

    def test_nobody_can_waive_the_lack_of_a_scan(self) -> None:
        covering = waiver(rule="UNSCANNED", fingerprints=("",))
        assert not judged(STANDARD, None, waivers=(covering,)).allowed


class TestReviews:
    def test_an_approval_lets_go_what_was_seen(self) -> None:
        approved = review(ReviewVerdict.APPROVE, EXEC, OWN_CODE)
        decision = judged(STANDARD, evidence(EXEC, OWN_CODE), reviews=(approved,))
        assert decision.allowed
        assert decision.review_id == 3

    def test_an_approval_covers_nothing_that_came_later(self) -> None:
        approved = review(ReviewVerdict.APPROVE, OWN_CODE)
        assert not judged(STANDARD, evidence(OWN_CODE, EXEC), reviews=(approved,)).allowed

    def test_an_approval_of_other_bytes_counts_for_nothing(self) -> None:
        approved = review(ReviewVerdict.APPROVE, OWN_CODE, digest=OTHER)
        assert not judged(STANDARD, evidence(OWN_CODE), reviews=(approved,)).allowed

    def test_an_approval_grows_old(self) -> None:
        approved = review(
            ReviewVerdict.APPROVE, OWN_CODE, created_at=NOW - timedelta(days=STANDARD.waiver_days)
        )
        assert not judged(STANDARD, evidence(OWN_CODE), reviews=(approved,)).allowed

    def test_a_rejection_denies_clean_bytes_too(self) -> None:
        decision = judged(STANDARD, evidence(), reviews=(review(ReviewVerdict.REJECT),))
        assert decision.outcome is Outcome.DENY
        assert "because" in decision.reasons[0].message

    def test_a_rejection_outweighs_a_waiver(self) -> None:
        decision = judged(
            STANDARD,
            evidence(OWN_CODE),
            waivers=(waiver(),),
            reviews=(review(ReviewVerdict.REJECT),),
        )
        assert decision.outcome is Outcome.DENY

    def test_the_newest_review_counts(self) -> None:
        rejected = review(ReviewVerdict.REJECT, id=4)
        approved = review(ReviewVerdict.APPROVE, OWN_CODE, id=5)
        assert judged(STANDARD, evidence(OWN_CODE), reviews=(rejected, approved)).allowed
        later = replace(rejected, id=6)
        assert not judged(STANDARD, evidence(OWN_CODE), reviews=(later, approved)).allowed


def test_exchanged_bytes_are_denied_however_clean() -> None:
    decision = judged(STANDARD, evidence(), expected=OTHER)
    assert decision.outcome is Outcome.DENY
    assert decision.reasons[0].rule == "CHANGED"


_findings = st.lists(
    st.builds(
        Finding,
        rule=st.sampled_from(sorted(rules())),
        severity=st.sampled_from(Severity),
        path=st.text(max_size=8),
        message=st.text(max_size=20),
        detail=st.none() | st.text(max_size=8),
    ),
    max_size=6,
)


@given(_findings, st.sampled_from([STANDARD, STRICT]))
def test_a_finding_at_the_threshold_never_passes_by_itself(
    findings: list[Finding], policy: Policy
) -> None:
    decision = judged(policy, evidence(*findings))
    grave = any(finding.severity >= policy.hold_at for finding in findings)
    assert decision.allowed is not grave


@given(_findings, st.sampled_from([STANDARD, STRICT, AUDIT]))
def test_the_same_input_gives_the_same_decision_and_json_keeps_it(
    findings: list[Finding], policy: Policy
) -> None:
    decision = judged(policy, evidence(*findings))
    assert decision == judged(policy, evidence(*findings))
    assert Decision.from_dict(decision.to_dict()) == decision
    assert policy.mode in Mode


@given(_findings, st.integers(min_value=200, max_value=600))
def test_a_summary_fits_its_limit_and_a_text_forges_no_line(
    findings: list[Finding], limit: int
) -> None:
    decision = judged(STANDARD, evidence(*findings))
    summary = decision.summary(limit)
    assert len(summary) <= limit
    assert "\n" not in summary
    assert all(char.isprintable() or char == "\n" for char in decision.explain())


def test_a_summary_has_the_remedy_where_there_is_room() -> None:
    summary = replace(judged(STANDARD, evidence(OWN_CODE)), id=3).summary(500)
    assert "To mend it" in summary
    assert "Ask your registry admin for a review: tidegate review show 3" in summary


def test_what_is_on_no_record_points_to_no_record() -> None:
    decision = judged(STANDARD, evidence(OWN_CODE))
    assert "review show" not in decision.explain()
    assert "Ask your registry admin for a review, by its digest where" in decision.explain()
    assert "no scan of it is on record" in judged(STANDARD, None).explain()


def test_a_summary_names_rule_file_and_where_to_ask() -> None:
    policy = replace(
        STANDARD, contact="ml-security@example.com", review_url="https://mlflow.example/tidegate"
    )
    long = replace(EXEC, message="calls os.system " * 60)
    summary = replace(judged(policy, evidence(long, OWN_CODE)), id=12).summary(500)
    for part in ("PICKLE-EXEC", "model.pkl", "review show 12", "ml-security@", "+1 more"):
        assert part in summary
