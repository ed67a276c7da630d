"""`tidegate sign`, `signatures` and `verify --signature`: signed by whom it should be, or not 0."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples.model_signers import (
    Authority,
    Sigstore,
    curve_key,
    key_files,
    pem,
    private_pem,
    public_pem,
)

from tidegate.artifact import read_manifest
from tidegate.attestation import KeyList, PublicKey, SigningKey, TrustedKey
from tidegate.attestation.signatures.statement import statement_over


@pytest.fixture
def model(environment) -> Path:
    folder = Path("model")
    folder.mkdir()
    (folder / "config.json").write_text('{"threshold": 0.5}')
    return folder


@pytest.fixture
def recorded(tidegate, model) -> Path:
    assert tidegate("scan", "--record", "--subject", "fraud/1", model).code == 0
    return model


@pytest.fixture
def keys(environment) -> tuple[Path, Path]:
    Path("keys").mkdir()
    return key_files(Path("keys"), curve_key())


@pytest.fixture
def policy(keys) -> Path:
    path = Path("keys", "policy.yaml")
    path.write_text("schema: 1\nsignatures: {signers: [{owner: ml, key: key.pub}]}\n")
    return path


def test_a_model_that_passes_is_signed_and_then_verifies(tidegate, recorded, keys):
    private, public = keys
    result = tidegate("sign", recorded, "--key", private, "--output", "fraud.sig")
    assert result.code == 0, result.err
    assert "as signature 1: fraud.sig" in result.out
    result = tidegate("verify", recorded, "--key", public, "--signature", "fraud.sig")
    assert result.code == 0, result.out
    assert f"Signed by {public} (key; named 'fraud/1' by its signer)." in result.out
    assert tidegate("verify", recorded, "fraud/1", "--key", public, "--signature").code == 0


def test_a_name_is_signed_without_the_bytes(tidegate, recorded, keys):
    (recorded / "config.json").unlink()
    recorded.rmdir()
    assert tidegate("sign", "fraud/1", "--key", keys[0]).code == 0
    assert tidegate("verify", "fraud/1", "--key", keys[1], "--signature").code == 0


def test_what_is_held_or_unknown_is_not_signed(tidegate, hostile, good, keys):
    tidegate("scan", "--record", hostile)
    result = tidegate("sign", hostile, "--key", keys[0])
    assert result.code == 1
    assert "PICKLE-EXEC" in result.out
    assert "So it was not signed." in result.out
    assert tidegate("sign", good, "--key", keys[0]).code == 2


def test_a_model_is_signed_unchecked_only_into_a_file_and_beside_the_model(tidegate, model, keys):
    private, public = keys
    assert tidegate("sign", model, "--key", private, "--unchecked").code == 2
    inside = model / "model.sig"
    assert tidegate("sign", model, "--key", private, "--unchecked", "-o", inside).code == 2
    assert not inside.exists()
    assert tidegate("sign", model, "--key", private, "--unchecked", "-o", "model.sig").code == 0
    verify = ("verify", model, "--signature-only", "--key", public, "--signature", "model.sig")
    assert tidegate(*verify).code == 0
    assert not Path("ledger").exists()
    (model / "more.txt").write_text("x")
    result = tidegate(*verify)
    assert result.code == 1
    assert "NOT SIGNED as demanded" in result.out
    assert "not signed: 'more.txt'" in result.out


def test_a_link_is_refused_before_its_signature(tidegate, model, keys):
    private, public = keys
    tidegate("sign", model, "--key", private, "--unchecked", "-o", "model.sig")
    Path("link").symlink_to("model")
    verify = ("--signature-only", "--key", public, "--signature", "model.sig")
    result = tidegate("verify", "link", *verify)
    assert result.code == 3
    assert "symbolic link" in result.err


def test_a_signature_is_not_enough_where_the_model_was_not_scanned(tidegate, model, keys):
    private, public = keys
    tidegate("db", "upgrade")
    tidegate("sign", model, "--key", private, "--unchecked", "-o", "model.sig")
    assert tidegate("verify", model, "--key", public, "--signature", "model.sig").code == 3


def test_somebody_elses_signature_is_1_in_both_formats(tidegate, recorded, keys):
    other = Path("other.pub")
    other.write_text(public_pem(curve_key()))
    tidegate("sign", recorded, "--key", keys[0], "-o", "model.sig")
    verify = ("verify", recorded, "--key", other, "--signature", "model.sig")
    result = tidegate(*verify)
    assert result.code == 1
    assert result.out.rstrip().endswith("So it does not pass here.")
    result = tidegate(*verify, "-f", "json")
    assert result.code == 1
    (row,) = json.loads(result.out)["artifacts"]
    assert row["allowed"] is False
    assert "no key that is believed" in row["signature"]["problem"]


def test_without_a_signature_on_record_it_is_1(tidegate, recorded, keys):
    result = tidegate("verify", recorded, "--key", keys[1], "--signature")
    assert result.code == 1
    assert "no signature over it is on record" in result.out


def test_the_policys_signers_count_and_load_is_held_without_one(
    tidegate, recorded, keys, policy, monkeypatch
):
    monkeypatch.setenv("TIDEGATE_POLICY", str(policy))
    result = tidegate("verify", recorded)
    assert result.code == 1
    assert "SIGNATURE-MISSING" in result.out
    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", keys[0].read_text())
    assert tidegate("review", "approve", "fraud/1", "--reason", "looked at").code == 0
    assert tidegate("verify", recorded).code == 0
    result = tidegate("verify", recorded, "--signature")
    assert result.code == 0, result.out
    assert "Signed by ml (key, signature 1" in result.out


def test_who_signs_and_does_not_count_is_told(tidegate, recorded, policy):
    Path("other").mkdir()
    other, _ = key_files(Path("other"), curve_key())
    result = tidegate("sign", "fraud/1", "--key", other, "--policy", policy)
    assert result.code == 1
    assert "Signed fraud/1" in result.out
    assert "SIGNATURE-INVALID" in result.out
    assert tidegate("sign", "fraud/1", "--key", Path("keys/key.pem"), "--policy", policy).code == 0


def test_the_trusted_keys_count_where_neither_options_nor_policy_name_signers(
    tidegate, recorded, keys, monkeypatch
):
    listed = KeyList(
        [
            TrustedKey(PublicKey.from_pem(keys[1].read_text()), "ml-team"),
            TrustedKey(SigningKey.generate().public, "ledger"),
        ]
    )
    Path("keys.json").write_text(json.dumps(listed.to_dict()))
    tidegate("sign", recorded, "--key", keys[0])
    assert tidegate("verify", recorded, "--signature").code == 2, "the ledger's key signs no model"
    monkeypatch.setenv("TIDEGATE_TRUSTED_KEYS", "keys.json")
    result = tidegate("verify", recorded, "--signature")
    assert result.code == 0, result.out + result.err
    assert "Signed by ml-team" in result.out


def test_a_certificate_signs_and_counts_by_its_name(tidegate, recorded):
    key, root = curve_key(), Authority.root()
    private, _ = key_files(Path(), key)
    Path("chain.pem").write_text(pem(root.issue("release", key, email="ml@example.com")))
    Path("roots.pem").write_text(root.pem)
    assert tidegate("sign", recorded, "--key", private, "--certificate", "chain.pem").code == 0
    by = ("verify", recorded, "--roots", "roots.pem")
    assert tidegate(*by, "--identity", "ml@example.com", "--signature").code == 0
    assert tidegate(*by, "--identity", "someone@example.com", "--signature").code == 1
    assert tidegate(*by, "--any-identity", "--signature").code == 0
    assert tidegate(*by, "--signature").code == 2


def test_a_signature_made_elsewhere_is_put_on_record(tidegate, recorded):
    pytest.importorskip("sigstore", reason="needs tidegate[signing]")
    sigstore = Sigstore()
    statement = statement_over(read_manifest(recorded), "fraud")
    Path("ci.sig").write_text(sigstore.sign(statement, "https://ci/sign", "https://issuer"))
    Path("root.json").write_text(sigstore.trusted_root())
    assert tidegate("sign", recorded, "--bundle", "ci.sig").code == 0
    by = ("verify", recorded, "--trusted-root", "root.json")
    who = ("--identity", "https://ci/sign", "--issuer", "https://issuer")
    assert tidegate(*by, *who, "--signature").code == 0
    assert tidegate(*by, *who[:3], "https://other", "--signature").code == 1
    assert tidegate(*by, *who[:2], "--signature").code == 2
    Path("ci.sig").write_text("nothing")
    assert tidegate("sign", recorded, "--bundle", "ci.sig").code == 3


def test_signatures_on_record_are_shown_and_written_out(tidegate, recorded, keys):
    private, public = keys
    other = Path("other.pem")
    other.touch(mode=0o600)
    other.write_bytes(private_pem(curve_key()))
    assert tidegate("signatures", "fraud/1", "--key", public).code == 1
    tidegate("sign", recorded, "--key", private)
    tidegate("sign", recorded, "--key", other)
    result = tidegate("signatures", "fraud/1", "--key", public, "--export", "out.sig")
    assert result.code == 0
    shown = tidegate("review", "show", "fraud/1")
    assert "signature 2, recorded by ada" in shown.out
    shown = json.loads(tidegate("review", "show", "fraud/1", "-f", "json").out)
    assert [each["id"] for each in shown["signatures"]] == [2, 1]
    newest, oldest = result.out.splitlines()
    assert "does not count: " in newest
    assert oldest.endswith(f"recorded by ada: by {public}")
    verify = ("verify", recorded, "--signature-only", "--key", public, "--signature")
    assert tidegate(*verify, "out.sig").code == 0
    tidegate("signatures", "fraud/1", "--key", public, "--export", "2.sig", "--number", "2")
    assert tidegate(*verify, "2.sig").code == 1
    data = json.loads(tidegate("signatures", "fraud/1", "--key", public, "-f", "json").out)
    assert [(each["number"], each["owner"]) for each in data["signatures"]] == [
        (2, None), (1, str(public)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "model", "--key", "keys/key.pub"),
        ("verify", "model", "--signature-only"),
        ("verify", "model", "model", "--signature-only", "--signature", "x"),
        ("verify", "model", "--path", "x"),
        ("verify", "model", "--to", "x"),
        ("verify", "models:/fraud/1", "--path", "a", "--to", "b"),
        ("verify", "model", "--identity", "x", "--signature"),
        ("verify", "model", "--key", "missing.pub", "--signature"),
        ("verify", "model", "--key", "keys/key.pub", "--signature", "missing.sig"),
        ("verify", "models:/fraud/latest", "--signature", "--key", "keys/key.pub"),
        ("verify", "models:/fraud/Production", "--path", "model"),
        ("sign", "model"),
        ("sign", "model", "--certificate", "x"),
        ("sign", "model", "--key", "keys/key.pub"),
        ("sign", "model", "--bundle", "missing.sig"),
        ("signatures", "fraud/1", "--key", "keys/key.pub", "--number", "1"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(tidegate, recorded, keys, arguments):
    (recorded / "config.json").chmod(0o600)
    keys[1].chmod(0o600)
    assert tidegate(*arguments).code == 2


def test_a_host_with_the_files_asks_the_ledger_alone_for_a_numbered_version(
    tidegate, recorded, keys, ledger_url
):
    from tidegate.ledger import Ledger

    with Ledger.open(ledger_url) as ledger:
        decision = ledger.decision(1)
        ledger.add_registration(
            store="mlflow:default", name="fraud", version="3", created_ms=1, source="",
            digest=decision.digest, decision_id=1,
        )  # fmt: skip
    tidegate("sign", recorded, "--key", keys[0])
    verify = ("verify", "models:/fraud/3", "--path", recorded, "--key", keys[1], "--signature")
    result = tidegate(*verify)
    assert result.code == 0, result.out + result.err
    assert "fraud/3 passes" in result.out
    (recorded / "config.json").write_text("{}")
    result = tidegate(*verify)
    assert result.code == 1
    assert "CHANGED" in result.out
    assert tidegate("verify", "models:/fraud/4", "--path", recorded).code == 3


def test_what_somebody_calls_his_bytes_is_no_registered_version(tidegate, recorded):
    assert tidegate("verify", recorded, "--subject", "fraud/4").code == 0
    result = tidegate("verify", "models:/fraud/4", "--path", recorded)
    assert result.code == 3
    assert "no registration of fraud/4" in result.err
