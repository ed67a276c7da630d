"""A policy that demands a chain: what the ledger lacks of it is named, and holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from samples.ledger_records import a_file, a_manifest, a_step, an_evidence, execute
from samples.lineages import claimed, made, passed

from tidegate.artifact.manifest import Manifest
from tidegate.attestation import KeyList, SigningKey, TrustedKey
from tidegate.attestation.own_key import TRUSTED_KEYS, signing_key
from tidegate.attestation.step import StepOutcome, material
from tidegate.examine import examine
from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, Decision, Outcome, Policy, profile
from tidegate.policy.chain import Chain, KnownGood

ACTIONS = tuple(action.value for action in Action)


def demanding(**changes: object) -> Policy:
    chain = Chain(actions=ACTIONS, **changes)  # type: ignore[arg-type]
    return replace(profile("standard"), chain=chain)


@pytest.fixture
def gate(ledger: Ledger) -> Iterator[Gate]:
    with Gate(demanding(), ledger) as opened:
        yield opened


def rules(decision: Decision) -> list[str]:
    return [reason.rule for reason in decision.reasons]


def trust(monkeypatch: pytest.MonkeyPatch, folder: Path, *keys: SigningKey) -> None:
    listed = KeyList([TrustedKey(key.public, f"key {n}") for n, key in enumerate(keys)])
    (folder / "keys.json").write_text(json.dumps(listed.to_dict()))
    monkeypatch.setenv(TRUSTED_KEYS, str(folder / "keys.json"))


def test_a_model_with_a_whole_signed_chain_passes_and_one_without_is_held(gate: Gate) -> None:
    data, model, other = a_file("train.csv"), a_manifest("model.skops"), a_manifest("other.skops")
    made(gate, [("data", data)], [model])
    assert passed(gate, model).allowed
    assert gate.standing_of(model.digest).allowed
    assert rules(passed(gate, other)) == ["CHAIN-STEP"]
    made(gate, [("data", data)], [other])
    assert gate.standing_of(other.digest).allowed


def test_a_chain_is_followed_to_its_beginning(gate: Gate) -> None:
    raw, clean, model = a_file("raw.csv"), a_file("clean.csv"), a_manifest("model.skops")
    made(gate, [("data", raw)], [clean], name="clean", outcome=StepOutcome.UNFINISHED)
    made(gate, [("data", clean)], [model])
    decision = passed(gate, model)
    assert rules(decision) == ["CHAIN-STEP"]
    assert "step clean of 2026-03-01 is on record as unfinished" in decision.reasons[0].message


def test_a_step_that_names_nothing_but_its_code_has_no_known_inputs(gate: Gate) -> None:
    model = a_manifest("model.skops")
    step = a_step(1, outputs=(material("m", "output", model),))
    commit = claimed("source", "code", "gitCommit:" + "c" * 40)
    gate.ledger.record_step(replace(step, inputs=(commit,)))
    assert rules(passed(gate, model)) == ["CHAIN-INPUTS"]


def test_a_by_product_was_not_made_by_its_step(gate: Gate) -> None:
    model = a_manifest("model.skops")
    step = a_step(1, outputs=(material("m", "byproduct", model),))
    gate.ledger.record_step(step)
    assert rules(passed(gate, model)) == ["CHAIN-STEP"]


def test_a_step_that_a_stranger_signed_is_held_until_his_key_is_trusted(
    gate: Gate, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stranger, model = SigningKey.generate(), a_manifest("model.skops")
    with Ledger.open(database_url, key=stranger) as his, Gate(gate.policy, his) as recording:
        made(recording, [("data", a_file("train.csv"))], [model])
    decision = passed(gate, model)
    assert rules(decision) == ["CHAIN-SIGNATURE"]
    assert "no key that is trusted signed its record" in decision.reasons[0].message
    trust(monkeypatch, tmp_path, signing_key(), stranger)
    assert gate.standing_of(model.digest).allowed
    trust(monkeypatch, tmp_path, signing_key())
    assert not gate.standing_of(model.digest).allowed


def test_where_nobodys_signatures_count_none_does(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = a_manifest("model.skops")
    made(gate, [("data", a_file("train.csv"))], [model])
    monkeypatch.setenv(TRUSTED_KEYS, str(tmp_path / "gone.json"))
    decision = passed(gate, model)
    assert rules(decision) == ["CHAIN-SIGNATURE"]
    assert "can't be read" in decision.reasons[0].message


def test_an_edge_that_no_signed_step_names_makes_no_chain(gate: Gate, database_url: str) -> None:
    model, forged = a_manifest("model.skops"), a_manifest("forged.skops")
    step = made(gate, [("data", a_file("train.csv"))], [model])
    passed(gate, model)
    execute(
        database_url,
        "INSERT INTO tidegate_edge (source, target, role, name) "
        f"VALUES ('{step.id}', '{forged.digest}', 'output', 'x')",
    )
    assert "CHAIN-STEP" in rules(passed(gate, forged))
    decision = gate.standing_of(model.digest)
    assert rules(decision) == ["CHAIN-SIGNATURE"]
    assert "edges are not those" in decision.reasons[0].message


def test_a_step_that_is_no_longer_what_was_signed_makes_no_chain(
    gate: Gate, database_url: str
) -> None:
    model = a_manifest("model.skops")
    execute(
        database_url,
        "INSERT INTO tidegate_edge (source, target, role, name) "
        f"VALUES ('step:{'0' * 32}', '{model.digest}', 'output', 'x')",
    )
    decision = passed(gate, model)
    assert set(rules(decision)) == {"CHAIN-STEP"}
    assert Outcome.QUARANTINE is decision.outcome


def test_a_step_that_hands_something_on_has_not_made_it(ledger: Ledger) -> None:
    base, renamed = a_file("base.bin"), a_file("renamed.bin", "base.bin")
    folder = Manifest("folder", (a_file("base.bin").files[0], a_file("notes.txt").files[0]))
    with Gate(demanding(), ledger) as gate:
        made(gate, [("base", base)], [base], name="same")
        made(gate, [("base", base)], [renamed], name="rename")
        made(gate, [("base", folder)], [base], name="unpack")
        for each in (base, renamed):
            assert "CHAIN-STEP" in rules(passed(gate, each))
    model = a_manifest("model.skops")
    with Gate(demanding(checks_sources=True), ledger) as gate:
        made(gate, [("base", renamed)], [model])
        assert set(rules(passed(gate, model))) == {"CHAIN-SOURCE"}


def test_a_made_file_in_a_folder_does_not_vouch_for_those_beside_it(gate: Gate) -> None:
    weights = a_file("model.skops")
    made(gate, [("data", a_file("train.csv"))], [weights])

    def logged(*more: str) -> Manifest:
        names = ("MLmodel", "model.skops", "requirements.txt", *more)
        return Manifest("folder", tuple(a_file(name).files[0] for name in sorted(names)))

    assert passed(gate, logged()).allowed
    decision = passed(gate, logged("loader.py"))
    assert [(r.rule, r.path) for r in decision.reasons] == [("CHAIN-STEP", "loader.py")]


def test_a_base_from_a_verified_origin_or_a_published_checksum_is_a_beginning(
    ledger: Ledger,
) -> None:
    base, model = a_file("base.safetensors"), a_manifest("model.skops")
    uri = "https://huggingface.co/acme/base/resolve/main/base.safetensors"
    step = a_step(1, outputs=(material("m", "output", model),))
    ledger.record_step(replace(step, inputs=(material("base.safetensors", "base", base, uri=uri),)))
    published = KnownGood("Acme", "base.safetensors", base.files[0].sha256)
    for policy, expected in (
        (demanding(), ["CHAIN-STEP"]),
        (demanding(checks_sources=True), ["CHAIN-SOURCE"]),
        (
            demanding(checks_sources=True, origins=("https://hf.co/acme",)),
            ["CHAIN-SOURCE"],
        ),
        (demanding(checks_sources=True, origins=("https://huggingface.co/acme",)), []),
        (demanding(checks_sources=True, known_good=(published,)), []),
    ):
        with Gate(policy, ledger) as gate:
            assert rules(passed(gate, model)) == expected


def test_a_role_that_the_policy_demands_is_missed(ledger: Ledger) -> None:
    model = a_manifest("model.skops")
    with Gate(demanding(roles=("code", "data")), ledger) as gate:
        made(gate, [("data", a_file("train.csv"))], [model])
        decision = passed(gate, model)
    assert rules(decision) == ["CHAIN-ROLE"]
    assert "role code" in decision.reasons[0].message


def test_only_the_actions_that_the_policy_names_demand_it(ledger: Ledger) -> None:
    model = a_manifest("model.skops")
    chain = Chain(actions=("deploy",))
    with Gate(replace(profile("standard"), chain=chain), ledger) as gate:
        assert passed(gate, model).allowed
        assert gate.standing_of(model.digest, Action.LOAD).allowed
        deploy = gate.standing_of(model.digest, Action.DEPLOY)
        assert rules(deploy) == ["CHAIN-STEP"]
        gate.approve(model.digest, actor="ada", reason="from before we recorded")
        assert gate.standing_of(model.digest, Action.DEPLOY).allowed


def test_a_gap_is_let_go_by_review_and_a_new_one_is_not(gate: Gate) -> None:
    model = a_manifest("model.skops")
    passed(gate, model)
    assert gate.approve(model.digest, actor="ada", reason="known").allowed
    made(gate, [("data", a_file("train.csv"))], [model], outcome=StepOutcome.FAILED)
    assert not gate.standing_of(model.digest).allowed


def test_a_scan_without_a_ledger_knows_of_no_chain(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"1,2\n")
    seen = examine(tmp_path / "train.csv", demanding())
    assert seen.decision is not None
    assert rules(seen.decision) == ["CHAIN-STEP"]
    assert seen.manifest is not None
    known = KnownGood("Acme", "x", seen.manifest.files[0].sha256)
    again = examine(tmp_path / "train.csv", demanding(checks_sources=True, known_good=(known,)))
    assert again.decision is not None
    assert again.decision.allowed


def test_what_the_ledger_holds_of_a_policy_is_read_back_with_its_chain(gate: Gate) -> None:
    decision = gate.settle(Action.REGISTER, a_manifest(), an_evidence(a_manifest()), subject="x")
    assert gate.ledger.policy(decision.policy_digest) == gate.policy
