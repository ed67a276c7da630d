# ruff: noqa: N802, N815 - handlers are named for the kinds of syntax nodes
"""Names and where they are bound, and the places of a source that are worth judging.

One walk over the syntax tree, iterative and in the order of the source. It says nothing about
when a branch is taken: a name may be whatever any statement of its scope binds to it, so that
no order of statements hides one.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field


class Use(enum.Enum):
    """What the surroundings do with a value."""

    CALLED = "called"
    HANDED = "handed"
    """It leaves the place where it is seen: an argument, an element, a result."""
    KEPT = "kept"
    """It is bound to a plain name, whose uses are seen too."""
    NAMED = "named"
    """It is only compared, caught or inherited from."""


@dataclass(slots=True, eq=False)
class Owner:
    """The code object that a statement belongs to: the module, or one function."""

    name: str
    class_name: str = ""
    referenced: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Scope:
    """One scope. Classes have one too (`class_name`), which the functions inside don't see."""

    parent: Scope | None
    owner: Owner
    class_name: str = ""
    bindings: set[str] = field(default_factory=set)
    outer: dict[str, bool] = field(default_factory=dict)
    """Names that the scope declares global (True) or nonlocal (False)."""

    def home(self, name: str) -> Scope:
        """The scope in which a statement here binds the name."""
        scope = self
        while name in scope.outer and scope.parent is not None:
            to_module = scope.outer[name]
            scope = scope.parent
            while to_module and scope.parent is not None:
                scope = scope.parent
        return scope


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """What a name is bound to: an expression, a dotted name from an import, or nobody knows what.

    `element`: it is an element of the expression's value, as in a loop. `local`: it is a function
    or class of the source itself.
    """

    node: ast.expr | None = None
    scope: Scope | None = None
    path: str | None = None
    element: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A place to judge."""

    node: ast.AST
    scope: Scope
    owner: Owner
    use: Use


@dataclass(slots=True)
class Outline:
    """What the walk found."""

    module: Scope
    main: Owner
    sites: list[Site] = field(default_factory=list)
    bound: list[tuple[Scope, str, Binding]] = field(default_factory=list)
    """What the statements bind to names, in the order of the source."""
    functions: list[Owner] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    """The plain names that something reads."""


def outline(tree: ast.Module) -> Outline:
    """Walk the source."""
    return _Walk().run(tree)


_UNKNOWN = Binding()


class _Walk:
    def __init__(self) -> None:
        self._outline = Outline(Scope(None, Owner("<module>")), Owner("<main>"))
        self._pending: list[tuple[ast.AST, Scope, Owner, Use]] = []

    def run(self, tree: ast.Module) -> Outline:
        module = self._outline.module
        self._push(tree.body, module, module.owner)
        while self._pending:
            node, scope, owner, use = self._pending.pop()
            visit = getattr(self, f"_on_{type(node).__name__}", self._generic)
            visit(node, scope, owner, use)
        return self._outline

    def _push(
        self, nodes: Iterable[ast.AST | None], scope: Scope, owner: Owner, use: Use = Use.HANDED
    ) -> None:
        tasks = [(node, scope, owner, use) for node in nodes if node is not None]
        self._pending.extend(reversed(tasks))

    def _bind_name(self, scope: Scope, name: str, binding: Binding) -> None:
        home = scope.home(name)
        home.bindings.add(name)
        self._outline.bound.append((home, name, binding))

    def _site(self, node: ast.AST, scope: Scope, owner: Owner, use: Use) -> None:
        self._outline.sites.append(Site(node, scope, owner, use))

    def _generic(self, node: ast.AST, scope: Scope, owner: Owner, use: Use) -> None:
        inner = Use.HANDED
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.Starred, ast.Await)):
            inner = use
        elif isinstance(node, (ast.Compare, ast.ExceptHandler, ast.Slice, ast.UnaryOp)):
            inner = Use.NAMED
        self._push(ast.iter_child_nodes(node), scope, owner, inner)

    # Scopes

    def _on_FunctionDef(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope, owner: Owner, _: Use
    ) -> None:
        self._bind_name(scope, node.name, Binding(local=True))
        function = Owner(node.name, scope.class_name)
        self._outline.functions.append(function)
        self._function(node.args, node.body, scope, owner, function)
        self._push([node.returns], scope, owner, Use.NAMED)
        self._push(node.decorator_list, scope, owner)

    _on_AsyncFunctionDef = _on_FunctionDef

    def _on_Lambda(self, node: ast.Lambda, scope: Scope, owner: Owner, _: Use) -> None:
        self._function(node.args, [node.body], scope, owner, owner)

    def _function(
        self, args: ast.arguments, body: Iterable[ast.AST], scope: Scope, owner: Owner,
        inside: Owner,
    ) -> None:  # fmt: skip
        inner = Scope(scope, inside)
        named = [*args.posonlyargs, *args.args]
        bare: list[ast.expr | None] = [None] * (len(named) - len(args.defaults))
        pairs = [*zip(named, [*bare, *args.defaults], strict=True),
                 *zip(args.kwonlyargs, args.kw_defaults, strict=True)]  # fmt: skip
        everybody = [*named, *args.kwonlyargs, args.vararg, args.kwarg]
        for arg in everybody:
            if arg is not None:
                self._bind_name(inner, arg.arg, _UNKNOWN)
        for arg, default in pairs:
            if default is not None:
                self._bind_name(inner, arg.arg, Binding(default, scope))
        self._push(body, inner, inside)
        self._push([default for _, default in pairs], scope, owner)
        hints = [arg.annotation for arg in everybody if arg is not None]
        self._push(hints, scope, owner, Use.NAMED)

    def _on_ClassDef(self, node: ast.ClassDef, scope: Scope, owner: Owner, _: Use) -> None:
        self._bind_name(scope, node.name, Binding(local=True))
        self._push(node.body, Scope(scope, owner, node.name), owner)
        self._push([keyword.value for keyword in node.keywords], scope, owner)
        self._push(node.bases, scope, owner, Use.NAMED)
        self._push(node.decorator_list, scope, owner)

    def _on_If(self, node: ast.If, scope: Scope, owner: Owner, _: Use) -> None:
        inside = self._outline.main if _is_main_guard(node.test) else owner
        self._push(node.orelse, scope, owner)
        self._push(node.body, scope, inside)
        self._push([node.test], scope, owner, Use.NAMED)

    # Bindings

    def _on_Global(self, node: ast.Global, scope: Scope, owner: Owner, _: Use) -> None:  # noqa: ARG002
        scope.outer.update(dict.fromkeys(node.names, True))

    def _on_Nonlocal(self, node: ast.Nonlocal, scope: Scope, owner: Owner, _: Use) -> None:  # noqa: ARG002
        scope.outer.update(dict.fromkeys(node.names, False))

    def _on_Import(self, node: ast.Import, scope: Scope, owner: Owner, use: Use) -> None:
        for alias in node.names:
            if alias.asname:
                self._bind_name(scope, alias.asname, Binding(path=alias.name))
            else:
                top = alias.name.split(".", 1)[0]
                self._bind_name(scope, top, Binding(path=top))
        self._site(node, scope, owner, use)

    def _on_ImportFrom(self, node: ast.ImportFrom, scope: Scope, owner: Owner, use: Use) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self._outline.stars.append(module)
            else:
                path = f"{module}.{alias.name}"
                self._bind_name(scope, alias.asname or alias.name, Binding(path=path))
        self._site(node, scope, owner, use)

    def _on_Assign(self, node: ast.Assign, scope: Scope, owner: Owner, _: Use) -> None:
        for target in node.targets:
            self._bind(target, node.value, scope)
        # What a class holds can be reached through it from anywhere.
        plain = not scope.class_name and all(
            _is_plain_target(target, node.value) for target in node.targets
        )
        self._push_value(node.value, scope, owner, Use.KEPT if plain else Use.HANDED)
        self._push(node.targets, scope, owner)
        if not all(isinstance(target, ast.Name) for target in node.targets):
            self._site(node, scope, owner, Use.NAMED)

    def _push_value(self, value: ast.expr, scope: Scope, owner: Owner, use: Use) -> None:
        if use is Use.KEPT and isinstance(value, (ast.Tuple, ast.List)):
            self._push(value.elts, scope, owner, use)
        else:
            self._push([value], scope, owner, use)

    def _on_AnnAssign(self, node: ast.AnnAssign, scope: Scope, owner: Owner, _: Use) -> None:
        plain = isinstance(node.target, ast.Name)
        if node.value is not None:
            self._bind(node.target, node.value, scope)
            self._push([node.value], scope, owner, Use.KEPT if plain else Use.HANDED)
        self._push([node.target], scope, owner)
        self._push([node.annotation], scope, owner, Use.NAMED)

    def _on_AugAssign(self, node: ast.AugAssign, scope: Scope, owner: Owner, _: Use) -> None:
        if isinstance(node.target, ast.Name):
            self._bind_name(scope, node.target.id, _UNKNOWN)
            self._outline.read.add(node.target.id)
        self._push([node.target, node.value], scope, owner)
        self._site(node, scope, owner, Use.NAMED)

    def _on_NamedExpr(self, node: ast.NamedExpr, scope: Scope, owner: Owner, use: Use) -> None:
        self._bind_name(scope, node.target.id, Binding(node.value, scope))
        self._push([node.value], scope, owner, use)

    def _on_For(self, node: ast.For | ast.AsyncFor, scope: Scope, owner: Owner, _: Use) -> None:
        self._bind_elements(node.target, node.iter, scope)
        self._push([node.target, node.iter, *node.body, *node.orelse], scope, owner)

    _on_AsyncFor = _on_For

    def _on_comprehension(
        self, node: ast.comprehension, scope: Scope, owner: Owner, _: Use
    ) -> None:
        self._bind_elements(node.target, node.iter, scope)
        self._push([node.target, node.iter, *node.ifs], scope, owner)

    def _on_withitem(self, node: ast.withitem, scope: Scope, owner: Owner, _: Use) -> None:
        if node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr, scope)
        self._push([node.context_expr, node.optional_vars], scope, owner, Use.KEPT)

    def _on_ExceptHandler(
        self, node: ast.ExceptHandler, scope: Scope, owner: Owner, _: Use
    ) -> None:
        if node.name:
            self._bind_name(scope, node.name, _UNKNOWN)
        self._push(node.body, scope, owner)
        self._push([node.type], scope, owner, Use.NAMED)

    def _on_MatchAs(
        self, node: ast.MatchAs | ast.MatchStar, scope: Scope, owner: Owner, use: Use
    ) -> None:
        if node.name:
            self._bind_name(scope, node.name, _UNKNOWN)
        self._generic(node, scope, owner, use)

    _on_MatchStar = _on_MatchAs

    def _on_MatchMapping(
        self, node: ast.MatchMapping, scope: Scope, owner: Owner, use: Use
    ) -> None:
        if node.rest:
            self._bind_name(scope, node.rest, _UNKNOWN)
        self._generic(node, scope, owner, use)

    def _bind(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        """Bind the names of a target to a value, part by part where both have parts."""
        pending: list[tuple[ast.expr, ast.expr | None]] = [(target, value)]
        while pending:
            left, right = pending.pop()
            if isinstance(left, ast.Name):
                self._bind_name(
                    scope, left.id, Binding(right, scope) if right is not None else _UNKNOWN
                )
            elif isinstance(left, ast.Starred):
                pending.append((left.value, None))
            elif isinstance(left, (ast.Tuple, ast.List)):
                parts = right.elts if isinstance(right, (ast.Tuple, ast.List)) else []
                fits = len(parts) == len(left.elts)
                for at, inner in enumerate(left.elts):
                    pending.append((inner, parts[at] if fits else None))

    def _bind_elements(self, target: ast.expr, values: ast.expr, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self._bind_name(scope, target.id, Binding(values, scope, element=True))
        elif isinstance(values, (ast.Tuple, ast.List)):
            for value in values.elts:
                self._bind(target, value, scope)
        else:
            self._bind(target, ast.Constant(value=None), scope)

    # Places to judge

    def _on_Call(self, node: ast.Call, scope: Scope, owner: Owner, use: Use) -> None:
        self._site(node, scope, owner, use)
        self._push([keyword.value for keyword in node.keywords], scope, owner)
        asks = isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "issubclass"}
        self._push(node.args, scope, owner, Use.NAMED if asks else Use.HANDED)
        self._push([node.func], scope, owner, Use.CALLED)

    def _on_Attribute(self, node: ast.Attribute, scope: Scope, owner: Owner, use: Use) -> None:
        owner.referenced.add(node.attr)
        if isinstance(node.ctx, ast.Load):
            self._site(node, scope, owner, use)
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            inner = inner.value
            if isinstance(inner, ast.Attribute):
                owner.referenced.add(inner.attr)
                self._site(inner, scope, owner, Use.NAMED)
        if isinstance(inner, ast.Name):
            self._outline.read.add(inner.id)
            owner.referenced.add(inner.id)
        else:
            self._push([inner], scope, owner, Use.KEPT)

    def _on_Name(self, node: ast.Name, scope: Scope, owner: Owner, use: Use) -> None:
        if isinstance(node.ctx, ast.Load):
            self._outline.read.add(node.id)
            owner.referenced.add(node.id)
            self._site(node, scope, owner, use)

    def _on_Subscript(self, node: ast.Subscript, scope: Scope, owner: Owner, use: Use) -> None:
        self._site(node, scope, owner, use)
        self._push([node.slice], scope, owner)
        self._push([node.value], scope, owner, Use.KEPT)

    def _on_Dict(self, node: ast.Dict, scope: Scope, owner: Owner, use: Use) -> None:
        self._site(node, scope, owner, use)
        self._generic(node, scope, owner, use)

    def _on_Constant(self, node: ast.Constant, scope: Scope, owner: Owner, use: Use) -> None:
        if isinstance(node.value, (str, bytes)):
            self._site(node, scope, owner, use)

    def _on_Expr(self, node: ast.Expr, scope: Scope, owner: Owner, _: Use) -> None:
        if not isinstance(node.value, ast.Constant):
            self._push([node.value], scope, owner, Use.NAMED)


def _is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and len(test.ops) == 1
        and isinstance(test.ops[0], ast.Eq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "__main__"
    )


def _is_plain_target(target: ast.expr, value: ast.expr) -> bool:
    if isinstance(target, ast.Name):
        return True
    return (
        isinstance(target, (ast.Tuple, ast.List))
        and isinstance(value, (ast.Tuple, ast.List))
        and len(target.elts) == len(value.elts)
        and all(isinstance(part, ast.Name) for part in target.elts)
    )
