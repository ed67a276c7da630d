"""What a call in a pickle comes to, as far as constants tell.

The machine hands every REDUCE, NEWOBJ, INST and OBJ to `call`. Three things are done with it:
the callable's use is recorded; what an allowed callable would itself make or call of its
arguments is recorded too; and the well-known ways of hiding a callable behind another one
(getattr, attrgetter, methodcaller, partial, import functions) are followed, so that a person
reads what is really called. Following is a courtesy: such a pickle is held with or without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tidegate.scanners.bytecode import CodeFacts, UnreadableCodeError, read_marshalled
from tidegate.scanners.bytecode.marshal_data import MAX_MARSHALLED
from tidegate.scanners.callables import Standing, Use, judge
from tidegate.scanners.pickle import code_objects, exhaust, honest_calls, running_code
from tidegate.scanners.pickle.objects import kind_of, note_state
from tidegate.scanners.pickle.opcodes import Encoding, Number, Text
from tidegate.scanners.pickle.source import Break
from tidegate.scanners.pickle.trace import Trace, is_torch_file
from tidegate.scanners.pickle.values import (
    Call,
    Global,
    Items,
    Module,
    Unknown,
    Value,
    new_call,
    show,
    show_args,
    tuple_args,
)

_LATIN1 = frozenset({"latin1", "latin-1", "iso-8859-1"})
_SEARCHED_VALUES = 200
_TORCH_STORAGE = "torch.storage._load_from_bytes"


def call(trace: Trace, callee: Value, args: Value, offset: int, use: Use = Use.CALL) -> Value:
    """Record that `callee` is called (or made) with `args`, and say what comes of it."""
    if isinstance(callee, Global):
        fetched = _allowed_attribute(trace, callee, args, offset)
        if fetched is not None:
            return fetched
        if callee.path == _TORCH_STORAGE and _is_read_torch_file(trace, args):
            trace.excuse(callee)
            return new_call(callee, args, offset)
        rebuilt = code_objects.rebuilt(trace, callee, args, offset)
        if rebuilt is None:
            rebuilt = honest_calls.excused(trace, callee, args, offset)
        if rebuilt is not None:
            return rebuilt
        trace.use(callee, use, args, offset)
        exhaust.note_call(trace, callee, args, offset)
        _use_arguments(trace, callee, args, offset)
        if use is Use.MAKE:
            return new_call(callee, args, offset, made=True)
        return _result(trace, callee, args, offset)
    if callee is None or isinstance(
        callee, bool | int | float | str | bytes | Text | Number | Items
    ):
        raise Break("a constant is called as if it were a function", offset)
    if not running_code.note_call(trace, callee, offset, use):
        _note_hidden(trace, callee, args, offset)
    return new_call(callee, args, offset, made=use is Use.MAKE)


def _is_read_torch_file(trace: Trace, args: Value) -> bool:
    """True for the one argument that torch pickles a storage with, where it was read as a file."""
    values = tuple_args(args)
    if values is None or len(values) != 1:
        return False
    data = values[0]
    if isinstance(data, Call) and isinstance(data.callee, Global):
        encoded = tuple_args(data.args)
        if data.callee.path != "_codecs.encode" or not encoded or len(encoded) != 2:
            return False
        if not _is_latin1(encoded[1]):
            return False
        data = encoded[0]
    if isinstance(data, Text):
        return data.offset in trace.torch_files
    return isinstance(data, bytes) and trace.examine is not None and is_torch_file(data)


def import_name(trace: Trace, module: str, name: str, offset: int) -> Global:
    """`name` of `module`, recorded."""
    found = Global(module, name, judge(module, name), offset)
    trace.name(found)
    return found


def _use_arguments(trace: Trace, callee: Global, args: Value, offset: int) -> None:
    """Record what the callable does with callables that it is given."""
    judgement = callee.judgement
    special = _SPECIAL.get(callee.path)
    if special is not None:
        special(trace, callee, args, offset)
    elif judgement.gives is Use.MAKE:
        _make_first(trace, callee, args, offset)
    elif judgement.gives is not None:
        running_code.note_given(trace, callee, tuple_args(args) or [], offset)
        for value in _known_arguments(trace, callee, args, offset):
            if honest_calls.is_callable_value(value):
                _note_hidden(trace, value, Items("tuple"), offset)
            if isinstance(value, Global):
                trace.use(value, judgement.gives, args, offset, by=callee)
    elif judgement.standing is Standing.DANGEROUS and judgement.reach == "indirect":
        for value in _globals_in(args):
            trace.use(value, Use.CALL, args, offset, by=callee)


def _known_arguments(trace: Trace, callee: Global, args: Value, offset: int) -> list[Value]:
    """The arguments; where one of them can't be known, that is held."""
    values = tuple_args(args)
    if values is None or any(isinstance(value, Unknown) for value in values):
        _note_unknown(trace, callee, offset)
    return values or []


