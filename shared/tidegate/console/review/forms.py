"""What a form carries to prove that its sender was shown it, and what he saw.

A browser sends a basic-auth password along with whatever another site makes it post. So a form
holds a token that only this server could make, for this user, about this state of the record; and
the browser must say that the form is from the same site. Always holds: a token of somebody else, of
another artifact, of another state of the record or of yesterday does not count.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

LASTS = 12 * 3600
"""Seconds for which a form counts after it was shown."""


class Forms:
    """Makes and checks tokens with a key that all processes of a server share."""

    def __init__(self, key: bytes, *, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(key, b"tidegate review form 1", "sha256")
        self._clock = clock

    def token(self, user: str, seen: str) -> str:
        """A token for a form about `seen` that is shown to a user now."""
        moment = str(int(self._clock()))
        return f"{moment}.{self._seal(user, seen, moment)}"

    def counts(self, token: str, user: str, seen: str) -> bool:
        """Whether a token was made for this user and this state, not too long ago."""
        moment, _, seal = token.partition(".")
        if not (moment.isascii() and moment.isdigit() and len(moment) < 16):
            return False
        if not 0 <= self._clock() - int(moment) <= LASTS:
            return False
        return hmac.compare_digest(
            self._seal(user, seen, moment).encode(), seal.encode("utf-8", "replace")
        )

    def _seal(self, user: str, seen: str, moment: str) -> str:
        parts = b"".join(
            hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest()
            for part in (user, seen, moment)
        )
        return hmac.new(self._key, parts, "sha256").hexdigest()


def is_same_site(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser sent this from one of our own pages, or no browser did.

    Args:
        headers: the request's, by lower-case names.
        host: the request's own Host.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Older browsers, and any over plain HTTP. Behind a proxy the Host must be passed on.
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
