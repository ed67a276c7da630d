"""Asking over HTTP, patiently and not for ever.

Always holds: every wait has an end; what may be sent again is (a question, or a write under an
idempotency key), anything else is sent once; no redirection is followed, as it would carry the
token elsewhere; an answer is read up to a limit; a forked child opens connections of its own.
Whatever goes wrong leaves as an error of the family of who must act.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError, SSLError

from tidegate import __version__
from tidegate.errors import (
    AccessRefusedError,
    LedgerUnavailableError,
    OperatorError,
    RecordNotFoundError,
    TamperedError,
    TidegateError,
    UsageError,
)
from tidegate.ledger.address import TOKEN, checked_address, patience_from_environment

MAX_ANSWER = 64 << 20
KEY_HEADER = "Idempotency-Key"

_CONNECT_SECONDS = 5.0
# Short enough for another try. What the console is still doing then is found under the same key.
_READ_SECONDS = 20.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_WORTH_ANOTHER_TRY = frozenset({408, 425, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the headers in lower case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Asks one server. Safe to share between threads.

    Args:
        address: the server's, as `checked_address` gives it.
        token: sent as a bearer token.
        patience: seconds for one question with all its tries; by default those of the environment.
    """

    def __init__(self, address: str, token: str | None, *, patience: float | None = None) -> None:
        self.address = checked_address(address)
        self._token = token
        self._patience = patience_from_environment() if patience is None else patience
        self._pool: urllib3.PoolManager | None = None
        self._process = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._pool is not None and self._process == os.getpid():
                self._pool.clear()
            self._pool = None

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """The JSON that answers a question; parameters that are None are left out.

        Raises:
            LedgerUnavailableError: no answer came in time.
            AccessRefusedError: the token does not count or does not reach so far.
            RecordNotFoundError, UsageError, OperatorError: what the server says.
        """
        fields = {k: str(v) for k, v in (parameters or {}).items() if v is not None}
        return self._json(self.exchange("GET", path, fields=fields))

    def post(self, path: str, data: Mapping[str, Any], *, key: str | None) -> Any:
        """The JSON that answers a write under an idempotency key, or a question with a body."""
        headers = {} if key is None else {KEY_HEADER: key}
        body = json.dumps(data).encode()
        return self._json(self.exchange("POST", path, body=body, headers=headers))

    def exchange(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        kind: str = "application/json",
        again: bool = True,
    ) -> Answer:
        """The answer, whatever its status, after as many tries as the patience allows.

        Not `again` sends it once: what must not arrive twice.

        Raises:
            LedgerUnavailableError: none came, or only ones that say to try again.
        """
        until = time.monotonic() + self._patience
        sent = {"User-Agent": f"tidegate/{__version__}", "Accept": kind, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = kind
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        pause, last = _FIRST_PAUSE, "no answer"
        while True:
            wait = pause
            try:
                answer = self._once(method, path, body, fields, sent, until)
            except (HTTPError, OSError) as error:
                last = _reason(error)
                if not again or isinstance(error, SSLError | LocationValueError):
                    raise self._unavailable(last) from error
            else:
                if not again or answer.status not in _WORTH_ANOTHER_TRY:
                    return answer
                last = _told(answer)[1] or f"it answers with status {answer.status}"
                wait = max(pause, _asked_pause(answer))
            # Others were turned away in the same moment: not all of them come back together.
            wait *= 0.5 + random.random() / 2  # noqa: S311 - no secret
            if time.monotonic() + wait >= until:
                raise self._unavailable(last)
            time.sleep(wait)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        fields: Mapping[str, str] | None,
        headers: Mapping[str, str],
        until: float,
    ) -> Answer:
        left = max(0.1, until - time.monotonic())
        until = min(until, time.monotonic() + 2 * _READ_SECONDS)
        response = self._connections().request(
            method,
            f"{self.address}{path}",
            body=body,
            fields=dict(fields) if fields else None,
            headers=dict(headers),
            timeout=urllib3.Timeout(
                connect=min(_CONNECT_SECONDS, left), read=min(_READ_SECONDS, left)
            ),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            content = self._content(response, until)
        except BaseException:
            # Half an answer: the connection is of no more use.
            response.close()
            raise
        response.release_conn()
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, names, content)

    def _content(self, response: urllib3.BaseHTTPResponse, until: float) -> bytes:
        parts, size = [], 0
        # A server that sends a byte now and then must not hold us for ever either.
        for part in response.stream(1 << 16, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise OperatorError(
                    f"the answer of {self.address} is longer than any that is expected"
                )
            if time.monotonic() > until:
                raise TimeoutError("the answer takes too long")
        return b"".join(parts)

    def _connections(self) -> urllib3.PoolManager:
        with self._lock:
            if self._pool is None or self._process != os.getpid():
                self._process = os.getpid()
                self._pool = self._make_pool()
            return self._pool

    def _make_pool(self) -> urllib3.PoolManager:
        scheme, _, rest = self.address.partition("://")
        proxy = getproxies().get(scheme)
        host = rest.split("/", 1)[0]
        if scheme == "https" and proxy and not proxy_bypass(host):
            return urllib3.ProxyManager(proxy, maxsize=4, block=False)
        return urllib3.PoolManager(maxsize=4, block=False)

    def _json(self, answer: Answer) -> Any:
        if answer.status >= 300:
            raise self._error(answer)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise OperatorError(
                f"{self.address} answers with something that is no JSON",
                remedy="check the ledger's address: perhaps something else answers there",
            ) from error

    def _error(self, answer: Answer) -> TidegateError:
        name, message, remedy = _told(answer)
        if message is None:
            return OperatorError(
                f"{self.address} answers with status {answer.status}",
                remedy="check the ledger's address: perhaps something else answers there",
            )
        if answer.status in {401, 403}:
            remedy = remedy or f"put a token that may do this into {TOKEN}"
            return AccessRefusedError(message, remedy=remedy)
        if name in {"TamperedError", "SignatureError"}:
            return TamperedError(message, remedy=remedy)
        if name == RecordNotFoundError.__name__:
            return RecordNotFoundError(message, remedy=remedy)
        if answer.status < 500:
            return UsageError(message, remedy=remedy)
        return OperatorError(message, remedy=remedy)

    def _unavailable(self, why: str) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            f"{self.address} can't be used: {why}",
            remedy="check that the server runs and that this machine reaches it",
        )


def _told(answer: Answer) -> tuple[str | None, str | None, str | None]:
    """What an answer of ours says went wrong: the error's name, message and remedy."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None, None, None
    if not isinstance(found, dict) or not isinstance(found.get("message"), str):
        return None, None, None
    name, remedy = found.get("error"), found.get("remedy")
    return (
        name if isinstance(name, str) else None,
        found["message"],
        remedy if isinstance(remedy, str) else None,
    )


def _asked_pause(answer: Answer) -> float:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 5 else 0.0


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words; urllib3 packs one into another."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None)) is not None and isinstance(
        inner, BaseException
    ):
        cause = inner
    text = str(cause).rpartition(": ")[2] or type(cause).__name__
    return text[:300]
