"""Reading artifacts: which files there are, what their bytes hash to, what format they are.

    manifest = read_manifest(LocalSource("model/"))
    manifest.digest            # "sha256:…", the key of everything downstream

Always holds: nothing here interprets a file's content beyond its first and last bytes, links
are refused and never followed, and the same bytes under the same names give the same digest on
every machine.
"""

from tidegate.artifact.formats import Format, detect_format
from tidegate.artifact.manifest import FileEntry, Manifest, read_manifest
from tidegate.artifact.remembered import HashMemory
from tidegate.artifact.source import FileIdentity, LocalSource, SourceFile

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
