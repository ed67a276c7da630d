"""What a person types means the one node that it is the name of, or nothing."""

from __future__ import annotations

import pytest
from samples.graphs import artifact, draw, node, step_id
from samples.ledger_records import record

from tidegate.attestation.step import Material
from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import Ledger
from tidegate.ledger.lineage_names import nodes_of


@pytest.fixture
def drawn(ledger: Ledger) -> Ledger:
    draw(
        ledger, "train.csv + base -> train -> model.bin",
        "hub{weights.bin,LICENSE} -> tune -> tuned.bin",
    )  # fmt: skip
    return ledger


def test_a_digest_or_its_beginning_is_known(drawn: Ledger) -> None:
    digest = node("model.bin")
    for reference in (digest, digest[:15], digest[7:], digest[7:13], digest.upper()[7:]):
        assert nodes_of(drawn, reference) == (digest,)
    assert nodes_of(drawn, step_id("train")) == (step_id("train"),)
    assert nodes_of(drawn, step_id("train")[:12]) == (step_id("train"),)


def test_what_sha256sum_prints_is_known(drawn: Ledger) -> None:
    content = artifact("model.bin").files[0].sha256
    assert nodes_of(drawn, content) == (node("model.bin"),)
    assert nodes_of(drawn, content[:8]) == (node("model.bin"),)
    # Under two names it is the same thing.
    draw(drawn, "copy.bin:model.bin -> more -> more.bin")
    both = sorted((node("model.bin"), node("copy.bin:model.bin")))
    assert list(nodes_of(drawn, content)) == both
    # A file that is on record only within a folder stands for the folder.
    (weights,) = (f.sha256 for f in artifact("hub{weights.bin,LICENSE}").files if "w" in f.path)
    assert nodes_of(drawn, weights) == (node("hub{weights.bin,LICENSE}"),)


def test_what_a_step_called_it_is_known(drawn: Ledger) -> None:
    assert nodes_of(drawn, "train.csv") == (node("train.csv"),)
    assert nodes_of(drawn, "hub") == (node("hub{weights.bin,LICENSE}"),)
    assert nodes_of(drawn, "tune") == (step_id("tune"),)


def test_a_version_of_a_registry_is_known(ledger: Ledger) -> None:
    decision = record(ledger, subject="anything")
    ledger.add_registration(
        store="s", name="team/fraud", version="3", created_ms=1, source="", digest=decision.digest,
        decision_id=decision.id,
    )  # fmt: skip
    for reference in ("models:/team/fraud/3", "team/fraud/3", "anything", f"#{decision.id}"):
        assert nodes_of(ledger, reference) == (decision.digest,)
    with pytest.raises(UsageError, match="names no version"):
        nodes_of(ledger, "models:/fraud@champion")


def test_a_commit_is_known(ledger: Ledger) -> None:
    from samples.ledger_records import a_step

    commit = f"gitCommit:{'abc123' * 6}abcd"
    ledger.record_step(a_step(inputs=(Material("code", "code", commit),)))
    for reference in (commit, "abc123abc123", commit.removeprefix("gitCommit:")):
        assert nodes_of(ledger, reference) == (commit,)


def test_a_name_that_two_things_have_stands_for_neither(drawn: Ledger) -> None:
    draw(drawn, "train.csv:another -> other -> other.bin")
    with pytest.raises(UsageError, match="ambiguous"):
        nodes_of(drawn, "train.csv")
    # Nobody takes a digest away by calling something else so.
    draw(drawn, f"{node('model.bin')[7:]} -> evil -> evil.bin")
    with pytest.raises(UsageError, match="ambiguous"):
        nodes_of(drawn, node("model.bin")[7:])
    assert nodes_of(drawn, node("model.bin")) == (node("model.bin"),)


@pytest.mark.parametrize("reference", ["nothing", "0" * 64, "step:" + "0" * 32, "%", "sha256:"])
def test_what_is_not_on_record_is_told(drawn: Ledger, reference: str) -> None:
    with pytest.raises(RecordNotFoundError):
        nodes_of(drawn, reference)
