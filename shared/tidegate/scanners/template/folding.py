"""The values that a template's own constants come to: what `'__cl' ~ 'ass__'` really names.

Folding follows variables, namespaces and loops over lists without regard to the order of
statements, so a name may come to several values. Always holds: nothing grows beyond small
bounds; what can't be worked out is left out, and `is_built` says of an expression that its text
is put together all the same.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import nodes

_MAX_VALUES = 32
_MAX_TEXT = 4096
_MAX_STEPS = 5_000
_MAX_STEPS_IN_ALL = 2_000_000
_FORMAT = re.compile(r"%[-+ #0]*\d{0,3}(?:\.\d{1,3})?([sdcrxX%])")
_BUILDING_FILTERS = frozenset({"format", "join", "replace", "reverse", "urlencode", "batch"})
_BUILDING_METHODS = frozenset(
    {"format", "join", "replace", "zfill", "ljust", "rjust", "center", "removeprefix",
     "removesuffix", "partition", "rpartition", "expandtabs"}
)  # fmt: skip
_CUTTING = frozenset(
    {"strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "center", "ljust", "rjust",
     "zfill", "partition", "rpartition", "rsplit", "splitlines", "expandtabs"}
)  # fmt: skip
"""Methods of texts that give texts, with bounded arguments."""
_CASES: dict[str, Callable[[str], str]] = {
    "lower": str.lower, "upper": str.upper, "trim": str.strip, "strip": str.strip,
    "string": str, "safe": str, "escape": str, "e": str, "capitalize": str.capitalize,
    "title": str.title, "casefold": str.casefold, "swapcase": str.swapcase,
}  # fmt: skip

Value = Any
"""A text, a number, or a tuple of such."""


class Folder:
    """The values of one template's expressions."""

    def __init__(self, root: nodes.Template) -> None:
        self._assigned: dict[str, list[nodes.Node]] = {}
        self._items: dict[str, list[nodes.Node]] = {}
        self._steps = self._steps_in_all = 0
        self.complete = True
        for assign in root.find_all(nodes.Assign):
            self._note(assign.target, assign.node)
        for block in root.find_all(nodes.AssignBlock):
            self._note(block.target, nodes.Output(list(block.body)))
        for loop in root.find_all(nodes.For):
            if isinstance(loop.target, nodes.Name):
                self._items.setdefault(loop.target.name, []).append(loop.iter)

    def _note(self, target: nodes.Node, value: nodes.Node) -> None:
        if isinstance(target, nodes.Tuple) and isinstance(value, (nodes.Tuple, nodes.List)):
            for part, inner in zip(target.items, value.items, strict=False):
                self._note(part, inner)
        elif (key := place_of(target)) is not None:
            self._assigned.setdefault(key, []).append(value)
            if isinstance(value, nodes.Call) and isinstance(value.node, nodes.Name):
                for keyword in value.kwargs:
                    self._assigned.setdefault(f"{key}.{keyword.key}", []).append(keyword.value)

    def values(self, node: nodes.Node) -> list[Value]:
        """What the expression may come to, as far as the template's constants say.

        `complete` tells afterwards whether all of it was worked out, or a bound was met.
        """
        self.complete, self._steps = True, 0
        return self._of(node, frozenset())

    def is_built(self, node: nodes.Node) -> bool:
        """Whether the expression, or what stands in its variable, puts a text together."""
        pending, seen = [node], set()
        while pending:
            part = pending.pop()
            key = place_of(part)
            if key is not None:
                if key not in seen:
                    seen.add(key)
                    pending.extend(self._assigned.get(key, ()))
            elif isinstance(part, nodes.Concat):
                return True
            elif isinstance(part, (nodes.Add, nodes.Mod, nodes.Mul)):
                if any(isinstance(v, str) for side in (part.left, part.right)
                       for v in self.values(side)):  # fmt: skip
                    return True
            elif isinstance(part, nodes.Filter):
                if part.name in _BUILDING_FILTERS:
                    return True
                if part.node is not None:
                    pending.append(part.node)
            elif isinstance(part, nodes.Call) and isinstance(part.node, nodes.Getattr):
                if part.node.attr in _BUILDING_METHODS:
                    return True
                pending.append(part.node.node)
            elif isinstance(part, nodes.Getitem) and isinstance(part.arg, nodes.Slice):
                pending.append(part.node)
            elif isinstance(part, nodes.CondExpr):
                pending.extend(each for each in (part.expr1, part.expr2) if each is not None)
        return False

    def _of(self, node: nodes.Node, open_names: frozenset[str]) -> list[Value]:
        if isinstance(node, nodes.Const):
            return [node.value] if isinstance(node.value, (str, int, float)) else []
        self._steps += 1
        self._steps_in_all += 1
        if self._steps > _MAX_STEPS or self._steps_in_all > _MAX_STEPS_IN_ALL:
            self.complete = False
            return []
        found = list(itertools.islice(self._each(node, open_names), _MAX_VALUES + 1))
        kept = [value for value in found if not isinstance(value, str) or len(value) <= _MAX_TEXT]
        if len(found) > _MAX_VALUES or len(kept) < len(found):
            self.complete = False
        return kept[:_MAX_VALUES]

    def _each(self, node: nodes.Node, names: frozenset[str]) -> Iterator[Value]:
        key = place_of(node)
        if key is not None:
            if key not in names:
                inner = names | {key}
                for value in self._assigned.get(key, ()):
                    yield from self._of(value, inner)
                for value in self._items.get(key, ()):
                    for items in self._of(value, inner):
                        yield from items if isinstance(items, (tuple, str)) else ()
        elif isinstance(node, nodes.TemplateData):
            yield node.data
        elif isinstance(node, (nodes.Concat, nodes.Output)):
            for parts in self._product(node.nodes, names):
                yield "".join(map(str, parts))
        elif isinstance(node, (nodes.List, nodes.Tuple)):
            yield from self._product(node.items, names)
        elif isinstance(node, nodes.Dict):
            yield from self._product([pair.key for pair in node.items], names)
        elif isinstance(node, nodes.BinExpr):
            yield from self._binary(node, names)
        elif isinstance(node, (nodes.Filter, nodes.Call)):
            yield from self._called(node, names)
        elif isinstance(node, nodes.Getitem):
            yield from self._item(node, names)
        elif isinstance(node, nodes.CondExpr):
            for side in (node.expr1, node.expr2):
                if side is not None:
                    yield from self._of(side, names)
        elif isinstance(node, nodes.Neg):
            yield from (-v for v in self._of(node.node, names) if isinstance(v, (int, float)))

    def _product(
        self, parts: Iterable[nodes.Node], names: frozenset[str]
    ) -> Iterator[tuple[Value, ...]]:
        options = [self._of(part, names) for part in parts]
        if all(options):
            yield from itertools.product(*options)

    def _binary(self, node: nodes.BinExpr, names: frozenset[str]) -> Iterator[Value]:
        if isinstance(node, (nodes.And, nodes.Or)):
            yield from self._of(node.left, names)
            yield from self._of(node.right, names)
            return
        for left, right in itertools.product(
            self._of(node.left, names), self._of(node.right, names)
        ):
            if isinstance(node, nodes.Mod) and isinstance(left, str):
                yield _formatted(left, right if isinstance(right, tuple) else (right,))
            elif isinstance(node, nodes.Add) and type(left) is type(right):
                yield left + right
            elif isinstance(node, nodes.Sub) and _are_numbers(left, right):
                yield left - right
            elif isinstance(node, nodes.Mul):
                yield from _times(left, right)

    def _called(self, node: nodes.Filter | nodes.Call, names: frozenset[str]) -> Iterator[Value]:
        if isinstance(node, nodes.Call):
            if isinstance(node.node, nodes.Name) and node.node.name == "dict":
                yield tuple(keyword.key for keyword in node.kwargs)
                return
            if not isinstance(node.node, nodes.Getattr):
                return
            name, subject = node.node.attr, node.node.node
        elif node.node is not None:
            name, subject = node.name, node.node
        else:
            return
        arguments = [self._of(argument, names) for argument in node.args]
        if not all(arguments):
            return
        for value, *given in itertools.product(self._of(subject, names), *arguments):
            yield from _applied(name, value, given, is_method=isinstance(node, nodes.Call))

    def _item(self, node: nodes.Getitem, names: frozenset[str]) -> Iterator[Value]:
        arg = node.arg
        whole = [value for value in self._of(node.node, names) if isinstance(value, (str, tuple))]
        if isinstance(arg, nodes.Slice):
            bounds = [
                [None] if part is None else self._of(part, names)
                for part in (arg.start, arg.stop, arg.step)
            ]
            for value, start, stop, step in itertools.product(whole, *bounds):
                if all(b is None or isinstance(b, int) for b in (start, stop, step)) and step != 0:
                    yield value[start:stop:step]
            return
        for value, at in itertools.product(whole, self._of(arg, names)):
            if isinstance(at, int) and -len(value) <= at < len(value):
                yield value[at]


