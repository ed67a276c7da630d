"""DSSE envelopes: a statement's bytes with the signatures over them.

Signing and the encoding that is signed are securesystemslib's. Always holds: `open_envelope` gives
a statement only where at least one key of the list signed these very bytes, and says which; what
is signed is the payload together with its type, so no statement can be passed off as another kind
of document.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature

from tidegate.attestation.keys import KeyList, SigningKey, TrustedKey
from tidegate.attestation.statements import (
    PAYLOAD_TYPE,
    Statement,
    canonical_json,
    parse_json,
)
from tidegate.errors import TamperedError

_MOST_SIGNATURES = 64


class SignatureError(TamperedError):
    """An envelope is not signed by anybody whose signature counts, or is no envelope."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement, and the keys whose signatures over it count."""

    statement: Statement
    signers: tuple[TrustedKey, ...]


def seal(statement: Statement, *keys: SigningKey) -> bytes:
    """The statement in an envelope signed by each key, as canonical JSON."""
    envelope = Envelope(statement.to_bytes(), PAYLOAD_TYPE, {})
    for key in keys:
        envelope.sign(key.signer)
    return canonical_json(envelope.to_dict())


def open_envelope(data: bytes, keys: KeyList, *, at: datetime) -> Signed:
    """The statement in an envelope, and who signed it.

    Args:
        data: the envelope as JSON.
        keys: whose signatures count.
        at: the time at which they must count.

    Raises:
        SignatureError: no signature counts, or the bytes are no envelope with a statement.
    """
    envelope = _read(data)
    signers: list[TrustedKey] = []
    for keyid, signature in envelope.signatures.items():
        # An id is a hint that nobody signed. Others form theirs otherwise, or leave it out.
        named = keys.get(keyid)
        for trusted in keys.values() if named is None else (named,):
            if trusted.counts_at(at) and _signed(trusted, signature, envelope.pae()):
                signers.append(trusted)
                break
    if not signers:
        ids = ", ".join(keyid[:16] for keyid in list(envelope.signatures)[:3]) or "none"
        raise SignatureError(
            "no key that is trusted at that time signed this statement; the keys that it names: "
            f"{ids}",
            remedy="look at the key list: the key may be missing from it, or its time be over",
        )
    return Signed(_statement(envelope.payload), tuple(signers))


def _signed(trusted: TrustedKey, signature: Any, pae: bytes) -> bool:
    try:
        # Under the key's own id, which securesystemslib asks for.
        own = Signature(trusted.key.id, signature.signature)
        trusted.key.key.verify_signature(own, pae)
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True


def statement_in(data: bytes) -> Statement:
    """The statement in an envelope, whoever signed it; SignatureError where there is none."""
    return _statement(_read(data).payload)


def _read(data: bytes) -> Any:
    try:
        found = parse_json(data)
        if not isinstance(found, dict) or found.keys() != {"payload", "payloadType", "signatures"}:
            raise ValueError("an envelope has a payload, its type, and signatures")
        given = found["signatures"]
        if not all(isinstance(each, dict) for each in given) or len(given) > _MOST_SIGNATURES:
            raise ValueError("a signature has a key id and a value, and there are a few of them")
        # Made anew, because securesystemslib writes into what it reads.
        signatures = [
            {**each, "keyid": each.get("keyid") or f"unnamed {number}"}
            for number, each in enumerate(given, 1)
        ]
        envelope = Envelope.from_dict({**found, "signatures": signatures})
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise SignatureError(f"this is no envelope that can be read: {error}") from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise SignatureError(f"the envelope holds {envelope.payload_type!r}, not a statement")
    return envelope


def _statement(payload: bytes) -> Statement:
    try:
        return Statement.from_bytes(payload)
    except ValueError as error:
        raise SignatureError(f"the envelope holds no statement: {error}") from error
