"""Worker processes: started, asked, bounded and killed from here.

Always holds: a worker reads the files of one artifact only and is then thrown away, so that
nothing which one artifact did to its reader can touch the verdict on another. A question that
is not answered in time, in full and in the agreed form ends the worker and raises
`WorkerFailedError` with the reason; there is no other way out than a whole answer.

One spare worker is kept started, waiting for its first file, so that a scan need not wait for
an interpreter.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from tidegate.scanners import boot
from tidegate.scanners.interface import Limits
from tidegate.scanners.worker import EXIT_MEMORY, EXIT_TRIPPED

_START_SECONDS = 60.0


class WorkerFailedError(Exception):
    """A worker gave no whole answer; the message says why, for a person."""


class Worker:
    """One worker process. Not thread-safe: one asker at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._output = 0
        self._rest = b""
        self.tools: tuple[tuple[str, str], ...] = ()
        self._is_ready = False
        try:
            self._process = boot.start()
        except OSError as error:
            raise WorkerFailedError(f"no worker process could be started: {error}") from error
        try:
            self._write(
                {
                    "limits": asdict(limits),
                    "memory": limits.memory,
                    "cpu_seconds": math.ceil(limits.total_seconds) + 10,
                }
            )
        except WorkerFailedError:
            self.kill()
            raise

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send one request and wait for its whole answer.

        Raises:
            WorkerFailedError: it died, took longer than `seconds`, or printed too much. The
                worker is gone then.
        """
        try:
            if not self._is_ready:
                ready = self._read(_START_SECONDS)
                if ready.get("ready") is not True:
                    raise WorkerFailedError("the scanner process did not start as agreed")
                self.tools = tuple((str(n), str(v)) for n, v in ready["tools"])
                self._is_ready = True
            self._write(request)
            return self._read(seconds)
        except (WorkerFailedError, KeyboardInterrupt):
            self.kill()
            raise

    def kill(self) -> None:
        """End the process, whatever it is doing, with all that it may have started."""
        # Once its end has been waited for, its number may be somebody else's.
        if self._process.returncode is None:
            self.interrupt()
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def interrupt(self) -> None:
        """Kill the process from another thread; who waits for its answer is told of its end."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Forget a worker that belongs to the process this one was forked from."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.returncode = 0

    def _write(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        if self._process.stdin is None:
            raise WorkerFailedError("the scanner process has no input")
        try:
            while data:
                data = data[self._process.stdin.write(data) or 0 :]
        except OSError as error:
            raise WorkerFailedError(self._cause_of_death()) from error

    def _read(self, seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        if self._process.stdout is None:
            raise WorkerFailedError("the scanner process has no output")
        parts = [self._rest]
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in parts[-1]:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    raise WorkerFailedError(
                        f"the scan took longer than its limit of {seconds:g} s and was stopped"
                    )
                chunk = os.read(self._process.stdout.fileno(), 1 << 16)
                if not chunk:
                    raise WorkerFailedError(self._cause_of_death())
                self._output += len(chunk)
                if self._output > self._limits.output:
                    raise WorkerFailedError(
                        f"the scan reported more than {self._limits.output} bytes and was stopped"
                    )
                parts.append(chunk)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise WorkerFailedError("the scanner process gave no readable answer") from error
        if not isinstance(answer, dict):
            raise WorkerFailedError("the scanner process gave no readable answer")
        return answer

    def _cause_of_death(self) -> str:
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "the scanner process closed its output and did not end"
        if status == EXIT_MEMORY:
            return f"the scan needed more than its limit of {self._limits.memory >> 20} MiB"
        if status in {EXIT_TRIPPED, -signal.SIGSYS}:
            return (
                "the scanner process was ended by its own guard: reading the file led to an "
                "attempt to run, write or connect to something"
            )
        if status == -signal.SIGXCPU:
            return "the scan used more processor time than its limit and was stopped"
        if status < 0:
            return f"the scanner process was killed ({signal.Signals(-status).name})"
        return f"the scanner process ended with status {status}"


class WorkerPool:
    """Hands out workers, and keeps one spare where `keep_spare` is set. Thread-safe."""

    def __init__(self, limits: Limits, *, keep_spare: bool = False) -> None:
        self._limits = limits
        self._keep_spare = keep_spare
        self._lock = threading.Lock()
        self._spare: Worker | None = None
        self._owner = os.getpid()

    def prepare(self) -> None:
        """Start the spare now, to be ready by the time that hashing is done."""
        with self._lock:
            self._drop_inherited()
            if self._spare is None:
                self._spare = Worker(self._limits)

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A fresh worker, killed on leaving."""
        with self._lock:
            self._drop_inherited()
            worker, self._spare = self._spare, None
        worker = worker or Worker(self._limits)
        try:
            yield worker
        finally:
            worker.kill()
            if self._keep_spare:
                # A failure to start is reported by the scan that needs it.
                with contextlib.suppress(WorkerFailedError):
                    self.prepare()

    def close(self) -> None:
        """End the spare."""
        with self._lock:
            self._drop_inherited()
            if self._spare is not None:
                self._spare.kill()
                self._spare = None

    def _drop_inherited(self) -> None:
        if self._owner != os.getpid():
            if self._spare is not None:
                self._spare.abandon()
            self._spare, self._owner = None, os.getpid()
