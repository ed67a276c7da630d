r"""The manifest: an artifact's files with size and SHA-256 each, and one digest over them all.

The root digest is the SHA-256 of this text, in UTF-8:

    tidegate-manifest-v1 <kind>\n
    <sha256 of the file, hex> <size in bytes> <path as a JSON string>\n      for each file

with kind "file" or "folder" and the files in the order of their paths' bytes; a single file's
path is its own name, for what loaders do with bytes hangs on how they are called. The digest is
therefore the same on every machine, two different artifacts never share one, and a file whose
bytes happen to be such a text is not taken for the folder that the text describes.

Always holds: every byte of every listed file goes into its hash; files are read by streaming,
several at a time; a file that changes meanwhile raises instead of giving a mixed digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tidegate.artifact.remembered import HashMemory
from tidegate.artifact.source import LocalSource, SourceFile, opened
from tidegate.errors import ArtifactChangedError, ArtifactUnreadableError

_HEADER = "tidegate-manifest-v1"
# Small enough to stay in a core's second-level cache between reading and hashing.
_CHUNK = 256 << 10
# A thread that reads ahead is for large files, which other threads of a busy process should not
# be able to hold up at every turn: it takes the interpreter's lock once for each of these.
_LARGE_CHUNK = 8 << 20
# Below this a second thread costs more than it saves.
_READ_AHEAD_FROM = 4 << 20
_BUFFERS = 3

Progress = Callable[[int], None]
"""Told of each count of bytes that has been hashed, from several threads."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: relative path with "/" (its name where it is alone), bytes, hex SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All files of an artifact, in the order of their paths' bytes."""

    kind: str
    files: tuple[FileEntry, ...]

    @cached_property
    def digest(self) -> str:
        """The root digest: "sha256:" and 64 hex digits, as the module's top defines it."""
        root = hashlib.sha256(f"{_HEADER} {self.kind}\n".encode())
        for file in self.files:
            root.update(f"{file.sha256} {file.size} {json.dumps(file.path)}\n".encode())
        return f"sha256:{root.hexdigest()}"

    @property
    def total_size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` is its inverse."""
        return {
            "schema": 1,
            "kind": self.kind,
            "digest": self.digest,
            "files": [[file.path, file.size, file.sha256] for file in self.files],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Manifest:
        """Read what `to_dict` wrote; ValueError where the digest is not that of the files."""
        manifest = cls(
            str(data["kind"]),
            tuple(FileEntry(path, size, sha) for path, size, sha in data["files"]),
        )
        if manifest.digest != data["digest"]:
            raise ValueError("the manifest's digest is not that of its files")
        return manifest


def read_manifest(
    source: LocalSource | str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    memory: HashMemory | None = None,
) -> Manifest:
    """Hash every file of an artifact.

    Args:
        source: the artifact, or its path.
        workers: how many files are read at a time; by default one for each core, at most eight.
        progress: told of the bytes as they are hashed.
        memory: where hashes of unchanged files are looked up and kept.

    Raises:
        ArtifactError: missing, empty, unreadable, or changed while it was read.
    """
    if not isinstance(source, LocalSource):
        source = LocalSource(source)
    kind, files = source.list_files()
    return hash_files(kind, files, workers=workers, progress=progress, memory=memory)


class PendingManifest:
    """A manifest in the making, in a thread of its own."""

    def __init__(self, source: LocalSource) -> None:
        self.source = source
        self._result: Manifest | BaseException | None = None
        self._thread = threading.Thread(target=self._read, name="tidegate-hash", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            self._result = read_manifest(self.source)
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._result = error

    def result(self) -> Manifest:
        """Wait for it; raises what `read_manifest` does."""
        self._thread.join()
        if isinstance(self._result, Manifest):
            return self._result
        raise self._result or ArtifactUnreadableError(f"{self.source.shown} was not read")


def hash_files(
    kind: str,
    files: Sequence[SourceFile],
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    memory: HashMemory | None = None,
) -> Manifest:
    """The manifest of files that are listed already; see `read_manifest`."""
    workers = workers or min(8, os.cpu_count() or 1)
    # With fewer files than cores, a file's own reading can run beside its hashing.
    alone = len(files) < workers
    # The largest go first, so that none is left to run by itself at the end.
    order = sorted(range(len(files)), key=lambda index: -files[index].size)
    entries: list[FileEntry | None] = [None] * len(files)

    def hash_one(index: int) -> None:
        file = files[index]
        sha256 = memory.recall(file) if memory else None
        if sha256 is None:
            started = time.time_ns()
            sha256 = _hash_file(file, alone, progress)
            if memory:
                memory.remember(file, sha256, started)
        entries[index] = FileEntry(file.path, file.size, sha256)

    if len(files) == 1 or workers == 1:
        for index in order:
            hash_one(index)
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(workers, len(files)), "tidegate-hash") as pool:
            futures = [pool.submit(hash_one, index) for index in order]
            try:
                for future in futures:
                    future.result()
            finally:
                for future in futures:
                    future.cancel()
    return Manifest(kind, tuple(entry for entry in entries if entry is not None))


def _hash_file(file: SourceFile, read_ahead: bool, progress: Progress | None) -> str:
    digest = hashlib.sha256()
    with opened(file.location, file.identity) as descriptor:
        try:
            if read_ahead and file.size >= _READ_AHEAD_FROM:
                count = _hash_reading_ahead(descriptor, digest.update, progress)
            else:
                count = _hash_plainly(descriptor, digest.update, progress)
        except OSError as error:
            raise ArtifactUnreadableError(
                f"reading {file.location!r} failed: {error.strerror}"
            ) from error
        if count != file.size:
            raise ArtifactChangedError(
                f"{file.location!r} changed its length while it was read",
                remedy="wait until whoever writes it is done, and start again",
            )
    return digest.hexdigest()


def _hash_plainly(
    descriptor: int, update: Callable[[memoryview], None], progress: Progress | None
) -> int:
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    total = 0
    while count := os.readv(descriptor, [buffer]):
        update(view[:count])
        total += count
        if progress:
            progress(count)
    return total


def _hash_reading_ahead(
    descriptor: int, update: Callable[[memoryview], None], progress: Progress | None
) -> int:
    """Read in a second thread into a ring of buffers while this one hashes."""
    free: queue.SimpleQueue[bytearray | None] = queue.SimpleQueue()
    filled: queue.SimpleQueue[tuple[bytearray, int] | BaseException] = queue.SimpleQueue()
    for _ in range(_BUFFERS):
        free.put(bytearray(_LARGE_CHUNK))

    def read() -> None:
        try:
            while (buffer := free.get()) is not None:
                count = os.readv(descriptor, [buffer])
                filled.put((buffer, count))
                if not count:
                    return
        except OSError as error:
            filled.put(error)

    reader = threading.Thread(target=read, name="tidegate-read", daemon=True)
    reader.start()
    total = 0
    try:
        while True:
            item = filled.get()
            if isinstance(item, BaseException):
                raise item
            buffer, count = item
            if not count:
                return total
            update(memoryview(buffer)[:count])
            free.put(buffer)
            total += count
            if progress:
                progress(count)
    finally:
        # The reader must be gone before the descriptor is closed and its number given away.
        free.put(None)
        reader.join()
