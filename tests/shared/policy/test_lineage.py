"""Where an artifact came from can hold it, and each such ground is let go by itself alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tidegate.policy import (
    Action,
    Decision,
    Outcome,
    Policy,
    Review,
    ReviewVerdict,
    Waiver,
    decide,
    profile,
)
from tidegate.policy.decide import held_base
from tidegate.policy.lineage import Gap, HeldBase, Hop, Lineage, RecallReach, told
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Finding, Severity

DIGEST = "sha256:" + "a" * 64
BASE = "sha256:" + "b" * 64
DATA = "sha256:" + "c" * 64
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STANDARD, STRICT, AUDIT = profile("standard"), profile("strict"), profile("audit")

CLEAN = Evidence(DIGEST, "rules-1")
EXEC = Finding("PICKLE-EXEC", Severity.CRITICAL, "model.pkl", "calls os.system", detail="os.system")
HOP = Hop("train", "2026-11-20T08:00:00+00:00", "data", "train.csv")
REACH = RecallReach(4, DATA, "train.csv", "ada", "labels are wrong", NOW, (HOP,))
GAP = Gap("CHAIN-INPUTS", "", "step train names no inputs", "name them", "step:1")


def judged(lineage: Lineage, policy: Policy = STANDARD, **given: object) -> Decision:
    values: dict[str, object] = {
        "digest": DIGEST,
        "subject": "fraud/1",
        "now": NOW + timedelta(hours=1),
        "lineage": lineage,
    } | given
    return decide(policy, Action.LOAD, CLEAN, **values)  # type: ignore[arg-type]


def approval(*fingerprints: str, digest: str = DIGEST, number: int = 3) -> Review:
    return Review(number, digest, ReviewVerdict.APPROVE, fingerprints, "grace", "looked at it", NOW)


def held(policy: Policy = STANDARD, **given: object) -> HeldBase:
    values: dict[str, object] = {"digest": BASE, "name": "base", "now": NOW} | given
    found = held_base(policy, values.pop("evidence", None), **values)  # type: ignore[arg-type]
    assert found is not None
    return found


HELD_BASE = held(evidence=Evidence(BASE, "rules-1", (EXEC,)))


def test_a_recall_holds_what_it_reaches_and_tells_the_way() -> None:
    decision = judged(Lineage(recalls=(REACH,)))
    assert decision.outcome is Outcome.QUARANTINE
    (reason,) = decision.reasons
    assert reason.rule == "RECALLED"
    for word in (
        "train.csv",
        DATA,
        "ada",
        "labels are wrong",
        "through step train of 2026-11-20 from data train.csv",
    ):
        assert word in reason.message
    assert "recall 4" in str(reason.remedy)
    assert "RECALLED" in decision.explain()


def test_the_recalled_bytes_themselves_are_not_said_to_come_from_themselves() -> None:
    (reason,) = judged(Lineage(recalls=(replace(REACH, way=()),))).reasons
    assert "comes from" not in reason.message
    assert "was recalled by ada" in reason.message


def test_a_long_way_is_told_by_its_ends() -> None:
    way = tuple(replace(HOP, step=f"s{number}") for number in range(9))
    text = told(way)
    assert "s0" in text
    assert "s8" in text
    assert "s4" not in text
    assert "… more …" in text


def test_what_was_never_scanned_and_is_recalled_is_both() -> None:
    decision = decide(
        STANDARD,
        Action.LOAD,
        None,
        digest=DIGEST,
        subject="",
        now=NOW,
        lineage=Lineage(recalls=(REACH,)),
    )
    assert {reason.rule for reason in decision.reasons} == {"UNSCANNED", "RECALLED"}


def test_an_approval_after_a_recall_lets_exactly_that_recall_go() -> None:
    review = approval(REACH.fingerprint)
    assert judged(Lineage(recalls=(REACH,)), reviews=[review]).allowed
    later = replace(REACH, id=5, recalled_at=NOW + timedelta(minutes=1))
    again = judged(Lineage(recalls=(REACH, later)), reviews=[review])
    assert again.outcome is Outcome.QUARANTINE
    assert "recall 5" in str(again.reasons[0].remedy)
    assert again.notes[0].covered_by == "review 3 by grace"


def test_an_approval_from_before_a_recall_does_not_cover_it() -> None:
    assert not judged(Lineage(recalls=(REACH,)), reviews=[approval()]).allowed


def test_an_approval_covers_a_recall_by_whatever_way_it_comes() -> None:
    other = replace(REACH, way=(replace(HOP, step="another"),))
    assert judged(Lineage(recalls=(other,)), reviews=[approval(REACH.fingerprint)]).allowed


def test_an_approval_of_a_recall_ends_as_every_approval_does() -> None:
    late = NOW + timedelta(days=STANDARD.waiver_days)
    review = approval(REACH.fingerprint)
    assert not judged(Lineage(recalls=(REACH,)), reviews=[review], now=late).allowed


def test_a_waiver_of_a_recall_covers_it_until_its_end() -> None:
    waiver = Waiver(
        9, DIGEST, "RECALLED", (REACH.fingerprint,), "ada", "needed", NOW, NOW + timedelta(days=2)
    )
    lineage = Lineage(recalls=(REACH,))
    assert judged(lineage, waivers=[waiver]).waiver_ids == (9,)
    assert not judged(lineage, waivers=[waiver], now=NOW + timedelta(days=2)).allowed
    assert not judged(lineage, waivers=[replace(waiver, rule="BASE-HELD")]).allowed


@pytest.mark.parametrize("policy", [STANDARD, STRICT])
def test_both_profiles_let_a_recall_go_by_review(policy: Policy) -> None:
    lineage = Lineage(recalls=(REACH,))
    assert judged(lineage, policy).outcome is Outcome.QUARANTINE
    assert judged(lineage, policy, reviews=[approval(REACH.fingerprint)]).allowed


def test_audit_mode_records_a_recall_and_holds_nothing() -> None:
    decision = judged(Lineage(recalls=(REACH,)), AUDIT)
    assert decision.outcome is Outcome.QUARANTINE
    assert decision.allowed


def test_a_held_base_holds_its_child_as_gravely_as_itself() -> None:
    decision = judged(Lineage(bases=(HELD_BASE,)))
    assert decision.outcome is Outcome.QUARANTINE
    (reason,) = decision.reasons
    assert (reason.rule, reason.severity) == ("BASE-HELD", "critical")
    assert "PICKLE-EXEC" in reason.message
    strict = held(STRICT, evidence=Evidence(BASE, "rules-1", (EXEC,)))
    assert judged(Lineage(bases=(strict,)), STRICT).outcome is Outcome.DENY


def test_approving_the_child_lets_it_go_until_something_new_holds_the_base() -> None:
    lineage = Lineage(bases=(HELD_BASE,))
    review = approval(*lineage.fingerprints)
    assert judged(lineage, reviews=[review]).allowed
    more = held(evidence=Evidence(BASE, "rules-2", (EXEC, replace(EXEC, path="other.pkl"))))
    assert not judged(Lineage(bases=(more,)), reviews=[review]).allowed


def test_approving_a_base_lets_go_what_holds_its_children() -> None:
    evidence = Evidence(BASE, "rules-1", (EXEC,))
    (seen,) = HELD_BASE.fingerprints
    review = approval(seen, digest=BASE)
    assert held_base(STANDARD, evidence, digest=BASE, name="", now=NOW, reviews=[review]) is None


def test_the_fingerprint_of_a_bases_finding_does_not_cover_the_child_nor_the_other_way() -> None:
    (of_base,) = HELD_BASE.fingerprints
    assert not judged(Lineage(bases=(HELD_BASE,)), reviews=[approval(of_base)]).allowed
    own = decide(
        STANDARD,
        Action.LOAD,
        Evidence(DIGEST, "rules-1", (EXEC,)),
        digest=DIGEST,
        subject="",
        now=NOW,
        reviews=[approval(*Lineage(bases=(HELD_BASE,)).fingerprints)],
    )
    assert not own.allowed


def test_a_rejected_base_holds_its_child_for_review() -> None:
    rejected = replace(approval(digest=BASE), verdict=ReviewVerdict.REJECT)
    base = held(STRICT, evidence=Evidence(BASE, "rules-1"), reviews=[rejected])
    assert base.why == ("REJECTED",)
    lineage = Lineage(bases=(base,))
    assert judged(lineage, STRICT).outcome is Outcome.QUARANTINE
    assert judged(lineage, STRICT, reviews=[approval(*lineage.fingerprints)]).allowed
    again = held(
        STRICT, evidence=Evidence(BASE, "rules-1"), reviews=[rejected, replace(rejected, id=8)]
    )
    assert not judged(
        Lineage(bases=(again,)), STRICT, reviews=[approval(*lineage.fingerprints)]
    ).allowed


def test_a_base_that_nobody_scanned_holds_nothing_unless_it_was_rejected() -> None:
    assert held_base(STANDARD, None, digest=BASE, name="", now=NOW) is None
    rejected = replace(approval(digest=BASE), verdict=ReviewVerdict.REJECT)
    assert held(reviews=[rejected]).why == ("REJECTED",)


def test_a_base_passes_on_the_holds_of_its_own_base() -> None:
    middle = held(evidence=Evidence(BASE, "rules-1"), bases=(replace(HELD_BASE, digest=DATA),))
    assert middle.why == ("BASE-HELD",)
    assert middle.severity is Severity.CRITICAL


def test_a_gap_holds_and_is_let_go_by_itself() -> None:
    decision = judged(Lineage(gaps=(GAP, replace(GAP, about="step:2"))))
    assert [reason.rule for reason in decision.reasons] == ["CHAIN-INPUTS"] * 2
    one = judged(
        Lineage(gaps=(GAP, replace(GAP, about="step:2"))), reviews=[approval(GAP.fingerprint)]
    )
    assert len(one.reasons) == 1


def test_a_decision_keeps_its_lineage_and_is_read_back_with_it() -> None:
    lineage = Lineage((REACH,), (HELD_BASE,), (GAP,))
    decision = judged(lineage)
    read = Decision.from_dict(json.loads(json.dumps(decision.to_dict())))
    assert read == decision
    assert (
        decide(
            STANDARD,
            read.action,
            CLEAN,
            digest=read.digest,
            subject=read.subject,
            now=read.decided_at,
            lineage=read.lineage,
        )
        == decision
    )


def test_a_decision_from_before_there_was_a_lineage_still_reads() -> None:
    data = judged(Lineage()).to_dict()
    assert data.pop("lineage") is None
    assert not Decision.from_dict(data).lineage
