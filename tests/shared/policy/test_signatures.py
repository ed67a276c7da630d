"""A policy demands a signature over the model for the actions it names, by whom it names."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from samples.ledger_records import a_manifest, an_evidence
from samples.model_signers import Authority, Sigstore, curve_key, public_pem

from tidegate.attestation import SigningKey
from tidegate.errors import PolicyError
from tidegate.ledger.records import canonical, policy_from_dict
from tidegate.policy import (
    Action,
    Decision,
    Outcome,
    Policy,
    Review,
    ReviewVerdict,
    decide,
    load_policy,
    parse_policy,
    profile,
)
from tidegate.policy.signatures import SignatureCheck, SignatureDemand, Signer
from tidegate.policy.signatures_file import section_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DEMANDING = replace(
    profile("standard"),
    signatures=SignatureDemand(("deploy", "load"), (Signer("ml", key=public_pem(curve_key())),)),
)


def _decide(
    *checks: SignatureCheck,
    action: Action = Action.LOAD,
    policy: Policy = DEMANDING,
    reviews: tuple[Review, ...] = (),
) -> Decision:
    manifest = a_manifest()
    return decide(
        policy,
        action,
        an_evidence(manifest, severity=None),
        digest=manifest.digest,
        subject="fraud/3",
        now=NOW,
        reviews=reviews,
        signatures=checks,
    )


@pytest.mark.parametrize("action", [Action.LOAD, Action.DEPLOY])
def test_a_clean_model_without_a_signature_is_held(action: Action) -> None:
    decision = _decide(action=action)
    assert decision.outcome is Outcome.QUARANTINE
    (reason,) = decision.reasons
    assert reason.rule == "SIGNATURE-MISSING"
    assert "signature over the model by ml" in decision.explain()
    assert "tidegate sign" in decision.explain()


@pytest.mark.parametrize("action", [Action.REGISTER, Action.ALIAS, Action.STAGE])
def test_other_actions_demand_none(action: Action) -> None:
    assert _decide(action=action).outcome is Outcome.ALLOW


def test_a_signature_that_counts_lets_it_pass_and_is_named() -> None:
    decision = _decide(SignatureCheck(7, "ml"))
    assert decision.outcome is Outcome.ALLOW
    assert [note.message for note in decision.notes] == ["signed by ml (signature 7)"]


def test_one_that_does_not_count_holds_with_its_reason() -> None:
    decision = _decide(SignatureCheck(8, None, "no key that is believed made it"))
    assert decision.outcome is Outcome.QUARANTINE
    assert decision.reasons[0].rule == "SIGNATURE-INVALID"
    assert "signature 8: no key that is believed" in decision.reasons[0].message


def test_no_approval_stands_in_for_a_signature() -> None:
    manifest = a_manifest()
    approval = Review(
        1, manifest.digest, ReviewVerdict.APPROVE, ("",), "grace", "fine", created_at=NOW
    )
    assert _decide(reviews=(approval,)).reasons[0].rule == "SIGNATURE-MISSING"


def test_a_signature_is_no_pass_for_a_rejected_model() -> None:
    rejection = Review(
        1, a_manifest().digest, ReviewVerdict.REJECT, (), "grace", "no", created_at=NOW
    )
    decision = _decide(SignatureCheck(7, "ml"), reviews=(rejection,))
    assert decision.outcome is Outcome.DENY


def test_a_decision_keeps_what_was_found_of_the_signatures() -> None:
    for check in (SignatureCheck(7, "ml"), SignatureCheck(8, None, "why")):
        decision = _decide(check)
        assert Decision.from_dict(json.loads(canonical(decision.to_dict()))) == decision
    before = decision.to_dict()
    del before["signatures"]
    assert Decision.from_dict(before).signatures == ()


def test_a_policy_without_a_demand_keeps_its_digest_and_one_with_it_comes_back() -> None:
    assert "signatures" not in profile("standard").to_dict()
    data = json.loads(canonical(DEMANDING.to_dict()))
    assert policy_from_dict(data) == DEMANDING
    assert DEMANDING.digest != profile("standard").digest
    data["signatures"]["quorum"] = 2
    with pytest.raises(TypeError):
        policy_from_dict(data)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "ml.pub").write_text(public_pem(curve_key()))
    (tmp_path / "roots.pem").write_text(Authority.root().pem)
    (tmp_path / "trusted_root.json").write_text(Sigstore().trusted_root())
    (tmp_path / "ed25519.pub").write_text(SigningKey.generate().public.pem)
    (tmp_path / "k1.pub").write_text(public_pem(curve_key(ec.SECP256K1())))
    return tmp_path


FULL = """
schema: 1
signatures:
  actions: [alias, load]
  signers:
    - {owner: ml, key: ml.pub, since: 2026-01-01T00:00:00Z, until: 2027-01-01T00:00:00+01:00}
    - {owner: release, roots: roots.pem, identity: ml@example.com}
    - {owner: anybody, roots: roots.pem, any_identity: true}
    - {owner: ci, trusted_root: trusted_root.json, identity: "https://e.com/w", issuer: "https://i"}
