"""Through the gate: approved is signed, and what is not signed as the policy says is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from samples.model_signers import Sigstore, curve_key, private_pem, public_pem, signing_key

from tidegate.artifact import read_manifest
from tidegate.attestation import SigningKey
from tidegate.attestation.signatures import SigningIdentity, key_trust, sign_model, verify_model
from tidegate.attestation.signatures.statement import statement_over
from tidegate.errors import UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.policy import Action, Outcome, Policy, profile
from tidegate.policy.signatures import SignatureDemand, Signer

# Protocol 0: `os.system('echo tidegate-test')` as a pickle. Harmless even where it is loaded.
CALLS_SYSTEM = b"cos\nsystem\n(S'echo tidegate-test'\ntR."


@pytest.fixture(scope="module")
def key() -> EllipticCurvePrivateKey:
    return curve_key()


@pytest.fixture(scope="module")
def policy(key: EllipticCurvePrivateKey) -> Policy:
    signer = Signer("ml", key=public_pem(key))
    return replace(profile("standard"), signatures=SignatureDemand(("deploy", "load"), (signer,)))


@pytest.fixture(autouse=True)
def no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEY", "CERTIFICATE", "PASSWORD"):
        monkeypatch.delenv(f"TIDEGATE_MODEL_SIGNING_{name}", raising=False)


@pytest.fixture
def gate(tmp_path: Path, policy: Policy) -> Iterator[Gate]:
    with Gate(policy, Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")) as opened:
        yield opened


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"threshold": 0.5}')
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(CALLS_SYSTEM)
    return path


def test_a_clean_model_is_held_at_load_until_it_is_signed(
    gate: Gate, model: Path, key: EllipticCurvePrivateKey
) -> None:
    registered = gate.check(model, Action.REGISTER, subject="fraud/1")
    assert registered.outcome is Outcome.ALLOW
    held = gate.standing(model, Action.LOAD, subject="fraud/1")
    assert [reason.rule for reason in held.reasons] == ["SIGNATURE-MISSING"]
    decision, signature = gate.sign("fraud/1", SigningIdentity(signing_key(key)), actor="grace")
    assert decision.outcome is Outcome.ALLOW
    assert gate.held() == (), "it does not wait any more"
    assert signature is not None
    for action in (Action.LOAD, Action.DEPLOY):
        passed = gate.standing(model, action, subject="fraud/1")
        assert passed.outcome is Outcome.ALLOW
        assert any(note.rule == "SIGNED" for note in passed.notes)


def test_what_is_approved_is_signed_where_a_key_is_set(
    gate: Gate, hostile: Path, key: EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = gate.check(hostile, Action.REGISTER, subject="fraud/2").digest
    still = gate.approve("fraud/2", actor="grace", reason="known")
    assert [reason.rule for reason in still.reasons] == ["SIGNATURE-MISSING"]
    assert gate.ledger.signatures_for(digest) == ()

    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", private_pem(key).decode())
    hostile.unlink()
    passed = gate.approve("fraud/2", actor="grace", reason="known")
    assert passed.outcome is Outcome.ALLOW, "no bytes are needed to sign"
    (signature,) = gate.ledger.signatures_for(digest)
    assert signature.actor == "grace"
    trust = key_trust("ml", public_pem(key))
    now = datetime.now(UTC)
    found = verify_model(signature.bundle.encode(), gate.ledger.manifest(digest), [trust], at=now)
    assert found.model_name == "hostile.pkl"


def test_what_is_held_all_the_same_is_not_signed(
    gate: Gate, hostile: Path, key: EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", private_pem(key).decode())
    strict = replace(profile("strict"), signatures=gate.policy.signatures)
    with Gate(strict, gate.ledger) as stricter:
        digest = stricter.check(hostile, Action.REGISTER, subject="fraud/3").digest
        decision = stricter.approve("fraud/3", actor="grace", reason="known")
        assert decision.outcome is Outcome.DENY
        assert stricter.ledger.signatures_for(digest) == ()


def test_a_model_that_audit_mode_lets_pass_is_not_signed_for_it(
    gate: Gate, hostile: Path, key: EllipticCurvePrivateKey
) -> None:
    audit = Gate(profile("audit"), gate.ledger)
    audit.check(hostile, Action.REGISTER, subject="fraud/4")
    decision, signature = audit.sign("fraud/4", SigningIdentity(signing_key(key)), actor="grace")
    assert decision.allowed
    assert signature is None
    audit.engine.close()


def test_a_key_that_cannot_sign_models_is_told_before_the_approval_is_recorded(
    gate: Gate, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = gate.check(hostile, Action.REGISTER, subject="fraud/5").digest
    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", SigningKey.generate().to_pem().decode())
    with pytest.raises(UsageError, match="this one is ed25519"):
        gate.approve("fraud/5", actor="grace", reason="known")
    assert gate.ledger.reviews_for(digest) == ()


def test_somebody_elses_signature_does_not_count_and_is_told(gate: Gate, model: Path) -> None:
    gate.check(model, Action.REGISTER, subject="fraud/6")
    gate.sign("fraud/6", SigningIdentity(signing_key(curve_key())), actor="mallory")
    held = gate.standing(model, Action.LOAD, subject="fraud/6")
    assert [reason.rule for reason in held.reasons] == ["SIGNATURE-INVALID"]
    assert "no key that is believed" in held.explain()


def test_a_good_signature_counts_whatever_others_are_put_on_top(
    gate: Gate, model: Path, key: EllipticCurvePrivateKey
) -> None:
    gate.check(model, Action.REGISTER, subject="fraud/7")
    gate.sign("fraud/7", SigningIdentity(signing_key(key)), actor="grace")
    for _ in range(20):
        gate.sign("fraud/7", SigningIdentity(signing_key(curve_key())), actor="mallory")
    assert gate.standing(model, Action.LOAD, subject="fraud/7").outcome is Outcome.ALLOW


def test_a_signature_says_nothing_of_bytes_that_changed_since(
    gate: Gate, model: Path, key: EllipticCurvePrivateKey
) -> None:
    gate.check(model, Action.REGISTER, subject="fraud/8")
    gate.sign("fraud/8", SigningIdentity(signing_key(key)), actor="grace")
    (model / "config.json").write_text('{"threshold": 0.1}')
    gate.check(model, Action.REGISTER, subject="fraud/8")
    held = gate.standing(model, Action.LOAD, subject="fraud/8")
    assert [reason.rule for reason in held.reasons] == ["SIGNATURE-MISSING"]


def test_an_approved_model_that_cannot_be_signed_is_told_before_the_approval_is_recorded(
    gate: Gate,
    model: Path,
    key: EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (model / "CONFIG.json").write_text("{}")
    digest = gate.check(model, Action.REGISTER, subject="fraud/13").digest
    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", private_pem(key).decode())
    with pytest.raises(UsageError, match="one and the same file on some disks"):
        gate.approve("fraud/13", actor="grace", reason="known")
    assert gate.ledger.reviews_for(digest) == ()


@pytest.mark.parametrize(
    ("since", "until", "counts"), [(-1, 1, True), (1, None, False), (-2, -1, False)]
)
def test_a_signature_counts_by_its_keys_time_when_it_was_recorded(
    gate: Gate,
    model: Path,
    key: EllipticCurvePrivateKey,
    since: int,
    until: int | None,
    counts: bool,
) -> None:
    now = datetime.now(UTC)
    gate.check(model, Action.REGISTER, subject="fraud/9")
    gate.sign("fraud/9", SigningIdentity(signing_key(key)), actor="grace")
    signer = Signer(
        "ml",
        key=public_pem(key),
        since=now.replace(year=now.year + since).isoformat(),
        until=None if until is None else now.replace(year=now.year + until).isoformat(),
    )
    timed = replace(gate.policy, signatures=SignatureDemand(("load",), (signer,)))
    decision = Gate(timed, gate.ledger, engine=gate.engine).standing(model, subject="fraud/9")
    assert (decision.outcome is Outcome.ALLOW) is counts


def test_a_signature_by_sigstore_is_recorded_and_counts_by_its_identity(
    gate: Gate, model: Path
) -> None:
    pytest.importorskip("sigstore", reason="needs tidegate[signing]")
    sigstore = Sigstore()
    digest = gate.check(model, Action.REGISTER, subject="fraud/10").digest
    bundle = sigstore.sign(statement_over(read_manifest(model), "m"), "https://ci", "https://i")
    gate.ledger.add_signature(digest=digest, bundle=bundle, actor="ci", now=datetime.now(UTC))
    for identity, outcome in (("https://ci", Outcome.ALLOW), ("https://x", Outcome.QUARANTINE)):
        signer = Signer(
            "ci", trusted_root=sigstore.trusted_root(), identity=identity, issuer="https://i"
        )
        by_ci = replace(gate.policy, signatures=SignatureDemand(("load",), (signer,)))
        decision = Gate(by_ci, gate.ledger, engine=gate.engine).standing(model, subject="fraud/10")
        assert decision.outcome is outcome, decision.explain()


def test_without_a_demand_no_signature_is_looked_for(
    gate: Gate, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Ledger, digest: str) -> tuple[()]:
        raise AssertionError("signatures were looked for")

    monkeypatch.setattr(Ledger, "signatures_for", refuse)
    free = Gate(profile("standard"), gate.ledger, engine=gate.engine)
    free.check(model, Action.REGISTER, subject="fraud/11")
    assert free.standing(model, subject="fraud/11").outcome is Outcome.ALLOW


def test_a_signature_made_of_a_manifest_is_the_same_statement_as_of_the_bytes(
    gate: Gate, model: Path, key: EllipticCurvePrivateKey
) -> None:
    digest = gate.check(model, Action.REGISTER, subject="fraud/12").digest
    identity = SigningIdentity(signing_key(key))
    trust = key_trust("ml", public_pem(key))
    text = sign_model(gate.ledger.manifest(digest), identity, model_name="m")
    now = datetime.now(UTC)
    assert verify_model(text.encode(), read_manifest(model), [trust], at=now).owner == "ml"
