"""A recall holds what came from what was recalled, all of it and nothing else, until lifted."""

from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from samples.ledger_records import NOW, a_file, a_manifest, a_step, an_evidence
from samples.lineages import claimed, made, passed, ten_levels
from sqlalchemy import select

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.own_key import trusted_keys
from tidegate.attestation.step import TOLD, material
from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger, schema
from tidegate.ledger.audit import audit
from tidegate.ledger.coverage import read_coverage
from tidegate.ledger.recalls import RecallKind
from tidegate.policy import Action, Decision, Outcome, decide, profile
from tidegate.recall import lift, reach_of, recall
from tidegate.rescan import State, rescan


@pytest.fixture
def gate(ledger: Ledger) -> Iterator[Gate]:
    with Gate(profile("standard"), ledger) as opened:
        yield opened


def held(gate: Gate, digests: set[str]) -> set[str]:
    """Those that may not be loaded."""
    return {each for each in digests if not gate.standing_of(each).allowed}


def bad(gate: Gate, what: str) -> None:
    recall(gate, what, actor="grace", reason="the labels are wrong")


def a_folder(*files: tuple[str, str]) -> Manifest:
    entries = (a_file(name, content).files[0] for name, content in files)
    return Manifest("folder", tuple(sorted(entries, key=lambda each: each.path)))


def test_a_recall_holds_exactly_the_descendants_over_ten_levels(gate: Gate) -> None:
    data, below, beside = ten_levels(gate)
    assert held(gate, below | beside) == set()
    report = recall(gate, data.digest, actor="grace", reason="the labels are wrong")
    assert {each.digest for each in report.affected} == below
    assert held(gate, below | beside) == below
    on_record = {item.decision.digest for item in gate.held(limit=1000)}
    assert on_record == below
    deepest = gate.standing_of(a_manifest("level-10-a.skops").digest)
    assert deepest.reasons[0].rule == "RECALLED"
    assert "through step a10 of 2026-03-01" in deepest.reasons[0].message
    assert "bad.csv" in deepest.reasons[0].message
    lift(gate, 1, actor="grace", reason="they were right")
    assert held(gate, below | beside) == set()
    assert gate.held() == ()
    assert audit(gate.ledger, trusted_keys()).problems == ()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_listed_is_what_is_held_whatever_the_lineage(gate: Gate, seed: int) -> None:
    """Both directions, on lineages that nobody would draw: circles, shared files, many names."""
    if gate.ledger.url.startswith("postgresql"):
        pytest.skip("the queries are the same ones, and a hundred times as far away")
    chance = random.Random(seed)
    contents = [f"content {number}" for number in range(5)]
    files = [a_file(f"{name}.bin", content) for content in contents for name in "ab"]
    folders = [
        a_folder(*((f"{at}.bin", each) for at, each in enumerate(chance.sample(contents, 2))))
        for _ in range(4)
    ]
    artifacts = [*files, *folders]
    for number in range(9):
        inputs = [
            (chance.choice(["data", "base"]), each)
            for each in chance.sample(artifacts, chance.randint(1, 2))
        ]
        outputs = chance.sample(artifacts, chance.randint(1, 2))
        made_as = chance.choice(["output", "output", TOLD])
        made(gate, inputs, outputs, name=f"s{number}", made_as=made_as)
    for each in chance.sample(artifacts, 8):
        passed(gate, each)
    with gate.ledger.reading() as connection:
        known = set(connection.execute(select(schema.artifact.c.digest)).scalars())
    for target in (*sorted(known)[::4], f"sha256:{a_file('x', contents[0]).files[0].sha256}"):
        recalled = gate.ledger.add_recall(
            RecallKind.ARTIFACT, target, actor="ada", reason="one of them", now=NOW
        )
        listed = {each.digest for each in reach_of(gate, recalled).affected}
        assert {each for each in known if gate.lineage_of(each).recalls} == listed, target
        gate.ledger.lift_recall(recalled.id, actor="ada", reason="the next one", now=NOW)


