"""Data types of numpy that would make an array take raw bytes for Python objects.

A `numpy.dtype` carries in its state, beside its fields, a flag that says whether they hold
objects. numpy believes the flag: with it cleared, bytes of the pickle become pointers, and the
process jumps where they lead. So each state is checked against the type that it is given to.

Always holds: a data type gets its state once, before anything else can hold it, so what was
found of it stays true, and no data type is inside itself.
"""

from __future__ import annotations

import re

from tidegate.scanners.pickle.objects import kind_of
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import KEPT_MEMBERS, Call, Global, Items, Value, tuple_args

_TYPE_CODE = re.compile(r"[<>=|]?([biufcmMOSUV])(\d{1,18})")
_OF_OBJECTS = 1 | 2
"""numpy's flags for counted references and for data that are pickled as a list, not as bytes."""
_RECORDS = frozenset({"numpy.record", "numpy.core.records.record", "numpy._core.records.record"})


def check(trace: Trace, target: Call, offset: int) -> None:
    """Hold a data type whose newest state contradicts its fields, or can't be known."""
    kind = kind_of(target)
    if kind is None or kind.path != "numpy.dtype":
        return
    if _is_data_type(target) and len(target.state) == 1 and not target.recalled:
        target.objects = _consistent(target)
        if target.objects is not None:
            return
    target.objects = None
    trace.note(
        "PICKLE-MALFORMED",
        offset,
        "The pickle gives a numpy.dtype a state that contradicts it or can't be known; numpy"
        " would take raw bytes for Python objects.",
        "numpy.dtype",
    )


def _is_data_type(value: Value) -> bool:
    return (
        isinstance(value, Call)
        and isinstance(value.callee, Global)
        and value.callee.path == "numpy.dtype"
    )


def _kind(dtype: Call) -> str | None:
    """The letter that numpy has for the type; None where it can't be known."""
    args = tuple_args(dtype.args)
    code = args[0] if args else None
    if isinstance(code, Global) and code.path in _RECORDS:
        return "V"
    match = _TYPE_CODE.fullmatch(code) if isinstance(code, str) else None
    return match[1] if match is not None else None


def _holds_objects(dtype: Value) -> bool | None:
    """Whether items of the type hold objects; None where that can't be known."""
    if not isinstance(dtype, Call) or not _is_data_type(dtype):
        return None
    if dtype.state:
        return dtype.objects
    kind = _kind(dtype)
    return None if kind is None else kind == "O"


def _consistent(dtype: Call) -> bool | None:
    """Whether its items hold objects, where type, fields and flag agree about that."""
    kind, state = _kind(dtype), dtype.state[0]
    if kind is None or not isinstance(state, Items) or state.kind != "tuple":
        return None
    if not state.complete or len(state.kept) not in (8, 9) or state.kept[0] not in (3, 4):
        return None
    inner = _inner(state.kept[2], state.kept[4])
    flags = state.kept[7]
    if inner is None or not isinstance(flags, int):
        return None
    found = [_holds_objects(one) for one in inner]
    if None in found or not _fit(dtype, state.kept):
        return None
    objects = kind == "O" or any(found)
    return objects if flags & _OF_OBJECTS == (_OF_OBJECTS if objects else 0) else None


def _fit(dtype: Call, state: list[Value]) -> bool:
    """Whether the fields lie inside an item: numpy reads where a field says, wherever that is."""
    size, fields = _size(dtype), state[4]
    if size is None or size < 0:
        return False
    if not isinstance(fields, Items):
        return True
    if fields.count > KEPT_MEMBERS:
        return False
    for field in fields.kept[1::2]:
        values = tuple_args(field)
        inner = _size(values[0]) if values else None
        offset = values[1] if values and len(values) > 1 else None
        if inner is None or type(offset) is not int or not 0 <= offset <= size - inner:
            return False
    return True


def _size(dtype: Value) -> int | None:
    """How many bytes an item takes; None where that can't be known."""
    if not isinstance(dtype, Call) or not _is_data_type(dtype):
        return None
    args = tuple_args(dtype.args)
    code = args[0] if args else None
    match = _TYPE_CODE.fullmatch(code) if isinstance(code, str) else None
    if match is None and not isinstance(code, Global):
        return None
    size = 0 if match is None else int(match[2]) * (4 if match[1] == "U" else 1)
    state = tuple_args(dtype.state[0]) if dtype.state else None
    if state is None:
        return None if dtype.state else size
    told = state[5] if len(state) > 5 else None
    if not isinstance(told, int):
        return None
    if match is not None and match[1] not in "USV":
        return size if told in (-1, size) else None
    return told if told >= 0 else size


def _inner(subarray: Value, fields: Value) -> list[Value] | None:
    """The data types inside: of the items of a subarray, and of each field."""
    inner: list[Value] = []
    if subarray is not None:
        if not isinstance(subarray, Items) or subarray.kind != "tuple" or subarray.count != 2:
            return None
        inner.append(subarray.kept[0])
    if fields is not None:
        if not isinstance(fields, Items) or fields.kind != "dict" or fields.fields is None:
            return None
        for field in fields.fields:
            if _is_data_type(field):
                inner.append(field)
                continue
            if not isinstance(field, Items) or field.kind != "tuple" or field.count not in (2, 3):
                return None
            inner.append(field.kept[0])
    return inner
