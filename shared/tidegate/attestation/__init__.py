"""Signed statements about bytes, and the log that keeps them.

    key = SigningKey.generate()
    envelope = seal(Statement((Subject("model", digest),), kind, {…}), key)
    open_envelope(envelope, KeyList([TrustedKey(key.public, "ml-platform")]), at=now).statement

`statements.py` says what is said, `envelopes.py` and `keys.py` who said it, `merkle.py` and
`checkpoint.py` that nothing of it was changed since.
"""

from tidegate.attestation.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from tidegate.attestation.envelopes import SignatureError, Signed, open_envelope, seal
from tidegate.attestation.keys import KeyList, PublicKey, SigningKey, TrustedKey
from tidegate.attestation.statements import Statement, Subject

__all__ = [
    "Checkpoint",
    "KeyList",
    "PublicKey",
    "SignatureError",
    "Signed",
    "SigningKey",
    "Statement",
    "Subject",
    "TrustedKey",
    "open_envelope",
    "read_checkpoint",
    "seal",
    "write_checkpoint",
]
