"""Those who sign models in the tests: keys, a certificate authority, and a Sigstore of our own."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tidegate.attestation import SigningKey
from tidegate.attestation.signatures.bundle import encoded
from tidegate.attestation.statements import PAYLOAD_TYPE, canonical_json

NOW = datetime.now(UTC).replace(microsecond=0)
_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_EARLY_ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def curve_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """A new private key."""
    return ec.generate_private_key(curve or ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signing_key(key: ec.EllipticCurvePrivateKey) -> SigningKey:
    return SigningKey.from_pem(private_pem(key))


def key_files(folder: Path, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
    """The key as files: private, readable by its owner alone, and public."""
    private, public = folder / "key.pem", folder / "key.pub"
    private.touch(mode=0o600)
    private.write_bytes(private_pem(key))
    public.write_text(public_pem(key))
    return private, public


def bent(
    text: str, key: ec.EllipticCurvePrivateKey, change: Callable[[dict[str, Any]], object]
) -> bytes:
    """The signature with its statement changed, and signed anew by the key."""
    bundle = json.loads(text)
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(statement)
    return resealed(bundle, json.dumps(statement).encode(), key)


def resealed(bundle: dict[str, Any], payload: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    signature = key.sign(encoded(payload), ec.ECDSA(hashes.SHA256()))
    envelope = bundle["dsseEnvelope"]
    envelope["payload"] = base64.b64encode(payload).decode()
    envelope["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    return json.dumps(bundle).encode()


def over(resources: list[dict[str, Any]]) -> str:
    """The subject's digest over signed files."""
    return hashlib.sha256(b"".join(bytes.fromhex(each["digest"]) for each in resources)).hexdigest()


@dataclass
class Authority:
    """A certificate authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def root(cls, name: str = "Root", *, end: datetime | None = None) -> Authority:
        key = curve_key()
        certificate = _certificate(name, key, name, key, [_ca(), _ca_usage()], end=end)
        return cls(key, certificate)

    def below(self, name: str, *, ca: bool = True) -> Authority:
        """An authority that this one vouches for; not `ca`: one that should vouch for nobody."""
        key = curve_key()
        extensions = [_ca(), _ca_usage()] if ca else [_usage(), _purposes()]
        issuer = self.certificate.subject.rfc4514_string().removeprefix("CN=")
        return Authority(key, _certificate(name, key, issuer, self.key, extensions))

    def issue(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        email: str | None = None,
        purpose: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
        start: datetime | None = None,
        end: datetime | None = None,
        bare: bool = False,
    ) -> x509.Certificate:
        """A signer's certificate."""
        extensions = [] if bare else [_usage(), _purposes(purpose)]
        if email:
            names = x509.SubjectAlternativeName([x509.RFC822Name(email)])
            extensions.append((names, False))
        issuer = self.certificate.subject.rfc4514_string().removeprefix("CN=")
        return _certificate(name, key, issuer, self.key, extensions, start=start, end=end)

    @property
    def pem(self) -> str:
        return pem(self.certificate)


def pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    serial: int | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start or NOW - timedelta(days=10))
        .not_valid_after(end or NOW + timedelta(days=10))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _ca() -> tuple[x509.ExtensionType, bool]:
    return x509.BasicConstraints(ca=True, path_length=None), True


def _ca_usage() -> tuple[x509.ExtensionType, bool]:
    return _key_usage(signs=False), True


def _usage() -> tuple[x509.ExtensionType, bool]:
    return _key_usage(signs=True), True