def test_recalling_in_the_middle_leaves_what_is_above_alone(gate: Gate) -> None:
    data, below, beside = ten_levels(gate)
    middle = a_manifest("level-5-b.skops")
    bad(gate, middle.digest)
    expected = {middle.digest} | {
        a_manifest(f"level-{level}-{branch}.skops").digest
        for level in range(6, 11)
        for branch in "ab"
    }
    assert held(gate, below | beside) == expected
    assert data.digest not in expected


def test_what_is_recorded_after_a_recall_is_held_by_it_too(gate: Gate) -> None:
    data, late = a_file("bad.csv"), a_manifest("late.skops")
    passed(gate, data)
    bad(gate, data.digest)
    made(gate, [("data", data)], [late])
    assert passed(gate, late).outcome is Outcome.QUARANTINE
    assert {each.digest for each in reach_of(gate, gate.ledger.recalls()[0]).affected} == {
        data.digest,
        late.digest,
    }


def test_a_digest_that_nobody_knows_can_be_recalled_before_it_comes(gate: Gate) -> None:
    data = a_file("bad.csv")
    report = recall(gate, data.digest, actor="grace", reason="warned of")
    assert report.affected == ()
    assert "nothing is on record" in report.target.notes[0]
    assert passed(gate, data).outcome is Outcome.QUARANTINE


def test_a_files_content_is_recalled_wherever_it_lies(gate: Gate) -> None:
    content = a_file("weights.bin").files[0].sha256
    alone, renamed = a_file("weights.bin"), a_file("other-name.bin", "weights.bin")
    around = a_folder(("MLmodel", "x"), ("data/weights.bin", "weights.bin"))
    clean = a_folder(("MLmodel", "x"), ("data/weights.bin", "other"))
    for each in (alone, around, clean):
        passed(gate, each)
    report = recall(gate, content, actor="grace", reason="backdoor")
    assert {each.digest for each in report.affected} == {alone.digest, around.digest}
    assert held(gate, {alone.digest, around.digest, clean.digest}) == {
        alone.digest,
        around.digest,
    }
    # Not on record until now, and held at its very first decision.
    assert passed(gate, renamed).outcome is Outcome.QUARANTINE
    new = a_folder(("MLmodel", "y"), ("weights.bin", "weights.bin"))
    assert passed(gate, new).outcome is Outcome.QUARANTINE
    assert audit(gate.ledger, trusted_keys()).problems == ()


def test_a_shared_licence_joins_nobody(gate: Gate) -> None:
    one = a_folder(("LICENSE", "text"), ("a.bin", "a"))
    two = a_folder(("LICENSE", "text"), ("b.bin", "b"))
    for each in (one, two):
        passed(gate, each)
    bad(gate, one.digest)
    assert held(gate, {one.digest, two.digest}) == {one.digest}


def test_what_a_run_tells_of_its_model_says_nothing_of_others_with_files_of_it(gate: Gate) -> None:
    """Whoever may log a run may put everybody's base model into a folder, and tell a bad tale."""
    evil, base, victim = a_manifest("evil.pkl"), a_file("base.bin", "public"), a_manifest("v.skops")
    alone, copied = a_file("model.onnx", "served"), a_file("copy.onnx", "served")
    folder = a_folder(("base.bin", "public"), ("model.onnx", "served"))
    for each in (base, victim, alone, folder, copied):
        passed(gate, each)
    gate.settle(Action.REGISTER, evil, an_evidence(evil), subject="evil/1")
    made(gate, [("base", base)], [victim])
    made(gate, [("base", evil), ("data", evil)], [folder, copied], made_as=TOLD)
    everybody = {each.digest for each in (base, victim, alone, folder, copied)}
    assert held(gate, everybody) == {folder.digest, copied.digest}
    bad(gate, evil.digest)
    assert held(gate, everybody) == {folder.digest, copied.digest}
    tuned = a_manifest("tuned.skops")
    made(gate, [("data", folder)], [tuned])
    passed(gate, tuned)
    assert held(gate, {tuned.digest}) == {tuned.digest}


