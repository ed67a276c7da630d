"""Telling how byte code uses each of its names, by tables for Python 3.8 to 3.14.

The number of arguments that `types.CodeType` takes and the RESUME with which a compiler begins
every function tell the version. Always holds: the code is read linearly, jumps or not, so what
can run is among what was read; an argument is taken both with and without the EXTENDED_ARG
before it, since a jump may land between them; an index out of its table, by which crafted code
reaches raw memory, makes the code unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from tidegate.scanners.bytecode.facts import CodeFacts

MAX_CODE = 4 << 20
_CALL = 171
"""CALL of Python 3.11 and 3.12: the first has a PRECALL before each, the second has none."""
_WATCHED = 60
"""How many instructions after a name its arguments are looked for."""


class UnreadableCodeError(Exception):
    """The byte code is none that a compiler of Python 3.8 to 3.14 writes."""


@dataclass(slots=True)
class Roles:
    """The indexes of names by use."""

    roots: set[int] = field(default_factory=set)
    imports: set[int] = field(default_factory=set)
    fetched: set[int] = field(default_factory=set)
    attributes: set[int] = field(default_factory=set)
    watched: set[int] = field(default_factory=set)
    """Constants that are loaded soon after the watched name: the arguments of its call."""

    def facts(
        self, name: str, names: Sequence[str], strings: frozenset[str], modes: frozenset[str]
    ) -> CodeFacts:
        """The facts of a code object that uses its `names` so."""

        def of(indexes: set[int]) -> frozenset[str]:
            return frozenset(names[index] for index in indexes)

        return CodeFacts(
            name,
            roots=of(self.roots),
            imports=of(self.imports),
            fetched=of(self.fetched),
            attributes=of(self.attributes),
            strings=strings,
            modes=modes,
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """The opcodes of one version that carry an index."""

    of: str
    arguments: int
    resume: int | None
    extended: int
    prefix: frozenset[int]
    const: frozenset[int]
    root: dict[int, int]
    attribute: dict[int, int]
    importing: int
    importing_from: int
    fast: frozenset[int]
    fast_pairs: frozenset[int]
    deref: frozenset[int]
    never: frozenset[int]
    before_calls: frozenset[int]

    def may_use(self, used: frozenset[int]) -> bool:
        """False where a compiler of this version would have used other opcodes than these."""
        if used & self.never:
            return False
        return not (self.before_calls and _CALL in used and not used & self.before_calls)


@dataclass(frozen=True, slots=True)
class Tables:
    """How long the tables are that the code's indexes lead into.

    `fast` are local variables, from Python 3.11 on with those of closures; `derefs` those of
    closures before; `watched` is the index of a name whose arguments are of interest.
    """

    names: int
    consts: int
    fast: int
    derefs: int
    watched: int = -1


def decode(code: bytes, tables: Tables, arguments: int) -> Roles:
    """The roles of the names in `code`.

    Args:
        code: the instructions, two bytes each.
        tables: the lengths of the code object's tables.
        arguments: how many arguments the code object is made of.

    Raises:
        UnreadableCodeError: it is no honest byte code.
    """
    if not code or len(code) % 2 or len(code) > MAX_CODE:
        raise UnreadableCodeError("its length is none of byte code")
    used = frozenset(code[::2])
    layouts = [
        one
        for one in _layouts()
        if one.arguments == arguments and _begins(code, one) and one.may_use(used)
    ]
    if not layouts:
        raise UnreadableCodeError("it begins as no compiler of Python 3.8 to 3.14 lets it begin")
    failure = UnreadableCodeError("it can't be read")
    read: Roles | None = None
    for layout in layouts:
        try:
            roles = _read(code, layout, tables)
        except UnreadableCodeError as error:
            failure = error
            continue
        # Where two versions could both have written it, it is read as either.
        if read is None:
            read = roles
        else:
            for name in ("roots", "imports", "fetched", "attributes", "watched"):
                getattr(read, name).update(getattr(roles, name))
    if read is None:
        raise failure
    # A name that nothing uses is none of a compiler's; it counts as an attribute.
    rest = set(range(tables.names)) - read.roots - read.imports - read.fetched
    read.attributes = rest | read.attributes if len(layouts) == 1 else rest
    return read


def _begins(code: bytes, layout: Layout) -> bool:
    if layout.resume is None:
        return True
    for at in range(0, len(code), 2):
        if code[at] == layout.resume:
            return True
        if code[at] not in layout.prefix and code[at] != layout.extended:
            return False
    return False


def _read(code: bytes, layout: Layout, tables: Tables) -> Roles:
    roles = Roles()
    names, consts, fast = tables.names, tables.consts, tables.fast
    extended, watching = 0, 0
    root, attribute, extending = layout.root, layout.attribute, layout.extended
    for at in range(0, len(code), 2):
        opcode, low = code[at], code[at + 1]
        if opcode == extending:
            extended = (extended | low) << 8
            if extended > 1 << 31:
                raise UnreadableCodeError("an argument is too long")
            continue
        full, extended = extended | low, 0
        watching -= 1
        for argument in (full,) if full == low else (full, low):
            if opcode in root:
                index = _within(argument >> root[opcode], names)
                roles.roots.add(index)
                watching = _WATCHED if index == tables.watched else watching
            elif opcode in attribute:
                roles.attributes.add(_within(argument >> attribute[opcode], names))
            elif opcode == layout.importing:
                roles.imports.add(_within(argument, names))
            elif opcode == layout.importing_from:
                roles.fetched.add(_within(argument, names))
            elif opcode in layout.const:
                index = _within(argument, consts)
                if watching > 0:
                    roles.watched.add(index)
            elif opcode in layout.fast:
                _within(argument, fast)
            elif opcode in layout.fast_pairs:
                _within(argument >> 4, fast)
                _within(argument & 15, fast)
            elif opcode in layout.deref:
                _within(argument, tables.derefs)
    return roles


def _within(index: int, count: int) -> int:
    if index >= count:
        raise UnreadableCodeError("it reaches past the end of its own tables, into raw memory")
    return index


@cache
def _layouts() -> tuple[Layout, ...]:
    text = files("tidegate.scanners").joinpath("data/bytecode/opcodes.json").read_text("utf-8")
    return tuple(_layout(row) for row in json.loads(text)["layouts"])


def _layout(row: dict[str, Any]) -> Layout:
    return Layout(
        of=row["of"],
        arguments=row["arguments"],
        resume=row["resume"],
        extended=row["extended"],
        prefix=frozenset(row["prefix"]),
        const=frozenset(row["const"]),
        root={int(code): shift for code, shift in row["root"].items()},
        attribute={int(code): shift for code, shift in row["attribute"].items()},
        importing=row["importing"],
        importing_from=row["importing_from"],
        fast=frozenset(row["fast"]),
        fast_pairs=frozenset(row["fast_pairs"]),
        deref=frozenset(row["deref"]),
        never=frozenset(row.get("never", ())),
        before_calls=frozenset(row.get("before_calls", ())),
    )
