"""Where a run's code, libraries and machine stood, as tags on every run that is started here.

MLflow asks for them when a run is created (see `surroundings` for what is told). They are the
client's word: the server marks what it makes of them as claims. `TIDEGATE_RUN_CONTEXT=off`
switches it off.

Always holds: importing this module imports nothing of ours or MLflow's, for it is loaded with
MLflow itself; and a run never fails for its context.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate_mlflow.surroundings import Look

_log = logging.getLogger(f"mlflow.{__name__}")

SETTING = "TIDEGATE_RUN_CONTEXT"


class RunContext:
    """MLflow's run context provider, in the form that its registry asks for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._look: Look | None = None
        self._said = False

    def in_context(self) -> bool:
        """Whether this is switched on."""
        setting = os.environ.get(SETTING, "on")
        if not self._said:
            self._said = True
            if setting not in {"on", "off"}:
                _log.warning("%s is neither on nor off, so no context is recorded.", SETTING)
            self._say_where_loading_is_not_verified()
        return setting == "on"

    def tags(self) -> dict[str, str]:
        """What is known by now; starts looking where nothing is, or it is no longer fresh."""
        try:
            from tidegate_mlflow import surroundings

            with self._lock:
                if self._look is None or self._look.is_stale():
                    self._look = surroundings.Look()
            return self._look.tags()
        except Exception as error:  # noqa: BLE001 - a run is worth more than its context
            _log.info("the context of the run can't be told: %s", error)
            return {"tidegate.untold": type(error).__name__}

    def _say_where_loading_is_not_verified(self) -> None:
        """This runs in every client that starts a run, even if MLflow has lost our other parts."""
        registry = sys.modules.get("mlflow.store.artifact.artifact_repository_registry")
        if registry is None:
            return
        make = registry.get_registered_artifact_repositories().get("models")
        if getattr(make, "__module__", "") != "tidegate_mlflow.plugin":
            _log.error(
                "Tidegate does NOT verify what this process loads: another package stands behind "
                "models:/, or Tidegate is installed without its entry points."
            )
