"""What a worker sends is a claim: it may add grounds to hold, and take away none of others'."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from samples.consoles import Console
from samples.ledger_records import POLICY, a_decision, a_manifest, an_evidence

from tidegate import Action, Gate
from tidegate.attestation.step import Step, StepOutcome, material, new_step_id
from tidegate.errors import UsageError
from tidegate.ledger import Ledger
from tidegate.ledger.bundle import export
from tidegate.policy import Outcome
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Severity
from tidegate.scanners.registry import ruleset_version

RULESET = ruleset_version()


def clean(name: str) -> Evidence:
    return an_evidence(a_manifest(name), severity=None, ruleset=RULESET)


def bad(name: str, ruleset: str = RULESET) -> Evidence:
    return an_evidence(a_manifest(name), ruleset=ruleset)


def claim(console: Console, evidence: Evidence, name: str, holder: str = "worker"):
    with console.ledger(console.token(holder)) as ledger:
        return ledger.settle(a_manifest(name), evidence, action=Action.LOAD, subject=name)


def see(console: Console, evidence: Evidence, name: str) -> None:
    """The ledger's own side looks at the bytes."""
    with Ledger.open(console.database) as own:
        own.record(
            a_decision(a_manifest(name), evidence, subject=name, action=Action.LOAD),
            policy=POLICY,
            manifest=a_manifest(name),
            evidence=evidence,
        )


def test_a_claim_is_marked_with_its_holder_in_record_and_statement(console: Console) -> None:
    decision = claim(console, clean("marked"), "marked", "worker-7")
    assert decision.outcome is Outcome.ALLOW
    with Ledger.open(console.database) as own:
        evidence = own.evidence(decision.evidence_id or "")
        assert evidence.claimed_by == "worker-7"
        assert evidence.id != clean("marked").id
        payloads = [base64.b64decode(json.loads(line)["payload"]) for line in export(own)]
    assert any(b'"claimedBy":"worker-7"' in payload for payload in payloads)


def test_a_claim_spares_nobody_else_his_own_look(console: Console) -> None:
    claim(console, clean("spared"), "spared", "liar")
    digest = a_manifest("spared").digest
    with Ledger.open(console.database) as own:
        assert own.evidence_for(digest, RULESET) is None
    with console.ledger(console.token("honest")) as honest:
        assert honest.evidence_for(digest, RULESET) is None
    with console.ledger(console.token("liar")) as liar:
        assert liar.evidence_for(digest, RULESET) is not None


def test_a_server_with_the_bytes_looks_for_itself_whatever_was_claimed(
    console: Console, tmp_path: Path
) -> None:
    from tidegate import read_manifest

    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'echo tidegate-test'\ntR.")
    manifest = read_manifest(tmp_path)
    lie = Evidence(manifest.digest, RULESET)
    with console.ledger(console.token("liar")) as liar:
        assert liar.settle(manifest, lie, action=Action.REGISTER, subject="lied").allowed
    with Gate.open(ledger=console.database) as gate:
        assert not gate.check(tmp_path, Action.REGISTER, subject="lied").allowed
        assert not gate.standing(tmp_path, Action.DEPLOY).allowed
    with console.ledger(console.token("liar")) as liar:
        again = liar.settle(manifest, lie, action=Action.DEPLOY, subject="lied")
        assert not again.allowed, "the own side's scan counts, and the claim changes nothing"
        assert not liar.stand(manifest.digest, Action.DEPLOY, subject="lied").allowed


def test_what_the_own_side_passed_no_claim_holds(console: Console) -> None:
    see(console, clean("slandered"), "slandered")
    assert claim(console, bad("slandered"), "slandered").allowed


def test_a_finding_of_the_own_side_under_older_rules_can_not_be_claimed_away(
    console: Console,
) -> None:
    see(console, bad("older", "rules-before"), "older")
    with pytest.raises(UsageError, match="own scan"):
        claim(console, clean("older"), "older")
    assert not claim(console, bad("older"), "older").allowed


def test_a_finding_that_another_claimed_can_not_be_claimed_away(console: Console) -> None:
    claim(console, bad("quarrel"), "quarrel", "first")
    with pytest.raises(UsageError, match="the scan of first"):
        claim(console, clean("quarrel"), "quarrel", "second")
    with pytest.raises(UsageError, match="same holder"):
        claim(console, clean("quarrel"), "quarrel", "first")


def test_a_holder_may_read_later_what_he_could_not_before_and_nobody_for_him(
    console: Console,
) -> None:
    unread = an_evidence(a_manifest("late"), severity=None, ruleset=RULESET, unread="timed out")
    assert not claim(console, unread, "late", "slow").allowed
    with pytest.raises(UsageError, match="the scan of slow"):
        claim(console, clean("late"), "late", "other")
    assert claim(console, clean("late"), "late", "slow").allowed


