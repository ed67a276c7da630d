"""Which classes and functions a source defines, and defines only: what an import of it gives.

A name counts where the module's own statements bind it once, by `class` or `def`, and nothing else
binds it: no import, no assignment, no `global`, no star import. Always holds: such a name means
the class or function of this source, whoever imports it.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

_MAX_NAMES = 2_000
_MAX_NESTING = 5


def definitions(tree: ast.Module) -> list[str]:
    """The names, as "class Model", "class Model.Inner" or "def score"."""
    bound: Counter[str] = Counter()
    defined: dict[str, ast.stmt] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            for name in node.names:
                bound[name] += 2
        elif isinstance(node, ast.ImportFrom) and any(one.name == "*" for one in node.names):
            return []
    for statement in _of_module(tree.body):
        for name in _bound(statement):
            bound[name] += 1
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            defined[statement.name] = statement
    found: list[str] = []
    for name, statement in defined.items():
        if bound[name] == 1:
            found.extend(_named(statement, name, 0))
    return found[:_MAX_NAMES]


def _named(statement: ast.stmt, name: str, depth: int) -> Iterator[str]:
    if not isinstance(statement, ast.ClassDef):
        yield f"def {name}"
        return
    yield f"class {name}"
    if depth < _MAX_NESTING:
        names = Counter(bound for inner in _of_module(statement.body) for bound in _bound(inner))
        for inner in statement.body:
            if isinstance(inner, ast.ClassDef) and names[inner.name] == 1:
                yield from _named(inner, f"{name}.{inner.name}", depth + 1)


def _of_module(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of these statements, without the insides of classes, functions and lambdas."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [one.asname or one.name.split(".", 1)[0] for one in node.names]
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return [node.name]
    if isinstance(node, ast.MatchMapping) and node.rest:
        return [node.rest]
    return []
