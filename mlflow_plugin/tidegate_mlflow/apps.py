"""The server's apps: `mlflow server --app-name tidegate`, and `tidegate-auth` over basic-auth.

Both put the guard into every artifact repository of the server (see `repositories`), which holds
under uvicorn, where artifacts go through FastAPI routes, as well as under gunicorn and waitress,
where they go through Flask's. Always holds: a server that can't have its guard does not start.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_CONFLICT

from tidegate_mlflow import answers, artifacts, host, repositories, review_pages
from tidegate_mlflow.guard import Guard

_log = logging.getLogger(f"mlflow.{__name__}")

_Scope = MutableMapping[str, Any]
_Application = Callable[[_Scope, Any, Any], Awaitable[None]]

APPS = ("tidegate", "tidegate-auth")

_ARTIFACT_ROUTES = "/mlflow-artifacts/artifacts/"

_UNTOLD = MlflowException(
    "Tidegate can't read its ledger now, so no artifact is read or written. Try again later; the "
    "server's log says why.",
    error_code=RESOURCE_CONFLICT,
)
"""What is said to those who may not have signed in."""

_guard: Guard | None = None
_starting = False
_scope: ContextVar[_Scope | None] = ContextVar("tidegate_scope", default=None)


def in_force() -> bool:
    """Whether this process has its guard, or is about to get it."""
    return _guard is not None or _starting


def warn_where_unguarded() -> None:
    """Say so in the log where a gated registry is opened by a server without its guard."""
    named = host.app_named_at_start()
    without = named[0] not in APPS if named else host.is_server_worker() and not in_force()
    if without:
        _log.warning(
            "Tidegate gates this server's registry, but NOT its artifacts: models:/m-…, runs:/ "
            "and the artifact routes serve what is held and let registered files be exchanged. "
            "Start the server with --app-name tidegate (or tidegate-auth, over basic-auth)."
        )


def create_app() -> Any:
    """MLflow's app with the guard in it: what `--app-name tidegate` runs."""
    guard = _guarded()
    return _looking_first(host.plain_app(), guard)


def create_auth_app() -> Any:
    """MLflow's basic-auth app with the guard in it: what `--app-name tidegate-auth` runs.

    Raises:
        MlflowException: basic-auth is not installed (`tidegate[mlflow]` brings it).
    """
    guard = _guarded()
    host.authorize_elsewhere(review_pages.ENDPOINTS)
    return _looking_first(host.basic_auth_app(), guard, says_why=False)


def _guarded() -> Guard:
    """Open the gated registry and put the guard before every artifact; once in a process."""
    global _guard, _starting  # noqa: PLW0603 - one for a process, as MLflow's own stores are
    if _guard is not None:
        return _guard
    from tidegate_mlflow.store import GatedStore, GatedWorkspaceStore

    _starting = True
    try:
        registry = host.model_registry()
        if not isinstance(registry, GatedStore | GatedWorkspaceStore):
            raise answers.invalid(
                "Tidegate can't start: the app guards a gated registry, and this server's is not "
                "gated. Put tidegate+ before its address: --registry-store-uri tidegate+…"
            )
        made = Guard(registry.verdicts, artifacts.places_of, registry.are_alive, _asking)
        made.look()
        host.guard_repositories(repositories.guarded_by(made))
        review_pages.serve(registry.gate)
    finally:
        _starting = False
    _log.info("Tidegate guards this server's artifacts.")
    _guard = made
    return made


def _looking_first(app: Any, guard: Guard, *, says_why: bool = True) -> Any:
    """Flask's routes look in the thread that answers them, after basic-auth."""
    if host.runs_on_asgi():
        app.add_middleware(LookingFirst, guard=guard, says_why=says_why)
    return app


def _asking() -> str | None:
    """Who sent the request that is being answered, where basic-auth has told."""
    if user := host.acting_user():
        return user
    scope = _scope.get()
    user = scope.get("state", {}).get("username") if scope is not None else None
    return str(user) if user else None


class LookingFirst:
    """ASGI middleware: asks the ledger what is new, away from the event loop.

    The routes that stream artifacts call their repository on the event loop itself, where a
    database that is slow to answer would hold up everybody. It stands before basic-auth: where
    users sign in it does not say what went wrong, for an error may name the database.
    """

    def __init__(self, app: _Application, guard: Guard, *, says_why: bool = True) -> None:
        self._app = app
        self._guard = guard
        self._says_why = says_why

    async def __call__(self, scope: _Scope, receive: Any, send: Any) -> None:
        """Hand the request on, with what is new seen where it is about artifacts."""
        if scope["type"] != "http" or _ARTIFACT_ROUTES not in scope.get("path", ""):
            await self._app(scope, receive, send)
            return
        import anyio.to_thread

        try:
            newest = await anyio.to_thread.run_sync(self._guard.look)
        except Exception as error:  # noqa: BLE001 - without an answer nothing is served
            _log.error("artifacts are held, because the ledger can't be asked", exc_info=error)
            told = answers.translated(error) if self._says_why else _UNTOLD
            await _answer(told, scope, receive, send)
            return
        token = _scope.set(scope)
        try:
            with self._guard.verdicts.looking(newest):
                await self._app(scope, receive, send)
        finally:
            _scope.reset(token)


async def _answer(error: MlflowException, scope: _Scope, receive: Any, send: Any) -> None:
    from starlette.responses import Response

    body = error.serialize_as_json()
    response = Response(
        body, status_code=error.get_http_status_code(), media_type="application/json"
    )
    await response(scope, receive, send)
