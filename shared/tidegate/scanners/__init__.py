"""Looking into artifacts: scanners, the worker processes they run in, and evidence.

    source = LocalSource("model/")
    evidence = scan(source, read_manifest(source))
    evidence.verdict

`interface.py` says what a scanner is; `registry.py` lists them; `engine.py` runs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.scanners.engine import ScanEngine, scan
    from tidegate.scanners.evidence import Evidence, Verdict
    from tidegate.scanners.interface import Finding, Limits, Severity, Unread

# Workers import this package too: what they don't need must not cost them time.
_HOME = {
    "Evidence": "evidence",
    "Finding": "interface",
    "Limits": "interface",
    "ScanEngine": "engine",
    "Severity": "interface",
    "Unread": "interface",
    "Verdict": "evidence",
    "scan": "engine",
}

__all__ = [
    "Evidence",
    "Finding",
    "Limits",
    "ScanEngine",
    "Severity",
    "Unread",
    "Verdict",
    "scan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
