"""Functions and classes that a pickle carries as byte code, as cloudpickle and dill write them.

cloudpickle takes a function apart: `types.CodeType` is called with the parts of its code,
`_make_function` with the code, `_function_setstate` with its globals; a class is made empty by
`_make_skeleton_class` and filled by `_class_setstate`. Each of these calls is looked at here: one
that is made as cloudpickle makes it is excused, and what the code itself can reach is noted in
the trace (`tidegate.scanners.bytecode` judges it). One that is made in any other way is not
excused, and so held.

Always holds: what is excused runs none of the code; whatever runs it while the pickle is loaded
(a made function is called, a class with hooks is made an instance of) is noted.
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.bytecode import (
    is_model_library,
    is_telling_attribute,
    module_concern,
)
from tidegate.scanners.callables import Standing, Use, is_known_module, judge
from tidegate.scanners.pickle.code_facts import ARGUMENTS, facts_of
from tidegate.scanners.pickle.opcodes import Text
from tidegate.scanners.pickle.running_code import (
    HOOKS,
    HOOKS_OF_SUBCLASSES,
    is_class,
    is_function,
    note_hooks,
    note_running,
    role_of,
    roles,
)
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import (
    Call,
    Global,
    Items,
    Module,
    Persistent,
    Unknown,
    Value,
    clip,
    new_call,
    tuple_args,
)

_CARRIERS = frozenset({"code", "class", "enumeration"})
_METACLASSES = frozenset({"builtins.type", "abc.ABCMeta", "enum.EnumMeta", "enum.EnumType"})

_Rebuilder = Callable[[Trace, Global, list[Value], int], Value]


def rebuilt(trace: Trace, callee: Global, args: Value, offset: int) -> Value | None:
    """What a call of one of the rebuilders gives; None where it is none, or not called honestly."""
    role = roles().get(callee.path)
    if role is None:
        return None
    values = tuple_args(args)
    if values is None:
        return None
    made = _REBUILDERS[role](trace, callee, values, offset)
    if isinstance(made, Unknown):
        return None
    trace.excuse(callee)
    trace.carries_code = trace.carries_code or role in _CARRIERS
    return new_call(callee, args, offset) if made is None else made


def _code(trace: Trace, _callee: Global, values: list[Value], offset: int) -> Value:
    """types.CodeType(…), by its 16 or 18 arguments; dill puts one or two in front."""
    while values and isinstance(values[0], bytes | Text) and len(values) > min(ARGUMENTS):
        values = values[1:]
    trace.code(facts_of(trace, values), offset)
    return None


def _raw_function(_trace: Trace, _callee: Global, _values: list[Value], _offset: int) -> Value:
    return Unknown("no honest exporter calls types.FunctionType")


def _builtin_type(trace: Trace, _callee: Global, values: list[Value], offset: int) -> Value:
    """What cloudpickle takes of the module `types` by name."""
    if len(values) == 1 and isinstance(values[0], str):
        found = Global("types", values[0], judge("types", values[0]), offset)
        trace.name(found)
        return found
    return Unknown("a type that can't be known")


def _function(_trace: Trace, _callee: Global, values: list[Value], _offset: int) -> Value:
    """_make_function(code, globals, name, defaults, closure)."""
    if len(values) < 2 or role_of(values[0]) != "code" or not _is_dict(values[1]):
        return Unknown("a function that can't be known")
    return None


def _function_state(_trace: Trace, _callee: Global, values: list[Value], _offset: int) -> Value:
    """_function_setstate(function, (attributes, members)): its globals, its closure, its names."""
    if len(values) != 2 or not is_function(values[0]):
        return Unknown("a state for something that is no function of the pickle's own")
    state = tuple_args(values[1])
    if state is None or len(state) != 2 or not all(_is_dict(part) for part in state):
        return Unknown("a state that can't be known")
    return None


def _class(trace: Trace, _callee: Global, values: list[Value], offset: int) -> Value:
    """_make_skeleton_class(metaclass, name, bases, members, id, extra)."""
    if len(values) < 4 or not isinstance(values[1], str) or not _is_dict(values[3]):
        return Unknown("a class that can't be known")
    metaclass, bases = values[0], tuple_args(values[2])
    if bases is None:
        return Unknown("bases that can't be known")
    made = new_call(_callee, _tuple_of(values), offset)
    for base in bases:
        if isinstance(base, Call) and is_class(base):
            note_hooks(trace, base, offset, HOOKS_OF_SUBCLASSES)
        elif not isinstance(base, Global):
            return Unknown("bases that can't be known")
    if isinstance(metaclass, Global):
        if metaclass.path in _METACLASSES:
            trace.excuse(metaclass)
        else:
            trace.use(metaclass, Use.CALL, values[2], offset, by=metaclass)
    elif isinstance(metaclass, Call) and is_class(metaclass):
        note_running(trace, metaclass, offset, "it makes a class, as its metaclass")
    else:
        return Unknown("a metaclass that can't be known")
    return _with_members(made, values[3])


def _enumeration(_trace: Trace, callee: Global, values: list[Value], offset: int) -> Value:
    """_make_skeleton_enum(bases, name, qualname, members, module, id, extra)."""
    bases = tuple_args(values[0]) if values else None
    if bases is None or len(values) < 4 or not isinstance(values[1], str):
        return Unknown("an enumeration that can't be known")
    plain = all(isinstance(one, Global) and one.module in {"enum", "builtins"} for one in bases)
    if not plain or not _is_dict(values[3]):
        return Unknown("an enumeration that can't be known")
    return new_call(callee, _tuple_of(values), offset)


def _class_state(trace: Trace, _callee: Global, values: list[Value], offset: int) -> Value:
    """_class_setstate(class, (members, slots)): each member is set on the class."""
    if len(values) != 2 or not isinstance(values[0], Call) or not is_class(values[0]):
        return Unknown("a state for something that is no class of the pickle's own")
    state = tuple_args(values[1])
    if state is None or len(state) != 2 or not _is_dict(state[0]):
        return Unknown("a state that can't be known")
    made = _with_members(values[0], state[0])
    if not isinstance(made, Call):
        return made
    keys = state[0].kept[::2] if isinstance(state[0], Items) else []
    if "_abc_impl" in keys and "register" in keys:
        note_running(trace, values[0], offset, "its register is called when the class is filled")
    return None


def _with_members(made: Call, members: Value) -> Value:
    """The class with the hooks among these members; each key must be known."""
    if not isinstance(members, Items) or not members.complete:
        return Unknown("members that can't be known")
    for key, value in zip(members.kept[::2], members.kept[1::2], strict=True):
        if not isinstance(key, str):
            return Unknown("members that can't be known")
        if key in HOOKS and not isinstance(value, Global):
            made.hooks = (*made.hooks, key)
    return made


def _cell(_trace: Trace, _callee: Global, values: list[Value], _offset: int) -> Value:
    return None if len(values) <= 1 else Unknown("a cell that can't be known")


def _plain(_trace: Trace, _callee: Global, values: list[Value], _offset: int) -> Value:
    """Makes a plain value of plain values, whatever they are."""
    bad = any(isinstance(value, Unknown | Persistent) for value in values)
    return Unknown("an argument that can't be known") if bad else None


def _submodule(trace: Trace, _callee: Global, values: list[Value], offset: int) -> Value:
    """subimport(name): a module that the code has among its globals."""
    if len(values) != 1 or not isinstance(values[0], str):
        return Unknown("a module that can't be known")
    name = values[0]
    if not all(part.isidentifier() for part in name.split(".")):
        return Unknown("a module that can't be known")
    concern = module_concern(name)
    if concern is not None:
        trace.note(
            "PICKLE-CODE-OBJECT",
            offset,
            f"The pickle carries byte code that uses the module {clip(name)}: {concern.reason}.",
            name,
        )
    elif not is_known_module(name):
        trace.note(
            "PICKLE-UNREVIEWED-CODE",
            offset,
            f"The pickle imports {clip(name)}, which belongs to no known package.",
            name,
        )
    trace.modules.add(name)
    return Module(name)


def _descriptor(trace: Trace, callee: Global, values: list[Value], _offset: int) -> Value:
    """property, classmethod, staticmethod, MethodType, around a function of the pickle's own."""
    functions = [value for value in values if is_function(value)]
    others = [
        value
        for value in values
        if not is_function(value) and not (value is None or isinstance(value, str | Text))
    ]
    if callee.path == "types.MethodType":
        bound = bool(values) and (is_function(values[0]) or _is_listed_method(trace, values))
        return None if bound else Unknown("another's method")
    return None if functions and not others else Unknown("another's function")


