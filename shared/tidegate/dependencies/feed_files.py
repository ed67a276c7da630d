"""Reading a feed: a folder or a zip of OSV records, as an ecosystem's `all.zip` or PyPA's database.

Always holds: nothing is extracted to disk; what is read is bounded, in number and in bytes, by what
unfolds and not by what a header says; an archive with anything wrong in it (cut off, a bad
checksum, an encrypted member, one id with two contents) is refused as a whole; a record that can't
be read is told of, and a feed with many of them is refused.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tidegate.dependencies.interface import Advisory
from tidegate.dependencies.osv import (
    LARGEST,
    MalformedAdvisoryError,
    parse_json,
    parse_yaml,
    read_advisory,
)
from tidegate.errors import OperatorError

MOST_RECORDS = 1_000_000
MOST_BYTES = 8 << 30
"""Of all records together, unfolded."""

_SUFFIXES = frozenset({".json", ".yaml", ".yml"})
# One in a hundred: a new kind of record must not stop all news, and a broken feed must not pass.
_TOLERATED = 100
_MOST_FOLDERS = 100_000


class FeedRefusedError(OperatorError):
    """The feed can't be taken as it is; what is on record from earlier stays."""


@dataclass(frozen=True, slots=True)
class FeedContent:
    """The records of a feed, each id once, and the names and faults of those that can't be read."""

    advisories: tuple[Advisory, ...]
    unread: tuple[tuple[str, str], ...] = ()


def read_feed(path: str | os.PathLike[str], *, name: str) -> FeedContent:
    """Read all records of a folder, a zip, or one record's file.

    Args:
        path: where they lie.
        name: of the feed, which its advisories carry.

    Raises:
        FeedRefusedError: it can't be read, is cut off, hostile or hardly readable.
    """
    place = Path(path)
    try:
        kind = os.lstat(place).st_mode
        if stat.S_ISDIR(kind):
            return _gathered(_of_folder(place), name)
        if not stat.S_ISREG(kind):
            raise FeedRefusedError(f"the feed {str(path)!r} is no file and no folder")
        if place.suffix.lower() in _SUFFIXES:
            return _gathered(iter([(place.name, _read(place))]), name)
        with zipfile.ZipFile(place) as archive:
            return _gathered(_of_zip(archive), name)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FeedRefusedError(f"the feed {str(path)!r} can't be read: {reason}") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
        raise FeedRefusedError(
            f"the feed {str(path)!r} is no whole zip: {error}",
            remedy="download it again; what is on record from earlier stays in use",
        ) from error


def _of_folder(root: Path) -> Iterator[tuple[str, bytes]]:
    folders = [root]
    for count, folder in enumerate(folders):
        if count > _MOST_FOLDERS:
            raise FeedRefusedError(f"the feed has more than {_MOST_FOLDERS} folders")
        for entry in sorted(os.scandir(folder), key=lambda each: each.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and _is_record(entry.name):
                yield str(Path(entry.path).relative_to(root)), _read(Path(entry.path))


def _of_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for member in archive.infolist():
        if member.is_dir() or not _is_record(member.filename):
            continue
        if any(part.startswith(".") for part in PurePosixPath(member.filename).parts):
            continue
        with archive.open(member) as file:
            data = file.read(LARGEST + 1)
            if len(data) <= LARGEST and file.read(1):
                raise FeedRefusedError("a member of the feed is longer than it says")
        yield member.filename, data


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


def _is_record(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _SUFFIXES


def _gathered(records: Iterator[tuple[str, bytes]], name: str) -> FeedContent:
    advisories: dict[str, Advisory] = {}
    unread: list[tuple[str, str]] = []
    size = 0
    for count, (place, data) in enumerate(records):
        size += len(data)
        if count >= MOST_RECORDS or size > MOST_BYTES:
            raise FeedRefusedError(
                f"the feed {name!r} holds more than {MOST_RECORDS} records or {MOST_BYTES} bytes"
            )
        try:
            advisory = _advisory(place, data, name)
        except MalformedAdvisoryError as error:
            unread.append((place[:200], str(error)))
            continue
        if advisories.setdefault(advisory.id, advisory) != advisory:
            raise FeedRefusedError(
                f"the feed {name!r} has two records under the id {advisory.id}, which differ"
            )
    if not advisories:
        raise FeedRefusedError(
            f"the feed {name!r} holds no advisory that can be read",
            remedy="name a folder or zip of OSV records, such as an ecosystem's all.zip",
        )
    if len(unread) * _TOLERATED > len(advisories):
        place, reason = unread[0]
        raise FeedRefusedError(
            f"{len(unread)} records of the feed {name!r} can't be read, {place!r} for one: {reason}"
        )
    return FeedContent(tuple(advisories.values()), tuple(unread))


def _advisory(place: str, data: bytes, feed: str) -> Advisory:
    is_json = place.lower().endswith(".json")
    advisory = read_advisory(parse_json(data) if is_json else parse_yaml(data), feed=feed)
    stem = PurePosixPath(place).stem
    # An id with a colon (RHSA-2024:1) is no file's name everywhere.
    if stem not in {advisory.id, advisory.id.replace(":", "_"), advisory.id.replace(":", "-")}:
        raise MalformedAdvisoryError(f"the file is not named as the id in it, {advisory.id}")
    return advisory
