"""Pickles that use up the loader's memory or time by themselves, with nothing but plain values.

A memo index far beyond what was memoized makes the loader fill a table of that length; a length
given to `bytes` or `range` is allocated or gone through; and a key of tuples that hold the same
tuple twice, fifty deep, is hashed in 2**50 steps; a list of such unfolds without end as soon as
it is printed or copied. No honest pickler writes any of these.
"""

from __future__ import annotations

from math import prod

from tidegate.scanners.pickle.opcodes import Number
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import Global, Items, Value, tuple_args

_MUCH = 1 << 31
_MANY_STEPS = 20_000_000
_SLACK = 1 << 20
_ENDLESS = 1 << 44
_ALLOCATING = frozenset({"builtins.bytes", "builtins.bytearray", "builtins.range"})
_RECONSTRUCTING = frozenset(
    {"numpy._core.multiarray._reconstruct", "numpy.core.multiarray._reconstruct"}
)
_RULE = "PICKLE-EXHAUST"


def note_index(trace: Trace, index: int, memoized: int, offset: int) -> None:
    """Hold a memo index that is far ahead of the number of things memoized."""
    if index > 2 * memoized + _SLACK:
        message = f"The pickle sets entry {index} of the memo, which has {memoized}."
        trace.note(_RULE, offset, message, "memo")


def note_call(trace: Trace, callee: Global, args: Value, offset: int) -> None:
    """Hold a call that makes something of very great length."""
    values = tuple_args(args)
    if values is None:
        return
    if callee.path in _ALLOCATING and any(_is_much(value) for value in values):
        trace.note(_RULE, offset, f"{callee.path} is called with a very great length.", callee.path)
    elif callee.path in _RECONSTRUCTING and len(values) > 1:
        shape = tuple_args(values[1]) or []
        sides = [value for value in shape if isinstance(value, int)]
        if any(isinstance(value, Number) for value in shape) or prod(sides) > _MUCH:
            trace.note(_RULE, offset, "The pickle makes an array of very great size.", callee.path)


def note_key(trace: Trace, key: Value, offset: int) -> None:
    """Hold a key that takes very many steps to hash, because its parts are shared."""
    if isinstance(key, Items) and key.steps > _MANY_STEPS:
        message = "The pickle uses a key that takes very long to hash."
        trace.note(_RULE, offset, message, "key")


def note_size(trace: Trace, made: Items, offset: int) -> None:
    """Hold a container that nobody could print, copy or save, because its parts are shared."""
    if made.steps > _ENDLESS:
        message = "The pickle's values refer to each other so that they unfold without end."
        trace.note(_RULE, offset, message, "unfolds")


def _is_much(value: Value) -> bool:
    return isinstance(value, Number) or (isinstance(value, int) and abs(value) > _MUCH)