def test_a_folder_made_around_a_recalled_output_is_held_when_it_first_comes(gate: Gate) -> None:
    data, output = a_file("bad.csv"), a_file("model.skops")
    made(gate, [("data", data)], [output])
    bad(gate, data.digest)
    logged = a_folder(("MLmodel", "x"), ("model.skops", "model.skops"))
    decision = passed(gate, logged)
    assert decision.outcome is Outcome.QUARANTINE
    assert "which holds the file model.skops" in decision.reasons[0].message


def test_a_package_holds_what_has_it_in_its_sbom_or_was_made_with_it(gate: Gate) -> None:
    listed, other, trained, child = (a_manifest(f"{name}.skops") for name in "abcd")
    for each in (listed, other, trained):
        passed(gate, each)
    components = [
        {"type": "library", "name": "Torch_Vision", "version": "0.15.1+cu118"},
        {"type": "library", "name": "numpy"},
    ]
    for manifest, names in ((listed, components), (other, components[1:])):
        gate.ledger.add_sbom(
            digest=manifest.digest,
            subject="",
            body=json.dumps({"components": names}),
            now=NOW,
        )
    installed = {"distributions": ["torch-vision==0.15.1", "scipy==1.11"]}
    made(gate, [("data", other)], [trained], environment=installed)
    made(gate, [("base", trained)], [child])
    report = recall(gate, "torch.vision==0.15.1", actor="grace", reason="compromised")
    expected = {listed.digest, trained.digest, child.digest}
    assert {each.digest for each in report.affected} == expected
    assert held(gate, expected | {other.digest}) >= expected
    assert gate.standing_of(other.digest).allowed
    assert passed(gate, child).outcome is Outcome.QUARANTINE
    (undetermined,) = recall(gate, "numpy==1.24", actor="grace", reason="x").undetermined[:1]
    assert undetermined in {listed.digest, other.digest}
    assert gate.standing_of(other.digest).allowed


def test_a_name_that_stands_for_two_things_recalls_neither(gate: Gate) -> None:
    one, two = a_file("a.csv"), a_file("b.csv")
    passed(gate, one, subject="claims")
    passed(gate, two, subject="claims")
    with pytest.raises(UsageError, match="ambiguous") as caught:
        bad(gate, "claims")
    assert one.digest in caught.value.message
    assert two.digest in caught.value.message
    with pytest.raises(RecordNotFoundError):
        bad(gate, "no-such-data")
    assert gate.ledger.recalls() == ()


def test_a_data_set_is_recalled_by_the_name_that_a_step_gave_it(gate: Gate) -> None:
    data, model = a_file("claims-2026.csv"), a_manifest()
    made(gate, [("data", data)], [model])
    passed(gate, model)
    bad(gate, "claims-2026.csv")
    assert not gate.standing_of(model.digest).allowed
    made(gate, [("data", a_file("claims-2026.csv", "other bytes"))], [a_manifest("x")])
    with pytest.raises(UsageError, match="ambiguous") as caught:
        bad(gate, "claims-2026.csv")
    assert data.digest in caught.value.message


def test_a_file_is_recalled_by_its_path_whatever_it_is_called(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"1,2,3\n")
    (tmp_path / "renamed.csv").write_bytes(b"1,2,3\n")
    assert gate.check(tmp_path / "renamed.csv", Action.REGISTER).allowed
    bad(gate, str(tmp_path / "train.csv"))
    assert not gate.standing(tmp_path / "renamed.csv").allowed
    (tmp_path / "empty.csv").touch()
    with pytest.raises(Exception, match="empty file is everywhere"):
        bad(gate, str(tmp_path / "empty.csv"))


