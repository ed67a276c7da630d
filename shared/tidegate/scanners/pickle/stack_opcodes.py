"""The opcodes that move values: stack, marks, memo, containers.

Each function is one opcode's effect on a `Machine`: (machine, the opcode's offset, its operand).
None of them imports or calls anything, but filling what is not the pickle's own is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tidegate.scanners.pickle import exhaust
from tidegate.scanners.pickle.honest_calls import is_callable_value
from tidegate.scanners.pickle.opcodes import Number, Operand, Text
from tidegate.scanners.pickle.running_code import note_filling
from tidegate.scanners.pickle.source import Break
from tidegate.scanners.pickle.states import KEYS_THAT_DECIDE, decides_code
from tidegate.scanners.pickle.values import (
    FORGOTTEN,
    Call,
    Global,
    Items,
    Module,
    Persistent,
    Unknown,
    Value,
    items_of,
    show,
)

if TYPE_CHECKING:
    from tidegate.scanners.pickle.machine import Machine

Handler = Callable[["Machine", int, Operand], None]

_KEPT_ODD_KEYS = 4
EXAMINED_FROM = 8
"""No pickle that names anything is shorter than this."""


def _push(machine: Machine, _offset: int, operand: Operand) -> None:
    machine.stack.append(operand)  # type: ignore[arg-type]  # name pairs have handlers of their own


def _push_string(machine: Machine, offset: int, operand: Operand) -> None:
    examine = machine.trace.examine
    if examine is not None and (
        isinstance(operand, Text)
        or (isinstance(operand, str | bytes) and len(operand) >= EXAMINED_FROM)
    ):
        examine(operand, offset)
    machine.stack.append(operand)  # type: ignore[arg-type]


def _constant(value: Value) -> Handler:
    def push(machine: Machine, _offset: int, _operand: Operand) -> None:
        machine.stack.append(value)

    return push


def _empty(kind: str) -> Handler:
    def push(machine: Machine, _offset: int, _operand: Operand) -> None:
        machine.stack.append(Items(kind))

    return push


def _from_mark(kind: str) -> Handler:
    def push(machine: Machine, offset: int, _operand: Operand) -> None:
        values = machine.pop_mark(offset)
        made = items_of(kind, values, machine.room(kind, len(values)))
        if kind == "dict":
            if len(values) % 2:
                raise Break("a dict has a key without a value", offset)
            _note_keys(made, values)
        exhaust.note_size(machine.trace, made, offset)
        machine.stack.append(made)

    return push


def _short_tuple(length: int) -> Handler:
    def push(machine: Machine, offset: int, _operand: Operand) -> None:
        stack = machine.stack
        if len(stack) < length:
            raise Break("an opcode takes a value that is not on the stack", offset)
        made = items_of("tuple", stack[-length:])
        exhaust.note_size(machine.trace, made, offset)
        del stack[-length:]
        stack.append(made)

    return push


def _note_keys(owner: Items | Call, values: list[Value]) -> None:
    """Remember the keys that would mean more than an attribute, were this dict a state."""
    for key, value in zip(values[::2], values[1::2], strict=True):
        if type(key) is str and key[:1] != "_" and key not in KEYS_THAT_DECIDE:
            continue
        if len(owner.odd_keys) < _KEPT_ODD_KEYS and decides_code(key, value):
            owner.odd_keys.append(key)


def _fill(machine: Machine, target: Value, values: list[Value], offset: int) -> None:
    """Put values into what a list, set or other object with append, extend or add is."""
    if isinstance(target, Items):
        target.add(values, machine.room(target.kind, len(values)))
    elif values:
        refuse_change(machine, target, offset)


def _fill_pairs(machine: Machine, target: Value, values: list[Value], offset: int) -> None:
    if len(values) % 2:
        raise Break("a dict gets a key without a value", offset)
    if isinstance(target, Items | Call):
        _note_keys(target, values)
        for key in values[::2]:
            exhaust.note_key(machine.trace, key, offset)
        if target.given and values:
            machine.trace.note(
                "PICKLE-INDIRECT",
                offset,
                "The pickle changes an object's state after the object has taken it.",
            )
    if isinstance(target, Items):
        target.add(values, machine.room(target.kind, len(values)))
    elif values:
        refuse_change(machine, target, offset)


def refuse_change(machine: Machine, target: Value, offset: int) -> None:
    """What is imported is shared by the whole program; an honest pickle changes its own objects."""
    if isinstance(target, Global | Module):
        machine.trace.note(
            "PICKLE-INDIRECT",
            offset,
            f"The pickle changes {show(target)} itself, not an object of its own.",
            target.path if isinstance(target, Global) else target.name,
        )
    elif isinstance(target, Call) and not is_callable_value(target):
        note_filling(machine.trace, target, offset)
    elif isinstance(target, Call | Persistent | Unknown):
        machine.trace.note(
            "PICKLE-INDIRECT",
            offset,
            "The pickle changes an object that can't be known before loading.",
        )


def _append(machine: Machine, offset: int, _operand: Operand) -> None:
    value = machine.pop(offset)
    _fill(machine, machine.top(offset), [value], offset)


def _append_all(machine: Machine, offset: int, _operand: Operand) -> None:
    values = machine.pop_mark(offset)
    target = machine.top(offset)
    if isinstance(target, Items) and target.kind == "set":
        for value in values:
            exhaust.note_key(machine.trace, value, offset)
    _fill(machine, target, values, offset)


def _set_item(machine: Machine, offset: int, _operand: Operand) -> None:
    value = machine.pop(offset)
    key = machine.pop(offset)
    _fill_pairs(machine, machine.top(offset), [key, value], offset)


def _set_items(machine: Machine, offset: int, _operand: Operand) -> None:
    values = machine.pop_mark(offset)
    _fill_pairs(machine, machine.top(offset), values, offset)


def _mark(machine: Machine, _offset: int, _operand: Operand) -> None:
    machine.push_mark()


def _pop(machine: Machine, offset: int, _operand: Operand) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark(offset)


def _pop_mark(machine: Machine, offset: int, _operand: Operand) -> None:
    machine.pop_mark(offset)


def _duplicate(machine: Machine, offset: int, _operand: Operand) -> None:
    _push_again(machine, machine.top(offset))


def _push_again(machine: Machine, value: Value) -> None:
    machine.trace.push_again(value)
    if isinstance(value, Call):
        value.recalled = True
    machine.stack.append(value)


def _stop(machine: Machine, offset: int, _operand: Operand) -> None:
    machine.result = machine.pop(offset)


def _protocol(machine: Machine, offset: int, operand: Operand) -> None:
    if not isinstance(operand, int) or operand > 5:
        raise Break(f"there is no pickle protocol {operand!r}", offset)
    machine.protocol = operand


def _frame(machine: Machine, _offset: int, operand: Operand) -> None:
    if isinstance(operand, int):
        machine.frame_end = machine.source.offset + operand


def _put(machine: Machine, offset: int, operand: Operand) -> None:
    if isinstance(operand, Number):
        machine.top(offset)
        machine.memo.put_somewhere()
        return
    if not isinstance(operand, int) or operand < 0:
        raise Break("a memo index is negative", offset)
    exhaust.note_index(machine.trace, operand, len(machine.memo), offset)
    machine.memo.put(operand, machine.top(offset))


def _memoize(machine: Machine, offset: int, _operand: Operand) -> None:
    machine.memo.put(len(machine.memo), machine.top(offset))


def _get(machine: Machine, offset: int, operand: Operand) -> None:
    if isinstance(operand, Number):
        machine.stack.append(FORGOTTEN)
        return
    try:
        value = machine.memo.get(operand if isinstance(operand, int) else -1)
    except KeyError:
        raise Break(f"nothing is memoized under {operand!r}", offset) from None
    _push_again(machine, value)


def _next_buffer(machine: Machine, _offset: int, _operand: Operand) -> None:
    machine.stack.append(Unknown("a buffer from outside the stream"))


def _nothing(_machine: Machine, _offset: int, _operand: Operand) -> None:
    """READONLY_BUFFER: makes a view of what is on the stack."""


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(
        ("FLOAT", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "BINFLOAT"),
        _push,
    ),
    **dict.fromkeys(
        ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
        _push_string,
    ),
    **dict.fromkeys(
        ("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"), _push_string
    ),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_LIST": _empty("list"),
    "EMPTY_DICT": _empty("dict"),
    "EMPTY_TUPLE": _empty("tuple"),
    "EMPTY_SET": _empty("set"),
    "LIST": _from_mark("list"),
    "DICT": _from_mark("dict"),
    "TUPLE": _from_mark("tuple"),
    "FROZENSET": _from_mark("set"),
    "TUPLE1": _short_tuple(1),
    "TUPLE2": _short_tuple(2),
    "TUPLE3": _short_tuple(3),
    "APPEND": _append,
    "APPENDS": _append_all,
    "ADDITEMS": _append_all,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _duplicate,
    "STOP": _stop,
    "PROTO": _protocol,
    "FRAME": _frame,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    "MEMOIZE": _memoize,
    "NEXT_BUFFER": _next_buffer,
    "READONLY_BUFFER": _nothing,
}
