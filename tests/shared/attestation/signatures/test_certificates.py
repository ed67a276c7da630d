"""A certificate's signature counts under a root that is given, by name, in its time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from samples.model_signers import NOW, Authority, curve_key, pem, private_pem, signing_key

from tidegate.artifact import read_manifest
from tidegate.attestation.signatures import (
    CertificateTrust,
    KeyTrust,
    ModelSignatureError,
    SignerKind,
    SignerUnknownError,
    SigningIdentity,
    Verified,
    sign_model,
    verify_model,
)
from tidegate.errors import UsageError

WHO = "ml-release@example.com"


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="module")
def middle(root: Authority) -> Authority:
    return root.below("Intermediate")


def _verified(
    model: Path,
    key: EllipticCurvePrivateKey,
    chain: list[x509.Certificate],
    trust: CertificateTrust,
) -> Verified:
    manifest = read_manifest(model)
    identity = SigningIdentity(
        signing_key(key), tuple(each.public_bytes(Encoding.DER) for each in chain)
    )
    data = sign_model(manifest, identity, model_name="model").encode()
    return verify_model(data, manifest, [trust], at=NOW)


def test_a_chain_up_to_the_given_root_counts(
    model: Path, key: EllipticCurvePrivateKey, root: Authority, middle: Authority
) -> None:
    leaf = middle.issue("release", key, email=WHO)
    trust = CertificateTrust("release", root.pem, WHO)
    found = _verified(model, key, [leaf, middle.certificate], trust)
    assert (found.owner, found.kind) == ("release", SignerKind.CERTIFICATE)


def test_the_common_name_counts_where_the_certificate_has_no_other(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    trust = CertificateTrust("release", root.pem, "release")
    assert _verified(model, key, [root.issue("release", key)], trust).owner == "release"
    with pytest.raises(SignerUnknownError, match=f"by '{WHO}', not by 'release'"):
        _verified(model, key, [root.issue("release", key, email=WHO)], trust)


def test_another_name_under_the_same_root_does_not_count(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    leaf = root.issue("intern", key, email="intern@example.com")
    with pytest.raises(SignerUnknownError, match=r"not by 'ml-release@example\.com'"):
        _verified(model, key, [leaf], CertificateTrust("release", root.pem, WHO))
    anybody = CertificateTrust("anybody", root.pem, None)
    assert _verified(model, key, [leaf], anybody).owner == "anybody"


def test_a_root_that_the_signature_brings_along_does_not_count(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    own = Authority.root()
    chain = [own.issue("release", key, email=WHO), own.certificate]
    with pytest.raises(SignerUnknownError, match="no root of 'release'"):
        _verified(model, key, chain, CertificateTrust("release", root.pem, WHO))


def test_a_missing_link_of_the_chain_is_missed(
    model: Path, key: EllipticCurvePrivateKey, root: Authority, middle: Authority
) -> None:
    leaf = middle.issue("release", key, email=WHO)
    with pytest.raises(SignerUnknownError, match="no root of"):
        _verified(model, key, [leaf], CertificateTrust("release", root.pem, WHO))


@pytest.mark.parametrize(("start", "end"), [(-9, -1), (1, 9)])
def test_a_certificate_out_of_its_time_does_not_count(
    model: Path, key: EllipticCurvePrivateKey, root: Authority, start: int, end: int
) -> None:
    leaf = root.issue(
        "release",
        key,
        email=WHO,
        start=NOW + timedelta(days=start),
        end=NOW + timedelta(days=end),
    )
    with pytest.raises(SignerUnknownError, match="not valid"):
        _verified(model, key, [leaf], CertificateTrust("release", root.pem, WHO))


def test_an_expired_root_vouches_for_nobody(model: Path, key: EllipticCurvePrivateKey) -> None:
    old = Authority.root(end=NOW - timedelta(days=1))
    leaf = old.issue("release", key, email=WHO)
    with pytest.raises(SignerUnknownError, match="no root of"):
        _verified(model, key, [leaf], CertificateTrust("release", old.pem, WHO))


def test_a_certificate_for_a_web_server_signs_no_model(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    leaf = root.issue("release", key, email=WHO, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    with pytest.raises(SignerUnknownError, match="other purposes"):
        _verified(model, key, [leaf], CertificateTrust("release", root.pem, WHO))


def test_a_signer_vouches_for_nobody_else(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    signer = root.below("signer", ca=False)
    leaf = signer.issue("release", key, email=WHO)
    with pytest.raises(SignerUnknownError, match="no root of"):
        _verified(
            model, key, [leaf, signer.certificate], CertificateTrust("release", root.pem, WHO)
        )


def test_a_certificate_authority_signs_no_model_itself(model: Path, root: Authority) -> None:
    middle = root.below("release")
    with pytest.raises(SignerUnknownError, match="no root of"):
        _verified(model, middle.key, [middle.certificate], CertificateTrust("any", root.pem, None))


def test_a_signature_by_another_key_than_the_certificates_does_not_count(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    leaf = root.issue("release", key, email=WHO)
    with pytest.raises(UsageError, match="not that of the signing key"):
        SigningIdentity(signing_key(curve_key()), (leaf.public_bytes(Encoding.DER),))
    identity = SigningIdentity(signing_key(curve_key()))
    object.__setattr__(identity, "certificates", (leaf.public_bytes(Encoding.DER),))
    manifest = read_manifest(model)
    data = sign_model(manifest, identity, model_name="model").encode()
    trust = CertificateTrust("release", root.pem, WHO)
    with pytest.raises(SignerUnknownError, match="not by the key that it names"):
        verify_model(data, manifest, [trust], at=NOW)


def test_a_believed_key_is_not_believed_as_a_certificates(
    model: Path, key: EllipticCurvePrivateKey, root: Authority, trust: KeyTrust
) -> None:
    leaf = root.issue("release", key, email=WHO)
    identity = SigningIdentity(signing_key(key), (leaf.public_bytes(Encoding.DER),))
    manifest = read_manifest(model)
    data = sign_model(manifest, identity, model_name="model").encode()
    with pytest.raises(SignerUnknownError, match="by a certificate, and nobody who signs so"):
        verify_model(data, manifest, [trust], at=NOW)


def test_key_and_chain_are_read_from_files(
    tmp_path: Path, key: EllipticCurvePrivateKey, root: Authority, middle: Authority
) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text(pem(middle.issue("release", key, email=WHO), middle.certificate))
    found = SigningIdentity.from_files(private_pem(key).decode(), str(chain))
    assert len(found.certificates) == 2
    for content in ("", "no certificate"):
        chain.write_text(content)
        with pytest.raises(UsageError, match="no certificates in PEM"):
            SigningIdentity.from_files(private_pem(key).decode(), str(chain))
    with pytest.raises(UsageError, match="can't be read"):
        SigningIdentity.from_files(private_pem(key).decode(), str(tmp_path / "missing.pem"))


def test_a_certificate_that_says_nothing_of_its_purpose_signs_no_model(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    leaf = root.issue("release", key, email=WHO, bare=True)
    with pytest.raises(SignerUnknownError, match="no root of"):
        _verified(model, key, [leaf], CertificateTrust("release", root.pem, WHO))


def test_no_certificate_however_broken_ends_in_another_error(
    model: Path, key: EllipticCurvePrivateKey, root: Authority
) -> None:
    manifest = read_manifest(model)
    der = root.issue("release", key, email=WHO).public_bytes(Encoding.DER)
    identity = SigningIdentity(signing_key(key))
    trust = CertificateTrust("release", root.pem, WHO)
    for place in range(0, len(der), 3):
        broken = der[:place] + bytes([der[place] ^ 0x55]) + der[place + 1 :]
        object.__setattr__(identity, "certificates", (broken,))
        data = sign_model(manifest, identity, model_name="model").encode()
        with pytest.raises(ModelSignatureError):
            verify_model(data, manifest, [trust], at=NOW)


def test_roots_that_are_none_are_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="no certificates in PEM"):
        CertificateTrust("release", "nothing", WHO)
