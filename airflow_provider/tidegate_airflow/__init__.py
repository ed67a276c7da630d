"""Tidegate in Airflow: operators that let an artifact go on only on evidence.

    from tidegate_airflow import DeployGateOperator, ScanArtifactOperator

    scan = ScanArtifactOperator(task_id="scan", path=train(), subject="fraud")
    gate = DeployGateOperator(
        task_id="gate", path=train_path, subject="fraud", expected_digest=scan.output["digest"]
    )

What always holds here: a task of this provider succeeds only when a decision says so. A hold
fails the task at once, whatever its retries; a ledger out of reach fails it in a way that is
tried again; nothing else is ever read as a pass.

The names are loaded when they are first used: Airflow imports this package in every process to
find the provider, and must not pay for operators there.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate_airflow.hook import TidegateHook
    from tidegate_airflow.operators import DeployGateOperator, GateResult, ScanArtifactOperator

_HOME = {
    "DeployGateOperator": "tidegate_airflow.operators",
    "GateResult": "tidegate_airflow.operators",
    "ScanArtifactOperator": "tidegate_airflow.operators",
    "TidegateHook": "tidegate_airflow.hook",
}

__all__ = ["DeployGateOperator", "GateResult", "ScanArtifactOperator", "TidegateHook"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
