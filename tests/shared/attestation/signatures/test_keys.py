"""A model is signed by an ECDSA key, and the signature counts as the key list says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from samples.model_signers import (
    NOW,
    curve_key,
    key_files,
    private_pem,
    public_pem,
    resealed,
    signing_key,
)

from tidegate.artifact import FileEntry, Manifest, read_manifest
from tidegate.attestation import KeyList, PublicKey, SigningKey, TrustedKey
from tidegate.attestation.signatures import (
    KeyTrust,
    ModelSignatureError,
    SignerKind,
    SignerUnknownError,
    SigningIdentity,
    identity_of_environment,
    key_trust,
    sign_model,
    verify_model,
)
from tidegate.errors import OperatorError, UsageError

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_signature_by_each_curve_is_taken(model: Path, curve: ec.EllipticCurve) -> None:
    key, manifest = curve_key(curve), read_manifest(model)
    text = sign_model(manifest, SigningIdentity(signing_key(key)), model_name="fraud")
    found = verify_model(text.encode(), manifest, [key_trust("ops", public_pem(key))], at=NOW)
    assert (found.owner, found.kind, found.model_name) == ("ops", SignerKind.KEY, "fraud")


def test_a_manifest_is_enough_the_bytes_may_be_gone(
    identity: SigningIdentity, trust: KeyTrust
) -> None:
    manifest = Manifest("folder", (FileEntry("a", 1, "ab" * 32), FileEntry("b", 1, "cd" * 32)))
    text = sign_model(manifest, identity, model_name="gone")
    assert verify_model(text.encode(), manifest, [trust], at=NOW).owner == "ml-platform"


def test_an_ed25519_key_signs_no_model(model: Path) -> None:
    with pytest.raises(UsageError, match="ECDSA key, and this one is ed25519"):
        SigningIdentity(SigningKey.generate())
    with pytest.raises(UsageError, match="ECDSA key, and this one is ed25519"):
        key_trust("ops", SigningKey.generate().public.pem)


def test_of_a_key_list_the_ecdsa_keys_count(
    model: Path, identity: SigningIdentity, key: ec.EllipticCurvePrivateKey
) -> None:
    manifest = read_manifest(model)
    data = sign_model(manifest, identity, model_name="m").encode()
    ledger_key = TrustedKey(SigningKey.generate().public, "ledger")
    mixed = KeyList([ledger_key, TrustedKey(PublicKey.from_pem(public_pem(key)), "ml")])
    assert verify_model(data, manifest, [KeyTrust(mixed)], at=NOW).owner == "ml"
    with pytest.raises(UsageError, match="no ECDSA key"):
        KeyTrust(KeyList([ledger_key]))


@pytest.mark.parametrize(("since", "until"), [(1, None), (None, -1), (None, 0)])
def test_a_key_out_of_its_time_does_not_count(
    model: Path,
    identity: SigningIdentity,
    key: ec.EllipticCurvePrivateKey,
    since: int | None,
    until: int | None,
) -> None:
    moments = [None if days is None else NOW + timedelta(days=days) for days in (since, until)]
    listed = TrustedKey(PublicKey.from_pem(public_pem(key)), "ml", *moments)
    manifest = read_manifest(model)
    data = sign_model(manifest, identity, model_name="m").encode()
    with pytest.raises(SignerUnknownError, match="'ml' does not count at"):
        verify_model(data, manifest, [KeyTrust(KeyList([listed]))], at=NOW)


def test_somebody_elses_key_does_not_count(model: Path, trust: KeyTrust) -> None:
    manifest = read_manifest(model)
    other = SigningIdentity(signing_key(curve_key()))
    with pytest.raises(SignerUnknownError, match="no key that is believed"):
        verify_model(
            sign_model(manifest, other, model_name="m").encode(), manifest, [trust], at=NOW
        )


def test_a_hint_at_a_believed_key_makes_no_signature_its(
    model: Path, identity: SigningIdentity, trust: KeyTrust
) -> None:
    manifest = read_manifest(model)
    bundle = json.loads(sign_model(manifest, identity, model_name="m"))
    payload = __import__("base64").b64decode(bundle["dsseEnvelope"]["payload"])
    forged = resealed(bundle, payload, curve_key())
    with pytest.raises(SignerUnknownError):
        verify_model(forged, manifest, [trust], at=NOW)


def test_with_nobody_believed_no_signature_counts(model: Path, identity: SigningIdentity) -> None:
    manifest = read_manifest(model)
    data = sign_model(manifest, identity, model_name="m").encode()
    with pytest.raises(UsageError, match="whose model signatures count"):
        verify_model(data, manifest, [], at=NOW)


def test_the_environment_names_who_signs(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIDEGATE_MODEL_SIGNING_KEY", raising=False)
    assert identity_of_environment() is None
    private, _ = key_files(tmp_path, key)
    for given in (str(private), private_pem(key).decode()):
        monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", given)
        found = identity_of_environment()
        assert found is not None
        assert found.key.public.pem == public_pem(key)
    private.chmod(0o640)
    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_KEY", str(private))
    with pytest.raises(OperatorError, match="read by others"):
        identity_of_environment()


def test_a_certificate_without_its_key_in_the_environment_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TIDEGATE_MODEL_SIGNING_KEY", raising=False)
    monkeypatch.setenv("TIDEGATE_MODEL_SIGNING_CERTIFICATE", "chain.pem")
    with pytest.raises(UsageError, match="TIDEGATE_MODEL_SIGNING_KEY is not"):
        identity_of_environment()


@pytest.mark.parametrize("name", ["a\\b", "../a", "a//b", "/a", "./a", "a/.."])
def test_a_name_that_leads_elsewhere_is_not_signed(identity: SigningIdentity, name: str) -> None:
    manifest = Manifest("folder", (FileEntry(name, 1, "ab" * 32),))
    with pytest.raises(UsageError, match="no plain name"):
        sign_model(manifest, identity, model_name="m")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Model.pkl", "model.pkl"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("a. ", "a"),
    ],
)
def test_two_names_that_are_one_file_on_some_disks_are_not_signed(
    identity: SigningIdentity, one: str, other: str
) -> None:
    entries = tuple(FileEntry(name, 1, "ab" * 32) for name in (one, other))
    with pytest.raises(UsageError, match="one and the same file on some disks"):
        sign_model(Manifest("folder", entries), identity, model_name="m")


def test_the_same_names_in_two_folders_are_signed(
    identity: SigningIdentity, trust: KeyTrust
) -> None:
    entries = tuple(FileEntry(name, 1, "ab" * 32) for name in ("a/Model", "b/model"))
    manifest = Manifest("folder", entries)
    text = sign_model(manifest, identity, model_name="m")
    assert verify_model(text.encode(), manifest, [trust], at=NOW).owner == "ml-platform"


def test_a_single_file_is_signed_under_its_name(
    model: Path, identity: SigningIdentity, trust: KeyTrust
) -> None:
    manifest = read_manifest(model / "MLmodel")
    data = sign_model(manifest, identity, model_name="whatever").encode()
    assert verify_model(data, manifest, [trust], at=NOW).model_name == "MLmodel"
    renamed = replace(manifest, files=(replace(manifest.files[0], path="model.pkl"),))
    with pytest.raises(ModelSignatureError, match="over a file called 'MLmodel'"):
        verify_model(data, renamed, [trust], at=NOW)


@pytest.mark.parametrize(("kind", "count"), [("file", 2), ("file", 0), ("folder", 0)])
def test_a_manifest_that_no_artifact_has_is_neither_signed_nor_covered(
    identity: SigningIdentity, trust: KeyTrust, kind: str, count: int
) -> None:
    files = tuple(FileEntry(name, 1, "ab" * 32) for name in "ab"[:count])
    with pytest.raises(UsageError, match="no files that could be one artifact"):
        sign_model(Manifest(kind, files), identity, model_name="m")
    one = Manifest("file", (FileEntry("a", 1, "ab" * 32),))
    data = sign_model(one, identity, model_name="m").encode()
    with pytest.raises(ModelSignatureError):
        verify_model(data, Manifest(kind, files), [trust], at=NOW)


def test_a_file_signed_alone_does_not_cover_a_folder_with_it_nor_the_other_way_round(
    model: Path, identity: SigningIdentity, trust: KeyTrust
) -> None:
    alone, folder = read_manifest(model / "MLmodel"), read_manifest(model)
    for signed, shown in ((alone, folder), (folder, alone)):
        data = sign_model(signed, identity, model_name="MLmodel").encode()
        with pytest.raises(ModelSignatureError, match="not over these files"):
            verify_model(data, shown, [trust], at=NOW)
