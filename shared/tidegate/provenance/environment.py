"""Which Python and which libraries a step ran with, and the lock files that ask for them.

What is installed is read from the names of the metadata folders (`name-version.dist-info`) on
the path, which is some twenty times faster than reading each one's metadata. Nothing is imported.

For a command the environment is the one of the Python that it starts. That Python is asked for
its path, with no module but `sys`; a command that starts none has no libraries that could be told.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

_METADATA = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py[\d.]+)?\.(?:dist-info|egg-info)")
_LOCK_NAMES = re.compile(
    r"requirements[\w.-]*\.(?:txt|lock|in)|poetry\.lock|uv\.lock|pdm\.lock|Pipfile\.lock"
    r"|pylock(?:\.[\w-]+)?\.toml|pixi\.lock|conda-lock\.ya?ml|environment\.ya?ml"
)
_LARGEST_LOCK = 32 << 20
_MOST_LOCKS = 50
_ASK_SECONDS = 10.0
_PYTHON_NAME = re.compile(r"(?:python|pypy)[\d.]*(?:\.exe)?")
# Nothing but a builtin module: in a folder with a `json.py` of somebody's, no other is safe.
_QUESTION = (
    "import sys; sys.stdout.write('\\0'.join([sys.implementation.name, sys.version.split()[0], "
    "*sys.path[1:]]))"
)


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file that says what should be installed: its name and the hex SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Environment:
    """What a step ran with.

    `distributions` is everything installed, as "name==version" with normalised names, sorted by
    them; `libraries` those of it that a model's behaviour hangs on first of all. `python` is None
    where the command starts no Python that could be asked.
    """

    python: str | None
    implementation: str | None
    distributions: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    locks: tuple[LockFile, ...] = ()
    untold: tuple[str, ...] = ()

    @property
    def listing(self) -> str:
        """`distributions`, one a line."""
        return "".join(f"{line}\n" for line in self.distributions)

    @property
    def digest(self) -> str | None:
        """The SHA-256 of `listing`: "sha256:…"; None where nothing is known."""
        if self.python is None:
            return None
        return f"sha256:{hashlib.sha256(self.listing.encode()).hexdigest()}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "python": self.python,
            "implementation": self.implementation,
            "digest": self.digest,
            "distributions": list(self.distributions),
            "libraries": list(self.libraries),
            "locks": [[lock.name, f"sha256:{lock.sha256}"] for lock in self.locks],
            "untold": list(self.untold),
        }


def capture_environment(folders: Iterable[Path]) -> Environment:
    """The environment of this very program, with the lock files in some folders."""
    return _environment(
        platform.python_implementation().lower(),
        platform.python_version(),
        sys.path,
        folders,
    )


def capture_environment_of(
    command: Sequence[str], folders: Iterable[Path], environment: Mapping[str, str]
) -> Environment:
    """The environment of the Python that a command starts, with the lock files in some folders.

    Args:
        command: the program and its arguments; a script with a `#!` line of Python's counts.
        folders: where lock files are looked for.
        environment: the environment variables of the command.
    """
    python = _python_of(command, environment)
    if python is None:
        untold = ("the command starts no Python directly, so its libraries can't be told",)
        return Environment(None, None, locks=_locks(folders), untold=untold)
    try:
        done = subprocess.run(  # noqa: S603 - the caller's own Python, as he is about to start it
            [python, "-c", _QUESTION],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=True,
        )
        name, version, *path = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        untold = (f"the command's Python can't be asked: {type(error).__name__}",)
        return Environment(None, None, locks=_locks(folders), untold=untold)
    return _environment(name, version, path, folders)


def _environment(
    implementation: str, version: str, path: Iterable[str], folders: Iterable[Path]
) -> Environment:
    installed = _installed(path)
    pattern = _library_pattern()
    return Environment(
        python=version,
        implementation=implementation,
        distributions=tuple(f"{name}=={version}" for name, version in installed),
        libraries=tuple(f"{name}=={version}" for name, version in installed if pattern(name)),
        locks=_locks(folders),
    )


def _installed(path: Iterable[str]) -> list[tuple[str, str]]:
    """Name and version of each distribution; the first on the path hides others of its name."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(path):
        try:
            names = sorted(os.listdir(folder or "."))  # noqa: PTH208 - names alone, and fast
        except OSError:
            continue
        for name in names:
            match = _METADATA.fullmatch(name)
            if match is not None and name.isprintable():
                normal = re.sub(r"[-_.]+", "-", match["name"]).lower()
                found.setdefault(normal, match["version"].replace("_", "-"))
    return sorted(found.items())


@cache
def _library_pattern() -> Any:
    source = files("tidegate.provenance").joinpath("data/libraries.json")
    names = json.loads(source.read_text("utf-8"))["libraries"]
    pattern = "|".join(re.escape(name).replace(r"\*", ".*") for name in names)
    return re.compile(pattern).fullmatch


def _locks(folders: Iterable[Path]) -> tuple[LockFile, ...]:
    found: dict[Path, LockFile] = {}
    for folder in dict.fromkeys(folders):
        try:
            names = sorted(path.name for path in folder.iterdir())
        except OSError:
            continue
        for name in [name for name in names if _LOCK_NAMES.fullmatch(name)][:_MOST_LOCKS]:
            path = folder / name
            try:
                if path.is_file() and path.stat().st_size <= _LARGEST_LOCK:
                    with path.open("rb") as file:
                        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                    found[path] = LockFile(name, sha256)
            except OSError:
                continue
    return tuple(found.values())


def _python_of(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The Python interpreter that a command starts at once, as a path; None where it is another."""
    if not command:
        return None
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        return None
    if _PYTHON_NAME.fullmatch(Path(program).name):
        return program
    try:
        with Path(program).open("rb") as file:
            first = file.readline(4096)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    words = first[2:].decode("utf-8", "replace").split()
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    if not words or not _PYTHON_NAME.fullmatch(Path(words[0]).name):
        return None
    return shutil.which(words[0], path=environment.get("PATH"))
