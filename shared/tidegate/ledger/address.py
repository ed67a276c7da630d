"""Addresses over HTTP: which may be used, and what is sent there as proof of who asks.

Always holds: a token goes over TLS, or stays on this machine; plain `http://` to elsewhere takes an
explicit word (`TIDEGATE_ALLOW_HTTP=1`). No address carries a password, so that none is shown.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tidegate.errors import OperatorError, UsageError

TOKEN = "TIDEGATE_TOKEN"  # noqa: S105 - the variable's name
ALLOW_HTTP = "TIDEGATE_ALLOW_HTTP"
SECONDS = "TIDEGATE_LEDGER_SECONDS"
PATIENCE = 45.0
"""Seconds for one question over HTTP with all its tries, if nothing else is said."""
_TOKEN_LIMIT = 4096


def is_remote(url: str) -> bool:
    """Whether a ledger's URL is the address of a console."""
    return url.strip().lower().startswith(("https://", "http://"))


def checked_address(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        UsageError: it can't be used, or would send a token over the network in the clear.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(
            "the address can't be read", remedy="write it as https://host:port/"
        ) from None
    if "@" in parts.netloc:
        # Not repeated in the message: it may be a secret.
        raise UsageError(
            "the address holds a user or password",
            remedy=f"put the token into {TOKEN}, and only the host into the address",
        )
    odd = any(char.isspace() or not char.isprintable() or char == "\\" for char in url.strip())
    if parts.scheme not in {"https", "http"} or not host or odd or parts.query or parts.fragment:
        raise UsageError(
            f"{url!r} is no address that can be used", remedy="write it as https://host:port/"
        )
    if parts.scheme == "http" and not _is_loopback(host) and os.environ.get(ALLOW_HTTP) != "1":
        raise UsageError(
            f"{url!r} is not encrypted: who listens on the way could take the token",
            remedy=f"use https://, or set {ALLOW_HTTP}=1 where the network is safe by itself",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def token_from_environment(name: str = TOKEN) -> str | None:
    """The token in the variable `name`, or in the file that the variable `name`_FILE names.

    Raises:
        UsageError: the file can't be read, or what it holds is no token.
        OperatorError: others than its owner can read the file.
    """
    if given := os.environ.get(name, "").strip():
        return checked_token(given)
    place = os.environ.get(f"{name}_FILE")
    if not place:
        return None
    try:
        with Path(place).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_TOKEN_LIMIT).decode("ascii").strip()
    except OSError as error:
        raise UsageError(f"the token {place!r} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"the file {place!r} holds no token") from None
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o007:
        raise OperatorError(
            f"the token {place!r} can be read by everybody", remedy=f"chmod 600 {place}"
        )
    return checked_token(text)


def patience_from_environment() -> float:
    """Seconds for one question: what the environment says, or `PATIENCE`.

    Raises:
        UsageError: it says something that is no number of seconds.
    """
    given = os.environ.get(SECONDS)
    if not given:
        return PATIENCE
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86_400:
        raise UsageError(
            f"{SECONDS} is a number of seconds, and {given!r} is none that can be used"
        )
    return seconds


def checked_token(text: str) -> str:
    """The token, if it can stand in a header; UsageError otherwise, which does not repeat it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError("the token holds characters that no token has")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
