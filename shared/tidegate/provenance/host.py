"""Which machine a step ran on: processor, memory, graphics cards, container.

Read from what the kernel shows, without a process. Only where there is an NVIDIA driver is
`nvidia-smi` asked too, beside the step and for a limited time.

Always holds: what the machine is told by its environment variables (the image's name) is a claim
of whoever started it and is marked so. A container can't see which image it was made from.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE_VARIABLE = "TIDEGATE_IMAGE"

_SECONDS = 5.0
_CONTAINER_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_MODEL = re.compile(r"^(?:model name|Model|cpu model|Processor)\s*:\s*(.+)$", re.MULTILINE)
_DRIVER = re.compile(r"NVRM version:.*?\s(\d+(?:\.\d+)+)\s")
_CUDA = re.compile(r"CUDA Version\s*:\s*(\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics card: its name, and its memory in MiB where that is told."""

    name: str
    memory_mib: int | None


@dataclass(frozen=True, slots=True)
class Host:
    """A machine, as a program on it sees it.

    `processors` are those that this process may use; `memory` is the machine's in bytes,
    `memory_limit` what its control group allows. `cuda` is the newest CUDA that the driver serves,
    not the one that a library brings: that is among the environment's libraries.
    """

    name: str
    user: str | None
    system: str
    machine: str
    processor: str | None
    processors: int
    memory: int | None
    memory_limit: int | None
    gpus: tuple[Gpu, ...]
    driver: str | None
    cuda: str | None
    container: str | None
    container_id: str | None
    image: str | None
    untold: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "name": self.name,
            "user": self.user,
            "system": self.system,
            "machine": self.machine,
            "processor": self.processor,
            "processors": self.processors,
            "memory": self.memory,
            "memoryLimit": self.memory_limit,
            "gpus": [{"name": gpu.name, "memoryMiB": gpu.memory_mib} for gpu in self.gpus],
            "driver": self.driver,
            "cuda": self.cuda,
            "container": self.container,
            "containerId": self.container_id,
            "image": self.image,
            "untold": list(self.untold),
        }


class HostProbe:
    """Looks at the machine in a thread, so that a slow `nvidia-smi` holds nobody up."""

    def __init__(self) -> None:
        self._host: Host | None = None
        self._thread = threading.Thread(target=self._look, name="tidegate-host", daemon=True)

    @classmethod
    def start(cls) -> HostProbe:
        """Begin."""
        probe = cls()
        probe._thread.start()
        return probe

    def result(self) -> Host:
        """What was seen; waits for a few seconds at most."""
        self._thread.join(_SECONDS + 1)
        return self._host or _look(("the graphics cards were not told in time",), ask=False)

    def _look(self) -> None:
        # Signals are for the main thread, which may be waiting for one to pass it on.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self._host = _look((), ask=True)


def _look(untold: tuple[str, ...], *, ask: bool) -> Host:
    container, container_id = _container()
    gpus, driver, cuda, more = _graphics(ask=ask)
    return Host(
        name=socket.gethostname(),
        user=_user(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        processor=_processor(),
        processors=_processors(),
        memory=_memory(),
        memory_limit=_memory_limit(),
        gpus=gpus,
        driver=driver,
        cuda=cuda,
        container=container,
        container_id=container_id,
        image=_image(),
        untold=(*untold, *more),
    )


def _user() -> str | None:
    """The account that the kernel knows, not the one that the environment names."""
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError, AttributeError):
        # Windows has no such list, and a container may run under a number that is not on it.
        return _user_by_environment()


def _user_by_environment() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


def _processor() -> str | None:
    found = _MODEL.search(_read("/proc/cpuinfo"))
    return found[1].strip()[:200] if found else platform.processor() or None


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _memory_limit() -> int | None:
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = _read(path).strip()
        # Version 1 says a number near 2**63 for "none", version 2 the word "max".
        if text.isdigit() and int(text) < 1 << 60:
            return int(text)
    return None


def _container() -> tuple[str | None, str | None]:
    """What kind of container this is, and its id, by what the usual ones leave to be seen."""
    kind = None
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        kind = "kubernetes"
    elif Path("/run/.containerenv").exists():
        kind = "podman"
    elif Path("/.dockerenv").exists():
        kind = "docker"
    elif os.environ.get("SINGULARITY_NAME") or os.environ.get("APPTAINER_NAME"):
        kind = "apptainer"
    if kind is None:
        return None, None
    for path in ("/proc/self/cgroup", "/proc/self/mountinfo"):
        if found := _CONTAINER_ID.search(_read(path)):
            return kind, found[0]
    return kind, None


def _image() -> str | None:
    from tidegate.provenance.redaction import Redactor

    named = os.environ.get(IMAGE_VARIABLE)
    return Redactor().text(IMAGE_VARIABLE, named)[:500] if named else None


def _graphics(*, ask: bool) -> tuple[tuple[Gpu, ...], str | None, str | None, tuple[str, ...]]:
    """Cards, driver, CUDA, and what could not be told."""
    seen = _DRIVER.search(_read("/proc/driver/nvidia/version"))
    driver = seen[1] if seen else None
    program = shutil.which("nvidia-smi") if ask else None
    if program is None:
        return _cards_of_the_kernel(), driver, None, ()
    listed = _ask(program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    if listed is None:
        untold = ("nvidia-smi did not answer",)
        return _cards_of_the_kernel(), driver, None, untold
    cards: list[Gpu] = []
    for line in listed.splitlines():
        name, memory, version = ([*line.split(", "), "", ""])[:3]
        amount = memory.removesuffix(" MiB")
        cards.append(Gpu(name[:200], int(amount) if amount.isdecimal() else None))
        driver = driver or version or None
    cuda = _CUDA.search(_ask(program) or "")
    return tuple(cards), driver, cuda[1] if cuda else None, ()


def _cards_of_the_kernel() -> tuple[Gpu, ...]:
    found = []
    for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        match = _MODEL.search(_read(str(path)))
        found.append(Gpu(match[1].strip()[:200] if match else "NVIDIA", None))
    return tuple(found)


def _ask(program: str, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - arguments of ours
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS / 2,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")[: 1 << 20]
    except OSError:
        return ""
