"""The console as an application that any ASGI server can run."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from tidegate import __version__
from tidegate.attestation.keys import KeyList
from tidegate.attestation.own_key import trusted_keys
from tidegate.console.access import Doorkeeper
from tidegate.console.api import make_router
from tidegate.console.guard import MAX_BODY, Guard, problem
from tidegate.console.messages import Problem
from tidegate.errors import TidegateError, UsageError
from tidegate.gate import Gate
from tidegate.ledger import Ledger

_SHOWN = 5


class _AsciiJSON(JSONResponse):
    """JSON in plain ASCII, so that no name on record, however broken, can fail to be sent."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


def make_app(gate: Gate, *, keys: KeyList | None = None, max_body: int = MAX_BODY) -> FastAPI:
    """The console over a gate.

    Args:
        gate: what decides, with its ledger in a database.
        keys: whose signature over a token's record counts; by default those of the environment.
        max_body: the most bytes that may be sent at once.

    Raises:
        UsageError: the gate's ledger is itself behind a console.
    """
    if not isinstance(gate.ledger, Ledger):
        raise UsageError(
            "a console keeps its ledger in a database", remedy="give it an SQLAlchemy URL"
        )
    if keys is None:
        keys = trusted_keys(gate.ledger.signing_key())
    doorkeeper = Doorkeeper(gate.ledger, keys)
    errors = {"4XX": {"model": Problem}, "5XX": {"model": Problem}}
    app = FastAPI(
        title="Tidegate",
        version=__version__,
        summary="The ledger over HTTP. Every path below /v1/ takes a bearer token.",
        # The pages would load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        default_response_class=_AsciiJSON,
        responses=errors,  # type: ignore[arg-type]  # FastAPI's keys are int | str, invariantly
        middleware=[Middleware(Guard, doorkeeper=doorkeeper, max_body=max_body)],
    )
    app.include_router(make_router(gate))

    @app.get("/health", summary="Whether the console is alive", include_in_schema=True)
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.exception_handler(TidegateError)
    def on_error(_: Request, error: Exception) -> _AsciiJSON:
        status, headers, told = problem(error)
        return _AsciiJSON(told, status, headers)

    @app.exception_handler(RequestValidationError)
    def on_invalid(_: Request, error: Exception) -> _AsciiJSON:
        assert isinstance(error, RequestValidationError)
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:_SHOWN]
        )
        return _AsciiJSON(
            {"error": "UsageError", "message": f"what was sent can't be taken: {wrong}"[:2000],
             "remedy": None}, 422,
        )  # fmt: skip

    @app.exception_handler(HTTPException)
    def on_http(_: Request, error: Exception) -> _AsciiJSON:
        assert isinstance(error, HTTPException)
        return _AsciiJSON(
            {"error": "UsageError", "message": str(error.detail), "remedy": None},
            error.status_code, error.headers,
        )  # fmt: skip

    return app
