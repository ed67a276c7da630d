"""Hashes remembered between readings, so that asking again for an unchanged artifact is cheap.

A file's hash is remembered under its identity (device, inode, size, both times). Always holds:
it is only remembered when the file had been left alone for a while before it was hashed, since
a file system's clock is too coarse to tell two writes in quick succession apart. The change time
can't be set by a program, so writing a file always makes it be read anew. (Whoever can set the
machine's clock or write its disk from below is outside of what this can notice.)
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from tidegate.artifact.source import FileIdentity, SourceFile

_SETTLED_NS = 2_000_000_000


class HashMemory:
    """Thread-safe; the least recently used entries are forgotten beyond `capacity` files."""

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._hashes: OrderedDict[FileIdentity, str] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, file: SourceFile) -> str | None:
        """The hex SHA-256 of a file in this very state, if it was remembered."""
        with self._lock:
            sha256 = self._hashes.get(file.identity)
            if sha256 is not None:
                self._hashes.move_to_end(file.identity)
            return sha256

    def remember(self, file: SourceFile, sha256: str, started_ns: int) -> None:
        """Keep the hash of a file whose reading began at `started_ns` (`time.time_ns`)."""
        newest = max(file.identity.ctime_ns, file.identity.mtime_ns)
        if newest + _SETTLED_NS >= started_ns or started_ns > time.time_ns():
            return
        with self._lock:
            self._hashes[file.identity] = sha256
            while len(self._hashes) > self._capacity:
                self._hashes.popitem(last=False)
