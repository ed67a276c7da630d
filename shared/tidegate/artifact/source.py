"""Where an artifact's bytes come from: a file or folder on a local disk.

Always holds:

- Only regular files are listed. A link (to anywhere, loops among them), a device, a pipe, a
  socket, or a name that is no text is refused with its path and the reason; none is skipped,
  for what is skipped is what nobody looks at.
- A listed file is opened as the very file that was listed: its identity (device, inode, size,
  and both times in nanoseconds) is compared after opening and again after reading. Replacing or
  writing it in between raises `ArtifactChangedError`.
- The order of the listing depends on names alone: by the bytes of the path in UTF-8.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidegate.errors import (
    ArtifactChangedError,
    ArtifactEmptyError,
    ArtifactLinkError,
    ArtifactMissingError,
    ArtifactUnreadableError,
)

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# A pipe that takes a file's place between listing and opening must not make us wait for a writer.
_OPEN_FLAGS = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_MAX_FILES = 1_000_000
_LISTED = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})
_ASK_FOR_RIGHTS = "make it readable for whoever scans; what can't be read can't pass"


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells a file, and this state of it, from any other: times are nanoseconds."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """The identity in a stat result."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One listed file. `path` is relative with "/"; a single file's own name stands alone."""

    path: str
    location: str
    identity: FileIdentity

    @property
    def size(self) -> int:
        """Bytes, as listed."""
        return self.identity.size


class LocalSource:
    """An artifact on a local disk.

    Args:
        location: a file or a folder. Its parents may be links; it may not itself be one.
        without_links: list what lies beside the links in a folder, instead of refusing it. Such a
            listing is not the artifact: nothing may pass by it.
    """

    def __init__(self, location: str | os.PathLike[str], *, without_links: bool = False) -> None:
        self.location = Path(location)
        self._without_links = without_links
        self._listing: tuple[str, tuple[SourceFile, ...]] | None = None
        self._links: list[str] = []

    def list_files(self) -> tuple[str, tuple[SourceFile, ...]]:
        """The kind ("file" or "folder") and all files, in the order of their names.

        Listed once: whoever hashes and whoever scans get the same identities, so that a file
        exchanged between the two is noticed by the second.

        Raises:
            ArtifactMissingError: there is nothing at the location.
            ArtifactEmptyError: the folder has no file in it.
            ArtifactLinkError: a link in the folder.
            ArtifactUnreadableError: a special file, unwritable name or missing right.
        """
        if self._listing is None:
            self._listing = self._list()
        return self._listing

    def _list(self) -> tuple[str, tuple[SourceFile, ...]]:
        try:
            status = os.lstat(self.location)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ArtifactMissingError(
                f"there is no file or folder at {self.shown}",
                remedy="check the path; nothing was looked at, so nothing may pass",
            ) from error
        except (OSError, ValueError) as error:
            raise ArtifactUnreadableError(
                f"{self.shown} can't be read: {_why(error)}", remedy=_ASK_FOR_RIGHTS
            ) from error
        if stat.S_ISLNK(status.st_mode):
            raise ArtifactUnreadableError(
                f"{self.shown} is a symbolic link",
                remedy="name the file or folder that it leads to; a link can be turned elsewhere "
                "after the scan",
            )
        if stat.S_ISREG(status.st_mode):
            file = SourceFile(self._own_name(), os.fspath(self.location), FileIdentity.of(status))
            return "file", (file,)
        if not stat.S_ISDIR(status.st_mode):
            raise ArtifactUnreadableError(
                f"{self.shown} is {_kind(status.st_mode)}, not a file",
                remedy="name a file or a folder; what a pipe or device gives can't be read twice",
            )
        self._links.clear()
        found = sorted(self._walk(), key=lambda file: file.path.encode())
        if self._links and not self._without_links:
            first, more = sorted(self._links)[0], len(self._links) - 1
            raise ArtifactLinkError(
                f"{shortened(repr(first))} in {self.shown} is a symbolic link"
                + (f", as are {more} more" if more else ""),
                links=tuple(sorted(self._links)),
                remedy="put the file itself in its place; links are not followed, because they "
                "can lead out of the artifact, in a circle, or elsewhere after the scan",
            )
        if not found:
            raise ArtifactEmptyError(
                f"the folder {self.shown} holds no file",
                remedy="check that the model was written before it is scanned or registered",
            )
        return "folder", tuple(found)

    @property
    def shown(self) -> str:
        """The location as it may stand in a message: printable, on one line."""
        return shortened(repr(os.fspath(self.location)))

    def _own_name(self) -> str:
        name = self.location.name
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise _unwritable(name, self.shown) from error
        return name

    def _walk(self) -> Iterator[SourceFile]:
        pending = [(os.fspath(self.location), "")]
        count = 0
        while pending:
            folder, prefix = pending.pop()
            try:
                with os.scandir(folder) as scanned:
                    entries = list(scanned)
            except (OSError, RecursionError) as error:
                raise ArtifactUnreadableError(
                    f"the folder {shortened(repr(prefix or '.'))} in {self.shown} can't be listed:"
                    f" {_why(error)}",
                    remedy=_ASK_FOR_RIGHTS,
                ) from error
            for entry in entries:
                path = f"{prefix}{entry.name}"
                count += 1
                if count > _MAX_FILES:
                    raise ArtifactUnreadableError(
                        f"{self.shown} holds more than {_MAX_FILES} files and folders",
                        remedy="scan its parts one by one, or pack what belongs together",
                    )
                status = self._status(entry, path)
                if stat.S_ISLNK(status.st_mode):
                    self._links.append(path)
                elif stat.S_ISDIR(status.st_mode):
                    pending.append((entry.path, f"{path}/"))
                else:
                    yield SourceFile(path, entry.path, FileIdentity.of(status))

    def _status(self, entry: os.DirEntry[str], path: str) -> os.stat_result:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise _unwritable(path, self.shown) from error
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError as error:
            raise ArtifactUnreadableError(
                f"{shortened(repr(path))} in {self.shown} can't be read: {_why(error)}",
                remedy=_ASK_FOR_RIGHTS,
            ) from error
        if stat.S_IFMT(status.st_mode) not in _LISTED:
            raise ArtifactUnreadableError(
                f"{shortened(repr(path))} in {self.shown} is {_kind(status.st_mode)}, not a file",
                remedy="remove it; a model is made of plain files",
            )
        return status


