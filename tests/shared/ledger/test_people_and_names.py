"""Reviews, waivers, what is held, SBOMs, registrations, and what a person may call them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from samples.ledger_records import NOW, RULE, a_manifest, record

from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import Ledger
from tidegate.policy import Action, Outcome, Review, ReviewVerdict, Waiver

STORE = "postgresql://mlflow@db/mlflow"


def add_review(ledger: Ledger, digest: str, **changes: object) -> Review:
    values: dict[str, object] = {
        "digest": digest,
        "verdict": ReviewVerdict.APPROVE,
        "fingerprints": ["f1", "f2"],
        "actor": "grace",
        "reason": "read the code",
        "evidence_id": None,
        "now": NOW,
        **changes,
    }
    return ledger.add_review(**values)  # type: ignore[arg-type]


def add_waiver(ledger: Ledger, digest: str, **changes: object) -> Waiver:
    values: dict[str, object] = {
        "digest": digest,
        "rule": RULE,
        "fingerprints": ["f1"],
        "actor": "grace",
        "reason": "known tail",
        "expires_at": NOW + timedelta(days=3),
        "now": NOW,
        **changes,
    }
    return ledger.add_waiver(**values)  # type: ignore[arg-type]


def test_reviews_come_back_newest_first_and_only_for_their_digest(ledger: Ledger) -> None:
    decision = record(ledger)
    first = add_review(ledger, decision.digest, evidence_id=decision.evidence_id)
    second = add_review(ledger, decision.digest, verdict=ReviewVerdict.REJECT, fingerprints=())
    add_review(ledger, a_manifest("other.pkl").digest)
    assert ledger.reviews_for(decision.digest) == (second, first)


def test_the_newest_review_is_the_last_recorded_whatever_its_clock_says(ledger: Ledger) -> None:
    digest = record(ledger).digest
    add_review(ledger, digest, now=NOW + timedelta(days=9))
    last = add_review(ledger, digest, verdict=ReviewVerdict.REJECT)
    assert ledger.reviews_for(digest)[0] == last


def test_waivers_come_back_newest_first_and_expired_ones_too(ledger: Ledger) -> None:
    digest = record(ledger).digest
    old = add_waiver(
        ledger, digest, now=NOW - timedelta(days=9), expires_at=NOW - timedelta(days=8)
    )
    new = add_waiver(ledger, digest)
    assert ledger.waivers_for(digest) == (new, old)
    assert ledger.waivers_for(a_manifest("other.pkl").digest) == ()


def test_times_mean_the_same_moment_whatever_zone_they_came_in(ledger: Ledger) -> None:
    digest = record(ledger).digest
    eastern = timezone(timedelta(hours=-5))
    add_waiver(ledger, digest, expires_at=datetime(2026, 4, 1, 7, 0, tzinfo=eastern))
    (waiver,) = ledger.waivers_for(digest)
    assert waiver.expires_at == datetime(2026, 4, 1, 12, 0, tzinfo=UTC)
    assert waiver.created_at == NOW


@pytest.mark.parametrize("missing", ["actor", "reason"])
@pytest.mark.parametrize("blank", ["", "  \n"])
def test_nobody_reviews_or_waives_without_name_and_reason(
    ledger: Ledger, missing: str, blank: str
) -> None:
    digest = record(ledger).digest
    with pytest.raises(UsageError, match=missing):
        add_review(ledger, digest, **{missing: blank})
    with pytest.raises(UsageError, match=missing):
        add_waiver(ledger, digest, **{missing: blank})
    assert ledger.reviews_for(digest) == ()
    assert ledger.waivers_for(digest) == ()


def test_a_waiver_that_could_cover_nothing_is_refused(ledger: Ledger) -> None:
    digest = record(ledger).digest
    for wrong in (
        {"fingerprints": ()},
        {"fingerprints": "f1"},
        {"rule": ""},
        {"expires_at": NOW},
        {"expires_at": NOW.replace(tzinfo=None)},
        {"digest": "sha256:abc"},
        {"digest": digest.upper()},
    ):
        with pytest.raises(UsageError):
            add_waiver(ledger, **{"digest": digest, **wrong})  # type: ignore[arg-type]
    assert ledger.waivers_for(digest) == ()


def test_a_review_of_evidence_about_other_bytes_is_refused(ledger: Ledger) -> None:
    decision, other = record(ledger), record(ledger, "other.pkl")
    with pytest.raises(UsageError, match="other bytes"):
        add_review(ledger, decision.digest, evidence_id=other.evidence_id)
    with pytest.raises(RecordNotFoundError):
        add_review(ledger, decision.digest, evidence_id="ev-unheard-of")
    assert ledger.reviews_for(decision.digest) == ()


def test_what_is_held_is_what_the_newest_decision_does_not_allow(ledger: Ledger) -> None:
    held = record(ledger, "bad.pkl", subject="bad/1")
    record(ledger, "mended.pkl", subject="mended/1")
    record(ledger, "mended.pkl", subject="mended/1", severity=None)
    record(ledger, "good.pkl", subject="good/1", severity=None)
    later = record(ledger, "bad.pkl", subject="bad/2", action=Action.LOAD)
    assert [each.decision for each in ledger.held()] == [later, held]
    assert all(each.decision.outcome is not Outcome.ALLOW for each in ledger.held())
    assert [each.decision for each in ledger.held(limit=1)] == [later]


def test_allowing_the_same_bytes_under_another_name_frees_nothing(ledger: Ledger) -> None:
    held = record(ledger, "bad.pkl", subject="bad/1")
    record(ledger, "bad.pkl", subject="else/1", severity=None)
    assert [each.decision for each in ledger.held()] == [held]


def test_what_is_held_carries_its_newest_review(ledger: Ledger) -> None:
    reviewed = record(ledger, "bad.pkl", subject="bad/1")
    record(ledger, "worse.pkl", subject="worse/1")
    add_review(ledger, reviewed.digest)
    last = add_review(ledger, reviewed.digest, verdict=ReviewVerdict.REJECT)
    reviews = {each.decision.subject: each.review for each in ledger.held()}
    assert reviews == {"bad/1": last, "worse/1": None}


def test_a_reference_may_be_number_digest_beginning_or_name(ledger: Ledger) -> None:
    decision = record(ledger)
    hexadecimal = decision.digest.removeprefix("sha256:")
    for reference in (
        f"{decision.id}",
        f"#{decision.id}",
        f" #{decision.id} ",
        decision.digest,
        decision.digest.upper().replace("SHA256", "sha256"),
        hexadecimal,
        hexadecimal[:6],
        f"sha256:{hexadecimal[:9]}",
        "fraud/3",
    ):
        assert ledger.resolve(reference) == decision.digest


@pytest.mark.parametrize(
    "reference",
    ["2", "#2", "#0", "0", "9" * 19, "9" * 40, "abcde", "sha256:", "sha256:" + "0" * 64, "fraud",
     "fraud/%", "fraud/_", "%", "______", "' OR 1=1 --", "#", "٣"],
)  # fmt: skip
def test_what_stands_for_nothing_is_not_found(ledger: Ledger, reference: str) -> None:
    record(ledger)
    with pytest.raises(RecordNotFoundError):
        ledger.resolve(reference)


@pytest.mark.parametrize("reference", ["", "  "])
def test_an_empty_reference_is_refused(ledger: Ledger, reference: str) -> None:
    record(ledger, subject="")
    with pytest.raises(UsageError, match="empty"):
        ledger.resolve(reference)


def test_a_beginning_that_two_digests_share_is_ambiguous(ledger: Ledger) -> None:
    # These two names were searched for: their digests begin alike.
    seen: dict[str, str] = {}
    for number in range(20_000):
        name = f"n{number}"
        start = a_manifest(name).digest[7:13]
        if start in seen:
            break
        seen[start] = name
    else:
        pytest.fail("no two digests began alike")
    for each in (seen[start], name):
        record(ledger, each, subject=each)
    with pytest.raises(UsageError, match="ambiguous"):
        ledger.resolve(start)
    assert ledger.resolve(a_manifest(name).digest[7:30]) == a_manifest(name).digest


def test_a_name_under_which_two_artifacts_were_decided_is_ambiguous(ledger: Ledger) -> None:
    first = record(ledger, "one.pkl", subject="fraud/3")
    second = record(ledger, "two.pkl", subject="fraud/3")
    with pytest.raises(UsageError, match="ambiguous") as caught:
        ledger.resolve("fraud/3")
    assert first.digest in str(caught.value)
    assert second.digest in str(caught.value)


def test_a_model_named_like_a_decision_number_can_not_take_its_review(ledger: Ledger) -> None:
    target = record(ledger, "target.pkl", subject="fraud/3")
    record(ledger, "hostile.pkl", subject=f"{target.id}")
    with pytest.raises(UsageError, match="ambiguous"):
        ledger.resolve(f"{target.id}")
    assert ledger.resolve(f"#{target.id}") == target.digest


def test_a_model_named_like_a_digest_can_not_take_its_review(ledger: Ledger) -> None:
    target = record(ledger, "target.pkl", subject="fraud/3")
    record(ledger, "hostile.pkl", subject=target.digest)
    with pytest.raises(UsageError, match="ambiguous"):
        ledger.resolve(target.digest)


def test_a_name_as_long_as_a_path_may_be_is_kept(ledger: Ledger) -> None:
    subject = "/models" + "/" + "ü" * 2000
    decision = record(ledger, subject=subject)
    assert ledger.resolve(subject) == decision.digest


def test_the_newest_sbom_is_found_by_any_reference(ledger: Ledger) -> None:
    decision = record(ledger)
    old = ledger.add_sbom(digest=decision.digest, subject="fraud/3", body='{"n": 1}', now=NOW)
    new = ledger.add_sbom(digest=decision.digest, subject="fraud/3", body='{"n": 2}', now=NOW)
    assert new > old
    for reference in ("fraud/3", decision.digest, f"#{decision.id}"):
        assert ledger.sbom_for(reference) == '{"n": 2}'


def test_an_artifact_without_an_sbom_is_told_from_an_unknown_one(ledger: Ledger) -> None:
    record(ledger)
    with pytest.raises(RecordNotFoundError, match="SBOM"):
        ledger.sbom_for("fraud/3")
    with pytest.raises(RecordNotFoundError, match="no record"):
        ledger.sbom_for("churn/1")


def register(ledger: Ledger, **changes: object) -> object:
    values: dict[str, object] = {
        "store": STORE,
        "name": "fraud",
        "version": "3",
        "created_ms": 1_772_368_200_000,
        "source": "runs:/1/model",
        "digest": None,
        "decision_id": None,
        **changes,
    }
    return ledger.add_registration(**values)  # type: ignore[arg-type]


def test_a_version_made_anew_under_its_number_is_another_registration(ledger: Ledger) -> None:
    decision = record(ledger, subject="fraud")
    ours = register(ledger, digest=decision.digest, decision_id=decision.id)
    assert ledger.registration_of(STORE, "fraud", "3", 1_772_368_200_000) == ours
    assert ledger.registration_of(STORE, "fraud", "3", 1_772_368_200_001) is None
    assert ledger.registration_of("sqlite://", "fraud", "3", 1_772_368_200_000) is None
    anew = register(ledger, created_ms=1_772_368_300_000, digest=decision.digest)
    assert ledger.registrations_of(decision.digest) == (anew, ours)
    assert ledger.resolve("fraud/3") == decision.digest


def test_registering_the_same_version_twice_is_once(ledger: Ledger) -> None:
    decision = record(ledger)
    ours = register(ledger, digest=decision.digest, decision_id=decision.id)
    assert register(ledger, digest=decision.digest, decision_id=decision.id) == ours
    assert len(ledger.registrations_of(decision.digest)) == 1


def test_a_registration_can_not_be_given_other_bytes_afterwards(ledger: Ledger) -> None:
    decision, other = record(ledger), record(ledger, "other.pkl")
    register(ledger, digest=decision.digest, decision_id=decision.id)
    with pytest.raises(UsageError, match="registered already"):
        register(ledger, digest=other.digest, decision_id=other.id)
    with pytest.raises(UsageError, match="registered already"):
        register(ledger, digest=decision.digest, decision_id=decision.id, source="s3://else")


def test_a_registration_can_not_lean_on_a_decision_about_other_bytes(ledger: Ledger) -> None:
    decision, other = record(ledger), record(ledger, "other.pkl", severity=None)
    with pytest.raises(UsageError, match="other bytes"):
        register(ledger, digest=decision.digest, decision_id=other.id)
    with pytest.raises(RecordNotFoundError):
        register(ledger, digest=decision.digest, decision_id=99)
