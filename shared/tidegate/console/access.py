"""Who asks: bearer tokens, and patience with those that do not count.

Always holds: every request looks its token up anew, so that a revoked one ends at once; of a
refused token nothing is told but that; an address from which too many came is turned away without
a look-up, except with a token that counted a moment ago, so that nobody can lock out his
neighbours behind the same proxy.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tidegate.attestation.keys import KeyList
from tidegate.errors import AccessRefusedError, TidegateError
from tidegate.ledger import Ledger
from tidegate.ledger.tokens import Scope, Token, authenticate

FAILURES = 10
"""Refused tokens of one address within `WINDOW` seconds, after which it has to wait."""
WINDOW = 60.0
_REMEMBERED = 4096
_MAX_TOKEN = 200


class NoTokenError(AccessRefusedError):
    """There is no token, or it does not count: who asks is not known."""


class TooManyRefusedError(TidegateError):
    """Too many tokens of this address were refused; `wait` is how many seconds to stay away."""

    def __init__(self, wait: int) -> None:
        super().__init__("too many tokens from this address were refused", remedy="wait a minute")
        self.wait = wait


@dataclass(slots=True)
class _Refused:
    """When tokens of an address were refused, of late."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))


class Doorkeeper:
    """Tells whose a request is. Safe to share between threads."""

    def __init__(
        self, ledger: Ledger, keys: KeyList, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._refused: OrderedDict[str, _Refused] = OrderedDict()
        self._counted: OrderedDict[bytes, float] = OrderedDict()

    def admit(self, header: str | None, address: str, scope: Scope) -> Token:
        """The token of an `Authorization` header, if it counts and reaches as far as `scope`.

        Raises:
            NoTokenError: there is none, or it does not count.
            AccessRefusedError: it counts, and does not allow this.
            TooManyRefusedError: come back later.
        """
        kind, _, text = (header or "").partition(" ")
        text = text.strip()
        if kind.lower() != "bearer" or not text:
            raise NoTokenError(
                "the console wants a token", remedy="send it as Authorization: Bearer …"
            )
        if len(text) > _MAX_TOKEN:
            text = ""
        mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        self._require_patience(address, mark)
        try:
            token = authenticate(self._ledger, text, keys=self._keys, now=datetime.now(UTC))
        except AccessRefusedError as error:
            self._note_refused(address, mark)
            raise NoTokenError(error.message, remedy=error.remedy) from None
        self._note_counted(mark)
        if not token.allows(scope):
            raise AccessRefusedError(
                f"the token of {token.holder} allows {', '.join(token.scopes)}; "
                f"this takes {scope.value}",
                remedy="ask whoever runs the console for a token with that scope",
            )
        return token

    def _require_patience(self, address: str, mark: bytes) -> None:
        now = self._clock()
        with self._lock:
            if (counted := self._counted.get(mark)) is not None and now - counted < WINDOW:
                return
            refused = self._refused.get(address)
            if refused is None or len(refused.times) < FAILURES:
                return
            left = refused.times[0] + WINDOW - now
        if left > 0:
            raise TooManyRefusedError(int(left) + 1)

    def _note_refused(self, address: str, mark: bytes) -> None:
        with self._lock:
            self._counted.pop(mark, None)
            self._refused.setdefault(address, _Refused()).times.append(self._clock())
            self._refused.move_to_end(address)
            while len(self._refused) > _REMEMBERED:
                self._refused.popitem(last=False)

    def _note_counted(self, mark: bytes) -> None:
        with self._lock:
            self._counted[mark] = self._clock()
            self._counted.move_to_end(mark)
            while len(self._counted) > _REMEMBERED:
                self._counted.popitem(last=False)
