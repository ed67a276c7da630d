"""Keys that sign statements, and the list of those that are believed.

Private keys are PEM files in PKCS #8 (ed25519, or ECDSA on P-256, P-384 or P-521), named by a path
or given whole in `TIDEGATE_SIGNING_KEY`. A `KeyList` says whose signatures count, from when to
when: a new key is added before the old one's time ends, and a key that was lost is given the time
from which nothing of it counts.

Always holds: a private key file that others may read is refused; a list names each key once; and
a signature counts only by a key of the list at a time within that key's own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from tidegate.attestation.statements import parse_json
from tidegate.errors import OperatorError, UsageError

_CURVES = (SECP256R1, SECP384R1, SECP521R1)
CURVE_NAMES = tuple(curve.name for curve in _CURVES)
"""The curves of the ECDSA keys that count here, as cryptography calls them."""


class SigningKey:
    """A private key with its public half."""

    def __init__(self, signer: CryptoSigner) -> None:
        """Take a signer as securesystemslib makes them."""
        self.signer = signer

    @property
    def public(self) -> PublicKey:
        """What others verify with."""
        return PublicKey(self.signer.public_key)

    @property
    def id(self) -> str:
        """The key's id: a hash over its public half."""
        return self.public.id

    @classmethod
    def generate(cls) -> SigningKey:
        """A new ed25519 key."""
        return cls(CryptoSigner.generate_ed25519())

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None = None) -> SigningKey:
        """The key in a PEM text; UsageError where it is none of the kinds that sign here."""
        try:
            key = load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise UsageError(
                f"this is no private key that can be read: {error}",
                remedy="give a PEM text in PKCS #8, with the right password if it has one",
            ) from error
        is_curve = isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, _CURVES)
        if not is_curve and not isinstance(key, Ed25519PrivateKey):
            raise UsageError("a signing key is ed25519, or ECDSA on P-256, P-384 or P-521")
        return cls(CryptoSigner(key))

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], password: bytes | None = None) -> SigningKey:
        """The key in a file that only its owner can read.

        Raises:
            OperatorError: the file can't be read, or others can read it.
            UsageError: it holds no such key.
        """
        place = Path(path)
        try:
            with place.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                pem = file.read(1 << 16)
        except OSError as error:
            raise OperatorError(
                f"the signing key {os.fspath(path)!r} can't be read: {error.strerror}",
                remedy="name the PEM file of the private key",
            ) from error
        if stat.S_IMODE(mode) & 0o077:
            raise OperatorError(
                f"the signing key {os.fspath(path)!r} can be read by others than its owner",
                remedy=f"chmod 600 {os.fspath(path)}",
            )
        return cls.from_pem(pem, password)

    def to_pem(self) -> bytes:
        """The private key as PEM, unencrypted: for a file that only its owner can read."""
        return self.signer.private_bytes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the private key to a new file that only its owner can read.

        Raises:
            OperatorError: it can't be written, or is there already.
        """
        place = Path(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(self.to_pem())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OperatorError(
                f"the signing key can't be written to {os.fspath(path)!r}: {error.strerror}"
            ) from error


@dataclass(frozen=True)
class PublicKey:
    """A key to verify with."""

    key: SSlibKey

    @property
    def id(self) -> str:
        """The key's id."""
        keyid: str = self.key.keyid
        return keyid

    @cached_property
    def pem(self) -> str:
        """The key as PEM (SubjectPublicKeyInfo)."""
        data: bytes = self.key._crypto_key().public_bytes(  # noqa: SLF001 - no public way to it
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return data.decode()

    @classmethod
    def from_pem(cls, pem: str | bytes) -> PublicKey:
        """The key in a PEM text; UsageError where it is none of the kinds that sign here."""
        data = pem.encode() if isinstance(pem, str) else pem
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError(f"this is no public key that can be read: {error}") from error
        is_curve = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
        if not is_curve and not isinstance(key, Ed25519PublicKey):
            raise UsageError("a signing key is ed25519, or ECDSA on P-256, P-384 or P-521")
        return cls(SSlibKey.from_crypto(key))


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, whose it is, and the time within which what it signed counts."""

    key: PublicKey
    owner: str
    since: datetime | None = None
    until: datetime | None = None

    def counts_at(self, moment: datetime) -> bool:
        """Whether a signature of that time counts."""
        if self.since is not None and moment < self.since:
            return False
        return self.until is None or moment < self.until


class KeyList(Mapping[str, TrustedKey]):
    """The keys that are believed, by id."""

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        """Take the keys; UsageError where one stands twice."""
        self._keys: dict[str, TrustedKey] = {}
        for trusted in keys:
            if trusted.key.id in self._keys:
                raise UsageError(f"the key {trusted.key.id} stands twice in the list")
            self._keys[trusted.key.id] = trusted

    def __getitem__(self, keyid: str) -> TrustedKey:
        return self._keys[keyid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def from_bytes(cls, data: bytes) -> KeyList:
        """Read a key list; UsageError with what is wrong with it.

        The form: `{"schema": 1, "keys": [{"owner", "pem", "since"?, "until"?}]}`, times in ISO
        8601 with their offset.
        """
        try:
            found = parse_json(data)
        except ValueError as error:
            raise UsageError(f"the key list is no JSON: {error}") from error
        rows = found.get("keys") if isinstance(found, dict) else None
        if not isinstance(rows, list) or found.get("schema") != 1:
            raise UsageError('a key list is {"schema": 1, "keys": […]}')
        return cls(_trusted(row) for row in rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_bytes` reads them."""
        rows = []
        for trusted in self.values():
            row = {"owner": trusted.owner, "pem": trusted.key.pem}
            for name, moment in (("since", trusted.since), ("until", trusted.until)):
                if moment is not None:
                    row[name] = moment.astimezone(UTC).isoformat()
            rows.append(row)
        return {"schema": 1, "keys": rows}


def _trusted(row: object) -> TrustedKey:
    if not isinstance(row, dict) or not {"owner", "pem"} <= row.keys():
        raise UsageError("a key of the list has an owner and a PEM text")
    if unknown := row.keys() - {"owner", "pem", "since", "until"}:
        raise UsageError(f"a key of the list has no field {sorted(unknown)[0]!r}")
    if not all(isinstance(value, str) for value in row.values()):
        raise UsageError("the fields of a key are texts")
    return TrustedKey(
        PublicKey.from_pem(row["pem"]), row["owner"], _moment(row, "since"), _moment(row, "until")
    )


def _moment(row: Mapping[str, str], name: str) -> datetime | None:
    if name not in row:
        return None
    try:
        moment = datetime.fromisoformat(row[name])
    except ValueError as error:
        raise UsageError(f"the time {row[name]!r} of a key is not ISO 8601") from error
    if moment.tzinfo is None:
        raise UsageError(f"the time {row[name]!r} of a key has no offset")
    return moment