def _note_unknown(trace: Trace, callee: Global, offset: int) -> None:
    trace.note(
        "PICKLE-INDIRECT",
        offset,
        f"{callee.path} is called with a class that can't be known before loading.",
        callee.path,
    )


def _make_first(trace: Trace, callee: Global, args: Value, offset: int) -> None:
    """A function that makes an object of the class that is its first argument, by `__new__`."""
    values = _known_arguments(trace, callee, args, offset)
    for value in values:
        if isinstance(value, Global):
            trace.use(value, Use.MAKE, args, offset, by=callee)
    if values and not isinstance(values[0], Global):
        if running_code.note_call(trace, values[0], offset, Use.MAKE):
            return
        _note_unknown(trace, callee, offset)


def _reconstructor(trace: Trace, callee: Global, args: Value, offset: int) -> None:
    """copyreg._reconstructor(cls, base, state): base.__new__(cls, state), base.__init__(…)."""
    _make_first(trace, callee, args, offset)
    for value in (tuple_args(args) or [])[1:]:
        if isinstance(value, Global) and value.path != "builtins.object":
            trace.use(value, Use.CALL, args, offset, by=callee)


def _encode(trace: Trace, callee: Global, args: Value, offset: int) -> None:
    """_codecs.encode(text, codec): protocol 2 writes bytes so, always as latin1."""
    values = tuple_args(args)
    if values is None or len(values) != 2 or not _is_latin1(values[1]):
        trace.note(
            "PICKLE-UNLISTED-GLOBAL",
            offset,
            f"{_text(callee, args)} names a codec other than latin1; codecs are code that is"
            " looked up by name.",
            callee.path,
        )


def _is_latin1(value: Value) -> bool:
    return isinstance(value, str) and value.lower() in _LATIN1


def _from_type(trace: Trace, callee: Global, args: Value, offset: int) -> None:
    """torch._tensor._rebuild_from_type_v2(function, type, args, state): function(*args) + state."""
    values = tuple_args(args)
    if values is None or len(values) != 4 or not isinstance(values[0], Global):
        _note_unknown(trace, callee, offset)
        return
    trace.use(values[0], Use.CALL, values[2], offset, by=callee)
    rebuilt = new_call(values[0], values[2], offset)
    state = values[3]
    if isinstance(state, Items) and state.kind == "tuple" and state.count == 2:
        attributes, slots = state.kept
        if slots is not None:
            note_state(trace, rebuilt, slots, offset)
        state = attributes
    if state is not None:
        note_state(trace, rebuilt, state, offset)


def _marshalled(trace: Trace, _callee: Global, args: Value, offset: int) -> None:
    """marshal.loads(bytes): what the code names is said beside the call, which is held anyway."""
    values = tuple_args(args)
    data = values[0] if values else None
    if isinstance(data, Text) and data.encoding is Encoding.RAW and data.length <= MAX_MARSHALLED:
        data = trace.read_text(data)
    if not isinstance(data, bytes):
        return
    try:
        for facts in read_marshalled(data):
            trace.code(facts, offset)
    except UnreadableCodeError as error:
        trace.code(CodeFacts("marshalled code", unreadable=str(error)), offset)


_SPECIAL: dict[str, Callable[[Trace, Global, Value, int], None]] = {
    "copyreg._reconstructor": _reconstructor,
    "copyreg.__newobj__": _make_first,
    "_codecs.encode": _encode,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "marshal.loads": _marshalled,
}


