"""What is asked for: lock files, a conda environment, installed packages, wheels.

Requirements files are read by `tidegate.sbom.requirements`. Always holds: nothing is run, resolved,
imported or unpacked; each entry is a package or an unread line with its reason; a text that is too
large, too deep or not of its form is unread as a whole.
"""

from __future__ import annotations

import re
import tomllib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.dependencies.yaml_texts import load_texts

LARGEST = 32 << 20
_LARGEST_YAML = 1 << 20
_MOST = 20_000
_METADATA_LIMIT = 1 << 20
# What marks an installed package, and the file in it that says which.
_INSTALLED = {".dist-info": "METADATA", ".egg-info": "PKG-INFO"}
_UNTOLD = (".egg", ".egg-link")
INSTALLED = (*_INSTALLED, *_UNTOLD)
"""How the names end by which a folder of installed packages is known."""
_CONDA = re.compile(r"\s*(?:[\w./-]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)")
# They come with every conda environment. All but Python itself are packages of PyPI's as well.
_CONDAS_OWN = frozenset({"python", "pip", "setuptools", "wheel"})
_ONE_OF_CONDAS = re.compile(r"={1,2}\s*(?P<version>[^=\s,|*]+)(?:=[^=\s]+)?")
_FAR = ("git", "vcs", "url", "hg", "svn", "bzr")
_FOLDERS = ("editable", "virtual", "directory", "path")
_PROJECT = frozenset({".", "./"})
"""The project that the lock file is of, which nobody else has advisories about."""


class UnreadableListError(ValueError):
    """The list can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A package of PyPI's that is asked for.

    `version` is None where more than one will do. `hashed` says whether the list names the
    digests of its files; None where such a list never does. `elsewhere` says from where it is
    taken, if not from an index.
    """

    name: str
    version: str | None
    line: int = 0
    hashed: bool | None = None
    elsewhere: str | None = None


