"""From an artifact and its manifest to evidence.

Each file goes to a worker process (`tidegate.scanners.pool`) under limits on time, memory and
output. Hashing and scanning may go on at the same time, each reading for itself: the second finds
the bytes in the page cache. Always holds: `scan` never raises for what an artifact is or does; a
file whose reader crashed, hung, ate memory or was killed is in the evidence as unread with that
reason, and the others are read all the same, as far as the artifact's time goes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tidegate.artifact.manifest import Manifest
from tidegate.artifact.source import LocalSource, SourceFile
from tidegate.scanners.carried_source import settle_sources
from tidegate.scanners.claims import FileResult, settle
from tidegate.scanners.evidence import Evidence
from tidegate.scanners.interface import Claim, Finding, Limits, Severity, Unread
from tidegate.scanners.pool import Worker, WorkerFailedError, WorkerPool
from tidegate.scanners.rules import rules

_FILES_PER_WORKER = 64
_BYTES_PER_WORKER = 256 << 20
_MAX_FAILURES = 8

Progress = Callable[[int], None]


class ScanEngine:
    """Scans artifacts in worker processes. Thread-safe; one instance serves a whole process.

    Args:
        limits: bounds of each scan.
        keep_spare: keep one worker started between scans, for a server.
    """

    def __init__(self, limits: Limits | None = None, *, keep_spare: bool = False) -> None:
        self.limits = limits or Limits()
        self._pool = WorkerPool(self.limits, keep_spare=keep_spare)

    def prepare(self) -> None:
        """Start a worker beforehand; a failure shows in the scan that needs it."""
        try:
            self._pool.prepare()
        except WorkerFailedError:
            return

    def close(self) -> None:
        """End what waits for a next scan."""
        self._pool.close()

    def begin(self, source: LocalSource, *, progress: Progress | None = None) -> PendingScan:
        """Start to read every file of the artifact, while the caller hashes it.

        The files are those of the source's own listing, and both readers hold each of them to the
        identity in it, so that what is hashed is what is scanned.

        Args:
            source: the artifact.
            progress: told of each file's size when it is done.

        Raises:
            ArtifactError: the artifact can't be listed.
        """
        _, files = source.list_files()
        return PendingScan(_Run(self._pool, self.limits, files, progress))

    def scan(
        self, source: LocalSource, manifest: Manifest, *, progress: Progress | None = None
    ) -> Evidence:
        """Read every file of the artifact whose manifest is at hand; see `begin`."""
        return self.begin(source, progress=progress).evidence(manifest)


class PendingScan:
    """A scan under way. Ends by `evidence` or by `cancel`."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        run.start()

    def cancel(self) -> None:
        """End the scan, whose result nobody wants."""
        self._run.cancel()

    def evidence(self, manifest: Manifest) -> Evidence:
        """Wait for the end; the evidence, about the digest of `manifest`."""
        from tidegate.scanners.registry import ruleset_version

        run = self._run
        # Before the wait, so that it costs no time of its own.
        ruleset = ruleset_version()
        tools = run.finish()
        paths = [file.path for file in run.files]
        results = dict(zip(paths, run.results, strict=True))
        settle({file.path: file.size for file in run.files}, results)
        settle_sources(results)
        expected = {entry.path: entry.size for entry in manifest.files}
        listed = {file.path: file.size for file in run.files}
        unread = [part for result in run.results for part in result.unread]
        if expected != listed:
            unread.append(Unread("", "the files scanned are not those of the manifest"))
        return Evidence(
            digest=manifest.digest,
            ruleset=ruleset,
            findings=tuple(found for result in run.results for found in result.findings),
            unread=tuple(unread),
            formats=tuple(
                (file.path, "+".join(result.formats) or "unknown")
                for file, result in zip(run.files, run.results, strict=True)
            ),
            tools=tools,
        )