def _result(trace: Trace, callee: Global, args: Value, offset: int) -> Value:
    """The value of a call of a global, resolved where it is a constant."""
    values = tuple_args(args)
    first = values[0] if values else None
    if callee.path in _IMPORTERS and isinstance(first, str):
        return Module(first)
    if callee.path == "builtins.getattr" and values and len(values) > 1:
        return _attribute(trace, values[0], values[1], offset) or new_call(callee, args, offset)
    if callee.path == "_codecs.encode" and values and len(values) == 2 and _is_latin1(values[1]):
        return _encoded(first, callee, args, offset)
    return new_call(callee, args, offset)


_IMPORTERS = frozenset(
    {
        "builtins.__import__",
        "importlib.import_module",
        "importlib.__import__",
        "importlib._bootstrap._gcd_import",
        "cloudpickle.cloudpickle.subimport",
        "dill._dill._import_module",
    }
)


def _encoded(text: Value, callee: Global, args: Value, offset: int) -> Value:
    if isinstance(text, str):
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            # The codec would raise here; what follows is read all the same.
            return new_call(callee, args, offset)
    return new_call(callee, args, offset)


def _allowed_attribute(trace: Trace, callee: Global, args: Value, offset: int) -> Global | None:
    """What getattr fetches, where that is an exact entry of an allow-list.

    Pickles write ZoneInfo._unpickle so in every protocol, and the bound methods that some
    objects keep: those are fetched from an object of the class, and stand under its name.
    """
    values = tuple_args(args)
    if callee.path != "builtins.getattr" or values is None or len(values) != 2:
        return None
    owner, name = values
    if isinstance(owner, Call):
        owner = kind_of(owner) if _is_of_class(owner) else None
    if not isinstance(owner, Global) or not isinstance(name, str):
        return None
    if judge(owner.module, f"{owner.name}.{name}").standing is not Standing.ALLOWED:
        return None
    trace.excuse(callee)
    return import_name(trace, owner.module, f"{owner.name}.{name}", offset)


def _is_of_class(value: Call) -> bool:
    """True for an object that was made of a class, with no call of anything."""
    if value.made:
        return True
    return isinstance(value.callee, Global) and value.callee.path == "copyreg._reconstructor"


def _attribute(trace: Trace, owner: Value, name: Value, offset: int) -> Global | None:
    """getattr(owner, name) where both are known."""
    if not isinstance(name, str):
        return None
    if isinstance(owner, Module):
        return import_name(trace, owner.name, name, offset)
    if isinstance(owner, Global):
        return import_name(trace, owner.module, f"{owner.name}.{name}", offset)
    return None


def _note_hidden(trace: Trace, callee: Value, args: Value, offset: int) -> None:
    """Something computed is called: held, and followed where it is built of constants."""
    trace.note(
        "PICKLE-INDIRECT",
        offset,
        f"{show(callee)}{show_args(args)} calls something that is computed while loading.",
        _innermost_path(callee),
    )
    target = _target(trace, callee, args, offset)
    if target is not None:
        trace.use(target, Use.CALL, args, offset, by=callee)
    for value in _globals_in(args):
        if value.judgement.standing is Standing.DANGEROUS:
            trace.use(value, Use.CALL, args, offset, by=callee)


def _target(trace: Trace, callee: Value, args: Value, offset: int) -> Global | None:
    """What calling a partial, an attrgetter or a methodcaller really calls or fetches."""
    if not isinstance(callee, Call) or not isinstance(callee.callee, Global):
        return None
    made = tuple_args(callee.args)
    given = tuple_args(args)
    if not made:
        return None
    kind = callee.callee.name
    if kind in {"partial", "partialmethod"} and isinstance(made[0], Global):
        return made[0]
    if kind in {"attrgetter", "methodcaller"} and given:
        return _attribute(trace, given[0], made[0], offset)
    return None


def _innermost_path(callee: Value) -> str | None:
    while isinstance(callee, Call):
        callee = callee.callee
    return callee.path if isinstance(callee, Global) else None


def _globals_in(value: Value) -> Iterator[Global]:
    """The globals among a call's arguments, also inside containers and inner calls."""
    waiting, seen = [value], 0
    while waiting and seen < _SEARCHED_VALUES:
        current = waiting.pop()
        seen += 1
        if isinstance(current, Global):
            yield current
        elif isinstance(current, Items):
            waiting.extend(current.kept)
        elif isinstance(current, Call):
            waiting.extend((current.args, current.callee))


def _text(callee: Global, args: Value) -> str:
    return f"{callee.path}{show_args(args)}"
