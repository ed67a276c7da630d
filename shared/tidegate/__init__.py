"""Supply-chain security for machine learning, in the flow of MLflow and Airflow.

    from tidegate import Action, Gate

    decision = Gate.open().check("model/", Action.REGISTER, subject="fraud")
    print(decision.explain())

One flow runs through every package here, and each floor knows only those below it:

    artifact -> manifest -> evidence -> decision -> record -> enforcement

The names exported here are loaded when they are first used, so that importing `tidegate`
costs nothing; neither MLflow nor Airflow is ever imported by this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tidegate.artifact import Manifest, read_manifest
    from tidegate.gate import Gate
    from tidegate.policy import Action, Decision, Policy
    from tidegate.recorder import step
    from tidegate.scanners import Evidence, scan

_HOME = {
    "Action": "tidegate.policy",
    "Decision": "tidegate.policy",
    "Evidence": "tidegate.scanners",
    "Gate": "tidegate.gate",
    "Manifest": "tidegate.artifact",
    "Policy": "tidegate.policy",
    "read_manifest": "tidegate.artifact",
    "scan": "tidegate.scanners",
    "step": "tidegate.recorder",
}

__all__ = [
    "Action",
    "Decision",
    "Evidence",
    "Gate",
    "Manifest",
    "Policy",
    "__version__",
    "read_manifest",
    "scan",
    "step",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