def test_a_step_is_recalled_with_what_it_made(gate: Gate) -> None:
    data, model, other = a_file("train.csv"), a_manifest("model.skops"), a_manifest("other.skops")
    step = made(gate, [("data", data)], [model], name="train-on-the-broken-node")
    made(gate, [("data", data)], [other])
    for each in (data, model, other):
        passed(gate, each)
    bad(gate, "train-on-the-broken-node")
    assert gate.ledger.recalls()[0].target == step.id
    assert held(gate, {data.digest, model.digest, other.digest}) == {model.digest}


def test_a_commit_of_code_is_recalled(gate: Gate) -> None:
    commit = "gitCommit:" + "c" * 40
    model = a_manifest()
    step = a_step(1, outputs=(material("m", "output", model),))
    gate.ledger.record_step(replace(step, inputs=(claimed("source", "code", commit),)))
    passed(gate, model)
    report = recall(gate, commit, actor="grace", reason="leaks test data into training")
    assert [each.digest for each in report.affected] == [model.digest]
    assert not gate.standing_of(model.digest).allowed


def test_a_dry_run_tells_and_writes_nothing(gate: Gate) -> None:
    data, model = a_file("bad.csv"), a_manifest()
    made(gate, [("data", data)], [model])
    passed(gate, model, actor="ada")
    gate.ledger.add_registration(
        store="s", name="fraud", version="3", created_ms=1, source="", digest=model.digest,
        decision_id=None,
    )  # fmt: skip
    report = recall(gate, data.digest, actor="grace", reason="", dry_run=True)
    (affected,) = (each for each in report.affected if each.digest == model.digest)
    assert affected.versions == (("s", "fraud", "3"),)
    assert affected.owners == ("ada",)
    assert report.recall is None
    assert gate.ledger.recalls() == ()
    assert gate.standing_of(model.digest).allowed


def test_a_review_lets_one_go_and_no_other_and_covers_no_later_recall(gate: Gate) -> None:
    data, one, two = a_file("bad.csv"), a_manifest("one.skops"), a_manifest("two.skops")
    made(gate, [("data", data)], [one, two])
    for each in (data, one, two):
        passed(gate, each)
    bad(gate, data.digest)
    assert gate.approve(one.digest, actor="ada", reason="not trained on those rows").allowed
    assert held(gate, {data.digest, one.digest, two.digest}) == {data.digest, two.digest}
    bad(gate, data.digest)
    assert not gate.standing_of(one.digest).allowed


def test_who_approves_a_decision_by_its_number_approves_no_recall_that_came_since(
    gate: Gate,
) -> None:
    data, model = a_file("bad.csv"), a_manifest()
    made(gate, [("data", data)], [model])
    before = passed(gate, model)
    bad(gate, data.digest)
    assert not gate.approve(f"#{before.id}", actor="ada", reason="looked at it").allowed
    after = gate.standing_of(model.digest)
    assert gate.approve(f"#{after.id}", actor="ada", reason="looked at it again").allowed


def test_a_waiver_of_a_recall_is_for_that_recall(gate: Gate) -> None:
    data = a_file("bad.csv")
    passed(gate, data)
    bad(gate, data.digest)
    assert gate.waive(data.digest, rule="RECALLED", actor="ada", reason="needed", days=3).allowed
    with pytest.raises(UsageError, match="no finding of"):
        gate.waive(data.digest, rule="BASE-HELD", actor="ada", reason="needed", days=3)


def test_an_approval_from_before_does_not_outlive_a_recall(gate: Gate) -> None:
    model = a_manifest()
    gate.settle(Action.REGISTER, model, an_evidence(model), subject="fraud")
    assert gate.approve("fraud", actor="ada", reason="known").allowed
    bad(gate, model.digest)
    assert not gate.standing_of("fraud").allowed


def test_a_recall_is_lifted_once(gate: Gate) -> None:
    bad(gate, a_file("bad.csv").digest)
    lift(gate, 1, actor="ada", reason="wrong digest")
    with pytest.raises(UsageError, match="lifted already by ada"):
        lift(gate, 1, actor="ada", reason="again")
    with pytest.raises(RecordNotFoundError):
        lift(gate, 2, actor="ada", reason="none")


