"""Reading a requirements.txt for what it says, without asking an index or a resolver.

Always holds: each line ends up in exactly one of two places, a package or an unread line with
its reason. A line that points somewhere else (an option, another file, a path, a repository)
is unread: what it would bring in can't be known from the text. Hostile text costs bounded time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.sbom.wording import printable, without_credentials

MAX_TEXT = 1 << 20
MAX_LINE = 4096
MAX_LINES = 2000

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH_OPTION = re.compile(r"\s--hash[= ]\s*(sha256|sha384|sha512):([0-9a-fA-F]{64,128})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class RequiredPackage:
    """One requirement. `name` is normalised; `version` is set only where exactly one will do.

    `hashes` are the accepted digests of the package's files, as "sha256:…"; pip takes any of
    them, so they are not the hash of one thing. `url` is given for a direct reference, in which
    case the package need not be PyPI's of that name.
    """

    name: str
    line: int
    version: str | None = None
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str | None = None
    url: str | None = None
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequirementsUnread:
    """A line that names no package that could be listed. Line 0 stands for the whole text."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a requirements.txt says, in its order, each distinct requirement once."""

    packages: tuple[RequiredPackage, ...] = ()
    unread: tuple[RequirementsUnread, ...] = ()


def requirements_components(text: str) -> Requirements:
    """The packages that a requirements.txt names, and the lines that can't be listed."""
    if len(text) > MAX_TEXT:
        reason = f"the text is longer than {MAX_TEXT} characters, so none of it was read"
        return Requirements(unread=(RequirementsUnread(0, "", reason),))
    packages: dict[tuple[object, ...], RequiredPackage] = {}
    unread: list[RequirementsUnread] = []
    for count, (number, line) in enumerate(_logical_lines(text)):
        if count >= MAX_LINES:
            reason = f"more than {MAX_LINES} requirements; the rest were not read"
            unread.append(RequirementsUnread(number, "", reason))
            break
        read = _read_line(number, line)
        if isinstance(read, RequirementsUnread):
            unread.append(read)
        else:
            said = (read.name, read.specifier, read.extras, read.marker, read.url, read.hashes)
            packages.setdefault(said, read)
    return Requirements(tuple(packages.values()), tuple(unread))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments gone, with their numbers, as pip reads them.

    Lines break where `str.splitlines` breaks them, form feeds and U+2028 included: with any
    fewer, a requirement could hide from us in what we take for a comment.
    """
    parts: list[str] = []
    first = 1
    for number, line in enumerate((*text.removeprefix("\ufeff").splitlines(), ""), 1):
        first = first if parts else number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        parts.append(f" {line}" if comment else line)
        if joined := _COMMENT.sub("", "".join(parts)).strip():
            yield first, joined
        parts = []


def _read_line(number: int, line: str) -> RequiredPackage | RequirementsUnread:
    # Imported here: packaging costs a tenth of a second, and most callers need no SBOM.
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    def unread(reason: str) -> RequirementsUnread:
        return RequirementsUnread(number, printable(without_credentials(line), 200), reason)

    if len(line) > MAX_LINE:
        return unread(f"longer than {MAX_LINE} characters")
    if line.startswith("-"):
        return unread("an option: what it brings in is not in this text")
    hashes = tuple(f"{name}:{value.lower()}" for name, value in _HASH_OPTION.findall(line))
    try:
        requirement = Requirement(_HASH_OPTION.sub("", line))
        marker = str(requirement.marker) if requirement.marker else None
    except (InvalidRequirement, RecursionError):
        return unread("no requirement by name (PEP 508): a path, an address, or a mistake")
    return RequiredPackage(
        name=canonicalize_name(requirement.name),
        line=number,
        version=_exact_version(requirement.specifier),
        specifier=str(requirement.specifier),
        extras=tuple(sorted(requirement.extras)),
        marker=marker,
        url=None if requirement.url is None else without_credentials(requirement.url),
        hashes=hashes,
    )


def _exact_version(specifiers: object) -> str | None:
    """The version of a lone `==` without wildcard, or of `===`; None where a choice is left."""
    from packaging.specifiers import SpecifierSet

    assert isinstance(specifiers, SpecifierSet)
    single = list(specifiers)
    if len(single) != 1 or single[0].operator not in {"==", "==="}:
        return None
    version = single[0].version
    return None if version.endswith(".*") else version
