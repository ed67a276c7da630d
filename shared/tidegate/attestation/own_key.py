"""The key that this machine's user signs with, and the keys that he believes.

`TIDEGATE_SIGNING_KEY` names a PEM file, or is the PEM text itself. Without it a key is made once in
the user's data folder, so that records are signed from the first one on, with nobody having to
think of it. `TIDEGATE_TRUSTED_KEYS` names a key list; without it only the own key counts.

Always holds: of several processes that start at once all end with the same key, and none ever
reads half of it; the file is its owner's alone from its first byte on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from tidegate.attestation.keys import KeyList, SigningKey, TrustedKey
from tidegate.errors import OperatorError, UsageError

SIGNING_KEY = "TIDEGATE_SIGNING_KEY"
TRUSTED_KEYS = "TIDEGATE_TRUSTED_KEYS"
_NAME = "signing-key.pem"
_LIST_LIMIT = 4 << 20


def signing_key() -> SigningKey:
    """The key of the environment, or the user's own, which is made if there is none yet.

    Raises:
        UsageError: what the variable holds is no such key.
        OperatorError: the key can't be read or made, or others can read it.
    """
    given = os.environ.get(SIGNING_KEY, "")
    if "-----BEGIN" in given:
        return SigningKey.from_pem(given.encode())
    if given:
        return SigningKey.from_file(given)
    place = _own_place()
    if not os.path.lexists(place):
        _make(place)
    return SigningKey.from_file(place)


def trusted_keys(own: SigningKey | None = None) -> KeyList:
    """The key list of the environment, or the own key alone; none is made.

    Args:
        own: the key that counts where the environment names no list; by default the one of
            `signing_key`.

    Raises:
        UsageError: the file can't be read or is no key list, or there is neither list nor key.
        OperatorError: the own key can't be read.
    """
    given = os.environ.get(TRUSTED_KEYS, "")
    if not given:
        if own is None:
            if not os.environ.get(SIGNING_KEY) and not os.path.lexists(_own_place()):
                raise UsageError(
                    "it is not known whose signatures count: this user has no signing key",
                    remedy=f"let {TRUSTED_KEYS} name a key list; `tidegate ledger key`, run by "
                    "whoever records, prints an entry",
                )
            own = signing_key()
        return KeyList([TrustedKey(own.public, "this user")])
    try:
        with Path(given).open("rb") as file:
            data = file.read(_LIST_LIMIT)
    except OSError as error:
        raise UsageError(
            f"the key list {given!r} can't be read: {error.strerror}",
            remedy=f"let {TRUSTED_KEYS} name a key list; `tidegate ledger key` prints an entry",
        ) from error
    return KeyList.from_bytes(data)


def _own_place() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("tidegate")) / _NAME


def _make(place: Path) -> None:
    """Write a new key beside its place and move it there, unless somebody was first."""
    draft = place.with_name(f".{_NAME}.{secrets.token_hex(8)}")
    key = SigningKey.generate()
    try:
        key.save(draft)
        # A link never goes over a file that is there: the first one stays.
        os.link(draft, place)
    except FileExistsError:
        return
    except OSError as error:
        raise OperatorError(
            f"a signing key can't be made at {os.fspath(place)!r}: {error.strerror}",
            remedy=f"make that folder writable, or name a key in {SIGNING_KEY}",
        ) from error
    except OperatorError as error:
        raise OperatorError(
            error.message, remedy=f"make that folder writable, or name a key in {SIGNING_KEY}"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