def test_evidence_by_other_rules_is_refused_with_the_reason(console: Console) -> None:
    with pytest.raises(UsageError, match="goes by"):
        claim(console, an_evidence(a_manifest("rules")), "rules")


def test_evidence_about_other_bytes_is_refused(console: Console) -> None:
    with pytest.raises(UsageError, match="other bytes"):
        claim(console, clean("one"), "two")


def test_a_claimant_can_not_pass_his_claim_off_as_the_own_sides(console: Console) -> None:
    manifest, evidence = a_manifest("masked"), clean("masked")
    body = {
        "manifest": manifest.to_dict(),
        "evidence": {"id": evidence.id, **evidence.to_dict(), "claimed_by": None},
        "action": "load",
        "subject": "masked",
    }
    status, told = console.ask(
        "POST",
        "/v1/evidence",
        body,
        token=console.token(),
        headers={"Idempotency-Key": "masked-1"},
    )
    assert (status, "claimed_by" in told["message"]) == (422, True)


def a_step(**changes) -> Step:
    now = datetime.now(UTC)
    given = {
        "id": new_step_id(), "name": "train", "builder": "https://ci.example.com/r",
        "started_at": now, "finished_at": now, "outcome": StepOutcome.SUCCEEDED,
        "inputs": (material("train.csv", "data", a_manifest("train.csv")),),
        "outputs": (material("model", "output", a_manifest("model")),),
        "parameters": {"rate": 0.1}, "actor": "root",
    }  # fmt: skip
    return Step(**{**given, **changes})


def test_a_step_is_recorded_as_its_senders_word(console: Console) -> None:
    step = a_step()
    with console.ledger(console.token("trainer")) as ledger:
        assert ledger.record_step(step) is True
        assert ledger.record_step(step) is False
        back = ledger.step(step.id)
    assert back.actor == "trainer (says: root)"
    assert {"inputs", "outputs", "code", "environment", "host"} <= set(back.claims)
    assert back.inputs == step.inputs
    with Ledger.open(console.database) as own:
        assert own.step(step.id) == back


def test_a_step_that_another_recorded_is_not_written_over(console: Console) -> None:
    step = a_step()
    with console.ledger(console.token("trainer")) as ledger:
        ledger.record_step(step)
    with console.ledger(console.token("thief")) as ledger, pytest.raises(UsageError):
        ledger.record_step(step)
    with console.ledger(console.token("trainer")) as ledger, pytest.raises(UsageError):
        ledger.record_step(replace(step, name="another"))


@pytest.mark.parametrize("which", ["started_at", "finished_at"])
def test_a_step_of_tomorrow_is_refused(console: Console, which: str) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with console.ledger() as ledger, pytest.raises(UsageError, match="yet to come"):
        ledger.record_step(a_step(**{which: tomorrow}))


def test_severity_is_part_of_what_is_claimed_and_not_of_what_it_is_known_by(
    console: Console,
) -> None:
    """A finding claimed again as harmless is the same finding, and the graver word stands."""
    claim(console, bad("softened"), "softened", "w")
    softer = an_evidence(a_manifest("softened"), severity=Severity.INFO, ruleset=RULESET)
    with pytest.raises(UsageError, match="graver"):
        claim(console, softer, "softened", "w")


def test_an_approval_of_soft_words_covers_no_finding_that_is_graver(console: Console) -> None:
    """Who claims what is there as half so bad gets no approval for what the own side finds."""
    name = "soft-words"
    softer = an_evidence(a_manifest(name), severity=Severity.HIGH, ruleset=RULESET)
    held = claim(console, softer, name)
    assert held.outcome is Outcome.QUARANTINE
    with Ledger.open(console.database) as own:
        gate = Gate(POLICY, own)
        assert gate.approve(f"#{held.id}", actor="ada", reason="seen").allowed
        found = an_evidence(a_manifest(name), severity=Severity.CRITICAL, ruleset=RULESET)
        graver = gate.settle(Action.REGISTER, a_manifest(name), found, subject=name)
        assert not graver.allowed


def test_an_approval_of_a_claim_covers_the_own_scan_that_says_the_same(console: Console) -> None:
    name = "same-words"
    claimed = claim(console, bad(name), name)
    with Ledger.open(console.database) as own:
        gate = Gate(POLICY, own)
        gate.approve(f"#{claimed.id}", actor="ada", reason="seen")
        assert gate.settle(Action.REGISTER, a_manifest(name), bad(name), subject=name).allowed


def test_who_approves_a_decision_by_its_number_approves_no_evidence_that_came_since(
    console: Console,
) -> None:
    name = "came-since"
    seen = claim(console, clean(name), name, "first")
    claim(console, bad(name), name, "second")
    with Ledger.open(console.database) as own:
        gate = Gate(POLICY, own)
        assert not gate.approve(f"#{seen.id}", actor="ada", reason="seen").allowed
