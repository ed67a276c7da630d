"""The kernel's filter lets a worker read, and nothing else, whatever Python itself would notice."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys

import pytest

from tidegate.artifact import LocalSource, read_manifest
from tidegate.scanners import ScanEngine, sandbox

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or sandbox.machine_named(platform.machine()) is None,
    reason="the filter is for Linux on the machines that it lists",
)


def inside(code: str) -> subprocess.CompletedProcess[str]:
    """Run the code in a process with the filter, and without any audit hook."""
    program = (
        "import ctypes, mmap, os, resource, signal, socket, subprocess, sys, threading, time\n"
        "from tidegate.scanners import sandbox\n"
        "assert sandbox.enter()\n"
        f"{code}\n"
        "print('survived')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    "code",
    [
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.system('true')",
        "ctypes.CDLL(None).system(b'true')",
        "threading.Thread(target=print).start()",
        "socket.socket()",
        "socket.socketpair()",
        "open('/tmp/tidegate-escaped', 'w')",
        "os.open('/tmp/tidegate-escaped', os.O_RDONLY | os.O_CREAT)",
        "os.open('/etc/hostname', os.O_RDWR)",
        "os.remove('/tmp/tidegate-escaped')",
        "os.rename('/tmp/a', '/tmp/b')",
        "os.mkdir('/tmp/tidegate-escaped')",
        "os.mkfifo('/tmp/tidegate-escaped')",
        "os.symlink('/etc', '/tmp/tidegate-escaped')",
        "os.chmod('/tmp', 0o777)",
        "os.truncate('/tmp/tidegate-escaped', 0)",
        "os.memfd_create('x')",
        "os.kill(os.getppid(), 0)",
        "os.pidfd_open(os.getppid())",
        "ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)",
        "ctypes.CDLL(None).syscall(425, 1, 0)",  # io_uring_setup
        "ctypes.CDLL(None).syscall(0x40000000 + 39)",  # getpid of the 32-bit table
    ],
)
def test_what_a_reader_never_needs_ends_the_process(code: str) -> None:
    done = inside(code)
    assert done.returncode == -signal.SIGSYS, done.stdout + done.stderr
    assert "survived" not in done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "os.setpriority(os.PRIO_PROCESS, 0, 5)",
        "os.chdir('/tmp')",
        "os.setuid(1)",
        "os.sched_setaffinity(0, {0})",
    ],
)
def test_what_the_filter_does_not_know_is_refused(code: str) -> None:
    done = inside(
        f"try:\n    {code}\nexcept (PermissionError, ValueError) as error:\n    print('refused')"
    )
    assert done.stdout == "refused\nsurvived\n", done.stderr


def test_reading_importing_and_taking_memory_work_as_before() -> None:
    done = inside(
        "import bz2, lzma, zlib, json, sqlite3, xml.parsers.expat, yaml, safetensors\n"
        "assert open('/etc/passwd').read() and os.listdir('/') and os.stat('/').st_mode\n"
        "big = bytearray(64 << 20); del big\n"
        "mapped = mmap.mmap(-1, 1 << 20); mapped[0] = 1; mapped.close()\n"
        "assert resource.getrlimit(resource.RLIMIT_AS)\n"
        "time.sleep(0.01); time.monotonic(); os.urandom(8); os.isatty(0)"
    )
    assert done.stdout == "survived\n", done.stderr


def test_evidence_names_the_guard_that_stood(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("nothing\n")
    source = LocalSource(tmp_path / "notes.txt")
    evidence = ScanEngine().scan(source, read_manifest(source))
    assert dict(evidence.tools)["guard"] == "seccomp"
