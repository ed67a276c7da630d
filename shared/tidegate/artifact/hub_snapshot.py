"""A model or data set as the Hugging Face Hub's client keeps it: links into a folder of blobs.

    models--acme--bert/
        blobs/6f3a…                         the bytes, named by their hash
        snapshots/9c1d…/config.json         a link to ../../blobs/6f3a…

Whoever loads from the hub gets such a folder. Its files are read where the links lead, under the
names that the links have, so the digest is that of the same folder with plain files in it.

Always holds: a link that leads anywhere but to a file of these very blobs is refused, as any link
is elsewhere; so are links to folders. Each file is opened as the very blob that was listed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from tidegate.artifact.source import FileIdentity, LocalSource, SourceFile
from tidegate.errors import ArtifactUnreadableError


def source_at(place: Path) -> LocalSource:
    """The source at a path: a snapshot of the hub's where it has that form."""
    if place.parent.name == "snapshots" and (place.parent.parent / "blobs").is_dir():
        return HubSnapshot(place)
    return LocalSource(place)


class HubSnapshot(LocalSource):
    """A folder `snapshots/REVISION`, whose links lead into the `blobs` beside `snapshots`."""

    def _walk(self) -> Iterator[SourceFile]:
        blobs = os.path.realpath(self.location.parent.parent / "blobs")
        for folder, _, names in os.walk(self.location, onerror=self._refuse):
            # A link to a folder stands among the folders, and is not followed: it is refused too.
            for entry in os.scandir(folder):
                path = os.path.relpath(entry.path, self.location)
                if entry.is_symlink():
                    yield self._blob(entry.path, path, blobs)
                elif entry.name in names:
                    yield SourceFile(path, entry.path, FileIdentity.of(self._status(entry, path)))

    def _blob(self, link: str, path: str, blobs: str) -> SourceFile:
        try:
            path.encode()
            target = os.path.realpath(link, strict=True)
            status = os.lstat(target)
        except (OSError, ValueError) as error:
            raise ArtifactUnreadableError(
                f"{path!r} in {self.shown} leads nowhere, or has a name that is no text"
            ) from error
        if str(Path(target).parent) != blobs or not stat.S_ISREG(status.st_mode):
            raise ArtifactUnreadableError(
                f"{path!r} in {self.shown} is a symbolic link that leads out of the hub's cache",
                remedy="download the model again, or put the file itself in its place",
            )
        return SourceFile(path, target, FileIdentity.of(status))

    def _refuse(self, error: OSError) -> None:
        raise ArtifactUnreadableError(f"a folder in {self.shown} can't be listed") from error
