"""A pickle as data: containers, constants, and tensors described by their storages.

Only what torch writes for tensors is understood; whatever else is named or called becomes an
`Opaque` value that says what it is. An opaque value may stand beside a state dict (a checkpoint
has its optimizer's settings and more); inside one it is refused.

The reading is iterative, and bounded by the size of the pickle, since nothing is ever multiplied.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.scanners.torch_tensors.dtypes import ALIASES, DTYPES, STORAGES, DType

MAX_PICKLE = 256 << 20


class BrokenPickleError(ValueError):
    """The pickle can't be read as data; the message says why, "its pickle …"."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of bytes in the file. `count` is in elements of `dtype`; None is untyped bytes."""

    key: str
    dtype: DType | None
    count: int
    first: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """Elements of a storage: `offset` and `stride` count elements."""

    storage: Storage
    dtype: DType
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(slots=True)
class Opaque:
    """Something that is not understood; `what` names it for a person."""

    what: str


@dataclass(frozen=True, slots=True)
class _Global:
    path: str


@dataclass(slots=True)
class Dict:
    """A dict, whose keys may be any constants."""

    items: dict[Any, Any] = field(default_factory=dict)


class _Mark:
    pass


_MARK = _Mark()
_CONSTANTS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
     "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING",
     "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)  # fmt: skip
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True, slots=True)
class Read:
    """What a pickle describes, where it ends, and the element size of each storage in it."""

    value: Any
    end: int
    storages: Mapping[str, int]


def read_pickle(data: bytes) -> Read:
    """Read the first pickle in `data`.

    Raises:
        BrokenPickleError: it is broken.
    """
    reader = _Reader()
    try:
        for opcode, argument, position in pickletools.genops(io.BytesIO(data)):
            if opcode.name == "STOP":
                return Read(reader.pop(), (position or 0) + 1, reader.storages)
            reader.step(opcode.name, argument)
    except (ValueError, KeyError, IndexError, OverflowError, UnicodeError, EOFError) as error:
        raise BrokenPickleError(f"its pickle is broken: {str(error)[:120]}") from None
    raise BrokenPickleError("its pickle breaks off")


class _Reader:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.storages: dict[str, int] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise BrokenPickleError("its pickle is broken: a mark stands where a value should")
        return value

    def top(self) -> Any:
        value = self.stack[-1]
        if value is _MARK:
            raise BrokenPickleError("its pickle is broken: a mark stands where a value should")
        return value

    def to_mark(self) -> list[Any]:
        values = []
        while (value := self.stack.pop()) is not _MARK:
            values.append(value)
        values.reverse()
        return values

    def step(self, name: str, argument: Any) -> None:
        """Do what one opcode says."""
        push = self.stack.append
        if name in _CONSTANTS:
            push(argument)
        elif name in _FIXED:
            push(_FIXED[name])
        elif name in _TUPLES:
            count = _TUPLES[name]
            values = [self.pop() for _ in range(count)]
            push(tuple(reversed(values)))
        elif (handler := _HANDLERS.get(name)) is not None:
            handler(self, argument)
        elif name not in {"PROTO", "FRAME", "READONLY_BUFFER"}:
            raise BrokenPickleError(f"its pickle has the opcode {name}, which no state dict needs")

    def put(self, key: Any) -> None:
        self._memo[len(self._memo) if key is None else int(key)] = self.top()

    def get(self, key: Any) -> None:
        self.stack.append(self._memo[int(key)])

    def set_items(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise BrokenPickleError("its pickle is broken: a key has no value")
        target = self.top()
        if not isinstance(target, Dict):
            return
        for key, value in zip(values[::2], values[1::2], strict=True):
            plain = isinstance(key, str | int | float | bytes | bool) or key is None
            # A key that can't be told is kept apart from all others.
            target.items[key if plain else ("opaque key", len(target.items))] = value

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)

    def call(self, callee: Any, args: Any) -> None:
        path = callee.path if isinstance(callee, _Global) else ""
        maker = _MAKERS.get(path)
        if maker is None or not isinstance(args, tuple):
            what = path or (callee.what if isinstance(callee, Opaque) else "a computed value")
            self.stack.append(Opaque(what))
        else:
            self.stack.append(maker(args))


