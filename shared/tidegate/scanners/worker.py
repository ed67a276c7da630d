"""The process in which hostile bytes are read: `python -c "…worker.main()"`, started by the pool.

It takes one request a line on standard input and answers each with one line of JSON. Before it
reads the first request it gives up what it does not need:

- limits of the operating system on memory and processor time, no core dump, no file writable;
- an audit hook that ends the process at once when anything in it starts a process, opens a
  socket, writes or removes a file, calls native code, or resolves a pickled global;
- on Linux, a filter in the kernel (`sandbox.py`) that holds native code to the same.

Always holds: nothing read from an artifact is executed here; and if a flaw let something try, the
process ends, and a process that ends without its answer is evidence of nothing but that. The
answer is data about the file; the parent checks it and fills in the path itself. Which of the two
guards stood is among the tools that the evidence names.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

EXIT_TRIPPED = 97
"""Exit status of a worker whose audit hook saw a forbidden event."""

EXIT_MEMORY = 98
"""Exit status of a worker that ran out of memory."""

_FORBIDDEN = (
    "ctypes.",
    "ftplib.",
    "os.chflags",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.putenv",
    "os.remove",
    "os.removexattr",
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pickle.find_class",
    "pty.spawn",
    "shutil.",
    "smtplib.",
    "socket.",
    "sqlite3.",
    "subprocess.",
    "tempfile.",
    "urllib.",
    "webbrowser.",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


def main() -> None:
    """Answer requests until standard input ends."""
    requests, answers = _take_over_streams()
    from tidegate.scanners import registry, sandbox
    from tidegate.scanners.interface import Limits

    # Nothing of an artifact is at hand yet, and the asker may still be finding out its limits.
    tools = registry.preload()
    settings = json.loads(requests.readline())
    _limit_resources(settings["memory"], settings["cpu_seconds"])
    limits = Limits(**settings["limits"])
    guard = "seccomp" if sandbox.enter() else "audit hook"
    _seal()
    tools = (*tools, ("guard", guard))
    _send(answers, {"ready": True, "tools": [list(tool) for tool in tools]})
    while line := requests.readline():
        try:
            answer = _scan(json.loads(line), limits)
        except MemoryError:
            os._exit(EXIT_MEMORY)
        _send(answers, answer)


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes to the parent private: what a library prints must not be an answer."""
    answers = os.fdopen(os.dup(1), "wb")
    requests = os.fdopen(os.dup(0), "rb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return requests, answers


def _send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _limit_resources(memory: int, cpu_seconds: int) -> None:
    import resource

    for name, value in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CPU", cpu_seconds),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NOFILE", 64),
        # Not in force for root, who should not run this.
        ("RLIMIT_NPROC", 0),
    ):
        if (limit := getattr(resource, name, None)) is not None:
            hard = resource.getrlimit(limit)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (bound, bound))


def _seal() -> None:
    def tripwire(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            flags = arguments[2]
            if not (isinstance(flags, int) and flags & _WRITING):
                return
        elif not event.startswith(_FORBIDDEN):
            return
        # No exception: a library's "except Exception" must not be able to swallow this.
        os._exit(EXIT_TRIPPED)

    sys.addaudithook(tripwire)


def _scan(request: dict[str, Any], limits: Any) -> dict[str, Any]:
    from tidegate.artifact.source import FileIdentity, opened
    from tidegate.errors import ArtifactError
    from tidegate.scanners.dispatch import scan_file
    from tidegate.scanners.interface import Report

    report = Report(limits)
    formats: tuple[str, ...] = ()
    reason: str | None = None
    try:
        with (
            opened(request["location"], FileIdentity(*request["identity"])) as descriptor,
            os.fdopen(os.dup(descriptor), "rb") as stream,
        ):
            formats = scan_file(stream, request["size"], request["path"], report, limits)
    except ArtifactError as error:
        reason = error.message
    except RecursionError:
        reason = "the scanner gave up: the file nests too deep"
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a scanner's own flaw must read as inconclusive
        reason = f"the scanner failed: {type(error).__name__}: {error}"[:300]
    return {
        "formats": list(formats),
        "findings": [
            [f.rule, int(f.severity), f.member, f.offset, f.detail, f.message]
            for f in report.findings
        ],
        "defines": report.defines,
        "claims": [[c.location, c.ranges, c.alignment, c.optional] for c in report.claims],
        "unread": [[u.member, u.reason] for u in report.unread_parts]
        + ([[None, reason]] if reason else []),
    }