def _is_listed_method(trace: Trace, values: list[Value]) -> bool:
    """A method of a model library bound to an object; scipy's distributions keep such."""
    function, owner = values[0], values[1] if len(values) == 2 else None
    if not isinstance(function, Global) or not isinstance(owner, Call):
        return False
    if function.judgement.standing is Standing.ALLOWED:
        return True
    kind, _, method = function.name.rpartition(".")
    plain = kind.isidentifier() and not method.startswith("__") and not is_telling_attribute(method)
    known = function.judgement.standing is Standing.UNLISTED and is_model_library(function.module)
    of_known = isinstance(owner.callee, Global) and (
        owner.callee.judgement.standing is Standing.ALLOWED
    )
    if not (plain and known and of_known and kind[:1].lstrip("_").isupper()):
        return False
    trace.excuse(function)
    return True


def _generic(trace: Trace, callee: Global, values: list[Value], _offset: int) -> Value:
    """operator.getitem(typing.Dict, …), functools.reduce(operator.or_, …): an annotation."""
    first = values[0] if values else None
    if not isinstance(first, Global) or len(values) != 2:
        return Unknown("no annotation")
    if callee.name == "getitem":
        if first.module != "typing" or first.judgement.standing is Standing.DANGEROUS:
            return Unknown("no annotation")
        return None if _are_types(values[1]) else Unknown("no annotation")
    if first.path not in {"_operator.or_", "operator.or_"} or not _are_types(values[1]):
        return Unknown("no annotation")
    trace.excuse(first)
    return None


