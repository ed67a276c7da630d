"""The parts of MLflow that are not public API, all of them, so that a release that moves one
breaks here and nowhere else. A test asks for each by name.

Facts about MLflow 3.17: the server keeps one artifact repository for everything that clients
upload through it (`mlflow-artifacts:` URIs), and knows how to turn such a URI into a path in it.
"""

from __future__ import annotations

import os

import flask
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.prompt.constants import (
    _PROMPT_SOURCE_PLACEHOLDERS,
    IS_PROMPT_TAG_KEY,
)
from mlflow.server.constants import READ_REPLICA_BACKEND_STORE_URI_ENV_VAR
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlModelVersionTag
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.model_registry.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

PROMPT_SOURCES: frozenset[str] = _PROMPT_SOURCE_PLACEHOLDERS
PROMPT_TAG: str = IS_PROMPT_TAG_KEY

__all__ = [
    "PROMPT_SOURCES",
    "PROMPT_TAG",
    "SqlAlchemyStore",
    "SqlModelVersion",
    "SqlModelVersionTag",
    "WorkspaceAwareSqlAlchemyStore",
    "acting_user",
    "artifact_place",
    "read_replica_uri",
    "workspaces_enabled",
]


def workspaces_enabled() -> bool:
    """Whether the server keeps workspaces apart."""
    return bool(MLFLOW_ENABLE_WORKSPACES.get())


def read_replica_uri() -> str | None:
    """The database that reads go to, where the server was given one."""
    return os.environ.get(READ_REPLICA_BACKEND_STORE_URI_ENV_VAR)


def acting_user() -> str | None:
    """The user whom MLflow's basic-auth app has authenticated for this request, if any."""
    if not flask.has_request_context():
        return None
    user = getattr(flask.g, "mlflow_authenticated_user", None)
    return str(user) if user else None


def artifact_place(uri: str) -> tuple[ArtifactRepository, str]:
    """The repository and the path in it that a version's storage location stands for.

    A location that clients reach through this server is resolved to the server's own storage,
    without a request to itself.
    """
    from mlflow.server import handlers

    if handlers._is_servable_proxied_run_artifact_root(uri):
        path = handlers._get_proxied_run_artifact_destination_path(uri)
        scoped = handlers._get_workspace_scoped_repo_path_if_enabled(path)
        return handlers._get_artifact_repo_mlflow_artifacts(), scoped or ""
    return get_artifact_repository(uri), ""
