"""Reading artifacts: which files there are, what their bytes hash to, what format they are.

    manifest = read_manifest(LocalSource("model/"))
    manifest.digest            # "sha256:…", the key of everything downstream

Always holds: nothing here interprets a file's content beyond its first and last bytes, links
are refused and never followed, and the same bytes under the same names give the same digest on
every machine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.artifact.formats import Format, detect_format
    from tidegate.artifact.manifest import FileEntry, Manifest, read_manifest
    from tidegate.artifact.remembered import HashMemory
    from tidegate.artifact.source import FileIdentity, LocalSource, SourceFile

# A worker needs the formats and no more: what hashes must not cost it time.
_HOME = {
    "FileEntry": "manifest",
    "FileIdentity": "source",
    "Format": "formats",
    "HashMemory": "remembered",
    "LocalSource": "source",
    "Manifest": "manifest",
    "SourceFile": "source",
    "detect_format": "formats",
    "read_manifest": "manifest",
}

__all__ = [
    "FileEntry",
    "FileIdentity",
    "Format",
    "HashMemory",
    "LocalSource",
    "Manifest",
    "SourceFile",
    "detect_format",
    "read_manifest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
