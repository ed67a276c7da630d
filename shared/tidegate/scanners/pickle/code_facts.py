"""The parts of a code object, as a pickle has them on its stack, read into `CodeFacts`.

Always holds: a part that is computed, or was not kept whole, makes the code unreadable.
"""

from __future__ import annotations

from dataclasses import replace

from tidegate.scanners.bytecode import CodeFacts, UnreadableCodeError, decode
from tidegate.scanners.bytecode.decoding import MAX_CODE, Tables
from tidegate.scanners.pickle.opcodes import Encoding, Text
from tidegate.scanners.pickle.running_code import role_of
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import (
    Call,
    Global,
    Items,
    Module,
    Persistent,
    Unknown,
    Value,
    tuple_args,
)

ARGUMENTS = frozenset({16, 18})
"""How many arguments types.CodeType takes: 16 before Python 3.11, 18 since."""
_MAX_CONSTANTS = 20_000


def facts_of(trace: Trace, values: list[Value]) -> CodeFacts:
    """What the code object made of these arguments of types.CodeType names."""
    late = 1 if len(values) == max(ARGUMENTS) else 0
    name = next((v for v in values[10:13] if isinstance(v, str) and "/" not in v), "<code>")
    if len(values) not in ARGUMENTS:
        return CodeFacts(name, unreadable=f"it is made of {len(values)} arguments")
    name = values[11] if isinstance(values[11], str) else name
    try:
        names, variables = _texts(values[8]), _texts(values[9])
        free, cells = _texts(values[-2]), _texts(values[-1])
        constants = values[7]
        if not isinstance(constants, Items) or constants.kind != "tuple":
            raise UnreadableCodeError("its constants can't be known")
        strings, long_strings = _strings(constants)
        tables = Tables(
            names=len(names),
            consts=constants.count,
            fast=len(variables) + late * (len(free) + len(cells)),
            derefs=len(free) + len(cells),
            watched=names.index("open") if "open" in names else -1,
        )
        roles = decode(_bytes(trace, values[6]), tables, len(values))
    except UnreadableCodeError as error:
        return CodeFacts(name, unreadable=str(error))

    modes = frozenset(v for v in (constants.kept[at] for at in roles.watched) if type(v) is str)
    return replace(roles.facts(name, names, strings, modes), long_strings=long_strings)


def _texts(value: Value) -> list[str]:
    values = tuple_args(value)
    if values is None or not all(isinstance(one, str) for one in values):
        raise UnreadableCodeError("its names can't be known")
    return [one for one in values if isinstance(one, str)]


def _bytes(trace: Trace, value: Value) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, Text) and value.encoding is Encoding.RAW and value.length <= MAX_CODE:
        raw = trace.read_text(value)
        if raw is not None:
            return raw
    raise UnreadableCodeError("its instructions can't be known")


def _strings(constants: Items) -> tuple[frozenset[str], bool]:
    """The short strings among the constants, and whether there are long ones."""
    strings: set[str] = set()
    long_strings, seen, waiting = False, 0, [constants]
    while waiting:
        current = waiting.pop()
        if not current.complete:
            raise UnreadableCodeError("it has more constants than can be kept")
        for value in current.kept:
            seen += 1
            if seen > _MAX_CONSTANTS:
                raise UnreadableCodeError("it has more constants than can be kept")
            if isinstance(value, str):
                strings.add(value)
            elif isinstance(value, Text):
                long_strings = True
            elif isinstance(value, Items):
                waiting.append(value)
            elif isinstance(value, Call):
                _check_constant(value, waiting)
            elif isinstance(value, Unknown | Persistent | Module):
                raise UnreadableCodeError("one of its constants can't be known")
    return frozenset(strings), long_strings


def _check_constant(value: Call, waiting: list[Items]) -> None:
    """Of calls, constants are nested code, frozen sets, slices, complex numbers, the Ellipsis."""
    path = value.callee.path if isinstance(value.callee, Global) else ""
    if role_of(value) == "code" or path in {"builtins.complex", "builtins.slice"}:
        return
    if path == "builtins.frozenset" and isinstance(value.args, Items):
        waiting.append(value.args)
        return
    raise UnreadableCodeError("one of its constants is computed")
