"""Whether this process verifies on load, and which repositories it gets accordingly.

Always holds: the setting that switches it off is heard of in the log; a setting that can't be
read, or a module of ours that can't be imported, is an error and no way around.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tidegate_mlflow import client_host, plugin, vouching
from tidegate_mlflow.client_host import ArtifactRepository

_log = logging.getLogger(f"mlflow.{__name__}")

_for_the_gate: ContextVar[bool] = ContextVar("tidegate_reads_for_the_gate", default=False)


@contextmanager
def not_for_the_gate_itself() -> Iterator[None]:
    """MLflow's own repositories within the block: a gate can't ask itself what it is to decide."""
    token = _for_the_gate.set(True)
    try:
        yield
    finally:
        _for_the_gate.reset(token)


def models_repository(
    artifact_uri: str, tracking_uri: str | None, registry_uri: str | None
) -> ArtifactRepository:
    """The repository of a `models:/` URI."""
    if not _wanted():
        return client_host.ModelsArtifactRepository(artifact_uri, tracking_uri, registry_uri)
    from tidegate_mlflow.verifying import VerifyingModelsRepository

    return VerifyingModelsRepository(artifact_uri, tracking_uri, registry_uri)


def runs_repository(
    artifact_uri: str, tracking_uri: str | None, registry_uri: str | None
) -> ArtifactRepository:
    """The repository of a `runs:/` URI."""
    if not _wanted():
        return client_host.RunsArtifactRepository(artifact_uri, tracking_uri, registry_uri)
    from tidegate_mlflow.verifying import VerifyingRunsRepository

    return VerifyingRunsRepository(artifact_uri, tracking_uri, registry_uri)


def is_in_force() -> bool:
    """Whether MLflow asks us for the models that this process loads; says so where it does not."""
    if not _wanted():
        return False
    table = client_host.repositories()
    taken = table.get("models") is plugin.models_repository
    if not taken or table.get("runs") is not plugin.runs_repository:
        _log.error(
            "Tidegate does NOT verify what this process loads: another package stands behind "
            "models:/ or runs:/, or Tidegate is installed without its entry points. Reinstall "
            "tidegate[mlflow], or remove the other package."
        )
        return False
    return True


def _wanted() -> bool:
    if _for_the_gate.get():
        return False
    if vouching.settings_of_process().verify_on_load == "off":
        _say_that_it_is_off()
        return False
    return True


@functools.cache
def _say_that_it_is_off() -> None:
    _log.warning(
        "TIDEGATE_VERIFY_ON_LOAD=off: Tidegate does not verify the models that this process loads."
    )
