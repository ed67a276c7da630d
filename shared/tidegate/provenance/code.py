"""Which code a step ran: the commit, and the bytes of the script or the cells.

A commit says where the code can be found again, the bytes what was really there: a script that
was edited after the commit, or that no repository knows, is told by its own SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.provenance.git import GitState, read_git
from tidegate.provenance.redaction import Redactor

_LARGEST = 64 << 20
_MOST_SOURCES = 500
_STANDARD_LIBRARY = str(Path(os.__file__).parent) + os.sep


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of code: its path, relative to the repository where it lies in one; hex SHA-256."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """The code of a step, as far as it can be told.

    `sources` are the script and, for a step within a running program, the modules of the same
    project that it had loaded. `cells` is the SHA-256 over the cells that a notebook had run so
    far, in the order in which they ran, each with its length before it. `command` is what was run,
    where the step is a command.
    """

    git: GitState | None = None
    script: str | None = None
    sources: tuple[SourceFile, ...] = ()
    cells: str | None = None
    cell_count: int = 0
    command: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "git": None if self.git is None else self.git.to_dict(),
            "script": self.script,
            "sources": [[each.path, f"sha256:{each.sha256}"] for each in self.sources],
            "cells": None
            if self.cells is None
            else {"count": self.cell_count, "digest": f"sha256:{self.cells}"},
            "command": list(self.command),
            "untold": list(self.untold),
        }


def capture_code(
    sources: Sequence[Path],
    redactor: Redactor,
    *,
    folder: Path | None = None,
    root: Path | None = None,
    ask_git: bool = True,
) -> CodeVersion:
    """The version of the code in files, the first of which is the script.

    Args:
        sources: files of code; what can't be read is named in `untold`.
        redactor: takes credentials out of names and URLs.
        folder: where to look for the repository where there is no script.
        root: what paths are shown relative to where git is not asked.
        ask_git: whether to look for a repository.
    """
    script = sources[0] if sources else None
    start = script.absolute().parent if script is not None else folder or here()
    git = read_git(start, redactor) if ask_git else None
    root = Path(git.root) if git is not None else root or start
    untold: list[str] = []
    known: dict[str, SourceFile] = {}
    for source in sources[:_MOST_SOURCES]:
        path = redactor.text("the code", _shown(source, root))
        sha256 = _hash(source)
        if sha256 is None:
            untold.append(f"{path} can't be read")
        else:
            known[path] = SourceFile(path, sha256)
    if len(sources) > _MOST_SOURCES:
        untold.append(f"{len(sources) - _MOST_SOURCES} more files of code")
    return CodeVersion(
        git=git,
        script=None if script is None else redactor.text("the code", _shown(script, root)),
        sources=tuple(known.values()),
        untold=tuple(untold),
    )


def running_script() -> Path | None:
    """The script of this very program; None in a notebook and at a prompt."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if not isinstance(main, str) or "ipykernel" in sys.modules:
        return None
    return Path(main).absolute()


def running_modules(script: Path | None) -> tuple[Path, ...]:
    """The files of the modules that this program has loaded from its own project, sorted.

    That is from the repository, or else the folder, that the script lies in, or where the program
    was started if its script is an installed one. What is installed is not among them: the
    environment has it by name and version. Nothing is imported.
    """
    own = script is not None and not _is_installed(str(script))
    root = _project_of(script.parent if own and script is not None else here())
    inside = root.rstrip(os.sep) + os.sep
    found = set()
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if (
            isinstance(path, str)
            and path.endswith(".py")
            and path.startswith(inside)
            and name.partition(".")[0] != "tidegate"
            and not _is_installed(path)
        ):
            found.add(Path(path))
    return tuple(sorted(found - {script}))


def running_cells() -> tuple[str | None, int]:
    """The SHA-256 over the cells that this notebook has run, and their count; (None, 0) outside.

    Each cell goes in as its length in bytes, a colon, and its text in UTF-8. The texts themselves
    are not kept: people type passwords into cells.
    """
    shell = sys.modules.get("IPython")
    getter = getattr(shell, "get_ipython", None)
    running = getter() if callable(getter) else None
    history = getattr(getattr(running, "history_manager", None), "input_hist_raw", None)
    if not history:
        return None, 0
    return hash_cells(str(cell) for cell in history[1:])


def here() -> Path:
    """The folder at hand; the root where it was deleted under this program."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.sep)


def hash_cells(cells: Iterable[str]) -> tuple[str, int]:
    """The SHA-256 over cells, and how many they are."""
    digest = hashlib.sha256()
    count = 0
    for cell in cells:
        data = cell.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
        count += 1
    return digest.hexdigest(), count


def _project_of(folder: Path) -> str:
    """The nearest folder above that holds a repository; the folder itself without one."""
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            return str(parent)
    return str(folder)


def _is_installed(path: str) -> bool:
    """Whether a file belongs to Python, to an installed library or to an environment."""
    return path.startswith((_STANDARD_LIBRARY, sys.prefix + os.sep)) or any(
        part in ("site-packages", "dist-packages") for part in Path(path).parts
    )


def _shown(path: Path, root: Path) -> str:
    try:
        return path.absolute().relative_to(root).as_posix()
    except ValueError:
        return str(path)


def _hash(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None
