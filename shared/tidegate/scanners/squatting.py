"""Names of packages that are made to be taken for others: a letter off, a look-alike, a separator.

Always holds: only the lists of `data/packages.json` speak; a popular package, and one of the known
packages that differ from it as little, is never taken for a fake.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from tidegate.scanners.tables import read_table

_SHORTEST = 5
"""Names of four letters and less are too near to each other to tell a fake from another."""

_NAME = re.compile(r"\s*([\w](?:[\w.-]*\w)?)\s*(?:\[|[<>=!~;@,(\s#]|$)")
_SEPARATORS = re.compile(r"[-_.]+")
# Letters of other scripts that look like one of ours.
_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u0475\u0261\u0251\u03bf"
    "\u03b1\u03b9\u03ba\u03bd\u03c1\u03c5\u0131\u0142\u00f8\u043a\u043c\u0442\u043d\u0432\u04bb\u217c",
    "aeopcyxijsdqvgaoaikvpyilokmthbhl",
)
_SAME_SHAPE = (
    ("rn", "m"),
    ("vv", "w"),
    ("cl", "d"),
    ("0", "o"),
    ("1", "l"),
    ("5", "s"),
    ("i", "l"),
)


def named_package(line: str) -> str | None:
    """The package that a requirement names, or None where it names none."""
    found = _NAME.match(line)
    return None if found is None else found[1]


def imitated(name: str) -> str | None:
    """The popular package that the name is made to look like; None for an honest name."""
    plain = _normal(name)
    popular, known = _lists()
    if plain in popular or plain in known:
        return None
    latin = _normal(unicodedata.normalize("NFKC", name).lower().translate(_LOOK_ALIKES))
    if latin != plain and latin in popular:
        return latin
    for form in (_without_separators, _shape):
        same = _by_form()[form].get(form(latin))
        if same is not None and (len(latin) >= _SHORTEST or not latin.isascii()):
            return same
    if len(latin) < _SHORTEST:
        return None
    return min((each for each in _near(latin) if each in popular), default=None)


def _normal(name: str) -> str:
    """The name as the index has it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def _without_separators(name: str) -> str:
    return name.replace("-", "")


def _shape(name: str) -> str:
    for letters, like in _SAME_SHAPE:
        name = name.replace(letters, like)
    return name


def _near(name: str) -> Iterator[str]:
    """Every name of five letters and more that is one slip of the finger away."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
    for at in range(len(name) + 1):
        before, after = name[:at], name[at:]
        if after and len(name) > _SHORTEST:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        for letter in letters:
            yield before + letter + after
            if after:
                yield before + letter + after[1:]


@cache
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    table = read_table("packages.json")
    return frozenset(table["popular"]), frozenset(table["known"])


@cache
def _by_form() -> dict[object, dict[str, str]]:
    popular = sorted(name for name in _lists()[0] if len(name) >= _SHORTEST)
    return {form: {form(name): name for name in popular} for form in (_without_separators, _shape)}


@cache
def known_channels() -> frozenset[str]:
    """Channels of conda that a known organisation keeps."""
    return frozenset(read_table("packages.json")["channels"])
