"""What is known of a callable that an artifact names: harmless, dangerous, or neither.

The lists stand as data in `data/callables/`: one allow-list per library, made by running the
library (`tools/callables/`), the list of dangerous callables, and the names of the standard
library and of well-known packages. Only those data speak; nothing is imported to find out, and
what is installed beside Tidegate changes nothing.

Rules, in this order:

1. A name that is no chain of Python identifiers is dangerous: importing it can reach files.
2. An exact entry of an allow-list is allowed, up to the entry's use (`Use`). A dotted name
   passes only as that exact dotted entry.
3. A dangerous callable, or anything of a dangerous module, is dangerous; also where a dotted
   name reaches it through another module, known or not ("mypackage" "helpers.os.system").
4. Anything else of the standard library or a well-known package is unlisted.
5. A module that nobody knows is unreviewed, unless the name is one that only an imported
   function would have ("system", "check_output"): that is dangerous, whoever vouches for the
   module.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tidegate.scanners.tables import read_table, tables_in


class Standing(enum.StrEnum):
    """What the lists say of a callable."""

    ALLOWED = "allowed"
    DANGEROUS = "dangerous"
    UNLISTED = "unlisted"
    UNREVIEWED = "unreviewed"


class Use(enum.IntEnum):
    """What an artifact does with a callable; each use includes those before it.

    NAME: it is referred to, and nothing more. MAKE: an instance is made by `cls.__new__`
    without `__init__`, then given its state. CALL: it is called with arguments.
    """

    NAME = 1
    MAKE = 2
    CALL = 3

    @property
    def label(self) -> str:
        """The name in lower case, as it stands in the data files."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The standing of one callable, and why.

    `use` is the most that an allowed callable may be used for. `gives` is what an allowed
    callable does with those that it gets as arguments (None: nothing). `reach` says what a
    dangerous one reaches: "process", "code", "import", "file", "network", "native", "unpickle",
    "interpreter", "bytecode" (it rebuilds byte code) or "indirect" (it calls or fetches what
    its arguments name).
    """

    standing: Standing
    reason: str
    use: Use = Use.CALL
    gives: Use | None = None
    reach: str = ""


def judge(module: str, name: str) -> Judgement:
    """The standing of `name` in `module`, both as Python 3 has them."""
    tables = _tables()
    if not _is_dotted_name(module) or not _is_dotted_name(name):
        return Judgement(
            Standing.DANGEROUS,
            "the name is no chain of Python identifiers, so importing it may reach any file",
            reach="import",
        )
    allowed = tables.allowed.get((module, name))
    if allowed is not None:
        return allowed
    dangerous = _dangerous(tables, module, name)
    if dangerous is not None:
        return dangerous
    top = module.split(".", 1)[0]
    if top in tables.standard_library:
        return Judgement(
            Standing.UNLISTED, f"{top} is of the standard library, and the allow-list has no {name}"
        )
    if top in tables.packages:
        return Judgement(
            Standing.UNLISTED, f"{top} is a known package, and its allow-list has no {name}"
        )
    return _judge_unknown_module(tables, module, name)


def python3_name(module: str, name: str) -> tuple[str, str]:
    """What a Python 3 loader makes of a Python 2 name in a pickle of protocol 0 to 2."""
    tables = _tables()
    if (module, name) in tables.python2_names:
        return tables.python2_names[module, name]
    return tables.python2_modules.get(module, module), name


def is_known_module(module: str) -> bool:
    """True where the top-level name is the standard library's or a well-known package's."""
    tables = _tables()
    top = module.split(".", 1)[0]
    return top in tables.standard_library or top in tables.packages


def is_standard_library(module: str) -> bool:
    """True where the top-level name is the standard library's."""
    return module.split(".", 1)[0] in _tables().standard_library


def judge_module(module: str) -> Judgement | None:
    """Why a module is dangerous as a whole; None for one that is not."""
    parts = module.split(".")
    whole = _tables().dangerous_modules
    for at in range(len(parts), 0, -1):
        found = whole.get(".".join(parts[:at]))
        if found is not None:
            return found
    return None


def dangerous_modules_below(tops: Collection[str]) -> list[str]:
    """The dangerous modules that lie below these top-level ones, sorted."""
    return sorted(
        module
        for module in _tables().dangerous_modules
        if "." in module and module.split(".", 1)[0] in tops
    )


@cache
def dangerous_callables(top: str) -> tuple[tuple[str, tuple[str, ...], Judgement], ...]:
    """The dangerous callables below a top-level module: path, parts below the top, judgement."""
    return tuple(
        (f"{module}.{name}", (*module.split(".")[1:], *name.split(".")), judgement)
        for (module, name), judgement in _tables().dangerous.items()
        if module.split(".", 1)[0] == top
    )


@cache
def _allowed_names() -> frozenset[str]:
    return frozenset(name for _, name in _tables().allowed)


def dangerous_reach(module: str, name: str) -> str:
    """What a dangerous callable reaches by its own entry or its module's; "" for any other."""
    found = _dangerous_entry(_tables(), module, name)
    return found.reach if found is not None else ""


