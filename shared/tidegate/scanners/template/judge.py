"""A template held to what honest templates do.

Templates read the fields of what they are given, loop, compare and join texts. What acts is a
call, a filter, a test, and a step to an attribute of Python's own objects; of these, every one
that is not on the list (`data/templates.json`) is reported. An attribute that leads to Python's
internals, or a text that names one, however it is put together, is critical: from there a
template reaches any function (CVE-2024-34359, and CVE-2019-10906 for the sandbox).

With `strict` off, for texts that a loader need not render, only the critical is reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import nodes

from tidegate.scanners.streams import shown
from tidegate.scanners.template.folding import Folder, Value, place_of

_MAX_RANGE = 100_000
_MAX_TURNS = 10_000_000
_HUGE = 10_000_000
_BY_ATTRIBUTE = frozenset(
    {"map", "select", "reject", "selectattr", "rejectattr", "groupby", "sort", "unique", "min",
     "max", "sum", "join"}
)  # fmt: skip
_FIRST_IS_ATTRIBUTE = frozenset({"selectattr", "rejectattr", "groupby"})
_VALUES = frozenset({"loop"})
"""What is listed as a function and has parts that templates use."""

_PLAIN_WORDS = frozenset({"builtins", "eval", "exec", "globals", "system"})
# A field of great width: of `%`, and of `.format()`.
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{5}|\{[^{}]*:[^{}]*\d{5}")
_FIELD = re.compile(r"\{[^{}]*[.\[][^{}]*\}")

_LISTS = ("functions", "methods", "filters", "tests", "gadgets", "reaching")

Found = Callable[[str, str, int], None]
"""Told of a rule, what was seen, and the line."""


@dataclass(frozen=True, slots=True)
class _Lists:
    functions: frozenset[str]
    methods: frozenset[str]
    filters: frozenset[str]
    tests: frozenset[str]
    gadgets: frozenset[str]
    reaching: frozenset[str]
    dangerous_texts: tuple[str, ...]


@cache
def lists() -> _Lists:
    """The lists of what templates may use."""
    data = json.loads(files("tidegate.scanners").joinpath("data/templates.json").read_text("utf-8"))
    sets = {key: frozenset(data[key]) for key in _LISTS}
    return _Lists(**sets, dangerous_texts=tuple(data["dangerous_texts"]))


class TemplateJudge:
    """Judges one tree."""

    def __init__(self, root: nodes.Template, found: Found, *, strict: bool) -> None:
        self._root = root
        self._tell = found
        self._strict = strict
        self._folder = Folder(root)
        self._lists = lists()
        self._macros = {macro.name for macro in root.find_all(nodes.Macro)}
        self._own = {
            name.name for name in root.find_all(nodes.Name) if name.ctx in {"store", "param"}
        }

        # Where a function may stand: called, or asked whether it is there.
        self._called = {id(call.node) for call in root.find_all(nodes.Call)}
        self._called |= {id(test.node) for test in root.find_all(nodes.Test)}

    def run(self) -> None:
        """Report all there is to say."""
        pending: list[tuple[nodes.Node, int]] = [(self._root, 1)]
        while pending:
            node, turns = pending.pop()
            self._judge(node)
            if isinstance(node, nodes.For):
                turns = self._looped(node, turns)
            pending.extend((child, turns) for child in node.iter_child_nodes())

    def _judge(self, node: Any) -> None:
        kind = type(node)
        if kind is nodes.Const:
            self._constant(node)
        elif kind in {nodes.Getattr, nodes.NSRef}:
            self._step(node.attr, node)
        elif kind is nodes.Getitem:
            self._getitem(node)
        elif kind is nodes.Call:
            self._call(node)
        elif kind is nodes.Filter:
            self._filter(node)
        elif kind is nodes.Test:
            if node.name not in self._lists.tests:
                self._unlisted(f"the test {shown(node.name)}", node)
        elif kind is nodes.Name:
            self._name(node)
        elif kind is nodes.Keyword:
            self._text(node.key, node)
        elif kind in {nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends}:
            self._unlisted(f"{kind.__name__.lower()}, which loads another file", node)
        elif kind in {nodes.Concat, nodes.Add, nodes.Mod, nodes.Mul, nodes.Pow}:
            self._operator(node)
        elif kind in {nodes.Assign, nodes.AssignBlock}:
            self._assignment(node)

    def _reach(self, what: str, node: nodes.Node) -> None:
        self._tell("TEMPLATE-CODE", what, node.lineno)

    def _unlisted(self, what: str, node: nodes.Node) -> None:
        if self._strict:
            self._tell("TEMPLATE-UNLISTED", what, node.lineno)

    def _exhausts(self, what: str, node: nodes.Node) -> None:
        if self._strict:
            self._tell("TEMPLATE-EXHAUST", what, node.lineno)

    def _step(self, name: Value, node: nodes.Node) -> None:
        """A step to an attribute, or to an item, which Jinja takes for an attribute as well."""
        if not isinstance(name, str):
            return
        for part in name.split("."):
            if self._reaches(part):
                self._reach(f"a step to {shown(part)}", node)
            elif part.startswith("_") and isinstance(node, nodes.Getattr):
                self._unlisted(f"a step to {shown(part)}, which is private", node)

    def _reaches(self, name: str) -> bool:
        if self._strict:
            return name.startswith(("__", "_TemplateReference")) or name in self._lists.reaching
        # Documentation may show `x.__name__`, and other languages have their own templates.
        return name in self._lists.dangerous_texts or (
            name in self._lists.reaching and name not in _PLAIN_WORDS
        )

    def _text(self, text: Value, node: nodes.Node) -> None:
        if not isinstance(text, str):
            return
        named = next((each for each in self._lists.dangerous_texts if each in text), None)
        if named is None:
            return
        # What a template only says is no step, unless it is nothing but the name.
        if self._strict or text == named:
            self._reach(f"the text {shown(named)}", node)

    def _constant(self, node: nodes.Const) -> None:
        value = node.value
        if isinstance(value, str):
            self._text(value, node)
        elif isinstance(value, (int, float)) and abs(value) >= _HUGE:
            self._exhausts(f"the number {shown(str(value)[:40])}", node)

    def _getitem(self, node: nodes.Getitem) -> None:
        if isinstance(node.arg, nodes.Slice):
            return
        values = self._folder.values(node.arg)
        known = bool(values) and self._folder.complete
        for value in values:
            self._step(value, node)
        if not known and self._folder.is_built(node.arg):
            self._unlisted("an item whose name is put together", node)

    def _call(self, node: nodes.Call) -> None:
        called = node.node
        self._unfolded(node)
        if isinstance(called, nodes.Name):
            known = called.name in self._lists.functions or called.name in self._macros
            if not known:
                self._unlisted(f"a call of {shown(called.name)}", node)
            if called.name == "range":
                self._range(node)
        elif isinstance(called, nodes.Getattr):
            self._method(called.attr, node)
            if called.attr == "format":
                self._format(called.node, node)
        elif isinstance(called, nodes.Getitem) and (names := self._folder.values(called.arg)):
            for name in names:
                self._method(str(name), node)
        else:
            self._unlisted("a call of what is worked out while rendering", node)

    def _unfolded(self, node: nodes.Call | nodes.Filter) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._unlisted("a call whose arguments are unfolded", node)

    def _method(self, name: str, node: nodes.Call) -> None:
        if name not in self._lists.methods:
            self._unlisted(f"a call of .{shown(name)}()", node)
        elif name in {"ljust", "rjust", "center", "zfill", "expandtabs"}:
            self._width(node.args, node)

    def _format(self, pattern: nodes.Expr, node: nodes.Call) -> None:
        values = self._folder.values(pattern)
        if not values:
            self._unlisted("a call of .format() on what is worked out while rendering", node)
        self._wide(values, node)
        for value in values:
            if isinstance(value, str) and _FIELD.search(value):
                self._unlisted("a format that reads attributes", node)

    def _filter(self, node: nodes.Filter) -> None:
        name = node.name
        self._unfolded(node)
        if name == "attr":
            values = [value for arg in node.args[:1] for value in self._folder.values(arg)]
            for value in values:
                self._step(value, node)
            if values:
                self._unlisted("the filter attr", node)
            else:
                self._reach("the filter attr with a name that is put together", node)
            return
        if name not in self._lists.filters:
            self._unlisted(f"the filter {shown(name)}", node)
        for value in self._folder.values(node):
            self._text(value, node)
        if name in _BY_ATTRIBUTE:
            self._by_attribute(node)
        elif name in {"center", "indent", "truncate", "wordwrap", "batch", "slice"}:
            self._width(node.args + [keyword.value for keyword in node.kwargs], node)
        elif name == "format" and node.node is not None:
            patterns = self._folder.values(node.node)
            self._wide(patterns, node)
            if not patterns:
                self._unlisted("the filter format on what is worked out while rendering", node)

    def _by_attribute(self, node: nodes.Filter) -> None:
        """Filters that take an attribute's name, or the name of another filter or test."""
        named = [keyword.value for keyword in node.kwargs if keyword.key == "attribute"]
        if node.name in _FIRST_IS_ATTRIBUTE:
            named += node.args[:1]
        elif node.name == "join":
            named += node.args[1:2]
        for arg in named:
            values = self._folder.values(arg)
            known = bool(values) and self._folder.complete
            for value in values:
                self._step(value, node)
            if not known:
                self._unlisted(f"the filter {node.name} with a name that is put together", node)
        if node.name in {"map", "select", "reject"} and node.args:
            self._applied(node, node.args[0], self._lists.filters | self._lists.tests)
            for value in self._folder.values(node.args[0]):
                if value in {"attr", "map"}:
                    for name in (v for arg in node.args[1:] for v in self._folder.values(arg)):
                        self._step(name, node)
        elif node.name in _FIRST_IS_ATTRIBUTE - {"groupby"} and len(node.args) > 1:
            self._applied(node, node.args[1], self._lists.tests)

    def _applied(self, node: nodes.Filter, arg: nodes.Node, known: frozenset[str]) -> None:
        values = self._folder.values(arg)
        if not values or not self._folder.complete:
            self._unlisted(f"the filter {node.name} of what is put together", node)
        for value in values:
            if value not in known:
                self._unlisted(f"the filter {node.name} of {shown(str(value))}", node)

    def _name(self, node: nodes.Name) -> None:
        self._text(node.name, node)
        if node.ctx == "load" and node.name in self._lists.gadgets - self._own:
            self._unlisted(f"the name {shown(node.name)}", node)
        elif (
            node.ctx == "load"
            and node.name in self._lists.functions - _VALUES - self._own
            and id(node) not in self._called
        ):
            # Whoever has the function itself reaches its parts, by names that come with a request.
            self._unlisted(f"the function {shown(node.name)} as a value", node)

    def _operator(self, node: nodes.Node) -> None:
        for value in self._folder.values(node):
            self._text(value, node)
        if isinstance(node, nodes.Pow):
            self._exhausts("a power", node)
        elif isinstance(node, nodes.Mul):
            for one, other in ((node.left, node.right), (node.right, node.left)):
                texts = [v for v in self._folder.values(one) if isinstance(v, (str, tuple))]
                counts = [v for v in self._folder.values(other) if isinstance(v, (int, float))]
                if texts and (not counts or max(counts) > _MAX_RANGE):
                    self._exhausts("a text repeated many times", node)
        elif isinstance(node, nodes.Mod):
            patterns = [v for v in self._folder.values(node.left) if isinstance(v, str)]
            self._wide(patterns, node)

    def _wide(self, patterns: list[Value], node: nodes.Node) -> None:
        if any(isinstance(pattern, str) and _WIDE.search(pattern) for pattern in patterns):
            self._exhausts("a format of great width", node)

    def _width(self, args: list[nodes.Expr], node: nodes.Node) -> None:
        for arg in args:
            if any(isinstance(v, int) and v > _MAX_RANGE for v in self._folder.values(arg)):
                self._exhausts("a text of great width", node)

    def _range(self, node: nodes.Call) -> int:
        bounds = [
            [v for v in self._folder.values(arg) if isinstance(v, (int, float))]
            for arg in node.args
        ]
        widest = max((abs(v) for values in bounds for v in values), default=0)
        if widest > _MAX_RANGE:
            self._exhausts("a range of great length", node)
        return int(min(widest, _HUGE))

    def _looped(self, node: nodes.For, turns: int) -> int:
        """How often the body is gone through, as far as constants say."""
        length = 1
        if isinstance(node.iter, nodes.Call) and isinstance(node.iter.node, nodes.Name):
            if node.iter.node.name == "range":
                length = max(1, self._range(node.iter))
        else:
            values = self._folder.values(node.iter)
            length = max([1, *(len(v) for v in values if isinstance(v, (str, tuple)))])
        turns = min(turns * length, _HUGE * _HUGE)
        if turns > _MAX_TURNS:
            self._exhausts("loops in loops that go on for very long", node)
        return turns

    def _assignment(self, node: Any) -> None:
        """A text that is joined to itself doubles each time."""
        key = place_of(node.target)
        value = nodes.Output(list(node.body)) if isinstance(node, nodes.AssignBlock) else node.node
        if key is None or not isinstance(value, (nodes.Concat, nodes.Add, nodes.Output, nodes.Mul)):
            return
        uses = sum(place_of(part) == key for part in value.find_all((nodes.Name, nodes.Getattr)))
        doubles = uses >= 2 or (uses == 1 and isinstance(value, nodes.Mul))
        if (doubles and "." in key) or (
            doubles and len(list(self._root.find_all(nodes.Assign))) >= 16
        ):
            self._exhausts(f"{shown(key)} joined to itself", node)
