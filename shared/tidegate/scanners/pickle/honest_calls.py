"""Calls of dangerous callables that honest pickles make, and in the one way in which they do.

`functools.partial` around a known function, `operator.itemgetter` of a key, `getattr` for a bound
method of a known object. Each makes a value and calls
nothing. Always holds: what is excused here is held again as soon as something calls the value
(`PICKLE-INDIRECT`), and nothing is excused whose arguments can't all be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tidegate.scanners.bytecode import is_telling_attribute
from tidegate.scanners.callables import Standing
from tidegate.scanners.pickle.running_code import is_class, is_function
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import Call, Global, Items, Value, new_call, tuple_args

_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*")
_UFUNC_METHODS = frozenset({"accumulate", "at", "outer", "reduce", "reduceat"})
_VALUES_THAT_CALL = frozenset(
    {
        "builtins.getattr",
        "functools.partial",
        "operator.attrgetter",
        "operator.itemgetter",
        "types.MethodType",
    }
)


def excused(trace: Trace, callee: Global, args: Value, offset: int) -> Value | None:
    """The value that the call makes, where it is one of the honest ones; else None."""
    check = _HONEST.get(callee.path)
    values = tuple_args(args)
    if check is None or values is None or not check(trace, values):
        return None
    trace.excuse(callee)
    return new_call(callee, args, offset)


def is_callable_value(value: Value) -> bool:
    """True for a value that was excused because nothing calls it: a partial, a bound method."""
    return (
        isinstance(value, Call)
        and isinstance(value.callee, Global)
        and value.callee.path in _VALUES_THAT_CALL
    )


def is_state_of_partial(state: Value) -> bool:
    """True where a partial gets (function, arguments, keywords, attributes), the same as before."""
    values = tuple_args(state)
    return (
        values is not None
        and len(values) == 4
        and _is_known_function(values[0])
        and isinstance(values[1], Items)
        and values[1].kind == "tuple"
        and (values[2] is None or _is_dict(values[2]))
        and (values[3] is None or _is_dict(values[3]))
    )


def _is_dict(value: Value) -> bool:
    return isinstance(value, Items) and value.kind == "dict"


def _is_known_function(value: Value) -> bool:
    if isinstance(value, Global):
        return value.judgement.standing is not Standing.DANGEROUS
    return is_function(value) or is_callable_value(value)


def _partial(_trace: Trace, values: list[Value]) -> bool:
    return bool(values) and _is_known_function(values[0])


def _itemgetter(_trace: Trace, values: list[Value]) -> bool:
    return bool(values) and all(isinstance(value, int | str) for value in values)


def _attrgetter(_trace: Trace, values: list[Value]) -> bool:
    return bool(values) and all(
        isinstance(value, str) and value.isidentifier() and _is_plain(value) for value in values
    )


def _getattr(_trace: Trace, values: list[Value]) -> bool:
    """A bound method of an object, a member of an enumeration, a method of a ufunc."""
    if len(values) != 2 or not isinstance(values[1], str) or not _is_plain(values[1]):
        return False
    owner, name = values[0], values[1]
    if isinstance(owner, Global):
        if owner.judgement.standing is not Standing.ALLOWED:
            return False
        ufunc = owner.module == "numpy" and name in _UFUNC_METHODS
        return ufunc or _CONSTANT.fullmatch(name) is not None
    if isinstance(owner, str | bytes | int | float | Items):
        return True
    if not isinstance(owner, Call):
        return False
    kind = owner.callee
    if is_class(kind):
        return True
    if is_callable_value(owner):
        return False
    first = _first_class(owner)
    return first is not None and first.judgement.standing is Standing.ALLOWED


def _first_class(owner: Call) -> Global | None:
    """The class of the object; or the allowed function that made it."""
    from tidegate.scanners.pickle.objects import kind_of

    return kind_of(owner)


def _is_plain(name: str) -> bool:
    return not (name.startswith("__") or "." in name or is_telling_attribute(name))


_HONEST: dict[str, Callable[[Trace, list[Value]], bool]] = {
    "functools.partial": _partial,
    "operator.itemgetter": _itemgetter,
    "_operator.itemgetter": _itemgetter,
    "operator.attrgetter": _attrgetter,
    "_operator.attrgetter": _attrgetter,
    "builtins.getattr": _getattr,
}
