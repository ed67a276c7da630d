"""Where the files of `models:/…` lie while they are verified, and where they are left.

Always holds: what is left in the folder that was asked for has verified; until then it lies beside
it under a name of its own, and what does not verify is thrown away.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate import registered
from tidegate.errors import UsageError

if TYPE_CHECKING:
    from tidegate.ledger.interface import LedgerReader


class Place:
    """A registered model: what it is called, the digest it should have, and where its files are."""

    def __init__(self, subject: str, expected: str, fetch: Callable[[], Path]) -> None:
        """Take how the files are got; nothing is until they are asked for."""
        self.subject, self.expected = subject, expected
        self._fetch = fetch
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """Where the files lie; they are downloaded when this is first asked."""
        if self._path is None:
            self._path = self._fetch()
        return self._path

    def keep(self, target: Path | None) -> None:
        """Move the files to where they were asked for, if they were; they have verified."""
        if target is None:
            return
        try:
            # Not `replace`: what somebody put there meanwhile stays.
            os.rename(self.path, target)  # noqa: PTH104 - fails where a file is in the way
        except OSError as error:
            raise UsageError(f"{str(target)!r} can't be made: {error.strerror}") from error


@contextmanager
def located(
    ledger: LedgerReader, uri: str, *, path: str | None, to: Path | None
) -> Iterator[Place]:
    """A registered model, its files at `path` or to be downloaded beside `to`.

    Raises:
        UsageError: the URI names no version, or nothing can be put at `to`.
        OperatorError: the registry can't be asked, or gives no files.
        RecordNotFoundError: the ledger has no registration of that version.
    """
    if path is not None and "@" not in uri:
        # The ledger alone knows: a host that has the files needs no registry.
        name, version = registered.name_and_version(uri)
        expected = registered.digest_by_number(ledger, name, version)
        yield Place(f"{name}/{version}", expected, lambda: Path(path))
        return
    _require_room(to)
    model = registered.find(uri)
    expected = registered.digest_of(ledger, model)
    if path is not None:
        yield Place(model.subject, expected, lambda: Path(path))
        return
    folder = Path(tempfile.mkdtemp(prefix=".tidegate-", dir=to.parent if to else None))
    try:
        yield Place(model.subject, expected, lambda: registered.registry().download(model, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _require_room(to: Path | None) -> None:
    if to is None:
        return
    if to.exists() or to.is_symlink():
        raise UsageError(f"there is something at {str(to)!r} already", remedy="name a new folder")
    if not to.parent.is_dir():
        raise UsageError(f"there is no folder {str(to.parent)!r} to put {to.name!r} into")