def _purposes(
    purpose: ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage([purpose]), False


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        key_cert_sign=not signs,
        crl_sign=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class Sigstore:
    """A certificate authority, a certificate log and a signature log, as Sigstore has them."""

    def __init__(self) -> None:
        self._authority = Authority.root("Fulcio")
        self._certificate_log = curve_key()
        self._signature_log = curve_key()

    def trusted_root(self) -> str:
        """What Sigstore publishes as `trusted_root.json`."""
        valid = {"start": _stamp(NOW - timedelta(days=10))}
        certificate = {"rawBytes": _b64(self._authority.certificate.public_bytes(Encoding.DER))}
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
                "tlogs": [_log(self._signature_log, "https://rekor.example.com", valid)],
                "certificateAuthorities": [
                    {
                        "subject": {"organization": "example", "commonName": "Fulcio"},
                        "uri": "https://fulcio.example.com",
                        "certChain": {"certificates": [certificate]},
                        "validFor": valid,
                    }
                ],
                "ctlogs": [_log(self._certificate_log, "https://ct.example.com", valid)],
                "timestampAuthorities": [],
            }
        )

    def sign(self, payload: bytes, identity: str, issuer: str) -> str:
        """A bundle as somebody gets it who has proved to the issuer who he is."""
        key = curve_key()
        certificate = self._certificate(key, identity, issuer)
        signature = key.sign(encoded(payload), ec.ECDSA(hashes.SHA256()))
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "verificationMaterial": {
                    "certificate": {"rawBytes": _b64(certificate.public_bytes(Encoding.DER))},
                    "tlogEntries": [self._entry(payload, signature, certificate)],
                },
                "dsseEnvelope": {
                    "payload": _b64(payload),
                    "payloadType": PAYLOAD_TYPE,
                    "signatures": [{"sig": _b64(signature)}],
                },
            }
        )

    def _certificate(
        self, key: ec.EllipticCurvePrivateKey, identity: str, issuer: str
    ) -> x509.Certificate:
        name = issuer.encode()
        serial = x509.random_serial_number()
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            _usage(),
            _purposes(),
            (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), False),
            (x509.UnrecognizedExtension(_EARLY_ISSUER, name), False),
            (x509.UnrecognizedExtension(_ISSUER, bytes([0x0C, len(name)]) + name), False),
        ]

        def issued() -> x509.Certificate:
            return _certificate(
                "signer", key, "Fulcio", self._authority.key, extensions,
                start=NOW - timedelta(minutes=1), end=NOW + timedelta(minutes=9), serial=serial,
            )  # fmt: skip

        listed = _sct_list(self._certificate_log, self._authority.key, issued())
        extensions.append((x509.UnrecognizedExtension(_SCT_LIST, listed), False))
        return issued()

    def _entry(
        self, payload: bytes, signature: bytes, certificate: x509.Certificate
    ) -> dict[str, Any]:
        key = self._signature_log
        body = canonical_json(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": {"algorithm": "sha256", "value": "0" * 64},
                    "payloadHash": {
                        "algorithm": "sha256",
                        "value": hashlib.sha256(payload).hexdigest(),
                    },
                    "signatures": [
                        {
                            "signature": _b64(signature),
                            "verifier": _b64(certificate.public_bytes(Encoding.PEM)),
                        }
                    ],
                },
            }
        )
        root = hashlib.sha256(b"\x00" + body).digest()
        note = f"rekor.example.com - 1\n1\n{_b64(root)}\n"
        signed_note = key.sign(note.encode(), ec.ECDSA(hashes.SHA256()))
        mark = _b64(_log_id(key)[:4] + signed_note)
        promise = canonical_json(
            {
                "body": _b64(body),
                "integratedTime": int(NOW.timestamp()),
                "logID": _log_id(key).hex(),
                "logIndex": 0,
            }
        )
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(_log_id(key))},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(int(NOW.timestamp())),
            "inclusionPromise": {
                "signedEntryTimestamp": _b64(key.sign(promise, ec.ECDSA(hashes.SHA256())))
            },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n— rekor.example.com {mark}\n"},
            },
            "canonicalizedBody": _b64(body),
        }


def _sct_list(
    log: ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    certificate: x509.Certificate,
) -> bytes:
    """RFC 6962, section 3.2 and 3.3: the log's promise to enter the certificate."""
    stamp = int(NOW.timestamp() * 1000)
    tbs = certificate.tbs_certificate_bytes
    entry = hashlib.sha256(_der(issuer)).digest() + len(tbs).to_bytes(3, "big") + tbs
    signed = struct.pack("!BBQH", 0, 0, stamp, 1) + entry + struct.pack("!H", 0)
    signature = log.sign(signed, ec.ECDSA(hashes.SHA256()))
    sct = (
        b"\x00" + _log_id(log) + struct.pack("!QH", stamp, 0) + bytes([4, 3])
        + struct.pack("!H", len(signature)) + signature
    )  # fmt: skip
    listed = struct.pack("!H", len(sct)) + sct
    listed = struct.pack("!H", len(listed)) + listed
    return bytes([0x04, len(listed)]) + listed


def _log(key: ec.EllipticCurvePrivateKey, url: str, valid: dict[str, str]) -> dict[str, Any]:
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": _b64(_der(key)),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": valid,
        },
        "logId": {"keyId": _b64(_log_id(key))},
    }


def _log_id(key: ec.EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(_der(key)).digest()


def _der(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
