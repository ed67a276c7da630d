"""The table of operators: which TorchScript code may name, and which reach beyond the model."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")


@dataclass(frozen=True, slots=True)
class Operators:
    """The table. `denied` maps the bare name of an operator to its full one and the reason."""

    allowed: dict[str, frozenset[str]]
    denied: dict[str, tuple[str, str]]
    classes: dict[str, frozenset[str]]
    callable: frozenset[str]


@cache
def operators() -> Operators:
    """The table, read once."""
    text = files("tidegate.scanners").joinpath("data/torchscript.json").read_text("utf-8")
    table = json.loads(text)
    return Operators(
        allowed={space: frozenset(names) for space, names in table["operators"].items()},
        denied={
            path.partition("::")[2]: (path, row["reason"])
            for row in table["denied"]
            for path in row["names"]
        },
        classes={space: frozenset(names) for space, names in table["classes"].items()},
        callable=frozenset(table["callable"]),
    )


def judge_operator(space: str, name: str) -> tuple[str, str] | None:
    """The rule and the message for the operator `space::name`; None where it may be named."""
    table = operators()
    shown = f"{space}::{name}"
    if name in table.denied and (space in {"aten", "prim"} or table.denied[name][0] == shown):
        return "TORCH-SCRIPT-OPERATOR", f"calls {shown}: {table.denied[name][1]}"
    if space not in table.allowed:
        what = space if _SPACE.fullmatch(space) else ascii(space)[:80]
        return "TORCH-SCRIPT-UNKNOWN", f"calls {what}::…, an operator of a library of its own"
    if name not in table.allowed[space]:
        what = shown if _SPACE.fullmatch(name) else ascii(name)[:80]
        return "TORCH-SCRIPT-UNKNOWN", f"calls {what}, which torch does not have"
    return None


def judge_class(path: str) -> tuple[str, str] | None:
    """The same for a class of TorchScript, "__torch__.…": those of C++ libraries are listed."""
    parts = path.split(".")
    if parts[:3] != ["__torch__", "torch", "classes"] or len(parts) < 5:
        return None
    space, name = parts[3], parts[4]
    if name in operators().classes.get(space, ()):
        return None
    return (
        "TORCH-SCRIPT-UNKNOWN",
        f"makes an object of torch.classes.{space[:60]}.{name[:60]}, a class of a C++ library",
    )
