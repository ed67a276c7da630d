"""What is known of one code object: the names it uses, each by the way in which it uses them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """One code object, without the ones nested in it (each has its own).

    `roots` are global names and builtins, `imports` the modules that it imports, in full,
    `fetched` what it imports from them, `attributes` the attributes that it reads or sets.
    `modes` are the strings that stand near a use of `open`.
    `strings` are its short string constants, `long_strings` tells that there are longer ones.
    `unreadable` says why the code could not be read; then nothing else counts.
    """

    name: str
    roots: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    fetched: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    strings: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset()
    long_strings: bool = False
    unreadable: str | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """One reason to hold code. `path` is the name that it is about, "os.system"."""

    path: str
    reason: str
