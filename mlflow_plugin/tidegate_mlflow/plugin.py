"""What MLflow loads by entry point, in servers and in every client that has Tidegate.

Always holds: importing this module imports nothing of MLflow. MLflow loads entry points while
its own modules are half imported, and a client that never opens a gated store pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate_mlflow.client_host import ArtifactRepository
    from tidegate_mlflow.store import GatedStore, GatedWorkspaceStore


def make_store(store_uri: str, tracking_uri: str | None = None) -> GatedStore | GatedWorkspaceStore:
    """The store for a URI such as "tidegate+postgresql://…".

    Args:
        store_uri: the registry's SQLAlchemy URL with "tidegate+" before it.
        tracking_uri: part of MLflow's call; the store needs none.
    """
    from tidegate_mlflow import store

    del tracking_uri
    return store.open_store(store_uri.removeprefix("tidegate+"))


def models_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactRepository:
    """What stands behind `models:/…` in this process: MLflow's repository, verifying on load."""
    from tidegate_mlflow import on_load

    return on_load.models_repository(artifact_uri, tracking_uri, registry_uri)


def runs_repository(
    artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> ArtifactRepository:
    """What stands behind `runs:/…` in this process: MLflow's repository, verifying on load."""
    from tidegate_mlflow import on_load

    return on_load.runs_repository(artifact_uri, tracking_uri, registry_uri)
