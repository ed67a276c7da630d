"""Code that a pickle carries, and the ways in which loading the pickle runs it.

A function that was made of byte code is only a value until it is called; an object of a class
that was made so runs those of its methods that loading looks for. Always holds: each such way is
noted in the trace, however harmless the code.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from tidegate.scanners.callables import Use
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import Call, Global, Items, Value, clip, tuple_args

HOOKS_OF_STATE = frozenset({"__setstate__", "__getattr__", "__getattribute__", "__setattr__"})
"""What BUILD runs of an object's class."""
_HOOKS_OF_MAKING = frozenset({"__new__", "__del__"})
_HOOKS_OF_FILLING = frozenset({"append", "extend", "add", "__setitem__"})
HOOKS_OF_SUBCLASSES = frozenset({"__init_subclass__", "__mro_entries__", "__prepare__"})
HOOKS = HOOKS_OF_STATE | _HOOKS_OF_MAKING | _HOOKS_OF_FILLING | HOOKS_OF_SUBCLASSES


def is_function(value: Value) -> bool:
    """True for a function that was made of byte code."""
    return role_of(value) in {"function", "raw function", "dill function"}


def is_class(value: Value) -> bool:
    """True for a class that the pickle made."""
    return role_of(value) in {"class", "enumeration"}


def note_call(trace: Trace, callee: Value, offset: int, use: Use) -> bool:
    """Note that code of the pickle's own runs; True where `callee` is such code."""
    if is_function(callee) or role_of(callee) == "code":
        note_running(trace, callee, offset, "the function itself is called")
        return True
    if not is_class(callee):
        return False
    if role_of(callee) == "enumeration" and use is Use.CALL:
        return True
    if use is Use.CALL:
        note_running(trace, callee, offset, "the class is called, and so its __init__ runs")
    else:
        note_hooks(trace, callee, offset, _HOOKS_OF_MAKING)
    return True


def note_state(trace: Trace, target: Call, offset: int) -> None:
    """An object is given its state: note it where its class is the pickle's own and has hooks."""
    if is_class(target.callee):
        note_hooks(trace, target.callee, offset, HOOKS_OF_STATE)


def note_filling(trace: Trace, target: Call, offset: int) -> None:
    """An object is filled with items: likewise."""
    if is_class(target.callee):
        note_hooks(trace, target.callee, offset, _HOOKS_OF_FILLING)


def note_given(trace: Trace, by: Global, values: list[Value], offset: int) -> None:
    """A callable that calls what it is given is given code of the pickle's own."""
    for value in values:
        if is_function(value) or is_class(value):
            note_running(trace, value, offset, f"{clip(by.path)} calls what it is given")


def note_running(trace: Trace, callee: Value, offset: int, how: str) -> None:
    """Note that loading runs `callee`, and how."""
    name = _name_of(callee)
    trace.note(
        "PICKLE-CODE-CALLED",
        offset,
        f"Loading runs byte code that the pickle carries ({name}): {how}.",
        name,
    )


def note_hooks(trace: Trace, made: Value, offset: int, hooks: frozenset[str]) -> None:
    """Note it where a class, or a base of it, has one of these methods."""
    if not isinstance(made, Call):
        return
    seen, waiting = 0, [made]
    while waiting and seen < 50:
        kind = waiting.pop()
        seen += 1
        found = sorted(hooks.intersection(kind.hooks))
        if found:
            note_running(trace, kind, offset, f"its {found[0]} runs when an object is loaded")
            return
        args = tuple_args(kind.args) or []
        bases = args[2] if role_of(kind) == "class" and len(args) > 2 else None
        if isinstance(bases, Items):
            waiting.extend(one for one in bases.kept if isinstance(one, Call) and is_class(one))


def _name_of(callee: Value) -> str:
    values = (tuple_args(callee.args) or []) if isinstance(callee, Call) else []
    if role_of(callee) == "code":
        values = values[11:12]
    for value in values:
        if isinstance(value, str) and value:
            return clip(value)
        if isinstance(value, Call) and role_of(value) == "code":
            return _name_of(value)
    return "<lambda>"


def role_of(value: Value) -> str | None:
    """What the value is, of the things that code is rebuilt of: "code", "function", "class"…."""
    if isinstance(value, Call) and isinstance(value.callee, Global):
        return roles().get(value.callee.path)
    return None


@cache
def roles() -> dict[str, str]:
    """The rebuilders by path, each with its role."""
    text = files("tidegate.scanners").joinpath("data/bytecode/rebuilders.json").read_text("utf-8")
    return {
        f"{module}.{name}": row["role"]
        for row in json.loads(text)["rebuilders"]
        for module in row["modules"]
        for name in row["names"]
    }