def place_of(node: nodes.Node) -> str | None:
    """The name of a variable or of a namespace's field, where the expression is one."""
    if isinstance(node, nodes.Name):
        return str(node.name)
    if isinstance(node, nodes.NSRef):
        return f"{node.name}.{node.attr}"
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        return f"{node.node.name}.{node.attr}"
    return None


def _are_numbers(*values: Value) -> bool:
    return all(isinstance(value, (int, float)) for value in values)


def _times(left: Value, right: Value) -> Iterator[Value]:
    if isinstance(right, str):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, int):
        if len(left) * right <= _MAX_TEXT:
            yield left * right
    elif _are_numbers(left, right) and abs(left) < 1 << 64 and abs(right) < 1 << 64:
        yield left * right


def _formatted(pattern: str, given: tuple[Value, ...]) -> str:
    """What `pattern % given` is, for the plain conversions; others are left as they stand."""
    values = iter(given)

    def convert(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        value = next(values, "")
        if found[1] == "c" and isinstance(value, int) and 0 <= value < 0x110000:
            return chr(value)
        return str(value)

    return _FORMAT.sub(convert, pattern)


def _applied(name: str, value: Value, given: list[Value], *, is_method: bool) -> Iterator[Value]:
    if name == "join":
        other = given[0] if given else ""
        items, glue = (other, value) if is_method else (value, other)
        if isinstance(items, (tuple, str)) and isinstance(glue, str):
            yield glue.join(map(str, items))
    elif name == "format" and isinstance(value, str):
        if is_method:
            parts = iter(given)
            yield re.sub(r"\{\d*\}", lambda _: str(next(parts, "")), value)
        else:
            yield _formatted(value, tuple(given))
    elif name == "replace" and isinstance(value, str) and len(given) >= 2:
        old, new = str(given[0]), str(given[1])
        if len(value) * (len(new) + 1) <= _MAX_TEXT * 4:
            yield value.replace(old, new)
    elif name == "reverse" and isinstance(value, (str, tuple)):
        yield value[::-1]
    elif name == "list" and isinstance(value, (str, tuple)):
        yield tuple(value)
    elif name in {"first", "last"} and isinstance(value, (str, tuple)) and value:
        yield value[0 if name == "first" else -1]
    elif name == "split" and isinstance(value, str):
        yield tuple(value.split(str(given[0])) if given and given[0] != "" else value.split())
    elif isinstance(value, str) and _is_cut(name, given, is_method=is_method):
        yield from _cut("strip" if name == "trim" else name, value, given)
    elif name in _CASES and isinstance(value, (str, int, float)):
        yield _CASES[name](str(value))


def _is_cut(name: str, given: list[Value], *, is_method: bool) -> bool:
    if is_method:
        return name in _CUTTING and bool(given)
    return name == "center" or (name == "trim" and bool(given))


def _cut(name: str, value: str, given: list[Value]) -> Iterator[Value]:
    """What Python's own method makes of the text."""
    if any(not isinstance(each, (str, int)) or each == "" for each in given):
        return
    if any(isinstance(each, int) and abs(each) > _MAX_TEXT for each in given):
        return
    try:
        made = getattr(str, name)(value, *given)
    except (TypeError, ValueError):
        return
    yield tuple(made) if isinstance(made, list) else made
