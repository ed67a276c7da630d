"""The opcodes that import, make, call and give state: those by which a pickle does anything.

Each function is one opcode's effect on a `Machine`: (machine, the opcode's offset, its operand).
What is imported or called is in the machine's trace when the function returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidegate.scanners.callables import Standing, Use, judge, python3_name
from tidegate.scanners.interface import Severity
from tidegate.scanners.pickle import arrays, calls, data_types, objects
from tidegate.scanners.pickle.opcodes import Number, Operand, Text
from tidegate.scanners.pickle.source import Break
from tidegate.scanners.pickle.stack_opcodes import Handler, refuse_change
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import (
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
from tidegate.scanners.torch_tensors.dtypes import DTYPES, STORAGES

if TYPE_CHECKING:
    from tidegate.scanners.pickle.machine import Machine

_STORAGE_PARTS = 5


def _import(machine: Machine, module: str, name: str, offset: int) -> Global:
    """What the loader would import; protocols below 3 go through the table of Python 2 names."""
    judgement = judge(module, name)
    mapped = _as_loaded(machine, module, name)
    if mapped != (module, name) and judgement.standing is not Standing.DANGEROUS:
        judgement = judge(*mapped)
    module, name = mapped
    found = Global(module, name, judgement, offset)
    machine.trace.name(found)
    return found


def _as_loaded(machine: Machine, module: str, name: str) -> tuple[str, str]:
    return python3_name(module, name) if machine.protocol < 3 else (module, name)


def _global(machine: Machine, offset: int, operand: Operand) -> None:
    if isinstance(operand, tuple):
        machine.stack.append(_import(machine, operand[0], operand[1], offset))


def _stack_global(machine: Machine, offset: int, _operand: Operand) -> None:
    name = machine.pop(offset)
    module = machine.pop(offset)
    if isinstance(module, str) and isinstance(name, str):
        if machine.second and arrays.is_doubtful(*_as_loaded(machine, module, name)):
            machine.doubt()
        machine.stack.append(_import(machine, module, name, offset))
    elif _may_be_text(machine, module) and _may_be_text(machine, name):
        machine.trace.named += 1
        machine.trace.note(
            "PICKLE-INDIRECT",
            offset,
            f"The pickle imports {show(name)} of {show(module)}: a name that is computed while"
            " loading, or too long to be one.",
        )
        machine.stack.append(Unknown("imported under a computed name"))
    else:
        raise Break("a name to import is no text", offset)


def _may_be_text(machine: Machine, value: Value) -> bool:
    if machine.second and isinstance(value, Call):
        return not value.made or show(value.callee) == "builtins.str"
    return isinstance(value, Call | Unknown | Persistent | str | Text)


def _instance(machine: Machine, offset: int, operand: Operand) -> None:
    """INST: names a class and makes it with all values above the mark."""
    if isinstance(operand, tuple):
        # The loader written in Python imports before it looks for the mark.
        callee = _import(machine, operand[0], operand[1], offset)
        values = machine.pop_mark(offset)
        machine.stack.append(_made(machine, callee, values, offset))


def _object(machine: Machine, offset: int, _operand: Operand) -> None:
    """OBJ: the same, with the class as the first value above the mark."""
    values = machine.pop_mark(offset)
    if not values:
        raise Break("an object is made of no class", offset)
    machine.stack.append(_made(machine, values[0], values[1:], offset))


def _made(machine: Machine, callee: Value, values: list[Value], offset: int) -> Value:
    # Without arguments a class is only made; with them, or where it is no class, it is called.
    use = Use.CALL if values else Use.MAKE
    return calls.call(machine.trace, callee, items_of("tuple", values), offset, use)


def _reduce(machine: Machine, offset: int, _operand: Operand) -> None:
    given = machine.pop(offset)
    callee = machine.pop(offset)
    if isinstance(callee, Global) and callee.module.startswith("__torch__"):
        # TorchScript's own pickler gives an enumeration its bare value, in no tuple.
        given = given if isinstance(given, Items) else items_of("tuple", [given])
    args = _arguments(given, offset)
    machine.stack.append(calls.call(machine.trace, callee, args, offset))


def _arguments(args: Value, offset: int) -> Value:
    """What a call is given; unpicklers written in Python take the items of whatever has some."""
    if args is None or isinstance(args, bool | int | float | Number | Module):
        raise Break("a call has arguments that are no tuple", offset)
    if isinstance(args, str | bytes):
        return items_of("tuple", list(args))
    if isinstance(args, Items) and args.kind != "tuple":
        if args.kind == "list":
            made = items_of("tuple", args.kept)
            made.count = args.count
            return made
        if args.kind == "dict" and args.complete:
            return items_of("tuple", args.kept[::2])
        return Unknown("the items of something unordered") if args.count else items_of("tuple", [])
    if isinstance(args, Text | Global):
        return Unknown("the items of something that is no tuple")
    return args


def _new_object(machine: Machine, offset: int, _operand: Operand) -> None:
    args = _arguments(machine.pop(offset), offset)
    callee = machine.pop(offset)
    machine.stack.append(calls.call(machine.trace, callee, args, offset, Use.MAKE))


def _new_object_with_keywords(machine: Machine, offset: int, _operand: Operand) -> None:
    keywords = machine.pop(offset)
    args = _arguments(machine.pop(offset), offset)
    callee = machine.pop(offset)
    if isinstance(keywords, Items) and keywords.kind != "dict":
        raise Break("an object is made with something that are no arguments", offset)
    machine.stack.append(calls.call(machine.trace, callee, args, offset, Use.MAKE))


def _build(machine: Machine, offset: int, _operand: Operand) -> None:
    """Give an object its state: its __setstate__, or its attributes one by one."""
    state = machine.pop(offset)
    target = machine.top(offset)
    if isinstance(target, Call):
        objects.note_state(machine.trace, target, state, offset)
        if len(target.state) < 8:
            target.state.append(state)
        data_types.check(machine.trace, target, offset)
        if not machine.second and arrays.is_wrapper(target):
            arrays.follow(machine, target, offset)
    elif isinstance(target, Global | Module | Unknown | Persistent):
        refuse_change(machine, target, offset)


def _extension(machine: Machine, offset: int, operand: Operand) -> None:
    machine.trace.named += 1
    machine.trace.note(
        "PICKLE-EXTENSION-CODE",
        offset,
        f"The pickle imports whatever the loading program registered as extension {operand!r}.",
        f"extension {operand!r}",
    )
    machine.stack.append(Unknown("an extension"))


def _persistent_line(machine: Machine, offset: int, operand: Operand) -> None:
    _persistent(machine, operand if isinstance(operand, str) else None, offset)


def _persistent_value(machine: Machine, offset: int, _operand: Operand) -> None:
    _persistent(machine, machine.pop(offset), offset)


def _persistent(machine: Machine, key: Value, offset: int) -> None:
    of_torch = isinstance(key, Items) and key.kind == "tuple" and key.kept[:1] == ["storage"]
    if of_torch and isinstance(key, Items):
        _note_storage(machine.trace, key.kept)
    machine.trace.note(
        "PICKLE-PERSISTENT-ID",
        offset,
        "The pickle refers to storages of a torch file."
        if of_torch
        else f"The pickle refers to {show(key)}, which the loading program resolves.",
        "storage" if of_torch else None,
        Severity.INFO if of_torch else None,
    )
    if isinstance(key, str) and "." in key:
        module, _, name = key.rpartition(".")
        judgement = judge(module, name)
        if judgement.standing is Standing.DANGEROUS and name.isidentifier():
            machine.trace.note(
                "PICKLE-INDIRECT",
                offset,
                f"The pickle refers to {show(key)} by a persistent id: {judgement.reason}.",
                key,
            )
    # Before 1.6, torch wrote the class of a module so, with its source; it loads as the class.
    of_class = isinstance(key, Items) and key.kind == "tuple" and key.kept[:1] == ["module"]
    if (
        of_class
        and isinstance(key, Items)
        and len(key.kept) > 1
        and isinstance(key.kept[1], Global)
    ):
        machine.trace.push_again(key.kept[1])
        machine.stack.append(key.kept[1])
        return
    machine.stack.append(Persistent(key))


def _note_storage(trace: Trace, parts: Sequence[Value]) -> None:
    """Keep the storage that torch names so: ("storage", class, key, device, number of elements)."""
    if len(parts) != _STORAGE_PARTS or not isinstance(parts[2], str):
        return
    kind, count = parts[1], parts[4]
    size = None
    if isinstance(kind, Global) and isinstance(count, int) and kind.module.startswith("torch"):
        dtype = DTYPES.get(STORAGES.get(kind.name, ""))
        width = 1 if kind.name == "UntypedStorage" else None if dtype is None else dtype.size
        size = None if width is None else count * width
    trace.storages[parts[2]] = size


HANDLERS: dict[str, Handler] = {
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _instance,
    "OBJ": _object,
    "REDUCE": _reduce,
    "NEWOBJ": _new_object,
    "NEWOBJ_EX": _new_object_with_keywords,
    "BUILD": _build,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), _extension),
    "PERSID": _persistent_line,
    "BINPERSID": _persistent_value,
}
