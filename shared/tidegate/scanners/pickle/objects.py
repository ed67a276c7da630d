"""The state that BUILD gives an object: which shapes pass, and for which objects.

A loader hands the state to the object's `__setstate__`, and those of libraries take more than
they are meant to: `self.__dict__.update(state)` is as content with a list of pairs, with a
`UserDict`, and with a tuple of two dicts (whose *keys* are then taken for a name and a value).
So what an object of an allow-list gets is a plain dict, all of whose keys were looked at, or
`(None, dict)`. Other shapes pass for the callables of `data/callables/states.json` alone.
"""

from __future__ import annotations

from functools import cache

from tidegate.scanners.callables import Standing
from tidegate.scanners.pickle import honest_calls, running_code
from tidegate.scanners.pickle.opcodes import Text
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import (
    Call,
    Global,
    Items,
    Persistent,
    Unknown,
    Value,
    show,
)
from tidegate.scanners.tables import read_table

_RECONSTRUCTORS = frozenset({"copyreg._reconstructor", "copyreg.__newobj__"})
_DICT_MAKERS = frozenset({"builtins.dict", "collections.OrderedDict"})
_MEMBERS_OF_FUNCTIONS = frozenset(
    {"__annotations__", "__defaults__", "__doc__", "__kwdefaults__", "__name__", "__qualname__"}
)
"""What dill sets of a function that it made; none of it is run."""
_OTHER_DICT_MAKERS = _DICT_MAKERS | {
    "collections.Counter",
    "collections.UserDict",
    "collections.defaultdict",
    "copyreg._reconstructor",
}


_OWN_STATE = frozenset({"statsmodels.tools.tools.Bunch"})
"""Dicts whose attributes are their items; their state is themselves, with all keys looked at."""


def note_state(trace: Trace, target: Call, state: Value, offset: int) -> None:
    """Hold a state that may decide what the object does, or whose keys can't be known."""
    running_code.note_state(trace, target, offset)
    kind = kind_of(target)
    parts = state.kept if isinstance(state, Items) and state.kind == "tuple" else [state]
    for part in (state, *parts):
        if isinstance(part, Items | Call):
            part.given = True
    own = _MEMBERS_OF_FUNCTIONS if running_code.is_function(target) else frozenset()
    odd = next((key for part in parts for key in _odd_keys(part) if _is_odd(key, own)), None)
    if odd is not None:
        trace.note(
            "PICKLE-INDIRECT",
            offset,
            f"The pickle sets the attribute {show(odd)} of an object, which decides what"
            " the object itself does.",
        )
    elif honest_calls.is_callable_value(target):
        if not (is_partial(target) and honest_calls.is_state_of_partial(state)):
            trace.note(
                "PICKLE-INDIRECT",
                offset,
                f"The pickle gives {show(target)} the state {show(state)}, which makes another"
                " function of it.",
            )
    elif (
        kind is not None
        and kind.judgement.standing is Standing.ALLOWED
        and not _has_honest_shape(kind, target, state)
    ):
        trace.note(
            "PICKLE-INDIRECT",
            offset,
            f"The pickle gives an object of {show(kind)} the state {show(state)}, which is no"
            " plain dict of attributes.",
            kind.path,
        )


def _is_odd(key: Value, own: frozenset[str]) -> bool:
    return not (isinstance(key, str) and key in own)


def is_partial(target: Call) -> bool:
    """True for what a call of functools.partial made."""
    return isinstance(target.callee, Global) and target.callee.path == "functools.partial"


def kind_of(target: Call) -> Global | None:
    """The class of the object, or the function that made it."""
    callee = target.callee
    if not isinstance(callee, Global):
        return None
    if callee.path in _RECONSTRUCTORS and isinstance(target.args, Items) and target.args.kept:
        first = target.args.kept[0]
        return first if isinstance(first, Global) else callee
    return callee


def _has_honest_shape(kind: Global, target: Call, state: Value) -> bool:
    if state is target:
        return kind.path in _OWN_STATE
    if isinstance(state, Items) and state.kind == "tuple":
        if _takes_tuples(kind, target):
            return state.complete
        return state.count == 2 and state.kept[0] is None and _is_plain_dict(state.kept[1])
    if isinstance(state, bytes | Text):
        return kind.path in _given_bytes()
    return _is_plain_dict(state)


def _is_plain_dict(state: Value) -> bool:
    """True for a dict that was filled key by key, so that no key went unseen."""
    if isinstance(state, Items):
        return state.kind == "dict"
    return (
        isinstance(state, Call)
        and isinstance(state.callee, Global)
        and state.callee.path in _DICT_MAKERS
        and isinstance(state.args, Items)
        and state.args.count == 0
        and not state.state
    )


def _odd_keys(part: Value) -> list[Value]:
    if isinstance(part, Unknown | Persistent):
        return [part]
    if isinstance(part, Call) and _hides_keys(part):
        copied = _copied_dict(part)
        return [part] if copied is None else [*copied.odd_keys, *part.odd_keys]
    return part.odd_keys if isinstance(part, Items | Call) else []


def _hides_keys(state: Call) -> bool:
    """True for a dict that is called into being with its keys among the arguments."""
    made_by = state.callee.path if isinstance(state.callee, Global) else ""
    if made_by not in _OTHER_DICT_MAKERS:
        return False
    if not isinstance(state.args, Items):
        return True
    if made_by == "copyreg._reconstructor" and len(state.args.kept) > 1:
        base = state.args.kept[1]
        return not (isinstance(base, Global) and base.path == "builtins.object")
    return state.args.count > 0


def _copied_dict(state: Call) -> Items | None:
    """The dict that copyreg._reconstructor(class, dict, items) makes its own a copy of."""
    values = state.args.kept if isinstance(state.args, Items) else []
    if len(values) != 3 or not isinstance(state.callee, Global):
        return None
    base, items = values[1], values[2]
    if state.callee.path != "copyreg._reconstructor" or not isinstance(base, Global):
        return None
    plain = base.path == "builtins.dict" and isinstance(items, Items) and items.kind == "dict"
    return items if plain and isinstance(items, Items) else None


def _takes_tuples(kind: Global, target: Call) -> bool:
    """True where an object of that kind takes a tuple, and takes it apart by position.

    A function that makes an object of any class that it is given is listed with the package
    whose classes it may be given.
    """
    package = _given_tuples().get(kind.path)
    if not package:
        return package is not None
    first = target.args.kept[0] if isinstance(target.args, Items) and target.args.kept else None
    return isinstance(first, str) or (
        isinstance(first, Global) and f"{first.module}.".startswith(f"{package}.")
    )


@cache
def _given_bytes() -> frozenset[str]:
    """The callables whose objects take bytes that are plain data to their readers."""
    rows = read_table("callables/states.json")["bytes"]
    return frozenset(f"{row['module']}.{name}" for row in rows for name in row["names"])


@cache
def _given_tuples() -> dict[str, str]:
    """The callables whose objects take a tuple as their state, each with its package or ""."""
    rows = read_table("callables/states.json")["tuples"]
    return {
        f"{row['module']}.{name}": row.get("package", "") for row in rows for name in row["names"]
    }
