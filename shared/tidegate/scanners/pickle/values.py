"""What stands on the symbolic stack.

Plain constants are themselves (None, bool, int, float, short str and bytes). All else is one of
the classes below. They say what a loader would have there, as far as the stream tells it:
nothing is ever built, imported or called.

Always holds: a value is bounded. A container keeps its first items and a count; a chain of
values inside values is cut at `MAX_DEPTH`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tidegate.scanners.callables import Judgement
from tidegate.scanners.pickle.opcodes import Number, Text

KEPT_ITEMS = 32
"""How many items a list keeps; and anything, once a stream has filled `KEPT_IN_ALL`."""
KEPT_MEMBERS = 4096
"""How many items a tuple, dict or set keeps: the parts of code objects and classes are these."""
KEPT_IN_ALL = 1_500_000
MAX_DEPTH = 40


@dataclass(slots=True)
class Global:
    """Something imported: `name` of `module`, dotted where it is an attribute of an attribute."""

    module: str
    name: str
    judgement: Judgement
    offset: int

    @property
    def path(self) -> str:
        """The path "module.name", as findings and policies write it."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Module:
    """A module object, from a constant call of an import function."""

    name: str


MAX_STEPS = 1 << 62


@dataclass(slots=True)
class Items:
    """A tuple, list, dict or set: its first items (a dict's keys and values in turn).

    `given` says that it already is the state of an object, which may have kept it. `types` has
    the data types of a dict's values past the kept ones, as long as each of those is a field of
    a structured data type: (numpy.dtype, offset). Tables have hundreds. `steps` is how many
    values its tuples of tuples come to where what is shared counts each time, up to `MAX_STEPS`;
    lists may hold themselves, and count once.
    """

    kind: str
    kept: list[Value] = field(default_factory=list)
    count: int = 0
    depth: int = 0
    odd_keys: list[Value] = field(default_factory=list)
    given: bool = False
    types: list[Value] | None = None
    mixed: bool = False
    steps: int = 0

    def add(self, values: Sequence[Value], limit: int = KEPT_ITEMS) -> None:
        """Put `values` in; past the first ones only their number is kept."""
        self.count += len(values)
        self.steps += len(values)
        room = limit - len(self.kept)
        if self.kind == "dict" and len(values) > room and not self.mixed:
            self._note_types(values[max(room, 0) :][1::2])
        if room > 0:
            for value in values[:room]:
                if type(value) in _FLAT:
                    self.kept.append(value)
                    self.depth = self.depth or 1
                    continue
                inner = depth_of(value)
                if isinstance(value, Items) and value.kind == "tuple":
                    self.steps = min(self.steps + value.steps, MAX_STEPS)
                if inner >= MAX_DEPTH:
                    self.kept.append(Unknown("nested too deep"))
                else:
                    self.kept.append(value)
                    self.depth = max(self.depth, inner + 1)

    def _note_types(self, values: Sequence[Value]) -> None:
        if self.types is None:
            self.types = []
        for value in values:
            dtype = value.kept[0] if isinstance(value, Items) and value.kept else None
            if not _is_field(value) or not isinstance(dtype, Call):
                self.types, self.mixed = None, True
                return
            self.types.append(dtype)

    @property
    def fields(self) -> list[Value] | None:
        """A dict's values, as (numpy.dtype, offset) or, past the kept ones, the data type alone.

        None where one of them can't be known.
        """
        if self.complete:
            return self.kept[1::2]
        if self.kind != "dict" or self.types is None or self.mixed:
            return None
        return [*self.kept[1::2], *self.types]

    @property
    def complete(self) -> bool:
        """True where no item was left out."""
        return self.count == len(self.kept)

    def lookup(self, key: str) -> Value:
        """A dict's value under a constant key, the last one set; `MISSING` where there is none."""
        for at in range(len(self.kept) - 2, -1, -2):
            if self.kept[at] == key and isinstance(self.kept[at], str):
                return self.kept[at + 1]
        return MISSING


