"""Making a model signature: with a key, or with a key and the certificates that say whose it is.

A signing identity is named by `TIDEGATE_MODEL_SIGNING_KEY` (a PEM file, or the PEM text itself),
for a certificate also `TIDEGATE_MODEL_SIGNING_CERTIFICATE` (a PEM file, the signer's certificate
first, then those up to but without the root), and `TIDEGATE_MODEL_SIGNING_PASSWORD` where the key
has one.

Always holds: keys are ECDSA on P-256, P-384 or P-521, which is all that the format knows. The
ledger's own key is ed25519 as a rule, and can't sign models.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tidegate.artifact.manifest import Manifest
from tidegate.attestation.keys import PublicKey, SigningKey
from tidegate.attestation.signatures.bundle import encoded, hint_at, write_bundle
from tidegate.attestation.signatures.statement import statement_over
from tidegate.errors import UsageError

KEY = "TIDEGATE_MODEL_SIGNING_KEY"
CERTIFICATE = "TIDEGATE_MODEL_SIGNING_CERTIFICATE"
PASSWORD = "TIDEGATE_MODEL_SIGNING_PASSWORD"  # noqa: S105 - the variable's name
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A key that signs models, and the certificates (DER, the signer's first) if there are any."""

    key: SigningKey
    certificates: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        require_curve(self.key.public)
        if self.certificates:
            own = x509.load_der_x509_certificate(self.certificates[0]).public_key()
            pem = own.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            if pem != self.key.public.pem:
                raise UsageError(
                    "the first certificate is not that of the signing key",
                    remedy="give the signer's own certificate first, then those that vouch for it",
                )

    @classmethod
    def from_files(
        cls,
        key: str,
        certificate: str | None = None,
        password: str | None = None,
    ) -> SigningIdentity:
        """The identity of a key (a file, or a PEM text) and of a file of certificates.

        Raises:
            UsageError: no such key, no such certificates, or they do not belong together.
            OperatorError: the key's file can't be read, or others can read it.
        """
        secret = password.encode() if password else None
        if "-----BEGIN" in key:
            signing_key = SigningKey.from_pem(key.encode(), secret)
        else:
            signing_key = SigningKey.from_file(key, secret)
        return cls(signing_key, _certificates(certificate) if certificate else ())


def identity_of_environment() -> SigningIdentity | None:
    """The identity that the environment names; None where it names none.

    Raises:
        UsageError: it names one that can't be used.
        OperatorError: its file can't be read.
    """
    key, certificate = os.environ.get(KEY), os.environ.get(CERTIFICATE)
    if key:
        return SigningIdentity.from_files(key, certificate, os.environ.get(PASSWORD))
    if certificate:
        raise UsageError(f"{CERTIFICATE} is set, and {KEY} is not", remedy=f"set {KEY} as well")
    return None


def sign_model(manifest: Manifest, identity: SigningIdentity, *, model_name: str) -> str:
    """The signature over a model's files, as the text of a bundle.

    Args:
        manifest: the model; its bytes need not be at hand.
        identity: who signs.
        model_name: what the model is called, for people.

    Raises:
        UsageError: the model has a name in it that would not be the same name everywhere.
    """
    payload = statement_over(manifest, model_name)
    signature = bytes.fromhex(identity.key.signer.sign(encoded(payload)).signature)
    return write_bundle(
        payload,
        signature,
        hint=hint_at(identity.key.public),
        certificates=identity.certificates,
    )


def require_curve(key: PublicKey) -> None:
    """UsageError for a key that can't sign or verify models: the format knows ECDSA only."""
    if key.key.keytype != "ecdsa":
        raise UsageError(
            f"a model is signed by an ECDSA key, and this one is {key.key.keytype}",
            remedy="make one with `openssl ecparam -name prime256v1 -genkey -noout -out key.pem`; "
            "the key that signs the ledger's statements may stay as it is",
        )


def _certificates(path: str) -> tuple[bytes, ...]:
    try:
        with Path(path).open("rb") as file:
            found = x509.load_pem_x509_certificates(file.read(_LIMIT))
    except OSError as error:
        raise UsageError(f"the certificates {path!r} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path!r} holds no certificates in PEM: {error}") from error
    return tuple(each.public_bytes(Encoding.DER) for each in found)
