"""What a name of a Python source reaches, and how much that weighs.

The table stands in `data/python_capabilities.json`. A name that it lacks is looked up among the
dangerous callables that pickles are held to, for those few reaches that mean the same in a source.

Always holds: a module that is reached through another one ("torch.os.system") is the same module.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tidegate.scanners.interface import Severity


class When(enum.Enum):
    """When a statement of a source runs."""

    IMPORTED = "imported"
    LOADED = "loaded"
    CALLED = "called"


@dataclass(frozen=True, slots=True)
class Capability:
    """What something reaches. `reference`: naming it weighs as much as calling it."""

    name: str
    rule: str
    verb: str
    reference: bool
    weights: tuple[tuple[When, Severity], ...]

    def severity(self, when: When) -> Severity:
        """How grave it is for a statement that runs then."""
        return dict(self.weights)[when]


@dataclass(frozen=True, slots=True)
class _Table:
    capabilities: dict[str, Capability]
    exact: dict[str, str]
    below: dict[str, str]
    attributes: dict[str, str]
    handed_on: frozenset[str]
    unused: frozenset[str]
    variables: frozenset[str]
    texts: frozenset[str]
    readers: frozenset[str]
    sensitive: re.Pattern[str]


# Modules that others hold as an attribute, and the spellings under which they do.
_REACHED = frozenset(
    {"os", "sys", "subprocess", "builtins", "socket", "ctypes", "importlib", "shutil", "pty",
     "runpy", "marshal", "pickle", "tempfile", "pathlib", "requests", "urllib"}
)  # fmt: skip
_SPELLINGS = {
    "posix": "os", "nt": "os", "__builtin__": "builtins", "__builtins__": "builtins",
    "_io": "io", "posixpath": "os.path", "ntpath": "os.path",
}  # fmt: skip
_FROM_PICKLES = {
    "process": "process", "native": "native", "unpickle": "unpickle",
}  # fmt: skip


@cache
def _table() -> _Table:
    text = files("tidegate.scanners").joinpath("data/python_capabilities.json").read_text("utf-8")
    data = json.loads(text)
    names = [(name, row["capability"]) for row in data["callables"] for name in row["names"]]
    return _Table(
        capabilities={
            name: Capability(
                name,
                row["rule"],
                row["verb"],
                row["reference"],
                tuple((when, Severity.from_label(row[when.value])) for when in When),
            )
            for name, row in data["capabilities"].items()
        },
        exact={name: told for name, told in names if not name.endswith(".*")},
        below={name[:-2]: told for name, told in names if name.endswith(".*")},
        attributes={
            name: told for told, group in data["telling_attributes"].items() for name in group
        },
        handed_on=frozenset(data["handed_on"]),
        unused=frozenset(data["unused_import"]),
        variables=frozenset(data["environment_variables"]),
        texts=frozenset(data["telling_texts"]),
        readers=frozenset(data["remote_readers"]),
        sensitive=re.compile(data["sensitive_paths"]),
    )


def capability(name: str) -> Capability:
    """The capability of that name; KeyError where there is none."""
    return _table().capabilities[name]


@cache
def plain_path(path: str) -> str:
    """The path from its innermost known module on: "torch.os.system" is "os.system"."""
    parts = path.split(".")
    for at in range(len(parts) - 1, 0, -1):
        module = parts[at].lstrip("_")
        if (module in _REACHED and parts[at - 1 : at] != ["torch"]) or parts[at] in _SPELLINGS:
            known = _SPELLINGS.get(parts[at], module)
            return ".".join([known, *parts[at + 1 :]])
        if module in {"os", "sys", "subprocess", "builtins", "socket", "shutil"}:
            return ".".join([module, *parts[at + 1 :]])
    if parts[0] in _SPELLINGS:
        return ".".join([_SPELLINGS[parts[0]], *parts[1:]])
    return path


@cache
def capability_of(path: str, *, made: bool = False) -> Capability | None:
    """What the dotted name reaches, or None.

    `made`: the name leads through an object that a call gave back, so that only an exact row
    counts; the call itself has been judged.
    """
    table = _table()
    path = plain_path(path)
    told = table.exact.get(path)
    if told is None and not made:
        parts = path.split(".")
        for at in range(len(parts), 0, -1):
            told = table.below.get(".".join(parts[:at]))
            if told is not None:
                break
        if told is None:
            told = _of_pickles(path)
    return table.capabilities[told] if told not in {None, "none"} and told else None


def _of_pickles(path: str) -> str | None:
    from tidegate.scanners.callables import dangerous_reach

    module, _, name = path.rpartition(".")
    return _FROM_PICKLES.get(dangerous_reach(module, name)) if module else None


def telling_attribute(name: str) -> Capability | None:
    """What an attribute of that name reaches, of whatever object."""
    told = _table().attributes.get(name)
    return _table().capabilities[told] if told else None


def is_handed_on(path: str) -> bool:
    """Whether the module must not leave the statements in which its names are seen."""
    return plain_path(path) in _table().handed_on


def is_grave_import(module: str) -> bool:
    """Whether a file imports the module for what it reaches, or for another file to reach it."""
    return module.split(".", 1)[0] in _table().unused


def steers_programs(variable: str) -> bool:
    """Whether setting that environment variable makes other programs run or fetch something."""
    return variable in _table().variables


def is_telling_text(text: str) -> bool:
    """Whether the text names what only somebody needs who looks for the interpreter's inside."""
    return text in _table().texts


def reads_addresses(path: str) -> bool:
    """Whether a function of that name fetches the address that it gets as a path."""
    return path.rpartition(".")[2] in _table().readers


def is_sensitive(text: str) -> bool:
    """Whether the text is a path or address at which secrets lie or things start by themselves."""
    return len(text) <= 500 and _table().sensitive.search(text) is not None
