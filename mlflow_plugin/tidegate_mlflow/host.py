"""The parts of MLflow that are not public API, all of them, so that a release that moves one
breaks here and nowhere else. A test asks for each by name.

Facts about MLflow 3.17: the server keeps one artifact repository for everything that clients
upload through it (`mlflow-artifacts:` URIs), and knows how to turn such a URI into a path in it.
Every other repository, whichever route asks for it, is made by one registry object.
"""

from __future__ import annotations

import functools
import os
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import flask
from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL
from mlflow.environment_variables import _MLFLOW_SGI_NAME, MLFLOW_ENABLE_WORKSPACES
from mlflow.exceptions import MlflowException
from mlflow.prompt.constants import (
    _PROMPT_SOURCE_PLACEHOLDERS,
    IS_PROMPT_TAG_KEY,
)
from mlflow.server.constants import (
    ARTIFACTS_DESTINATION_ENV_VAR,
    READ_REPLICA_BACKEND_STORE_URI_ENV_VAR,
)
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlModelVersionTag
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore
from mlflow.utils.file_utils import local_file_uri_to_path

PROMPT_SOURCES: frozenset[str] = _PROMPT_SOURCE_PLACEHOLDERS
PROMPT_TAG: str = IS_PROMPT_TAG_KEY
DELETED_STAGE: str = STAGE_DELETED_INTERNAL

__all__ = [
    "DELETED_STAGE",
    "PROMPT_SOURCES",
    "PROMPT_TAG",
    "SqlAlchemyStore",
    "SqlModelVersion",
    "SqlModelVersionTag",
    "WorkspaceAwareSqlAlchemyStore",
    "acting_admin",
    "acting_user",
    "app_named_at_start",
    "artifact_place",
    "authorize_elsewhere",
    "basic_auth_app",
    "flask_app",
    "guard_repositories",
    "is_server_worker",
    "local_folder",
    "may_read_model",
    "model_registry",
    "own_storage",
    "plain_app",
    "read_replica_uri",
    "route",
    "runs_on_asgi",
    "secret_key",
    "storage_of",
    "version_made_at",
    "workspaces_enabled",
]

_for_the_gate: ContextVar[bool] = ContextVar("tidegate_own_repository", default=False)


def workspaces_enabled() -> bool:
    """Whether the server keeps workspaces apart."""
    return bool(MLFLOW_ENABLE_WORKSPACES.get())


def read_replica_uri() -> str | None:
    """The database that reads go to, where the server was given one."""
    return os.environ.get(READ_REPLICA_BACKEND_STORE_URI_ENV_VAR)


# Who asks


def acting_user() -> str | None:
    """The user whom MLflow's basic-auth app has authenticated for this request, if any."""
    if not flask.has_request_context():
        return None
    user = getattr(flask.g, "mlflow_authenticated_user", None)
    return str(user) if user else None


def acting_admin() -> bool | None:
    """Whether that user is an admin of the server's; None where nobody can be told apart."""
    user = acting_user()
    if user is None:
        return None
    from mlflow.server import auth

    return bool(auth.store.get_user(user).is_admin)


def may_read_model(name: str) -> bool:
    """Whether that user may read a registered model, which also has to exist."""
    from mlflow.server import auth

    try:
        return bool(auth._get_registered_model_permission(name).can_read)
    except MlflowException:
        return False


def authorize_elsewhere(endpoints: frozenset[str]) -> None:
    """Let basic-auth ask who calls these endpoints of Flask's, and not judge what he may.

    It denies users every route that it has no rule for, and takes rules for whole paths alone.
    """
    from mlflow.server import auth

    find = auth._find_validator

    def found(request: flask.Request) -> Callable[[], bool] | None:
        if request.endpoint in endpoints:
            return lambda: True
        rule: Callable[[], bool] | None = find(request)
        return rule

    auth._find_validator = found


def version_made_at(name: str, version: str) -> int | None:
    """When a version's row was made, in milliseconds; None where there is none."""
    try:
        found = SqlAlchemyStore.get_model_version(model_registry(), name, version)
    except MlflowException:
        return None
    return int(found.creation_timestamp)


# The server's process


