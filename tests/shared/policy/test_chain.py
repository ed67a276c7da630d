"""The chain that a policy demands: what is missing is named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidegate.policy.chain import (
    MAX_GAPS,
    Chain,
    ChainFacts,
    KnownGood,
    SourceFact,
    StepFact,
    chain_from_dict,
    from_origin,
    gaps,
    is_origin,
    lacking,
)

DIGEST, BASE, DATA = ("sha256:" + each * 64 for each in "abc")
STEP = StepFact("step:1", "train", "2026-11-20T08:00:00+00:00", "succeeded", 2, None)
TRAIN = SourceFact(DATA, "train.csv", "data", "d" * 64, (), read=True)
MODEL = SourceFact(
    BASE, "base-7b", "base", None, ("https://huggingface.co/acme/base-7b",), read=True
)
WHOLE = ChainFacts(DIGEST, made=True, steps=(STEP,), sources=(TRAIN, MODEL), roles=("base", "data"))
ORIGINS = ("https://huggingface.co/acme/",)
LISTED = KnownGood("Acme", "train.csv", "d" * 64)
CHAIN = Chain(
    ("deploy",), roles=("data",), checks_sources=True, origins=ORIGINS, known_good=(LISTED,)
)


def rules(facts: ChainFacts, chain: Chain = CHAIN) -> list[str]:
    return [each.rule for each in lacking(chain, facts)]


def test_a_whole_chain_lacks_nothing() -> None:
    assert rules(WHOLE) == []


def test_only_the_actions_that_demand_a_chain_lack_any_of_it() -> None:
    assert gaps(CHAIN, "deploy", ChainFacts(DIGEST))
    assert gaps(CHAIN, "load", ChainFacts(DIGEST)) == ()
    assert gaps(None, "deploy", ChainFacts(DIGEST)) == ()


def test_bytes_that_no_step_made_lack_their_chain() -> None:
    (gap,) = lacking(CHAIN, ChainFacts(DIGEST))
    assert gap.rule == "CHAIN-STEP"
    assert "no step on record made these bytes" in gap.message


def test_bytes_on_the_list_need_no_step_of_their_own() -> None:
    assert rules(ChainFacts(DATA, content="d" * 64)) == []
    by_root = replace(CHAIN, known_good=(KnownGood("Acme", "x", "a" * 64),))
    assert rules(ChainFacts(DIGEST), by_root) == []
    assert rules(ChainFacts(DIGEST), replace(by_root, checks_sources=False)) == ["CHAIN-STEP"]


@pytest.mark.parametrize("outcome", ["failed", "unfinished"])
def test_a_step_that_did_not_end_well_is_named(outcome: str) -> None:
    (gap,) = lacking(CHAIN, replace(WHOLE, steps=(replace(STEP, outcome=outcome),)))
    assert gap.rule == "CHAIN-STEP"
    assert "train of 2026-11-20" in gap.message
    assert outcome in gap.message


def test_a_step_without_inputs_is_named() -> None:
    assert rules(replace(WHOLE, steps=(replace(STEP, inputs=0),))) == ["CHAIN-INPUTS"]


def test_a_step_that_nobody_trusted_signed_is_named_with_why() -> None:
    facts = replace(WHOLE, steps=(replace(STEP, unsigned="no key that is trusted signed it"),))
    (gap,) = lacking(CHAIN, facts)
    assert gap.rule == "CHAIN-SIGNATURE"
    assert "no key that is trusted" in gap.message
    assert rules(facts, replace(CHAIN, signed=False)) == []


def test_a_role_that_is_missing_is_named() -> None:
    (gap,) = lacking(CHAIN, replace(WHOLE, roles=("base",)))
    assert gap.rule == "CHAIN-ROLE"
    assert "data" in gap.message


def test_a_source_from_elsewhere_is_named_with_its_address() -> None:
    other = replace(MODEL, uris=("https://huggingface.co/evil/base-7b",))
    (gap,) = lacking(CHAIN, replace(WHOLE, sources=(TRAIN, other)))
    assert gap.rule == "CHAIN-SOURCE"
    assert "evil" in gap.message


def test_other_bytes_under_a_published_name_say_so() -> None:
    (gap,) = lacking(CHAIN, replace(WHOLE, sources=(replace(TRAIN, content="e" * 64), MODEL)))
    assert gap.rule == "CHAIN-SOURCE"
    assert "as Acme calls it" in gap.message


def test_a_file_that_no_step_made_beside_others_is_named() -> None:
    (gap,) = lacking(CHAIN, replace(WHOLE, unmade=(("code/run.py", "f" * 64),)))
    assert (gap.rule, gap.place) == ("CHAIN-STEP", "code/run.py")


def test_a_base_without_a_step_breaks_the_chain_where_no_sources_are_named() -> None:
    chain = Chain(("deploy",))
    assert rules(WHOLE, chain) == ["CHAIN-STEP"]
    assert rules(WHOLE, replace(chain, unbroken=False)) == []


def test_what_is_called_by_another_role_is_looked_at_as_a_base_is() -> None:
    other = replace(MODEL, role="weights", uris=())
    assert rules(replace(WHOLE, sources=(TRAIN, other))) == ["CHAIN-SOURCE"]
    assert rules(replace(WHOLE, sources=(TRAIN, other)), Chain(("deploy",))) == ["CHAIN-STEP"]


def test_code_and_environments_need_no_origin() -> None:
    code = SourceFact(BASE, "train.py", "code", None, (), read=True)
    assert rules(replace(WHOLE, sources=(TRAIN, code))) == []


def test_a_source_whose_bytes_nobody_read_is_named() -> None:
    assert rules(replace(WHOLE, sources=(replace(TRAIN, read=False),))) == ["CHAIN-INPUTS"]


def test_demanding_sources_and_naming_none_is_met_by_none() -> None:
    chain = Chain(("deploy",), checks_sources=True)
    assert rules(WHOLE, chain) == ["CHAIN-SOURCE", "CHAIN-SOURCE"]


def test_more_gaps_than_can_be_listed_are_one_gap_more() -> None:
    steps = tuple(replace(STEP, id=f"step:{n}", inputs=0) for n in range(MAX_GAPS + 7))
    found = lacking(CHAIN, replace(WHOLE, steps=steps))
    assert len(found) == MAX_GAPS + 1
    assert "7 things more" in found[-1].message
    fewer = lacking(CHAIN, replace(WHOLE, steps=steps[:-1]))
    assert fewer[-1].fingerprint != found[-1].fingerprint


@pytest.mark.parametrize(
    "uri",
    [
        "https://huggingface.co/acme/base-7b",
        "https://huggingface.co/acme/base-7b/resolve/main/model.safetensors?download=true",
        "HTTPS://HuggingFace.co/acme/x",
        "https://huggingface.co/acme",
    ],
)
def test_an_address_below_an_origin_comes_from_there(uri: str) -> None:
    assert from_origin(ORIGINS, uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://huggingface.co/acme-evil/x",
        "https://huggingface.co/evil/acme/x",
        "https://huggingface.co/acme/../evil/x",
        "https://huggingface.co/acme/%2e%2e/evil/x",
        "https://huggingface.co/acme/%2E%2E%2Fevil",
        "https://huggingface.co/acme/%252e%252e/evil",
        "https://huggingface.co/acme/..\\evil",
        "https://huggingface.co//acme/x",
        "https://huggingface.co/./acme/x",
        "https://huggingface.co@evil.example/acme/x",
        "https://huggingface.co.evil.example/acme/x",
        "https://huggingface.co:8443/acme/x",
        "http://huggingface.co/acme/x",
        "https://huggingface.co/acme/x\n",
        "https://huggingface.co/ acme/x",
        "https://[huggingface.co/acme/x",
        "huggingface.co/acme/x",
        "",
    ],
)
def test_an_address_that_only_looks_so_does_not(uri: str) -> None:
    assert not from_origin(ORIGINS, uri)


def test_an_origin_has_a_scheme_and_a_host() -> None:
    assert is_origin("s3://bucket/models")
    for text in ("", "acme", "https://", "/models", "https://a@b/", "https://a/%2e%2e/"):
        assert not is_origin(text)


def test_a_chain_is_read_back_as_it_was_written() -> None:
    assert chain_from_dict(CHAIN.to_dict()) == CHAIN
