# ruff: noqa: N802, N815 - handlers are named for the kinds of syntax nodes
"""What an expression may be: names followed through imports, bindings and folded texts.

Always holds: every value that some statement of the scope gives a name counts; what can't be
followed is `UNKNOWN` among the values, so that nothing is known only half and taken for whole.
"""

from __future__ import annotations

import ast
from collections import deque

from tidegate.scanners.python_source.capabilities import plain_path
from tidegate.scanners.python_source.scopes import Binding, Outline, Scope
from tidegate.scanners.python_source.values import (
    BUILT,
    DECODERS,
    NAMESPACE,
    OPAQUE_DECODERS,
    OWN,
    TEXT_METHODS,
    UNKNOWN,
    Const,
    Partial,
    Ref,
    Value,
    Values,
    attribute,
    call_method,
    distinct,
    identity,
    joined,
)

_MAX_DEPTH = 120
_MAX_VALUES = 16
# The built-in names that matter here. They count beside whatever a source binds them to, as a
# binding may come late, be deleted, or never be reached.
BUILTINS = frozenset(
    {"__build_class__", "__builtins__", "__import__", "breakpoint", "bytearray", "bytes", "chr",
     "compile", "delattr", "dir", "eval", "exec", "execfile", "exit", "getattr", "globals",
     "hasattr", "input", "list", "locals", "map", "memoryview", "object", "open", "quit", "reload",
     "reversed", "setattr", "str", "tuple", "type", "vars", "print", "super"}
)  # fmt: skip
_NEVER_SHADOWED = frozenset(
    {"__builtins__", "__import__", "eval", "exec", "getattr", "globals", "vars", "__build_class__"}
)
_GETTERS = frozenset({"builtins.getattr", "inspect.getattr_static"})


