"""The OpenSSF's own tool takes our signatures, and we take its."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec
from samples.model_signers import (
    NOW,
    Authority,
    curve_key,
    key_files,
    pem,
    public_pem,
    signing_key,
)

from tidegate.artifact import read_manifest
from tidegate.attestation.signatures import (
    CertificateTrust,
    KeyTrust,
    ModelSignatureError,
    SigningIdentity,
    key_trust,
    sign_model,
    verify_model,
)

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]
ALL = "--no-ignore-git-paths"


def _tool(*arguments: object) -> int:
    cli = pytest.importorskip("model_signing._cli", reason="needs tidegate[signing]")
    result = CliRunner().invoke(cli.main, [str(each) for each in arguments])
    return result.exit_code


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("part", ["", "MLmodel"])
def test_it_takes_our_signatures_by_key(
    model: Path, tmp_path: Path, curve: ec.EllipticCurve, part: str
) -> None:
    key, path, signature = curve_key(curve), model / part, tmp_path / "model.sig"
    _, public = key_files(tmp_path, key)
    identity = SigningIdentity(signing_key(key))
    signature.write_text(sign_model(read_manifest(path), identity, model_name="any"))
    arguments = ("verify", "key", path, "--signature", signature, "--public_key", public, ALL)
    assert _tool(*arguments) == 0
    (model / "MLmodel").write_text("changed\n")
    assert _tool(*arguments) == 1


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("part", ["", "MLmodel"])
def test_we_take_its_signatures_by_key(
    model: Path, tmp_path: Path, curve: ec.EllipticCurve, part: str
) -> None:
    key, path, signature = curve_key(curve), model / part, tmp_path / "model.sig"
    private, _ = key_files(tmp_path, key)
    assert _tool("sign", "key", path, "--signature", signature, "--private_key", private, ALL) == 0
    trust = key_trust("ml", public_pem(key))
    assert verify_model(signature.read_bytes(), read_manifest(path), [trust], at=NOW).owner == "ml"
    (model / "MLmodel").write_text("changed\n")
    with pytest.raises(ModelSignatureError, match="changed"):
        verify_model(signature.read_bytes(), read_manifest(path), [trust], at=NOW)


def test_we_tell_of_gits_files_that_it_leaves_out(
    model: Path, tmp_path: Path, key: ec.EllipticCurvePrivateKey, trust: KeyTrust
) -> None:
    private, _ = key_files(tmp_path, key)
    signature = tmp_path / "model.sig"
    assert _tool("sign", "key", model, "--signature", signature, "--private_key", private) == 0
    with pytest.raises(ModelSignatureError, match=r"not signed: '\.gitattributes'"):
        verify_model(signature.read_bytes(), read_manifest(model), [trust], at=NOW)
    (model / ".gitattributes").unlink()
    found = verify_model(signature.read_bytes(), read_manifest(model), [trust], at=NOW)
    assert found.model_name == "model"


def test_we_refuse_what_it_leaves_out_for_a_signature_inside_of_the_model(
    model: Path, tmp_path: Path, key: ec.EllipticCurvePrivateKey, trust: KeyTrust
) -> None:
    private, _ = key_files(tmp_path, key)
    signature = model / "model.sig"
    assert _tool("sign", "key", model, "--signature", signature, "--private_key", private, ALL) == 0
    with pytest.raises(ModelSignatureError, match="leaves out paths"):
        verify_model(signature.read_bytes(), read_manifest(model), [trust], at=NOW)


def test_we_refuse_links_that_it_was_told_to_follow(
    model: Path, tmp_path: Path, key: ec.EllipticCurvePrivateKey, trust: KeyTrust
) -> None:
    private, _ = key_files(tmp_path, key)
    signature = tmp_path / "model.sig"
    arguments = ("sign", "key", model, "--signature", signature, "--private_key", private, ALL)
    assert _tool(*arguments, "--allow_symlinks") == 0
    with pytest.raises(ModelSignatureError, match="allows symbolic links"):
        verify_model(signature.read_bytes(), read_manifest(model), [trust], at=NOW)


def test_certificates_are_taken_both_ways(
    model: Path, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    root = Authority.root()
    middle = root.below("Intermediate")
    leaf = middle.issue("release", key, email="ml@example.com")
    private, _ = key_files(tmp_path, key)
    files = {"root": pem(root.certificate), "leaf": pem(leaf), "middle": pem(middle.certificate)}
    for name, content in files.items():
        (tmp_path / f"{name}.pem").write_text(content)
    (tmp_path / "chain.pem").write_text(files["leaf"] + files["middle"])

    signature = tmp_path / "ours.sig"
    identity = SigningIdentity.from_files(str(private), str(tmp_path / "chain.pem"))
    signature.write_text(sign_model(read_manifest(model), identity, model_name="model"))
    chain = ("--certificate_chain", tmp_path / "root.pem")
    assert _tool("verify", "certificate", model, "--signature", signature, *chain, ALL) == 0

    signature = tmp_path / "its.sig"
    given = ("--signing_certificate", tmp_path / "leaf.pem", "--private_key", private)
    middle_only = ("--certificate_chain", tmp_path / "middle.pem")
    arguments = ("sign", "certificate", model, "--signature", signature, *given, *middle_only, ALL)
    assert _tool(*arguments) == 0
    trust = CertificateTrust("release", root.pem, "ml@example.com")
    found = verify_model(signature.read_bytes(), read_manifest(model), [trust], at=NOW)
    assert found.owner == "release"


def test_a_model_of_many_names_is_taken_both_ways(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey, identity: SigningIdentity, trust: KeyTrust
) -> None:
    model = tmp_path / "model"
    for name in ("a-b", "a/b", "a.b", "a/b-c", "ä ö/ü", "z:1:2", "-rf", ".hidden/x", "日本/語"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        if not (model / name).exists():
            (model / name).write_text(name)
    private, public = key_files(tmp_path, key)
    ours, its = tmp_path / "ours.sig", tmp_path / "its.sig"
    ours.write_text(sign_model(read_manifest(model), identity, model_name="model"))
    assert _tool("verify", "key", model, "--signature", ours, "--public_key", public, ALL) == 0
    assert _tool("sign", "key", model, "--signature", its, "--private_key", private, ALL) == 0
    verify_model(its.read_bytes(), read_manifest(model), [trust], at=NOW)
