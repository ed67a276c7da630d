"""A model, somebody who signs it, and who is believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from samples.model_signers import curve_key, public_pem, signing_key

from tidegate.attestation.signatures import KeyTrust, SigningIdentity, key_trust


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder with files on two levels, one of git's among them."""
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights.bin").write_bytes(b"weights")
    (folder / "data" / "empty.py").touch()
    (folder / ".gitattributes").write_text("*.bin filter=lfs\n")
    return folder


@pytest.fixture(scope="session")
def key() -> EllipticCurvePrivateKey:
    """The key that signs."""
    return curve_key()


@pytest.fixture(scope="session")
def identity(key: EllipticCurvePrivateKey) -> SigningIdentity:
    """Who signs with it."""
    return SigningIdentity(signing_key(key))


@pytest.fixture(scope="session")
def trust(key: EllipticCurvePrivateKey) -> KeyTrust:
    """Somebody who believes it."""
    return key_trust("ml-platform", public_pem(key))
