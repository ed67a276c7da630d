"""Whether a source fetches attributes by names that it is told when it runs.

A class that does so is a stepping stone: what carries the name, a pickle or a configuration,
decides what is reached through it (`getattr(module, name)`, step by step to `os.system`). No
reading of the source alone can answer for that. One step from the object itself, from torch or
from a configuration is what ordinary models do, and passes.
"""

from __future__ import annotations

import ast

_GETTERS = frozenset({"getattr", "getattr_static"})
_MAKERS = frozenset({"attrgetter", "methodcaller", "resolve_name", "locate"})
_ORDINARY = frozenset({"self", "cls", "torch", "nn", "F", "config"})


def looks_up_what_it_is_told(tree: ast.Module) -> bool:
    """True where some name of an attribute, a method or a module is not in the source itself."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    ordinary = _ORDINARY - _rebound(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if _is_told(node, ordinary):
                return True
        elif isinstance(node, ast.Subscript):
            if not isinstance(node.slice, ast.Constant) and _is_namespace(node.value):
                return True
        elif isinstance(node, ast.Name) and node.id in _GETTERS and id(node) not in called:
            return True
    return False


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _is_told(node: ast.Call, ordinary: frozenset[str]) -> bool:
    called = _name_of(node.func)
    if called in _GETTERS and len(node.args) > 1:
        owner, name = node.args[0], node.args[1]
        plain = isinstance(owner, ast.Name) and owner.id in ordinary
        return not (isinstance(name, ast.Constant) or plain)
    if called in _MAKERS:
        return not all(isinstance(argument, ast.Constant) for argument in node.args)
    # A step whose result is handed on may be the first of many.
    return any(
        isinstance(part, ast.Call) and _name_of(part.func) in _GETTERS and len(part.args) > 1
        and not isinstance(part.args[1], ast.Constant)
        for part in node.args
    )  # fmt: skip


def _is_namespace(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return _name_of(node.func) in {"vars", "globals", "locals"}
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        return not (isinstance(node.value, ast.Name) and node.value.id == "self")
    return isinstance(node, ast.Attribute) and node.attr == "modules"


def _rebound(tree: ast.Module) -> set[str]:
    """Names that stand for what a lookup gave."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or node.value is None:
            continue
        if any(isinstance(p, ast.Call) and _name_of(p.func) in _GETTERS
               for p in ast.walk(node.value)):  # fmt: skip
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(
                part.id
                for target in targets
                for part in ast.walk(target)
                if isinstance(part, ast.Name)
            )
    return found