def _persistent(reader: _Reader, _: Any) -> None:
    saved = reader.pop()
    if (
        not isinstance(saved, tuple)
        or len(saved) not in {5, 6}
        or saved[0] not in ("storage", b"storage")
        or not isinstance(saved[2], str)
        or not _is_count(saved[4])
    ):
        reader.stack.append(Opaque("a persistent id that is no storage"))
        return
    path = saved[1].path if isinstance(saved[1], _Global) else ""
    module, _, name = path.rpartition(".")
    first, count = 0, saved[4]
    if len(saved) == 6 and saved[5] is not None:
        view = saved[5]
        if not (isinstance(view, tuple) and len(view) == 3 and all(map(_is_count, view[1:]))):
            reader.stack.append(Opaque("a view of a storage that can't be told"))
            return
        first = view[1]
    if path in {"torch.storage.UntypedStorage", "torch.UntypedStorage"}:
        _push_storage(reader, Storage(saved[2], None, count, first))
    elif module in {"torch", "torch.storage", "torch.cuda"} and name in STORAGES:
        _push_storage(reader, Storage(saved[2], DTYPES[STORAGES[name]], count, first))
    else:
        reader.stack.append(Opaque(f"a storage of the type {path or 'that is none'}"))


def _push_storage(reader: _Reader, storage: Storage) -> None:
    reader.storages[storage.key] = storage.dtype.size if storage.dtype is not None else 1
    reader.stack.append(storage)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62