@dataclass(frozen=True, slots=True)
class AskedList:
    """What one list asks for. `unread` are the entries that can't be told, with their reasons."""

    packages: tuple[Asked, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    requirements: tuple[str, ...] = ()
    """Lines in the form of a requirements file, which are read as those are."""


def read_lock(data: bytes) -> AskedList:
    """A pylock.toml (PEP 751), uv.lock or poetry.lock.

    Raises:
        UnreadableListError: it is none of them.
    """
    if len(data) > LARGEST:
        raise UnreadableListError(f"it is larger than {LARGEST} bytes")
    try:
        found = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UnreadableListError("it is no TOML that can be read") from error
    entries = found.get("packages", found.get("package"))
    if not isinstance(entries, list) or len(entries) > _MOST:
        raise UnreadableListError("it has no list of packages, or one without end")
    packages: list[Asked] = []
    unread: list[tuple[str, str]] = []
    for number, entry in enumerate(entries, 1):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            unread.append((f"package {number}", "it has no name"))
            continue
        source = entry.get("source", {})
        places = {**source, **entry} if isinstance(source, dict) else entry
        folder = _folder_of(places)
        if folder is not None:
            if folder not in _PROJECT:
                unread.append((name[:200], "it is taken from a folder or file beside the project"))
            continue
        far = [key for key in _FAR if key in places]
        if isinstance(source, dict) and source.get("type") in _FAR:
            far = [str(source["type"])]
        if "archive" in entry:
            far = ["address"]
        version = entry.get("version")
        packages.append(
            Asked(
                name,
                version if isinstance(version, str) and version else None,
                hashed=_is_hashed(entry),
                elsewhere=far[0] if far else None,
            )
        )
    return AskedList(tuple(packages), tuple(unread))


def _folder_of(places: Mapping[str, Any]) -> str | None:
    """The folder or file that a package is taken from; None where it comes from elsewhere."""
    for key in _FOLDERS:
        if key in places:
            named = places[key]
            path = named.get("path") if isinstance(named, dict) else named
            return path if isinstance(path, str) else "?"
    if places.get("type") in {"directory", "file"}:
        # Poetry's; it names no project's own.
        return str(places.get("url", "?"))
    return None


def _is_hashed(entry: Mapping[str, Any]) -> bool:
    files = [entry.get("sdist"), entry.get("archive")]
    for key in ("wheels", "files"):
        more = entry.get(key)
        files += more if isinstance(more, list) else []
    present = [each for each in files if isinstance(each, dict)]
    return bool(present) and all(each.get("hash") or each.get("hashes") for each in present)


def read_environment_file(data: bytes) -> AskedList:
    """A conda.yaml or python_env.yaml, as MLflow writes them.

    Raises:
        UnreadableListError: it is none of them.
    """
    if len(data) > _LARGEST_YAML:
        raise UnreadableListError(f"it is larger than {_LARGEST_YAML} bytes")
    try:
        found = load_texts(data)
    except ValueError as error:
        raise UnreadableListError(str(error)) from error
    if not isinstance(found, dict):
        raise UnreadableListError("it is no environment")
    lines: list[str] = []
    unread: list[tuple[str, str]] = []
    for entry in [*_items(found, "dependencies"), *_items(found, "build_dependencies")]:
        if isinstance(entry, dict):
            for line in _items(entry, "pip"):
                if isinstance(line, str):
                    lines.append(line)
                else:
                    unread.append(("pip", "an entry is no text"))
            unread += [(str(key)[:200], "no list of pip's") for key in entry if key != "pip"]
        elif not isinstance(entry, str):
            unread.append(("dependencies", "an entry is neither a text nor a list of pip's"))
        elif "name" not in found and "channels" not in found:
            # python_env.yaml: its lines are pip's.
            if not entry.startswith(("-r requirements.txt", "--requirement requirements.txt")):
                lines.append(entry)
        elif (named := _CONDA.match(entry)) is None or named["name"] not in _CONDAS_OWN:
            unread.append((entry[:200], "a package of conda's, about which no advisories are kept"))
        elif named["name"] != "python" and (one := _ONE_OF_CONDAS.fullmatch(named["rest"].strip())):
            lines.append(f"{named['name']}=={one['version']}")
    return AskedList(unread=tuple(unread), requirements=tuple(lines))


def _items(found: Mapping[str, Any], key: str) -> list[Any]:
    value = found.get(key)
    if value is None or value == "":
        return []
    if not isinstance(value, list) or len(value) > _MOST:
        raise UnreadableListError(f"{key} is no list, or one without end")
    return value


def installed_in(folder: Path) -> AskedList:
    """The packages that lie in a folder such as site-packages, by what their metadata say."""
    packages: list[Asked] = []
    unread: list[tuple[str, str]] = []
    for path in sorted(folder.iterdir()):
        if path.suffix in _UNTOLD:
            unread.append((path.name, "it is of a kind whose metadata are not read here"))
        elif path.suffix in _INSTALLED:
            try:
                packages.append(_installed(path))
            except (UnreadableListError, OSError) as error:
                unread.append((path.name, f"no metadata that can be read: {error}"))
    return AskedList(tuple(packages), tuple(unread))


def _installed(path: Path) -> Asked:
    from packaging.utils import canonicalize_name

    said = path / _INSTALLED[path.suffix] if path.is_dir() else path
    if not said.is_file():
        raise UnreadableListError("there is none")
    with said.open("rb") as file:
        header = dict(_header(file.read(_METADATA_LIMIT).decode("utf-8", "replace")))
    name, version = header.get("name", ""), header.get("version", "")
    if not name or not version:
        raise UnreadableListError("they name no package, or no version of it")
    # By the folder's name a package is found when it is imported.
    if canonicalize_name(path.stem.split("-")[0]) != canonicalize_name(name):
        raise UnreadableListError("its name says another package than its metadata")
    return Asked(name, version)


def wheels_in(folder: Path) -> AskedList:
    """The wheels of a folder, by what their metadata say; nothing is unpacked."""
    packages: list[Asked] = []
    unread: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.whl")):
        try:
            packages.append(_wheel(path))
        except (
            UnreadableListError, zipfile.BadZipFile, zlib.error, OSError, EOFError,
            NotImplementedError, RuntimeError, ValueError,
        ) as error:  # fmt: skip
            unread.append((path.name, f"no wheel that can be read: {error}"))
    return AskedList(tuple(packages), tuple(unread))


def _wheel(path: Path) -> Asked:
    from packaging.utils import canonicalize_name, parse_wheel_filename
    from packaging.version import Version

    name, version, _, _ = parse_wheel_filename(path.name)
    with zipfile.ZipFile(path) as archive:
        said = [
            member
            for member in archive.infolist()
            if member.filename.count("/") == 1 and member.filename.endswith(".dist-info/METADATA")
        ]
        if len(said) != 1:
            raise UnreadableListError("it has no metadata, or more than one")
        with archive.open(said[0]) as file:
            header = dict(_header(file.read(_METADATA_LIMIT).decode("utf-8", "replace")))
    said_version = Version(header.get("version", ""))
    if canonicalize_name(header.get("name", "")) != name or said_version != version:
        raise UnreadableListError("its name says another package or version than its metadata")
    return Asked(str(name), str(version))


def _header(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line.strip():
            return
        key, colon, value = line.partition(":")
        if colon and key.lower() in {"name", "version"}:
            yield key.lower(), value.strip()
