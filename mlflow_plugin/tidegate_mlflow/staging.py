"""A download in a folder of our own first, so that only what was checked is handed over.

Always holds: until `deliver`, nothing of the download stands where the caller looks; afterwards
the very files that were hashed do. What is refused is gone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tidegate.artifact import Manifest, read_manifest
from tidegate.errors import ArtifactEmptyError, ArtifactMissingError


class Stage:
    """A private folder on the disk where the download will stay."""

    def __init__(self, folder: Path, target: Path | None) -> None:
        self.folder = folder
        self._target = target

    def manifest(self, within: str = "") -> Manifest | None:
        """What has arrived, or arrived beneath a path; None where nothing did.

        Raises:
            ArtifactError: it can't be read as it is; a link among the files, say.
        """
        try:
            return read_manifest(self.folder / within)
        except (ArtifactEmptyError, ArtifactMissingError):
            return None

    def deliver(self, base: str = "") -> Path:
        """Put everything beneath `base` where the caller wants it; the folder where it is now."""
        start = self.folder / base
        if self._target is None:
            return start
        for entry in sorted(start.rglob("*")):
            into = self._target / entry.relative_to(start)
            if entry.is_dir():
                into.mkdir(parents=True, exist_ok=True)
            else:
                into.parent.mkdir(parents=True, exist_ok=True)
                entry.replace(into)
        return self._target

    def strangers(self, allowed: frozenset[str]) -> tuple[str, ...]:
        """Files that lie already in those folders of the caller's which the download will fill.

        What lies at the top of his own folder is his; what lies in a model's folders would be
        loaded with it.
        """
        if self._target is None:
            return ()
        arrived = {entry.relative_to(self.folder).as_posix() for entry in self.folder.rglob("*")}
        return tuple(
            path
            for top in sorted(self.folder.iterdir())
            if top.is_dir()
            for found in sorted((self._target / top.name).rglob("*"))
            if (path := found.relative_to(self._target).as_posix()) not in arrived | allowed
        )


@contextmanager
def staged(target: str | None, new_folder: Callable[[], str]) -> Iterator[Stage]:
    """A stage for a download to `target`, or to a new folder that is kept if all goes well."""
    if target is None:
        folder = Path(new_folder())
        try:
            yield Stage(folder, None)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return
    into = Path(os.path.abspath(target))  # noqa: PTH100 - no link is resolved
    # Beside what it will be, so that moving it there copies nothing.
    with tempfile.TemporaryDirectory(prefix=".tidegate-", dir=into) as name:
        yield Stage(Path(name), into)


def differences(whole: Manifest, part: Manifest) -> tuple[str, ...]:
    """How files differ from those of a manifest that should hold them all."""
    should = {entry.path: entry for entry in whole.files}
    return tuple(
        f"{entry.path!r} is none of its files"
        if entry.path not in should
        else f"{entry.path!r} holds other bytes"
        for entry in part.files
        if should.get(entry.path) != entry
    )
