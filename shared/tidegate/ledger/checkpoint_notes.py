"""A log's name in its checkpoints, and the checkpoint in a signed note.

Always holds: a note counts only where a key of the list signed it.
"""

from __future__ import annotations

from tidegate.attestation.checkpoint import Checkpoint, read_checkpoint
from tidegate.attestation.envelopes import SignatureError
from tidegate.attestation.keys import KeyList
from tidegate.errors import UsageError


def origin_of(first_leaf: str) -> str:
    """A log's name in its checkpoints: made of its first statement, so no two logs share one."""
    return f"tidegate.dev/ledger/{first_leaf[:32]}"


def opened(note: str, keys: KeyList) -> Checkpoint:
    """The checkpoint in a signed note; UsageError where no key of the list signed it."""
    origin = note.partition("\n")[0]
    for trusted in keys.values():
        if trusted.key.key.keytype != "ed25519":
            continue
        try:
            return read_checkpoint(note, origin, trusted.key)
        except SignatureError:
            continue
    raise UsageError(
        "the checkpoint is not signed by a key of the list",
        remedy="name the key list with TIDEGATE_TRUSTED_KEYS, and look where the file came from",
    )