def _is_counts(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= 64 and all(map(_is_count, value))


def _tensor(args: tuple[Any, ...]) -> Any:
    """_rebuild_tensor(storage, offset, size, stride), or the same with more behind it."""
    if (
        len(args) < 4
        or not isinstance(args[0], Storage)
        or not _is_count(args[1])
        or not (_is_counts(args[2]) and _is_counts(args[3]) and len(args[2]) == len(args[3]))
    ):
        inner = args[0].what if args and isinstance(args[0], Opaque) else "parts that can't be told"
        return Opaque(f"a tensor made of {inner}")
    dtype = args[0].dtype
    if dtype is None:
        return Opaque("a tensor without a type")
    return Tensor(args[0], dtype, args[1], args[2], args[3])


def _tensor_v2(args: tuple[Any, ...]) -> Any:
    """The same, with requires_grad, hooks, and perhaps metadata: math bits that flip signs."""
    if len(args) > 6 and not (args[6] is None or (isinstance(args[6], Dict) and not args[6].items)):
        return Opaque("a tensor with metadata (a conjugated or negated view)")
    return _tensor(args)


def _tensor_v3(args: tuple[Any, ...]) -> Any:
    """The same over untyped bytes, with the type behind the hooks."""
    if len(args) < 7 or not isinstance(args[6], DType) or not isinstance(args[0], Storage):
        return Opaque("a tensor without a type")
    if len(args) > 7 and not (args[7] is None or (isinstance(args[7], Dict) and not args[7].items)):
        return Opaque("a tensor with metadata (a conjugated or negated view)")
    dtype, untyped = args[6], args[0]
    unit = untyped.dtype.size if untyped.dtype is not None else 1
    if (untyped.count * unit) % dtype.size:
        return Opaque("a tensor over bytes that do not make whole elements")
    storage = Storage(untyped.key, dtype, untyped.count * unit // dtype.size, untyped.first)
    return _tensor((storage, *args[1:4]))


def _parameter(args: tuple[Any, ...]) -> Any:
    return args[0] if args else Opaque("a parameter without data")


def _dict(args: tuple[Any, ...]) -> Any:
    return Opaque("a dict that is given its content in a call") if args else Dict()


def _size(args: tuple[Any, ...]) -> Any:
    return args[0] if len(args) == 1 and isinstance(args[0], tuple) else Opaque("torch.Size")


_MAKERS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.nn.parameter.Parameter": _parameter,
    "collections.OrderedDict": _dict,
    "builtins.dict": _dict,
    "torch.Size": _size,
}


def _global(module: Any, name: Any) -> Any:
    if not isinstance(module, str) or not isinstance(name, str):
        return Opaque("a name that is computed")
    if module == "torch" and ALIASES.get(name, name) in DTYPES:
        return DTYPES[ALIASES.get(name, name)]
    return _Global(f"{module}.{name}")


def _named(reader: _Reader, argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    reader.stack.append(_global(module, name))


def _stack_global(reader: _Reader, _: Any) -> None:
    name, module = reader.pop(), reader.pop()
    reader.stack.append(_global(module, name))


def _reduce(reader: _Reader, _: Any) -> None:
    args, callee = reader.pop(), reader.pop()
    reader.call(callee, args)


def _new(reader: _Reader, _: Any) -> None:
    args, callee = reader.pop(), reader.pop()
    path = callee.path if isinstance(callee, _Global) else "a computed class"
    if path == "collections.OrderedDict" and args == ():
        reader.stack.append(Dict())
    else:
        reader.stack.append(Opaque(path))


def _new_ex(reader: _Reader, _: Any) -> None:
    reader.pop()
    _new(reader, None)


def _object(reader: _Reader, _: Any) -> None:
    values = reader.to_mark()
    callee = values[0] if values else None
    reader.stack.append(Opaque(callee.path if isinstance(callee, _Global) else "a computed class"))


def _instance(reader: _Reader, argument: Any) -> None:
    reader.to_mark()
    reader.stack.append(Opaque(str(argument).replace(" ", ".")))


def _build(reader: _Reader, _: Any) -> None:
    """A state: of a dict it is attributes such as `_metadata`, of anything else it is opaque."""
    reader.pop()


def _made_dict(reader: _Reader, _: Any) -> None:
    values = reader.to_mark()
    reader.stack.append(Dict())
    reader.set_items(values)


def _one_item(reader: _Reader, _: Any) -> None:
    value, key = reader.pop(), reader.pop()
    reader.set_items([key, value])


def _one(reader: _Reader, _: Any) -> None:
    value = reader.pop()
    reader.append([value])


def _pop(reader: _Reader, _: Any) -> None:
    """Take one value away, or a mark, as an unpickler does."""
    reader.stack.pop()


def _pop_mark(reader: _Reader, _: Any) -> None:
    reader.to_mark()


def _frozen_set(reader: _Reader, _: Any) -> None:
    reader.to_mark()
    reader.stack.append(Opaque("a set"))


def _opaque(what: str) -> Callable[[_Reader, Any], None]:
    return lambda reader, _: reader.stack.append(Opaque(what))


_HANDLERS: dict[str, Callable[[_Reader, Any], None]] = {
    "MARK": lambda reader, _: reader.stack.append(_MARK),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": lambda reader, _: reader.stack.append(reader.top()),
    "EMPTY_DICT": lambda reader, _: reader.stack.append(Dict()),
    "EMPTY_LIST": lambda reader, _: reader.stack.append([]),
    "EMPTY_SET": _opaque("a set"),
    "FROZENSET": _frozen_set,
    "ADDITEMS": _pop_mark,
    "TUPLE": lambda reader, _: reader.stack.append(tuple(reader.to_mark())),
    "LIST": lambda reader, _: reader.stack.append(reader.to_mark()),
    "DICT": _made_dict,
    "SETITEM": _one_item,
    "SETITEMS": lambda reader, _: reader.set_items(reader.to_mark()),
    "APPEND": _one,
    "APPENDS": lambda reader, _: reader.append(reader.to_mark()),
    "PUT": _Reader.put,
    "BINPUT": _Reader.put,
    "LONG_BINPUT": _Reader.put,
    "MEMOIZE": _Reader.put,
    "GET": _Reader.get,
    "BINGET": _Reader.get,
    "LONG_BINGET": _Reader.get,
    "GLOBAL": _named,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _new,
    "NEWOBJ_EX": _new_ex,
    "OBJ": _object,
    "INST": _instance,
    "BUILD": _build,
    "BINPERSID": _persistent,
    "PERSID": _opaque("a persistent id that is no storage"),
    "EXT1": _opaque("a copyreg extension"),
    "EXT2": _opaque("a copyreg extension"),
    "EXT4": _opaque("a copyreg extension"),
    "NEXT_BUFFER": _opaque("an out-of-band buffer"),
}