def flask_app() -> Any:
    """MLflow's Flask app, which answers every route that is not FastAPI's."""
    from mlflow.server import app

    return app


def secret_key() -> bytes | None:
    """What basic-auth seals its own forms with, the same in all processes; None without it."""
    key = flask_app().secret_key
    return key.encode() if isinstance(key, str) else key


def route(path: str) -> str:
    """A path with the prefix that the server was started with."""
    from mlflow.server import handlers

    return str(handlers._add_static_prefix(path))


def is_server_worker() -> bool:
    """Whether this is a process that `mlflow server` has started to answer requests."""
    return bool(_MLFLOW_SGI_NAME.get())


def runs_on_asgi() -> bool:
    """Whether the server wants a FastAPI application; the others want a Flask one."""
    return bool(_MLFLOW_SGI_NAME.get() == "uvicorn")


def app_named_at_start() -> tuple[str | None] | None:
    """In the `mlflow server` command itself, its --app-name; None elsewhere."""
    import click

    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "server":
        return None
    return (context.params.get("app_name"),)


def plain_app() -> Any:
    """MLflow's app without --app-name: FastAPI's around Flask's, or Flask's alone."""
    from mlflow.server import app

    if not runs_on_asgi():
        return app
    from mlflow.server.fastapi_app import create_fastapi_app

    return create_fastapi_app(app)


def basic_auth_app() -> Any:
    """MLflow's app with `--app-name basic-auth`, of either kind."""
    from mlflow.server.auth import create_app

    return create_app()


def model_registry() -> Any:
    """The registry store that this server's routes go to."""
    from mlflow.server import handlers

    return handlers._get_model_registry_store()


# Artifacts


def storage_of(uri: str, workspace: str) -> tuple[str, str]:
    """The store and the path in it that a version's storage location stands for.

    A location that clients reach through this server is one in the server's own storage.
    """
    from mlflow.server import handlers

    if not handlers._is_servable_proxied_run_artifact_root(uri):
        return uri, ""
    path = str(handlers._get_proxied_run_artifact_destination_path(uri)).lstrip("/")
    if workspace != "default" and not path.startswith("workspaces/"):
        path = posixpath.join("workspaces", workspace, path)
    return os.environ[ARTIFACTS_DESTINATION_ENV_VAR], path


def own_storage() -> str | None:
    """The store that clients reach through this server, if it has one."""
    return os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR)


def local_folder(uri: str) -> str | None:
    """The folder that a store's URI stands for, where that is on this machine's disks."""
    return str(local_file_uri_to_path(uri)) if urlsplit(uri).scheme in {"", "file"} else None


def artifact_place(uri: str) -> tuple[ArtifactRepository, str]:
    """The repository and the path in it that a version's storage location stands for.

    A location that clients reach through this server is resolved to the server's own storage,
    without a request to itself. The repository is the gate's own, which no guard stands before.
    """
    from mlflow.server import handlers

    with _own_repositories():
        if handlers._is_servable_proxied_run_artifact_root(uri):
            path = handlers._get_proxied_run_artifact_destination_path(uri)
            scoped = handlers._get_workspace_scoped_repo_path_if_enabled(path)
            return _own_repository(os.environ[ARTIFACTS_DESTINATION_ENV_VAR]), scoped or ""
        return get_artifact_repository(uri), ""


def guard_repositories(wrap: Callable[[ArtifactRepository], ArtifactRepository]) -> None:
    """From now on, let every repository that this process makes be what `wrap` makes of it."""
    from mlflow.server import handlers

    registry = artifact_repository_registry._artifact_repository_registry
    make = type(registry).get_artifact_repository

    def guarded(*args: Any, **kwargs: Any) -> ArtifactRepository:
        made = make(registry, *args, **kwargs)
        return made if _for_the_gate.get() else wrap(made)

    registry.get_artifact_repository = guarded
    # One that was made before would stay.
    handlers._artifact_repo = None


@contextmanager
def _own_repositories() -> Iterator[None]:
    token = _for_the_gate.set(True)
    try:
        yield
    finally:
        _for_the_gate.reset(token)


@functools.cache
def _own_repository(destination: str) -> ArtifactRepository:
    return get_artifact_repository(destination)
