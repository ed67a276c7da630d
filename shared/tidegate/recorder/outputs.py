"""What a step says that it writes, and what is there when it has ended."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tidegate.artifact import LocalSource
from tidegate.artifact.source import FileIdentity
from tidegate.attestation.step import Material
from tidegate.errors import (
    ArtifactError,
    ArtifactMissingError,
    OperatorError,
    RecordNotFoundError,
)
from tidegate.recorder.materials import Materials, Named, absolute, checked_role, is_version

# A file system's clock ticks up to this far behind the one that a program reads.
_TICK = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class _Output:
    role: str
    before: dict[str, FileIdentity] | None
    """The files there when it was named; None where there were none that could be listed."""
    early: bool
    """Named before the step began."""


class Outputs:
    """The outputs of one step, by their absolute paths."""

    def __init__(self, materials: Materials) -> None:
        self._materials = materials
        self._named: dict[Path, _Output] = {}
        self._versions: dict[str, str] = {}
        """Versions that the step registered, with their roles."""
        self.problems: tuple[ArtifactError, ...] = ()
        self.notes: tuple[str, ...] = ()

    def __contains__(self, path: object) -> bool:
        return path in self._named

    def name(self, path: Named, role: str, *, early: bool = False) -> Path:
        """Take note of an output and of what lies there; its path."""
        checked_role(role)
        if is_version(path):
            self._versions[os.fspath(path)] = role
            return Path(path)
        place = absolute(path)
        if place not in self._named:
            self._named[place] = _Output(role, _files_at(place), early)
        return Path(path)

    def read(self, started: datetime, *, failed: bool) -> tuple[Material, ...]:
        """Hash what is there.

        What is not, or can't be read, goes into `problems`; after a step that failed, where
        nobody expects it, only into `notes`.
        """
        found: list[Material] = []
        problems: list[ArtifactError] = []
        notes: list[str] = []
        for path, output in self._named.items():
            files = _files_at(path)
            try:
                material = self._materials.read(path, output.role).material
            except ArtifactMissingError:
                notes.append(f"the output {path.name} is not there")
                problems.append(
                    ArtifactMissingError(
                        f"the step named the output {str(path)!r}, and there is no such file or "
                        "folder",
                        remedy="look where the step writes it, and name that path; the step is "
                        "recorded as failed",
                    )
                )
                continue
            except ArtifactError as problem:
                notes.append(f"the output {path.name} can't be read: {problem.message}")
                problems.append(problem)
                continue
            found.append(material)
            if files and files == output.before and (output.early or _is_older(files, started)):
                notes.append(
                    f"the output {path.name} was there before the step began, and was not "
                    "written since"
                )
        for version, role in self._versions.items():
            try:
                found.append(self._materials.of_version(version, role))
            except RecordNotFoundError as problem:
                notes.append(f"the output {version} is not on record")
                problems.append(ArtifactMissingError(problem.message, remedy=problem.remedy))
            except OperatorError as problem:
                # What is known otherwise is worth keeping for when the ledger is back.
                notes.append(f"the output {version} was not looked up: {problem.message}")
        self.problems = () if failed else tuple(problems)
        self.notes = tuple(notes)
        return tuple(found)


def _is_older(files: dict[str, FileIdentity], started: datetime) -> bool:
    """Whether by the time that no program can set all were left alone since before the step."""
    limit = int((started - _TICK).timestamp() * 1e9)
    return all(file.ctime_ns < limit for file in files.values())


def _files_at(path: Path) -> dict[str, FileIdentity] | None:
    try:
        _, files = LocalSource(os.path.realpath(path)).list_files()
    except ArtifactError:
        return None
    return {file.path: file.identity for file in files}