"""


def test_a_policy_file_names_signers_in_three_ways(files: Path) -> None:
    (files / "policy.yaml").write_text(FULL)
    demand = load_policy(files / "policy.yaml").signatures
    assert demand is not None
    assert demand.actions == ("alias", "load")
    ml, release, anybody, ci = demand.signers
    assert ml.key == (files / "ml.pub").read_text()
    assert (ml.since, ml.until) == ("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+01:00")
    assert (release.identity, anybody.identity) == ("ml@example.com", None)
    assert (ci.identity, ci.issuer) == ("https://e.com/w", "https://i")


def test_what_a_policy_shows_is_a_policy_file_again(files: Path) -> None:
    (files / "policy.yaml").write_text(FULL)
    policy = load_policy(files / "policy.yaml")
    assert policy.signatures is not None
    shown = yaml.safe_dump({"schema": 1, "signatures": section_of(policy.signatures)})
    assert parse_policy(shown) == policy


def test_another_key_in_the_same_file_is_another_policy(files: Path) -> None:
    (files / "policy.yaml").write_text(FULL)
    before = load_policy(files / "policy.yaml").digest
    (files / "ml.pub").write_text(public_pem(curve_key()))
    assert load_policy(files / "policy.yaml").digest != before


def test_load_and_deploy_demand_a_signature_where_no_actions_are_named(files: Path) -> None:
    policy = parse_policy(
        "schema: 1\nsignatures: {signers: [{owner: ml, key: ml.pub}]}\n", folder=files
    )
    assert policy.signatures is not None
    assert policy.signatures.actions == ("deploy", "load")


@pytest.mark.parametrize(
    ("signer", "message"),
    [
        ("{owner: ml}", "give one of key, roots, trusted_root"),
        ("{owner: ml, key: ml.pub, roots: roots.pem}", "give one of"),
        ("{owner: ml, key: ml.pub, identity: x}", "a signer by key has no identity"),
        ("{owner: ml, roots: roots.pem}", "any_identity: true"),
        ("{owner: ml, roots: roots.pem, identity: x, any_identity: true}", "any_identity: true"),
        ("{owner: ml, roots: roots.pem, identity: x, issuer: y}", "has no issuer"),
        ("{owner: ml, trusted_root: trusted_root.json}", "give an identity and its issuer"),
        ("{owner: ml, trusted_root: trusted_root.json, identity: x}", "identity and its issuer"),
        ("{owner: ml, key: missing.pub}", r"missing\.pub: can't be read"),
        ("{owner: ml, key: roots.pem}", "no public key in PEM"),
        ("{owner: ml, key: ed25519.pub}", "an ed25519 key, such as the ledger's, can't sign them"),
        ("{owner: ml, key: k1.pub}", "P-256, P-384 or P-521 and no others"),
        ("{owner: ml, roots: ml.pub, identity: x}", "no certificates in PEM"),
        ("{owner: ml, trusted_root: ml.pub, identity: x, issuer: y}", "this is no JSON"),
        ("{owner: ml, trusted_root: '{}', identity: x, issuer: y}", "no trusted_root.json"),
        ("{owner: ml, key: ml.pub, since: 2026-01-01}", "datetime"),
        ("{owner: ml, key: ml.pub, sinse: 2026-01-01T00:00:00Z}", "there is no such key"),
    ],
)
def test_a_signer_that_could_make_nothing_count_is_an_error_at_its_line(
    files: Path, signer: str, message: str
) -> None:
    text = f"schema: 1\nsignatures:\n  signers:\n    - {signer}\n"
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, folder=files)
    (problem,) = caught.value.problems
    assert problem.startswith("line 4: signatures.signers.0")
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(problem)


@pytest.mark.parametrize("section", ["{}", "{signers: []}", "{actions: [], signers: []}"])
def test_a_demand_that_nobody_could_meet_or_for_nothing_is_an_error(section: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(f"schema: 1\nsignatures: {section}\n")


def test_a_policy_that_is_no_file_has_no_files_beside_it() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy("schema: 1\nsignatures: {signers: [{owner: ml, key: ml.pub}]}\n")
    assert "no files beside it" in caught.value.problems[0]


def test_the_guides_policy_is_valid(files: Path) -> None:
    guide = Path(__file__).parents[3] / "docs" / "guides" / "signatures.md"
    (block,) = re.findall(r"```yaml\n(.*?)```", guide.read_text(), re.DOTALL)
    (files / "model-key.pub").write_text((files / "ml.pub").read_text())
    policy = parse_policy(block, folder=files)
    assert policy.signatures is not None
    assert [signer.owner for signer in policy.signatures.signers] == [
        "ml-platform",
        "release",
        "ci",
    ]
