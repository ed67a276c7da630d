"""What stands around a step: its code and its environment, for this program and for a command.

The machine is looked at apart (`HostProbe`), since it may take longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidegate.provenance.code import (
    CodeVersion,
    capture_code,
    here,
    running_cells,
    running_modules,
    running_script,
)
from tidegate.provenance.environment import (
    Environment,
    capture_environment,
    capture_environment_of,
)
from tidegate.provenance.redaction import Redactor

# By what a command names its code: `python train.py`, `Rscript fit.R`, `papermill in.ipynb …`.
_CODE_SUFFIXES = frozenset(
    {".py", ".ipynb", ".sh", ".bash", ".r", ".jl", ".pl", ".rb", ".js", ".ts", ".lua", ".sql"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The code and environment of one step; `script` is the file that it began with."""

    code: CodeVersion
    environment: Environment
    script: Path | None


def of_this_program(redactor: Redactor) -> Surroundings:
    """Of the program that runs here: a script or a notebook."""
    script = running_script()
    sources = () if script is None else (script, *running_modules(script))
    folder = here() if script is None else script.parent
    code = capture_code(sources, redactor, folder=folder)
    return Surroundings(code, capture_environment(_lock_folders(code, folder)), script)


def with_what_came_since(before: Surroundings, redactor: Redactor) -> Surroundings:
    """The same at the end of a step: modules that were loaded meanwhile, and the cells that ran."""
    known = {source.path for source in before.code.sources}
    # The first source is the script, which paths are shown in relation to.
    sources = (*filter(None, [before.script]), *running_modules(before.script))
    git = before.code.git
    root = Path(git.root) if git is not None else None
    loaded = capture_code(sources, redactor, root=root, ask_git=False)
    cells, count = running_cells()
    code = replace(
        before.code,
        sources=(
            *before.code.sources,
            *(source for source in loaded.sources if source.path not in known),
        ),
        cells=cells,
        cell_count=count,
        untold=tuple(dict.fromkeys((*before.code.untold, *loaded.untold))),
    )
    return replace(before, code=code)


def of_command(
    command: Sequence[str],
    sources: Sequence[Path],
    environment: Mapping[str, str],
    redactor: Redactor,
) -> Surroundings:
    """Of a command that is about to run in the folder at hand.

    Args:
        command: the program and its arguments.
        sources: the files and folders of its code, the script first.
        environment: its environment variables.
        redactor: takes out credentials.
    """
    folder = here()
    # A folder is among the inputs, by the digest of all that is in it.
    sources = tuple(source for source in sources if not source.is_dir())
    code = replace(
        capture_code(sources, redactor, folder=folder), command=redactor.arguments(command)
    )
    folders = _lock_folders(code, *(source.absolute().parent for source in sources[:1]), folder)
    return Surroundings(
        code,
        capture_environment_of(command, folders, environment),
        sources[0] if sources else None,
    )


def code_in(command: Sequence[str]) -> tuple[Path, ...]:
    """The arguments of a command that are files of code, by their endings."""
    found = (Path(argument) for argument in command)
    return tuple(path for path in found if path.suffix.lower() in _CODE_SUFFIXES and _exists(path))


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _lock_folders(code: CodeVersion, *folders: Path) -> tuple[Path, ...]:
    root = () if code.git is None else (Path(code.git.root),)
    return tuple(dict.fromkeys((*(folder.absolute() for folder in folders), *root)))
