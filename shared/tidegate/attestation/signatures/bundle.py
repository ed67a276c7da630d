"""The file that a model signature is: a Sigstore bundle around a DSSE envelope.

    https://docs.sigstore.dev/about/bundle/

A bundle says who signed in one of three ways: by a hint at a key, by a chain of certificates, or
by a certificate of Sigstore's with the entry of its log. Always holds: a bundle is read in one way
only (no key that stands twice, no second signature, base64 to the letter), and reading believes
nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from securesystemslib.dsse import Envelope

from tidegate.attestation.keys import PublicKey
from tidegate.attestation.signatures.interface import ModelSignatureError, SignerKind
from tidegate.attestation.statements import PAYLOAD_TYPE, canonical_json, parse_json

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BYTES = 64 << 20
_MAX_CERTIFICATES = 10


@dataclass(frozen=True, slots=True)
class Bundle:
    """A signature as read. `hint` names a key, `certificates` are DER, the signer's first."""

    kind: SignerKind
    payload: bytes
    signature: bytes
    hint: str | None
    certificates: tuple[bytes, ...]
    text: str

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over: the payload together with its type."""
        return encoded(self.payload)


def encoded(payload: bytes) -> bytes:
    """DSSE's encoding of a payload before it is signed ("PAE")."""
    data: bytes = Envelope(payload, PAYLOAD_TYPE, {}).pae()
    return data


def hint_at(key: PublicKey) -> str:
    """What a bundle calls a key by: SHA-256 over its PEM text."""
    return hashlib.sha256(key.pem.encode()).hexdigest()


def write_bundle(
    payload: bytes, signature: bytes, *, hint: str | None = None, certificates: Sequence[bytes] = ()
) -> str:
    """A bundle's text, with a key's hint or a chain of certificates (DER)."""
    material: dict[str, Any] = {"tlogEntries": []}
    if certificates:
        chain = [{"rawBytes": _to_base64(each)} for each in certificates]
        material["x509CertificateChain"] = {"certificates": chain}
    else:
        material["publicKey"] = {"hint": hint}
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": {
                "payload": _to_base64(payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": _to_base64(signature), "keyid": ""}],
            },
        }
    ).decode()


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle.

    Raises:
        ModelSignatureError: it is none, or one that could be read in two ways.
    """
    if len(data) > MAX_BYTES:
        raise ModelSignatureError(f"the signature is larger than {MAX_BYTES} bytes")
    try:
        found = parse_json(data)
    except ValueError as error:
        raise ModelSignatureError(
            f"this is no signature that can be read: {error}",
            remedy="give the file that `tidegate sign` or `model_signing sign` wrote",
        ) from error
    try:
        return _bundle(found, data.decode())
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelSignatureError(
            f"this is no signature of the form of a Sigstore bundle: {error!r}",
            remedy="give the file that `tidegate sign` or `model_signing sign` wrote",
        ) from error


def _bundle(found: dict[str, Any], text: str) -> Bundle:
    if found.keys() != {"mediaType", "verificationMaterial", "dsseEnvelope"}:
        raise ModelSignatureError("a model signature has a media type, material and an envelope")
    envelope, material = found["dsseEnvelope"], found["verificationMaterial"]
    if envelope.keys() != {"payload", "payloadType", "signatures"}:
        raise ModelSignatureError("the signature's envelope is not of the form")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise ModelSignatureError(f"the signature holds {envelope['payloadType']!r}, no statement")
    signatures = envelope["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise ModelSignatureError("a model signature is one signature, not several or none")
    if not signatures[0].keys() <= {"sig", "keyid"}:
        raise ModelSignatureError("the signature in the envelope is not of the form")
    kind, hint, certificates = _material(material)
    if kind is not SignerKind.SIGSTORE and found["mediaType"] != MEDIA_TYPE:
        raise ModelSignatureError(f"the signature is of the media type {found['mediaType']!r}")
    return Bundle(
        kind,
        _from_base64(envelope["payload"]),
        _from_base64(signatures[0]["sig"]),
        hint,
        certificates,
        text,
    )


def _material(found: dict[str, Any]) -> tuple[SignerKind, str | None, tuple[bytes, ...]]:
    """Who the signer says that he is, in one of the three ways."""
    ways = {"publicKey", "x509CertificateChain", "certificate"} & found.keys()
    logged = bool(found.get("tlogEntries") or found.get("timestampVerificationData"))
    known = {"tlogEntries", "timestampVerificationData", *ways}
    if len(ways) != 1 or not found.keys() <= known:
        raise ModelSignatureError("the signature does not say in one way by whom it is")
    (way,) = ways
    if way == "certificate" or (way == "x509CertificateChain" and logged):
        return SignerKind.SIGSTORE, None, ()
    if logged:
        raise ModelSignatureError("a signature by a key has no entry of a log")
    if way == "publicKey":
        # Before version 1.1 a key's own bytes stood there, which nobody needs to believe.
        hint = found["publicKey"].get("hint") or None
        if hint is not None and not isinstance(hint, str):
            raise ModelSignatureError("the hint at the signature's key is no text")
        return SignerKind.KEY, hint, ()
    chain = found["x509CertificateChain"]["certificates"]
    if not isinstance(chain, list) or not 0 < len(chain) <= _MAX_CERTIFICATES:
        raise ModelSignatureError(f"a chain has between one and {_MAX_CERTIFICATES} certificates")
    return SignerKind.CERTIFICATE, None, tuple(_from_base64(each["rawBytes"]) for each in chain)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise ModelSignatureError("a part of the signature is no base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ModelSignatureError("a part of the signature is no base64") from error