def test_a_decision_under_a_recall_is_decided_again_in_the_same_way(gate: Gate) -> None:
    data, model = a_file("bad.csv"), a_manifest()
    made(gate, [("data", data)], [model])
    passed(gate, model)
    bad(gate, data.digest)
    read = gate.ledger.latest_decision(model.digest)
    assert read is not None
    replayed = decide(
        gate.ledger.policy(read.policy_digest),
        read.action,
        gate.ledger.evidence(str(read.evidence_id)),
        digest=read.digest,
        subject=read.subject,
        now=read.decided_at,
        lineage=read.lineage,
        actor=read.actor,
    )
    assert replace(replayed, id=read.id) == read


def test_the_same_standing_under_a_recall_is_recorded_once(gate: Gate) -> None:
    data = a_file("bad.csv")
    passed(gate, data)
    bad(gate, data.digest)
    assert gate.standing_of(data.digest).id == gate.standing_of(data.digest).id


def test_rescanning_takes_recalls_into_account(gate: Gate, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_bytes(b"1,2,3\n")
    digest = gate.check(tmp_path / "train.csv", Action.REGISTER, subject="train").digest
    gate.ledger.add_recall(RecallKind.ARTIFACT, digest, actor="ada", reason="x", now=NOW)
    (row,) = rescan(gate, [digest])
    assert row.state is State.CURRENT
    assert row.decision is not None
    assert not row.decision.allowed


def test_a_child_registered_while_a_recall_is_made_is_held_or_on_its_list(gate: Gate) -> None:
    """Whichever comes first: nobody ends up allowed by a decision that the recall came before."""
    data = a_file("bad.csv")
    passed(gate, data)
    children = [a_manifest(f"child-{number}.skops") for number in range(8)]
    made(gate, [("data", data)], children)
    start = threading.Barrier(len(children) + 1)
    decided: list[Decision] = []

    def register(manifest: Manifest) -> None:
        start.wait()
        decided.append(passed(gate, manifest))

    threads = [threading.Thread(target=register, args=(each,)) for each in children]
    for thread in threads:
        thread.start()
    start.wait()
    made_recall = gate.ledger.add_recall(
        RecallKind.ARTIFACT, data.digest, actor="ada", reason="bad", now=NOW
    )
    for thread in threads:
        thread.join()
    order = statements(gate)
    at = order.index(("tidegate_recall", made_recall.id))
    for decision in decided:
        came_after = order.index(("tidegate_decision", decision.id)) > at
        assert decision.allowed is not came_after
    assert held(gate, {each.digest for each in children}) == {each.digest for each in children}


def statements(gate: Gate) -> list[tuple[str, object]]:
    """The rows that the log covers, in its order."""
    rows: list[tuple[str, object]] = []
    with gate.ledger.reading() as connection:
        table = schema.statement.c
        for (envelope,) in connection.execute(select(table.envelope).order_by(table.id)):
            payload = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
            rows += [(row.table, row.key) for row in read_coverage(payload["predicate"]).rows]
    return rows


def test_a_fine_tuned_model_inherits_the_holds_of_its_base(gate: Gate) -> None:
    base, child, grandchild = (a_manifest(f"{name}.skops") for name in ("base", "child", "grand"))
    made(gate, [("base", base)], [child], name="tune")
    made(gate, [("base", child)], [grandchild], name="tune-again")
    gate.settle(Action.REGISTER, base, an_evidence(base), subject="base")
    for each in (child, grandchild):
        decision = passed(gate, each)
        assert decision.outcome is Outcome.QUARANTINE
        assert decision.reasons[0].rule == "BASE-HELD"
    assert gate.approve(child.digest, actor="ada", reason="we know that tail").allowed
    assert gate.standing_of(grandchild.digest).allowed
    assert not gate.standing_of(base.digest).allowed


def test_approving_the_base_lets_its_children_go_and_rejecting_it_holds_them(gate: Gate) -> None:
    base, child = a_manifest("base.skops"), a_manifest("child.skops")
    made(gate, [("base", base)], [child])
    gate.settle(Action.REGISTER, base, an_evidence(base), subject="base")
    passed(gate, child)
    gate.approve("base", actor="ada", reason="known tail")
    assert gate.standing_of(child.digest).allowed
    gate.reject("base", actor="ada", reason="it is somebody else's")
    decision = gate.standing_of(child.digest)
    assert decision.outcome is Outcome.QUARANTINE
    assert "REJECTED" in decision.reasons[0].message
    assert gate.approve(child.digest, actor="eve", reason="retrained from scratch").allowed


def test_what_is_no_base_passes_on_no_hold(gate: Gate) -> None:
    data, child = a_file("data.bin"), a_manifest("child.skops")
    made(gate, [("data", data)], [child])
    gate.settle(Action.REGISTER, data, an_evidence(data), subject="data")
    assert passed(gate, child).allowed


def test_a_base_that_nobody_scanned_holds_nothing(gate: Gate) -> None:
    child = a_manifest("child.skops")
    made(gate, [("base", a_manifest("base.skops"))], [child])
    assert passed(gate, child).allowed


def test_a_base_under_another_name_or_in_its_folder_passes_its_hold_on(gate: Gate) -> None:
    folder = a_folder(("README.md", "r"), ("weights.bin", "weights.bin"))
    file, child = a_file("weights.bin"), a_manifest("child.skops")
    made(gate, [("base", file)], [child])
    gate.settle(Action.REGISTER, folder, an_evidence(folder), subject="hub")
    gate.reject("hub", actor="ada", reason="backdoored")
    assert not passed(gate, child).allowed


def test_bases_in_a_circle_end(gate: Gate) -> None:
    one, two = a_manifest("one.skops"), a_manifest("two.skops")
    made(gate, [("base", one)], [two])
    made(gate, [("base", two)], [one])
    for each in (one, two):
        passed(gate, each)
    gate.reject(one.digest, actor="ada", reason="no")
    assert held(gate, {one.digest, two.digest}) == {one.digest, two.digest}


def test_a_long_line_of_bases_is_followed_to_its_end(gate: Gate) -> None:
    line = [a_manifest(f"{number}.skops") for number in range(60)]
    for base, child in pairwise(line):
        made(gate, [("base", base)], [child])
    gate.settle(Action.REGISTER, line[0], an_evidence(line[0]), subject="first")
    assert passed(gate, line[-1]).reasons[0].rule == "BASE-HELD"


def test_what_is_not_on_record_is_recalled_by_the_files_that_it_holds(gate: Gate) -> None:
    folder = a_folder(("MLmodel", "x"), ("weights.bin", "weights"))
    bad(gate, a_file("w", "weights").files[0].sha256)
    decision = gate.stand(folder.digest, Action.LOAD, manifest=folder, keep=False)
    assert {reason.rule for reason in decision.reasons} == {"UNSCANNED", "RECALLED"}
    assert decision.id is None


def test_a_very_long_line_is_held_from_end_to_end(gate: Gate) -> None:
    line = [a_file(f"{number}.csv") for number in range(150)]
    with gate.ledger.transaction() as connection:
        for number, (before, after) in enumerate(pairwise(line)):
            step = a_step(
                7000 + number,
                inputs=(material("in", "data", before),),
                outputs=(material("out", "output", after),),
            )
            gate.ledger.record_step(step, connection=connection)
    bad(gate, line[0].digest)
    decision = passed(gate, line[-1])
    assert decision.outcome is Outcome.QUARANTINE
    assert "… more …" in decision.reasons[0].message
    assert 0 < len(decision.lineage.recalls[0].way) < 149
    assert line[0].digest in decision.reasons[0].message