def _are_types(value: Value) -> bool:
    """Types as annotations name them: classes, None, literals, other annotations."""
    waiting, seen = [value], 0
    while waiting:
        current = waiting.pop()
        seen += 1
        if seen > 500:
            return False
        if isinstance(current, Items):
            if not current.complete or current.kind not in {"tuple", "list"}:
                return False
            waiting.extend(current.kept)
        elif isinstance(current, Call):
            path = current.callee.path if isinstance(current.callee, Global) else ""
            if not (is_class(current) or path in _ANNOTATIONS):
                return False
        elif isinstance(current, Global):
            if current.judgement.standing is Standing.DANGEROUS:
                return False
        elif not (current is None or isinstance(current, str | int | bytes)):
            return False
    return True


_ANNOTATIONS = frozenset(
    {
        "_operator.getitem",
        "_functools.reduce",
        "functools.reduce",
        "types.GenericAlias",
        "builtins.type",
        "typing.Union",
    }
)


def _type_of_constant(_trace: Trace, _callee: Global, values: list[Value], _offset: int) -> Value:
    """type(None), type(...), type(NotImplemented): how pickles write these three classes."""
    if len(values) != 1:
        return Unknown("a type that can't be known")
    only = values[0]
    named = isinstance(only, Global) and only.path in {
        "builtins.Ellipsis",
        "builtins.NotImplemented",
    }
    return None if only is None or named else Unknown("a type that can't be known")


_REBUILDERS: dict[str, _Rebuilder] = {
    "code": _code,
    "function": _function,
    "raw function": _raw_function,
    "dill function": _function,
    "function state": _function_state,
    "class": _class,
    "class state": _class_state,
    "enumeration": _enumeration,
    "cell": _cell,
    "plain": _plain,
    "builtin type": _builtin_type,
    "module": _submodule,
    "descriptor": _descriptor,
    "annotation": _generic,
    "type": _type_of_constant,
}


def _is_dict(value: Value) -> bool:
    """A dict that was filled key by key."""
    return isinstance(value, Items) and value.kind == "dict"


def _tuple_of(values: list[Value]) -> Items:
    made = Items("tuple")
    made.add(values)
    return made
