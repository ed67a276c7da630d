"""Signers by certificate: a chain up to a root that is given, and the name in the signer's own.

Always holds: roots are those that are given, never those of the machine; every certificate of the
chain must be valid at the time that is asked about, must be a CA's where it vouches for another,
and the signer's must be meant for signing code, so that a web server's certificate under the same
root signs no model; and a signer is somebody by name, unless any name is asked for in so many
words.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
)
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.exceptions import VerificationError as UnreadableSignatureError
from securesystemslib.signer import Signature, SSlibKey

from tidegate.attestation.keys import CURVE_NAMES, PublicKey
from tidegate.attestation.signatures.bundle import Bundle
from tidegate.attestation.signatures.interface import (
    ModelSignatureError,
    SignerKind,
    SignerUnknownError,
    Trust,
)
from tidegate.errors import UsageError


class CertificateTrust(Trust):
    """Whoever a root vouches for under a name.

    Args:
        owner: what people call him.
        roots: certificates in PEM, each believed by itself.
        identity: an e-mail address, URI or DNS name of the certificate, or its common name where
            it has none of them; None for whoever has a certificate under the roots.

    Raises:
        UsageError: the roots are no certificates.
    """

    kind = SignerKind.CERTIFICATE

    def __init__(self, owner: str, roots: str, identity: str | None) -> None:
        self.owner, self.identity = owner, identity
        try:
            self._roots = x509.load_pem_x509_certificates(roots.encode())
        except ValueError as error:
            raise UsageError(f"the roots of {owner!r} are no certificates in PEM") from error

    def owner_of(self, bundle: Bundle, *, at: datetime) -> str:
        """The owner, where the chain holds and the signature is by its first certificate."""
        try:
            leaf, *others = [x509.load_der_x509_certificate(each) for each in bundle.certificates]
            names, public = _names_of(leaf), leaf.public_key()
            subject = leaf.subject.rfc4514_string()
        except Exception as error:
            # A hostile certificate brings out more kinds than ValueError.
            raise ModelSignatureError(
                f"the signature's certificates can't be read: {error}"
            ) from error
        verifier = (
            PolicyBuilder()
            .store(Store(self._roots))
            .time(at)
            .extension_policies(ca_policy=_CA_POLICY, ee_policy=_SIGNER_POLICY)
            .build_client_verifier()
        )
        try:
            verifier.verify(leaf, others)
        except Exception as error:
            raise SignerUnknownError(
                f"no root of {self.owner!r} vouches for the certificate of "
                f"{subject!r} at {at:%Y-%m-%d %H:%M} UTC: {error}"
            ) from error
        if self.identity is not None and self.identity not in names:
            raise SignerUnknownError(
                f"the signature is by {', '.join(map(repr, names)) or 'nobody by name'}, "
                f"not by {self.identity!r}"
            )
        if not isinstance(public, EllipticCurvePublicKey) or public.curve.name not in CURVE_NAMES:
            raise ModelSignatureError("the signer's certificate is not for an ECDSA key")
        require_signed(bundle, PublicKey(SSlibKey.from_crypto(public)))
        return self.owner


def require_signed(bundle: Bundle, key: PublicKey) -> None:
    """Raise `SignerUnknownError` unless the key made the signature over these very bytes."""
    signature = Signature(key.id, bundle.signature.hex())
    try:
        key.key.verify_signature(signature, bundle.signed_bytes)
    except (UnverifiedSignatureError, UnreadableSignatureError, ValueError) as error:
        raise SignerUnknownError("the signature is not by the key that it names") from error


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """What the certificate says that its holder is called."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(each.value) for each in common)
    return tuple(
        name
        for kind in (x509.RFC822Name, x509.UniformResourceIdentifier, x509.DNSName)
        for name in found.get_values_for_type(kind)
    )


def _require_ca(
    _policy: Policy, _certificate: x509.Certificate, found: x509.BasicConstraints
) -> None:
    if not found.ca:
        raise ValueError("a certificate that vouches for another is not a CA's")


def _require_cert_sign(
    _policy: Policy, _certificate: x509.Certificate, found: x509.KeyUsage | None
) -> None:
    if found is not None and not found.key_cert_sign:
        raise ValueError("a CA's certificate is not for signing certificates")


def _refuse_ca(
    _policy: Policy, _certificate: x509.Certificate, found: x509.BasicConstraints | None
) -> None:
    if found is not None and found.ca:
        raise ValueError("the signer's certificate is a CA's own")


def _require_signing(
    _policy: Policy, certificate: x509.Certificate, found: x509.KeyUsage | None
) -> None:
    if found is not None and not found.digital_signature:
        raise ValueError("the signer's certificate is not for signatures")
    if found is None:
        # Then its purposes alone must say so.
        certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def _require_code_signing(
    _policy: Policy, _certificate: x509.Certificate, found: x509.ExtendedKeyUsage | None
) -> None:
    if found is not None and ExtendedKeyUsageOID.CODE_SIGNING not in found:
        raise ValueError("the signer's certificate is for other purposes than signing code")


_CA_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _require_ca)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_cert_sign)
)
_SIGNER_POLICY = (
    ExtensionPolicy.permit_all()
    .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _refuse_ca)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _require_signing)
    .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _require_code_signing)
)