@dataclass(slots=True, eq=False)
class Call:
    """What a call gives: `callee` with `args`; `state` collects what BUILD put into it.

    `made` says that it is an object of the class `callee`, made without a call. `odd_keys`,
    here and in `Items`, are the keys that would mean more than an attribute, were this a state:
    "__setstate__", or one that is computed. `recalled` says that it came onto the stack again
    after it was made, so something else may hold it; `given` is as in `Items`.
    `objects` is what `data_types` found of a numpy.dtype. `hooks` are the methods of a class of
    the pickle's own that run while an object of it is loaded.
    """

    callee: Value
    args: Value
    offset: int
    depth: int = 0
    made: bool = False
    state: list[Value] = field(default_factory=list)
    odd_keys: list[Value] = field(default_factory=list)
    recalled: bool = False
    given: bool = False
    objects: bool | None = None
    hooks: tuple[str, ...] = ()


def _is_field(value: Value) -> bool:
    """True for (numpy.dtype, offset), with a title or without one."""
    if not isinstance(value, Items) or value.kind != "tuple" or value.count not in (2, 3):
        return False
    dtype = value.kept[0]
    return (
        isinstance(dtype, Call)
        and isinstance(dtype.callee, Global)
        and dtype.callee.path == "numpy.dtype"
    )


@dataclass(slots=True)
class Persistent:
    """What the loading program makes of a persistent id."""

    id: Value


@dataclass(slots=True)
class Unknown:
    """A value that the stream alone does not tell."""

    why: str


Value = (
    None
    | bool
    | int
    | float
    | str
    | bytes
    | Text
    | Number
    | Global
    | Module
    | Items
    | Call
    | Persistent
    | Unknown
)

_FLAT = frozenset({str, float, int, bytes, bool, type(None)})
"""Types of values that have nothing inside them."""

MISSING = Unknown("not set")
FORGOTTEN = Unknown("memoized too long ago")


def depth_of(value: Value) -> int:
    """How deep values stand inside this one."""
    return value.depth if isinstance(value, Items | Call) else 0


def new_call(callee: Value, args: Value, offset: int, *, made: bool = False) -> Call:
    """A call whose depth is bounded."""
    if depth_of(callee) >= MAX_DEPTH:
        callee = Unknown("nested too deep")
    if depth_of(args) >= MAX_DEPTH:
        args = Unknown("nested too deep")
    return Call(callee, args, offset, 1 + max(depth_of(callee), depth_of(args)), made)


def items_of(kind: str, values: Sequence[Value], limit: int = KEPT_ITEMS) -> Items:
    """A container of `values`, of which it keeps `limit`."""
    made = Items(kind)
    made.add(values, limit)
    return made


def tuple_args(args: Value) -> list[Value] | None:
    """The arguments of a call one by one; None where they can't all be known."""
    if isinstance(args, Items) and args.complete:
        return args.kept
    return None


SHOWN = 80
SHOWN_ARGS = 6
_BRACKETS = {"tuple": ("(", ")"), "list": ("[", "]")}


def show(value: Value, depth: int = 0) -> str:
    """A value as a person may read it in a terminal: short, escaped, printable."""
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 128 else "a long number"
    if isinstance(value, str | bytes):
        return clip_repr(value)
    if isinstance(value, Text):
        return f"<{value.length} bytes at {value.offset}>"
    if isinstance(value, Global):
        return clip(value.path)
    if isinstance(value, Module):
        return f"<module {clip(value.name)}>"
    if isinstance(value, Items):
        opening, closing = _BRACKETS.get(value.kind, ("{", "}"))
        return opening + _show_all(value.kept, value.count, depth) + closing
    if isinstance(value, Call):
        if depth > 2:
            return "…"
        return f"{show(value.callee, depth + 1)}{show_args(value.args, depth + 1)}"
    return "…"


def show_args(args: Value, depth: int = 0) -> str:
    """The arguments of a call in round brackets."""
    if isinstance(args, Items):
        return f"({_show_all(args.kept, args.count, depth)})"
    return "(…)"


def _show_all(values: Iterable[Value], count: int, depth: int) -> str:
    if depth > 2:
        return "…"
    shown = [show(value, depth + 1) for value in list(values)[:SHOWN_ARGS]]
    if count > len(shown):
        shown.append("…")
    text = ", ".join(shown)
    return text if len(text) <= 4 * SHOWN else text[: 4 * SHOWN] + "…"


def clip_repr(value: str | bytes) -> str:
    """The literal of a string, cut short; whatever can't be printed is escaped."""
    return repr(value) if len(value) <= SHOWN else repr(value[:SHOWN]) + "…"


def clip(text: str) -> str:
    """A name, cut short; whatever can't be printed is escaped."""
    cut = text if len(text) <= 2 * SHOWN else text[: 2 * SHOWN] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