def shortened(text: str, limit: int = 240) -> str:
    """A path as it may stand in a message: a very long one without its middle."""
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}[… {len(text) - limit} more …]{text[-limit // 2 :]}"


@contextmanager
def opened(location: str, identity: FileIdentity) -> Iterator[int]:
    """A file descriptor of the listed file; its identity is checked on opening and on leaving.

    Raises:
        ArtifactChangedError: it is not, or no longer, the file that was listed.
        ArtifactUnreadableError: it can't be opened.
    """
    try:
        descriptor = os.open(location, _OPEN_FLAGS)
    except FileNotFoundError as error:
        raise _changed(location, "is gone") from error
    except OSError as error:
        raise ArtifactUnreadableError(
            f"{shortened(repr(location))} can't be read: {_why(error)}", remedy=_ASK_FOR_RIGHTS
        ) from error
    try:
        if FileIdentity.of(os.fstat(descriptor)) != identity:
            raise _changed(location, "was replaced or written")
        yield descriptor
        if FileIdentity.of(os.fstat(descriptor)) != identity:
            raise _changed(location, "was written while it was read")
    finally:
        os.close(descriptor)


def _changed(location: str, what: str) -> ArtifactChangedError:
    return ArtifactChangedError(
        f"{shortened(repr(location))} {what}",
        remedy="wait until whoever writes it is done, and start again",
    )


def _unwritable(name: str, where: str) -> ArtifactUnreadableError:
    return ArtifactUnreadableError(
        f"the name {shortened(repr(name))} in {where} is not valid UTF-8",
        remedy="rename the file; a name that can't be written down can't be signed for",
    )


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "a device"
    return "something else"


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