def is_allowed_name(name: str) -> bool:
    """True where some module's allow-list has that name."""
    return name in _allowed_names()


def allowed_callables() -> Mapping[tuple[str, str], Judgement]:
    """Every exact entry of the allow-lists, by module and name."""
    return _tables().allowed


@dataclass(frozen=True, slots=True)
class _Tables:
    """All lists, read once."""

    allowed: dict[tuple[str, str], Judgement]
    dangerous: dict[tuple[str, str], Judgement]
    dangerous_modules: dict[str, Judgement]
    telling_names: dict[str, str]
    standard_library: frozenset[str]
    packages: frozenset[str]
    python2_modules: dict[str, str]
    python2_names: dict[tuple[str, str], tuple[str, str]]


@cache
def _tables() -> _Tables:
    listed: dict[tuple[str, str], Judgement] = {}
    for name in tables_in("callables/allowed"):
        listed.update(_allowed_rows(read_table(name)))
    danger = read_table("callables/dangerous.json")
    known = read_table("callables/known_modules.json")
    python2 = read_table("callables/python2_names.json")
    exact: dict[tuple[str, str], Judgement] = {}
    whole: dict[str, Judgement] = {}
    for group in danger["groups"]:
        judgement = Judgement(Standing.DANGEROUS, group["reason"], reach=group["reach"])
        whole.update(dict.fromkeys(group.get("modules", ()), judgement))
        for module, names in group.get("callables", {}).items():
            exact.update({(module, name): judgement for name in names})
    return _Tables(
        allowed=listed,
        dangerous=exact,
        dangerous_modules=whole,
        telling_names={
            name: row["reason"] for row in danger["telling_names"] for name in row["names"]
        },
        standard_library=frozenset(
            name for row in known["standard_library"] for name in row["names"]
        ),
        packages=frozenset(name for row in known["packages"] for name in row["names"]),
        python2_modules=python2["modules"],
        python2_names={(row[0], row[1]): (row[2], row[3]) for row in python2["names"]},
    )


def _allowed_rows(table: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Judgement]]:
    """The entries of one library's file, under each spelling of its modules."""
    spellings: dict[str, str] = table.get("spellings", {})
    for row in table["callables"]:
        gives = row.get("gives")
        judgement = Judgement(
            Standing.ALLOWED,
            f"{table['library']}: {row['reason']}",
            use=Use[row["use"].upper()],
            gives=Use[gives.upper()] if gives else None,
        )
        for name in row["names"]:
            yield (row["module"], name), judgement
            for prefix, other in spellings.items():
                if row["module"] == prefix or row["module"].startswith(prefix + "."):
                    yield (other + row["module"][len(prefix) :], name), judgement


def _is_dotted_name(text: str) -> bool:
    return len(text) <= 500 and all(part.isidentifier() for part in text.split("."))


def _dangerous(tables: _Tables, module: str, name: str) -> Judgement | None:
    """The entry that the name is, or that its dotted attributes lead to."""
    found = _dangerous_entry(tables, module, name)
    if found is not None or "." not in name:
        return found
    parts = name.split(".")
    for at in range(1, len(parts)):
        # The attributes may pass through a module object, under its full or its last name.
        for start in range(at):
            through = ".".join(parts[start:at])
            found = _dangerous_entry(tables, through, ".".join(parts[at:]))
            if found is not None:
                return found
        found = _dangerous_entry(tables, f"{module}.{'.'.join(parts[:at])}", ".".join(parts[at:]))
        if found is not None:
            return found
    return _telling(tables, parts[-1])


def _dangerous_entry(tables: _Tables, module: str, name: str) -> Judgement | None:
    """An exact entry, one of its attributes, or a module that is dangerous as a whole."""
    parts = name.split(".")
    for at in range(1, len(parts) + 1):
        found = tables.dangerous.get((module, ".".join(parts[:at])))
        if found is not None:
            return found
    modules = module.split(".")
    for at in range(len(modules), 0, -1):
        found = tables.dangerous_modules.get(".".join(modules[:at]))
        if found is not None:
            return found
    return None


def _telling(tables: _Tables, name: str) -> Judgement | None:
    reason = tables.telling_names.get(name)
    return Judgement(Standing.DANGEROUS, reason, reach="code") if reason else None


def _judge_unknown_module(tables: _Tables, module: str, name: str) -> Judgement:
    parts = name.split(".")
    telling = _telling(tables, parts[-1])
    if telling is not None:
        return telling
    for part in parts[:-1]:
        # A nested class is written Outer.Inner; a name in lower case is a module or an object,
        # and what is fetched through it belongs to somebody else.
        if not part.lstrip("_")[:1].isupper():
            return Judgement(
                Standing.UNLISTED,
                f"the name leads through {module}.{part}, which is no class, to somebody else's",
            )
    return Judgement(Standing.UNREVIEWED, f"{module} belongs to no known package")