class Resolver:
    """Follows the expressions of one source.

    The values of all names are worked out first, to the point where no binding adds one; names
    that refer to each other, however often, cost no more than their number.
    """

    def __init__(self, found: Outline) -> None:
        self._outline = found
        self._names: dict[tuple[int, str], Values] = {}
        self._widened: set[tuple[int, str]] = set()
        self._known: dict[int, Values] = {}
        self._read: set[tuple[int, str]] = set()
        self.gave_up = False
        """Something leads on for longer than it was followed."""
        self._settle()

    def _settle(self) -> None:
        bound = self._outline.bound
        readers: dict[tuple[int, str], set[int]] = {}
        pending = deque(range(len(bound)))
        waiting = set(pending)
        steps = 40 * len(bound) + 1000
        while pending:
            at = pending.popleft()
            waiting.discard(at)
            steps -= 1
            if steps < 0:
                self.gave_up = True
                break
            scope, name, binding = bound[at]
            self._known, self._read = {}, set()
            found = self._bound(binding)
            for key in self._read:
                readers.setdefault(key, set()).add(at)
            key = (id(scope), name)
            before = self._names.get(key, ())
            if key in self._widened:
                found = [UNKNOWN if isinstance(v, (Const, Partial)) else v for v in found]
            after = distinct([*before, *found])
            if sum(isinstance(value, (Const, Partial)) for value in after) > _MAX_VALUES:
                # A text that grows with every turn of a loop would grow for ever.
                self._widened.add(key)
                after = distinct([UNKNOWN if isinstance(v, (Const, Partial)) else v
                                   for v in after])  # fmt: skip
            if set(map(identity, after)) != set(map(identity, before)):
                self._names[key] = after
                for reader in readers.get(key, ()):
                    if reader not in waiting:
                        waiting.add(reader)
                        pending.append(reader)
        self._known, self._read = {}, set()

    def values(self, node: ast.expr, scope: Scope, depth: int = 0) -> Values:
        """All that the expression may be; none only where nothing ever binds it."""
        if id(node) in self._known:
            return self._known[id(node)]
        if depth > _MAX_DEPTH:
            self.gave_up = True
            return (UNKNOWN,)
        handler = getattr(self, f"_of_{type(node).__name__}", None)
        result = distinct(handler(node, scope, depth + 1)) if handler else (UNKNOWN,)
        self._known[id(node)] = result
        return result

    def name(self, name: str, scope: Scope) -> Values:
        """All that a plain name may be in the scope."""
        home = _home(name, scope)
        found: list[Value] = []
        if home is not None:
            self._read.add((id(home), name))
            found.extend(self._names.get((id(home), name), ()))
        if home is None or name in _NEVER_SHADOWED:
            if name in BUILTINS or (home is None and not self._outline.stars):
                found.append(Ref("builtins" if name == "__builtins__" else f"builtins.{name}"))
            elif home is None:
                found.append(UNKNOWN)
            found.extend(Ref(f"{module}.{name}") for module in self._outline.stars)
        return distinct(found)

    def _bound(self, binding: Binding) -> list[Value]:
        if binding.path is not None:
            return [Ref(plain_path(binding.path))]
        if binding.local:
            return [OWN]
        if binding.node is None or binding.scope is None:
            return [UNKNOWN]
        if not binding.element:
            return list(self.values(binding.node, binding.scope))
        if isinstance(binding.node, (ast.Tuple, ast.List, ast.Set)):
            found: list[Value] = []
            for part in binding.node.elts[: _MAX_VALUES * 4]:
                found.extend(self.values(part, binding.scope))
            return found or [UNKNOWN]
        return [UNKNOWN]

    def constant(self, node: ast.expr, scope: Scope) -> object | None:
        """The one constant that the expression is, or None."""
        found = self.values(node, scope)
        return found[0].value if len(found) == 1 and isinstance(found[0], Const) else None

    # Expressions

    def _of_Constant(self, node: ast.Constant, _: Scope, __: int) -> list[Value]:
        return [Const(node.value)]

    def _of_Name(self, node: ast.Name, scope: Scope, _: int) -> list[Value]:
        return list(self.name(node.id, scope))

    def _of_NamedExpr(self, node: ast.NamedExpr, scope: Scope, depth: int) -> list[Value]:
        return list(self.values(node.value, scope, depth))

    def _of_Await(self, node: ast.Await | ast.Starred, scope: Scope, depth: int) -> list[Value]:
        return list(self.values(node.value, scope, depth))

    _of_Starred = _of_Await

    def _of_IfExp(self, node: ast.IfExp, scope: Scope, depth: int) -> list[Value]:
        return [*self.values(node.body, scope, depth), *self.values(node.orelse, scope, depth)]

    def _of_BoolOp(self, node: ast.BoolOp, scope: Scope, depth: int) -> list[Value]:
        return [value for part in node.values for value in self.values(part, scope, depth)]

    def _of_Tuple(self, node: ast.Tuple | ast.List, scope: Scope, depth: int) -> list[Value]:
        parts: list[object] = []
        if len(node.elts) > 4096:
            return [UNKNOWN]
        for part in node.elts:
            value = self.values(part, scope, depth)
            if not value:
                return []
            # Only flat ones: a tuple of tuples can be made to unfold without end.
            if (
                len(value) != 1
                or not isinstance(value[0], Const)
                or isinstance(value[0].value, tuple)
            ):
                return [UNKNOWN]
            parts.append(value[0].value)
        return [Const(tuple(parts))]

    _of_List = _of_Tuple

    def _of_Attribute(self, node: ast.Attribute, scope: Scope, depth: int) -> list[Value]:
        return [attribute(value, node.attr) for value in self.values(node.value, scope, depth)]

    def _of_BinOp(self, node: ast.BinOp, scope: Scope, depth: int) -> list[Value]:
        chain: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        left = self.values(first, scope, depth)
        for step in reversed(chain):
            right = self.values(step.right, scope, depth)
            operator = type(step.op).__name__
            left = distinct([joined(operator, a, b) for a in left for b in right])
        return list(left)

    def _of_JoinedStr(self, node: ast.JoinedStr, scope: Scope, depth: int) -> list[Value]:
        text: Value = Const("")
        for part in node.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            values = self.values(inner, scope, depth)
            if not values:
                return []
            plain = not isinstance(part, ast.FormattedValue) or (
                part.format_spec is None and part.conversion in {-1, 115}
            )
            text = joined("Add", text, values[0] if len(values) == 1 and plain else UNKNOWN)
        return [text]

    def _of_Subscript(self, node: ast.Subscript, scope: Scope, depth: int) -> list[Value]:
        found: list[Value] = []
        key = None if isinstance(node.slice, ast.Slice) else self.constant(node.slice, scope)
        for owner in self.values(node.value, scope, depth):
            if isinstance(owner, Const):
                found.append(self._part(owner, node.slice, scope))
            elif isinstance(owner, Ref) and owner.path == "sys.modules" and isinstance(key, str):
                found.append(Ref(key))
            elif isinstance(owner, Ref) and owner.path.endswith(".__dict__"):
                home = owner.path[: -len(".__dict__")]
                found.append(Ref(f"{home}.{key}") if isinstance(key, str) else UNKNOWN)
            elif isinstance(owner, Ref) and owner.path == "builtins" and isinstance(key, str):
                found.append(Ref(f"builtins.{key}"))
            elif owner is NAMESPACE and isinstance(key, str):
                found.extend(self.name(key, self._outline.module))
            elif owner is BUILT:
                found.append(BUILT)
            else:
                found.append(UNKNOWN)
        return found

    def _part(self, owner: Const, at: ast.expr, scope: Scope) -> Value:
        try:
            if isinstance(at, ast.Slice):
                bounds = [
                    None if part is None else self.constant(part, scope)
                    for part in (at.lower, at.upper, at.step)
                ]
                given = (at.lower, at.upper, at.step)
                if any(part is None and say for part, say in zip(bounds, given, strict=True)):
                    return BUILT
                return Const(owner.value[slice(*bounds)])  # type: ignore[index]
            key = self.constant(at, scope)
            return Const(owner.value[key]) if isinstance(key, int) else UNKNOWN  # type: ignore[index]
        except (TypeError, IndexError, ValueError):
            return UNKNOWN

    def _of_UnaryOp(self, node: ast.UnaryOp, scope: Scope, depth: int) -> list[Value]:
        values = self.values(node.operand, scope, depth)
        if isinstance(node.op, ast.USub) and len(values) == 1 and isinstance(values[0], Const):
            number = values[0].value
            if isinstance(number, int):
                return [Const(-number)]
        return [UNKNOWN]

    # Calls

    def _of_Call(self, node: ast.Call, scope: Scope, depth: int) -> list[Value]:
        found: list[Value] = []
        if isinstance(node.func, ast.Attribute) and node.func.attr in TEXT_METHODS:
            found.extend(self._text_method(node, node.func, scope, depth))
            if found:
                return found
        for called in self.values(node.func, scope, depth):
            found.extend(self._called(called, node, scope, depth))
        return found

    def _called(self, called: Value, node: ast.Call, scope: Scope, depth: int) -> list[Value]:
        if not isinstance(called, Ref):
            return [UNKNOWN]
        path = called.path
        arguments = [self.values(part, scope, depth) for part in node.args[:3]]
        if not all(arguments):
            return []
        if path in _GETTERS or path.endswith((".__getattribute__", ".__getattr__")):
            return self._got(called, arguments)
        if path in {"builtins.__import__", "importlib.import_module", "importlib.__import__"}:
            return [self._imported(path, value, node, scope) for value in (arguments or [()])[0]]
        if path in {"builtins.globals", "builtins.locals"}:
            return [NAMESPACE]
        if path == "builtins.vars":
            return [attribute(v, "__dict__") for v in arguments[0]] if arguments else [NAMESPACE]
        if path in {"builtins.str", "builtins.list", "builtins.tuple"} and len(arguments) == 1:
            return list(arguments[0])
        if path == "builtins.reversed" and arguments:
            return [
                Const(v.value[::-1]) if isinstance(v, Const) and isinstance(v.value, (str, tuple))
                else BUILT for v in arguments[0]
            ]  # fmt: skip
        if path == "builtins.map" and len(arguments) == 2:
            return self._mapped(arguments)
        if path in DECODERS:
            return [self._decoded(path, arguments)]
        if path in OPAQUE_DECODERS:
            return [BUILT]
        if path in {"operator.attrgetter", "operator.methodcaller", "functools.partial"}:
            return [Ref(path, made=True)]
        if path in {"sys.modules.get", "sys.modules.__getitem__", "sys.modules.pop"}:
            return [Ref(v.value) if isinstance(v, Const) and isinstance(v.value, str) else UNKNOWN
                    for v in (arguments or [(UNKNOWN,)])[0]]  # fmt: skip
        return [Ref(path, made=True)]

    def _got(self, called: Ref, arguments: list[Values]) -> list[Value]:
        if called.path not in _GETTERS:
            home = Ref(called.path.rpartition(".")[0])
            inner = len(arguments) > 1 and home.path in {"builtins.object", "builtins.type"}
            owners: Values = arguments[0] if inner else (home,)
            names = arguments[1] if inner else (arguments or [(UNKNOWN,)])[0]
        elif len(arguments) >= 2:
            owners, names = arguments[0], arguments[1]
        else:
            return [UNKNOWN]
        default = list(arguments[2]) if len(arguments) > 2 and called.path in _GETTERS else []
        return default + [
            attribute(owner, name.value)
            if isinstance(name, Const) and isinstance(name.value, str)
            else UNKNOWN
            for owner in owners
            for name in names
        ]

    def _imported(self, path: str, name: Value, node: ast.Call, scope: Scope) -> Value:
        if not isinstance(name, Const) or not isinstance(name.value, str):
            return UNKNOWN
        from_list = [k.value for k in node.keywords if k.arg == "fromlist"] or node.args[3:4]
        if path != "importlib.import_module" and not any(
            self.constant(part, scope) for part in from_list
        ):
            return Ref(name.value.split(".", 1)[0])
        return Ref(name.value)

    def _mapped(self, arguments: list[Values]) -> list[Value]:
        if arguments[0] != (Ref("builtins.chr"),):
            return [UNKNOWN]
        if len(arguments[1]) == 1 and isinstance(arguments[1][0], Const):
            points = arguments[1][0].value
            if isinstance(points, (tuple, bytes)) and all(isinstance(p, int) for p in points):
                return [Const(tuple(chr(p) for p in points if 0 <= p < 0x110000))]
        return [BUILT]

    def _decoded(self, path: str, arguments: list[Values]) -> Value:
        plain: list[object] = []
        for values in arguments:
            if len(values) != 1 or not isinstance(values[0], Const):
                return BUILT
            plain.append(values[0].value)
        try:
            return Const(DECODERS[path](*plain))
        except Exception:  # noqa: BLE001 - whatever a decoder says of data that are none of its own
            return BUILT

    def _text_method(
        self, node: ast.Call, func: ast.Attribute, scope: Scope, depth: int
    ) -> list[Value]:
        found: list[Value] = []
        for owner in self.values(func.value, scope, depth):
            if owner is BUILT:
                found.append(BUILT)
            if not isinstance(owner, Const) or not isinstance(owner.value, (str, bytes)):
                continue
            if func.attr == "join" and node.args and _puts_together(node.args[0]):
                found.append(BUILT)
                continue
            arguments = [self.values(part, scope, depth) for part in node.args]
            if not all(arguments):
                continue
            if any(len(v) != 1 or not isinstance(v[0], Const) for v in arguments) or node.keywords:
                built = any(BUILT in values for values in arguments)
                start = owner.value.split("{")[0] if isinstance(owner.value, str) else ""
                known = Partial(start) if func.attr == "format" else UNKNOWN
                found.append(BUILT if built else known)
                continue
            plain = [v[0].value for v in arguments if isinstance(v[0], Const)]
            try:
                found.append(Const(call_method(owner.value, func.attr, plain)))
            except Exception:  # noqa: BLE001 - whatever a method says of arguments it can't take
                found.append(BUILT)
        return found


def _puts_together(node: ast.expr) -> bool:
    """Whether it makes characters out of numbers, or takes a text apart."""
    if not isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return False
    return any(
        (isinstance(inner, ast.Name) and inner.id in {"chr", "ord"})
        or (isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.BitXor))
        for inner in ast.walk(node.elt)
    )


def _home(name: str, scope: Scope) -> Scope | None:
    """The scope whose binding of the name counts in `scope`."""
    at: Scope | None = scope
    while at is not None:
        if name in at.bindings and (at is scope or not at.class_name):
            return at
        at = at.parent
    return None
