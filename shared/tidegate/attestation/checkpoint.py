"""Checkpoints: a log's size and root, signed, in the form that transparency logs share.

A checkpoint is a note of three lines (origin, size, root; https://c2sp.org/tlog-checkpoint) with
ed25519 signatures (https://c2sp.org/signed-note). Kept where the ledger's owner can't write, one
of them fixes all that stood before it: a log that was rewritten is no longer consistent with it.

Always holds: `read_checkpoint` gives only what the named key signed, and is exact about the form,
so that a note has one reading.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import SSlibKey

from tidegate.attestation.envelopes import SignatureError
from tidegate.attestation.keys import PublicKey, SigningKey
from tidegate.attestation.merkle import HASH_SIZE
from tidegate.errors import UsageError

_ED25519 = b"\x01"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+]+")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log by its `origin` (a name that no two logs share), its size and its root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The note's text, which is what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def write_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> str:
    """The signed note. The signer goes by the log's origin, as witnesses expect.

    Raises:
        UsageError: the key is not ed25519, or the origin is not one word.
    """
    if not _NAME.fullmatch(checkpoint.origin):
        raise UsageError("a log's origin is one word without '+'")
    text = checkpoint.text()
    number = _key_number(checkpoint.origin, key.public)
    signature = bytes.fromhex(key.signer.sign(text.encode()).signature)
    value = base64.b64encode(number + signature).decode()
    return f"{text}\n— {checkpoint.origin} {value}\n"


def read_checkpoint(note: str, origin: str, key: PublicKey) -> Checkpoint:
    """The checkpoint of that log that the key signed.

    Raises:
        SignatureError: it is another log's, is not signed by the key, or is no checkpoint.
    """
    text, separator, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if not separator or len(lines) < 4 or lines[-1]:
        raise SignatureError("this is no signed checkpoint")
    if lines[0] != origin:
        raise SignatureError(f"the checkpoint is of the log {lines[0]!r}, not of {origin!r}")
    if not _is_signed(text, signatures, origin, key):
        raise SignatureError(f"the checkpoint is not signed by the key of {origin!r}")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error as error:
        raise SignatureError("the checkpoint's root is not base64") from error
    if not _SIZE.fullmatch(lines[1]) or len(root) != HASH_SIZE:
        raise SignatureError("the checkpoint's size or root is not of the form")
    return Checkpoint(origin, int(lines[1]), root)


def verifier_key(origin: str, key: PublicKey) -> str:
    """The public key in the form that other tools for signed notes take ("vkey")."""
    number = _key_number(origin, key)
    return f"{origin}+{number.hex()}+{base64.b64encode(_ED25519 + _raw(key)).decode()}"


def _is_signed(text: str, signatures: str, origin: str, key: PublicKey) -> bool:
    number = _key_number(origin, key)
    for line in signatures.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        if dash != "—" or name != origin:
            continue
        try:
            decoded = base64.b64decode(value, validate=True)
        except binascii.Error:
            continue
        if decoded[:4] != number:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(_raw(key)).verify(decoded[4:], text.encode())
        except InvalidSignature:
            continue
        return True
    return False


def _key_number(origin: str, key: PublicKey) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + _raw(key)).digest()[:4]


def _raw(key: PublicKey) -> bytes:
    sslib: SSlibKey = key.key
    if sslib.keytype != "ed25519":
        raise UsageError(
            "checkpoints are signed by ed25519 keys only",
            remedy="give the log a signing key of that kind",
        )
    return bytes.fromhex(sslib.keyval["public"])
