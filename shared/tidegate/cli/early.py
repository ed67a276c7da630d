"""What `tidegate scan` starts before it has read its own options.

Reading options and importing what decides takes as long as hashing a hundred megabytes. So the
scanner process, and the hashing of a large file among the arguments, begin at once. Always holds:
what is begun here is only ever work done sooner. The hash is of the file in the state in which it
was listed, and the scan holds the file to that same listing.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegate.scanners import boot

if TYPE_CHECKING:
    from tidegate.artifact.manifest import PendingManifest

_LARGE = 16 << 20
# The thread that hashes needs the interpreter's lock for an instant, some hundred times a second.
_SWITCH_SECONDS = 0.0005

_begun: dict[str, PendingManifest] = {}


def begin(arguments: Sequence[str]) -> None:
    """Start what `tidegate scan` with these arguments is going to need."""
    boot.start_early()
    large = next((argument for argument in arguments if _is_large_file(argument)), None)
    if large is not None:
        # Not before the scanner process, which has more to load, is on its way.
        from tidegate.artifact.manifest import PendingManifest
        from tidegate.artifact.source import LocalSource

        sys.setswitchinterval(_SWITCH_SECONDS)
        _begun[large] = PendingManifest(LocalSource(large))


def hashing_of(path: str) -> PendingManifest | None:
    """The hashing of that path, if it was begun; only once, as the file may change later."""
    return _begun.pop(path, None)


def end() -> None:
    """Drop what nobody came to need."""
    boot.end_early()
    _begun.clear()


def _is_large_file(argument: str) -> bool:
    try:
        status = os.lstat(argument)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size >= _LARGE