class _Run:
    """One scan: the files, shared out among the workers."""

    def __init__(
        self,
        pool: WorkerPool,
        limits: Limits,
        files: tuple[SourceFile, ...],
        progress: Progress | None,
    ) -> None:
        # Unread until a whole answer says otherwise: what is forgotten can't count as clean.
        self.results = [FileResult(unread=[Unread(file.path, "not reached")]) for file in files]
        self.files = files
        self._pool = pool
        self._limits = limits
        self._progress = progress
        self._deadline = time.monotonic() + limits.total_seconds
        self._lock = threading.Lock()
        self._next = 0
        self._failures = 0
        self._tools: tuple[tuple[str, str], ...] = ()
        self._workers: set[Worker] = set()
        self._is_cancelled = False
        by_count = -(-len(files) // _FILES_PER_WORKER)
        by_size = -(-sum(file.size for file in files) // _BYTES_PER_WORKER)
        wanted = min(len(files), max(by_count, by_size), os.cpu_count() or 1)
        self._threads = [
            threading.Thread(target=self._work, name="tidegate-scan", daemon=True)
            for _ in range(max(1, wanted))
        ]

    def start(self) -> None:
        """Begin, in threads that each ask a worker of their own."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> tuple[tuple[str, str], ...]:
        """Wait until all files are scanned; the tools that the workers said they used."""
        for thread in self._threads:
            thread.join()
        return self._tools

    def cancel(self) -> None:
        """End the workers, and wait until their threads have noticed."""
        with self._lock:
            self._is_cancelled = True
            self._next = len(self.files)
            for worker in self._workers:
                worker.interrupt()
        self.finish()

    def _work(self) -> None:
        """Take files until none is left, in worker after worker."""
        while (index := self._take()) is not None:
            try:
                with self._pool.worker() as worker, self._interruptible(worker):
                    while index is not None:
                        self._scan_file(worker, index)
                        index = self._take()
            except WorkerFailedError as error:
                self._failed(index, str(error))
            except Exception as error:  # noqa: BLE001 - whatever a worker's answer led to
                self._failed(index, f"the scan failed: {type(error).__name__}: {error}"[:300])

    @contextmanager
    def _interruptible(self, worker: Worker) -> Iterator[None]:
        with self._lock:
            if self._is_cancelled:
                raise WorkerFailedError("the scan was given up")
            self._workers.add(worker)
        try:
            yield
        finally:
            with self._lock:
                self._workers.discard(worker)

    def _take(self) -> int | None:
        with self._lock:
            if self._next >= len(self.files):
                return None
            index, self._next = self._next, self._next + 1
        if self._failures >= _MAX_FAILURES:
            self._give_up(index, "not reached: the scanner failed too often on this artifact")
            return None
        if time.monotonic() >= self._deadline:
            limit = self._limits.total_seconds
            self._give_up(index, f"not reached within the limit of {limit:g} s")
            return None
        return index

    def _give_up(self, index: int, reason: str) -> None:
        with self._lock:
            left = [index, *range(self._next, len(self.files))]
            self._next = len(self.files)
        for each in left:
            self.results[each].unread = [Unread(self.files[each].path, reason)]

    def _failed(self, index: int | None, reason: str) -> None:
        if index is None:
            return
        with self._lock:
            self._failures += 1
        self.results[index].unread = [Unread(self.files[index].path, reason)]

    def _seconds_for(self, file: SourceFile) -> float:
        return self._limits.file_seconds + file.size / self._limits.bytes_per_second

    def _scan_file(self, worker: Worker, index: int) -> None:
        file = self.files[index]
        identity = file.identity
        answer = worker.ask(
            {
                "location": os.path.abspath(file.location),  # noqa: PTH100 - no link is resolved
                "identity": [
                    identity.device,
                    identity.inode,
                    identity.size,
                    identity.mtime_ns,
                    identity.ctime_ns,
                ],
                "size": file.size,
                "path": file.path,
            },
            min(self._seconds_for(file), max(0.1, self._deadline - time.monotonic())),
        )
        try:
            self.results[index] = _read_answer(file.path, answer)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise WorkerFailedError("the scanner process gave no readable answer") from error
        self._tools = worker.tools
        if self._progress:
            self._progress(file.size)


def _read_answer(path: str, answer: dict[str, Any]) -> FileResult:
    """The answer as values; ValueError, TypeError or KeyError where it is not of the form.

    A worker may have been turned by what it read, so nothing here is taken on trust: the rule
    must exist, and the path is the parent's own.
    """
    result = FileResult(formats=tuple(_text(name) for name in answer["formats"]))
    for rule, severity, member, offset, detail, message in answer["findings"]:
        if rule not in rules():
            raise ValueError(f"unknown rule {rule!r}")
        result.findings.append(
            Finding(
                rule=rule,
                severity=Severity(severity),
                path=path,
                message=_text(message),
                member=_text_or_none(member),
                offset=offset if offset is None else int(offset),
                detail=_text_or_none(detail),
            )
        )
    for member, reason in answer["unread"]:
        result.unread.append(Unread(path, _text(reason), _text_or_none(member)))
    result.claims.extend(_claim(*parts) for parts in answer["claims"])
    result.defines.extend(_text(name) for name in answer["defines"])
    return result


def _claim(location: object, ranges: object, alignment: object, optional: object) -> Claim:
    stretches: tuple[tuple[int, int], ...] | None = None
    if ranges is not None:
        if not isinstance(ranges, list):
            raise TypeError("not a list of stretches")
        stretches = tuple((_count(start), _count(length)) for start, length in ranges)
    if not isinstance(optional, bool):
        raise TypeError("not a truth value")
    return Claim(_text(location), stretches, max(1, _count(alignment)), optional)


def _count(value: object) -> int:
    if type(value) is not int:
        raise TypeError("not a whole number")
    if not 0 <= value < 1 << 63:
        raise ValueError("not a position in a file")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    # A lone surrogate (from a broken name) can't be stored or hashed as UTF-8.
    return value.encode("utf-8", "backslashreplace").decode()


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def scan(source: LocalSource, manifest: Manifest, *, limits: Limits | None = None) -> Evidence:
    """Scan one artifact in workers of its own; see `ScanEngine.scan`."""
    engine = ScanEngine(limits)
    try:
        return engine.scan(source, manifest)
    finally:
        engine.close()
