"""The gate's own copies of what passed: what was scanned is what is used.

When a version passes, its bytes are copied to a folder that clients can't write to, and the
version's `storage_location` points there. Whoever writes to the place where the model was logged,
by whatever way, no longer changes what is loaded. Always holds: a copy never shares blocks that a
write in place would go through (no hard links; a reflink is a copy to whoever writes), and it is
hashed where it lies before anything points to it.

Copies are made where the server keeps what clients upload through it, on a local disk. A model
of the same bytes in the same experiment is kept once.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tidegate.artifact import Manifest, read_manifest
from tidegate.errors import ArtifactChangedError, ArtifactError, ArtifactMissingError
from tidegate_mlflow.guarded_places import KEPT

_log = logging.getLogger(f"mlflow.{__name__}")

_FICLONE = 0x40049409
_PROXIED = "mlflow-artifacts"


def location_for(location: str, digest: str) -> str | None:
    """Where the gate's copy of a version's bytes lies: in its experiment's own folder.

    There whoever may read the experiment may read the copy, and nobody else.

    Returns:
        A location of the same server's; the given one where it is the gate's copy already; None
        where no copy is made of what lies there.
    """
    split = urlsplit(location)
    if split.scheme != _PROXIED:
        return None
    names = [name for name in split.path.split("/") if name]
    digits = digest.removeprefix("sha256:")
    if names[-2:] == [KEPT, digits]:
        return location
    scope = 2 if names[:1] == ["workspaces"] else 0
    # What could be written in another way could lead the gate and the server to two places.
    if len(names) <= scope + 1 or unquote(split.path) != split.path or {".", ".."} & {*names}:
        return None
    path = "/".join((*names[: scope + 1], KEPT, digits))
    return f"{_PROXIED}://{split.netloc}/{path}" if split.netloc else f"{_PROXIED}:/{path}"


def locations_of(location: str, digest: str | None) -> tuple[str, ...]:
    """Where a registration's bytes may lie: where they were logged, and the gate's copy."""
    own = location_for(location, digest) if digest else None
    return (location,) if own in {None, location} else (location, str(own))


def keep(model: Path, manifest: Manifest, target: Path, *, cloned_only: bool) -> bool:
    """Have the bytes of a manifest at `target`, copied from `model` unless they are there.

    Args:
        model: the folder that was scanned.
        manifest: what was read in it.
        target: where the copy belongs; it appears there whole or not at all.
        cloned_only: make no copy that takes up room of its own on the disk.

    Returns:
        False where only a copy that takes up room could be made, and none was.

    Raises:
        ArtifactChangedError: the folder's bytes are no longer those of the manifest.
        OSError: the disk is full, or can't be written to.
    """
    if _is_there(target, manifest):
        return True
    made = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        for entry in manifest.files:
            into = made / entry.path
            into.parent.mkdir(parents=True, exist_ok=True)
            if not _copy(model / entry.path, into, cloned_only=cloned_only):
                return False
        if read_manifest(made).digest != manifest.digest:
            raise ArtifactChangedError(
                "the model was changed while it was scanned",
                remedy="log it anew, and register it when its upload has ended",
            )
        try:
            made.rename(target)
        except OSError:
            # Another server may have been first.
            if not _is_there(target, manifest):
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return True


def _is_there(target: Path, manifest: Manifest) -> bool:
    """Whether the copy is there; one that was changed is put aside, not thrown away."""
    try:
        if read_manifest(target).digest == manifest.digest:
            return True
    except ArtifactMissingError:
        return False
    except ArtifactError:
        _log.warning("The gate's copy at %s can't be read; it is made anew.", target)
    aside = target.with_name(f".{target.name}.changed-{secrets.token_hex(4)}")
    target.rename(aside)
    _log.error("The gate's copy at %s was changed, and is put aside at %s.", target, aside)
    return False


def _copy(source: Path, target: Path, *, cloned_only: bool) -> bool:
    """Copy one file's bytes, as a clone where the disk can do that; no link is followed."""
    reading = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(reading, "rb") as read, target.open("xb") as written:
        if not stat.S_ISREG(os.fstat(reading).st_mode):
            raise OSError(f"{source} is no file")
        if not _clone(reading, written.fileno()):
            if cloned_only:
                return False
            shutil.copyfileobj(read, written, 1 << 20)
    target.chmod(0o444)
    return True


def _clone(source: int, target: int) -> bool:
    try:
        import fcntl

        fcntl.ioctl(target, _FICLONE, source)
    except (ImportError, OSError):
        return False
    return True
