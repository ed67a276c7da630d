"""The first thing that a request meets: who asks, how much he sends, and how long he takes.

Always holds: nothing of a body is read before its sender's token counts; a body ends at a limit and
in a bounded time; whatever goes wrong is answered in the form of a `Problem`, with a status that
says whose affair it is.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from tidegate.console.access import Doorkeeper, NoTokenError, TooManyRefusedError
from tidegate.console.claims import ConflictError
from tidegate.errors import (
    AccessRefusedError,
    LedgerUnavailableError,
    OperatorError,
    RecordNotFoundError,
    TidegateError,
)
from tidegate.ledger.tokens import Scope

MAX_BODY = 16 << 20
BODY_SECONDS = 60.0

_log = logging.getLogger(__name__)

Asgi = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Asgi]]
Send = Callable[[Asgi], Awaitable[None]]
App = Callable[[Asgi, Receive, Send], Awaitable[None]]


class TooLargeError(TidegateError):
    """What was sent is larger than may be sent."""


class TooSlowError(TidegateError):
    """What was announced did not come in time."""


class Guard:
    """Stands before the routes: all below `/v1/` take a token.

    Args:
        app: the routes.
        doorkeeper: who tells whose a token is.
        max_body: the most bytes that may be sent at once.
    """

    def __init__(
        self,
        app: App,
        doorkeeper: Doorkeeper,
        *,
        max_body: int = MAX_BODY,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._max_body = max_body
        self._body_seconds = body_seconds

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Asgi) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *_ALWAYS]}
            await send(message)

        try:
            limit = 0
            if scope["path"].startswith("/v1/"):
                await self._admit(scope)
                limit = self._max_body
            await self._app(scope, await self._with_body(scope, receive, limit), with_headers)
        except Exception as error:
            if started:
                raise
            if not isinstance(error, TidegateError):
                _log.exception("a request failed")
            await _answer(error, with_headers)

    async def _admit(self, scope: Asgi) -> None:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization")
        address = scope["client"][0] if scope.get("client") else ""
        scope.setdefault("state", {})["token"] = await run_in_threadpool(
            self._doorkeeper.admit,
            None if given is None else given.decode("latin-1"),
            address,
            Scope.READ,
        )

    async def _with_body(self, scope: Asgi, receive: Receive, limit: int) -> Receive:
        """The whole body, in its time; what comes after it is asked of the server as ever."""
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await self._body(scope, receive, limit)
        except TimeoutError:
            raise TooSlowError("the body did not come in time") from None
        pending: list[Asgi] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Asgi:
            return pending.pop() if pending else await receive()

        return replay

    async def _body(self, scope: Asgi, receive: Receive, limit: int) -> bytes:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > limit:
            raise self._too_large(limit)
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise TooSlowError("the sender went away")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise self._too_large(limit)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self, limit: int) -> TooLargeError:
        if not limit:
            return TooLargeError("nothing is to be sent here")
        return TooLargeError(
            f"a body has at most {limit >> 20} MiB here",
            remedy="record a folder of so many files beside the ledger's database",
        )


_ALWAYS: Iterable[tuple[bytes, bytes]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)

_STATUS: tuple[tuple[type[TidegateError], int], ...] = (
    (NoTokenError, 401),
    (AccessRefusedError, 403),
    (TooManyRefusedError, 429),
    (TooLargeError, 413),
    (TooSlowError, 408),
    (RecordNotFoundError, 404),
    (ConflictError, 409),
    (LedgerUnavailableError, 503),
    (OperatorError, 500),
    (TidegateError, 400),
)


def problem(error: Exception) -> tuple[int, dict[str, str], dict[str, str | None]]:
    """Status, headers and body of the answer that tells of an error."""
    if not isinstance(error, TidegateError):
        told = {"error": "InternalError", "message": "the console failed; its log says where"}
        return 500, {}, {**told, "remedy": None}
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    if status >= 500:
        # A caller can do nothing about it: whoever runs the console must see it.
        _log.error("a request failed: %s", error.message)
    headers = {}
    if isinstance(error, TooManyRefusedError):
        headers["retry-after"] = str(error.wait)
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="tidegate"'
    if status == 503:
        headers["retry-after"] = "1"
    told = {"error": type(error).__name__, "message": error.message}
    return status, headers, {**told, "remedy": error.remedy}


async def _answer(error: Exception, send: Send) -> None:
    status, headers, told = problem(error)
    body = json.dumps(told).encode()
    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    named += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})
