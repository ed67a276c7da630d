"""One spelling for every place where bytes lie, so that two ways to write it compare equal.

A place is text: "file:/srv/artifacts/1/models/m-1" or "s3://bucket/1/models/m-1". Always holds:
what lies in a folder has a place that begins with the folder's and a slash, however either was
written: doubled slashes, dots, percent signs over percent signs, backslashes, links on the disk,
and other case where the disk does not tell cases apart. Where a spelling could be read in two
ways, it has two places, and whoever asks must ask for both.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

_MOST_DECODINGS = 32


class ClimbingError(ValueError):
    """A path that leads out of where it starts, or can't be told where it leads."""


def remote(uri: str, path: str = "") -> str:
    """The place of a path in a store that is reached by a URI.

    Raises:
        ClimbingError: the path goes up.
    """
    split = urlsplit(uri)
    parts = [*_parts(split.path), *_parts(path)]
    return "/".join((f"{split.scheme.lower()}:/", split.netloc.lower(), *parts)).rstrip("/")


def local(folder: str, path: str = "") -> tuple[str, ...]:
    """The places of a path in a folder of this machine's disks: as it stands, and decoded.

    Links are followed. Names are folded where the disk takes "A" for "a".

    Raises:
        ClimbingError: the path goes up.
    """
    found = []
    for spelled in dict.fromkeys((_normal(path), "/".join(_parts(path)))):
        real = os.path.realpath(os.path.join(folder, spelled))  # noqa: PTH118 - may not exist
        found.append("file:" + (folded(real) if _folds(folder) else real).rstrip("/"))
    return tuple(dict.fromkeys(found))


def of(base: str, folder: str | None, path: str) -> tuple[str, ...]:
    """Every place of a path in a store: on this machine's disks where it has a folder there.

    Raises:
        ClimbingError: the path goes up.
    """
    return local(folder, path) if folder is not None else (remote(base, path),)


def folded(name: str) -> str:
    """A name as a disk sees it that tells neither cases nor Unicode forms apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def upwards(place: str) -> Iterator[str]:
    """The place itself and every place above it, the nearest first."""
    while place:
        yield place
        place, slash, _ = place.rpartition("/")
        if not slash:
            return


def is_within(place: str, folder: str) -> bool:
    """Whether a place is a folder's or lies in it."""
    return place == folder or place.startswith(folder + "/")


def _parts(path: str) -> list[str]:
    """The names in a path, decoded until nothing is left to decode."""
    for _ in range(_MOST_DECODINGS):
        if (decoded := unquote(path)) == path:
            break
        path = decoded
    else:
        raise ClimbingError(path[:100])
    names = [name for name in path.replace("\\", "/").split("/") if name not in {"", "."}]
    if ".." in names or "\0" in path:
        raise ClimbingError(path)
    return names


def _normal(path: str) -> str:
    names = [name for name in path.split("/") if name not in {"", "."}]
    if ".." in names or "\0" in path:
        raise ClimbingError(path)
    return "/".join(names)


@functools.cache
def _folds(folder: str) -> bool:
    """Whether this disk takes another case for the same name."""
    here = Path(folder).absolute()
    while not here.exists() and here != here.parent:
        here = here.parent
    for each in (here, *here.parents):
        other = each.parent / each.name.swapcase()
        if each.name and other.name != each.name:
            return other.exists() and other.samefile(each)
    return False
