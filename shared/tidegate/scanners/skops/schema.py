"""schema.json as a tree of nodes, in the order in which they stand.

Always holds: iterative, so that depth costs no stack; what is no tree of nodes raises
`SchemaError`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

MAX_SCHEMA = 64 << 20


class SchemaError(Exception):
    """schema.json is not what skops writes; the message says how."""


@dataclass(frozen=True, slots=True)
class SchemaNode:
    """One node: its loader, the name it carries, its fields, and where it hangs.

    `role` is the key under which its parent holds it, `parent` the parent's loader. `called`
    says that a type or function at this place is called, not only kept. `id` is the node's
    identity within the file, as JSON.
    """

    loader: str
    module: str | None
    name: str | None
    fields: dict[str, Any]
    role: str
    parent: str
    called: bool
    id: str | None


def read_schema(raw: bytes) -> dict[str, Any]:
    """The root of the schema, once it is known to be a JSON object without double keys."""
    try:
        root = json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise SchemaError("schema.json is no JSON") from None
    if not isinstance(root, dict):
        raise SchemaError("schema.json is no JSON object")
    return root


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SchemaError("schema.json names something twice")
    return found


# Below these, types and functions are called: keys are made by calling their types, a partial
# calls its function, a constructor may call what it is given.
_CALLING = frozenset({"key_types", "func", "default_factory"})
_CALLING_LOADERS = frozenset({"PartialNode", "ConstructorFromReduceNode", "LossNode", "TreeNode"})


def nodes(root: dict[str, Any]) -> Iterator[SchemaNode]:
    """Every node of the tree, wherever it hangs.

    A node may stand in for another one by its id, so what is called under an id at one place is
    called at every place.
    """
    found = list(_walk(root))
    called = {node.id for node in found if node.called and node.id is not None}
    for node in found:
        yield replace(node, called=True) if node.id in called else node


def _walk(root: dict[str, Any]) -> Iterator[SchemaNode]:
    pending: list[tuple[Any, str, str, bool]] = [(root, "", "", False)]
    while pending:
        value, role, parent, called = pending.pop()
        if isinstance(value, list):
            pending.extend((item, role, parent, called) for item in reversed(value))
            continue
        if not isinstance(value, dict):
            continue
        inner_parent, inner_called = parent, called
        if "__loader__" in value or ("__class__" in value and "__module__" in value):
            node = _node(value, role, parent, called=called)
            yield node
            inner_parent = node.loader
            inner_called = called or node.loader in _CALLING_LOADERS
        pending.extend(
            (inner, key, inner_parent, inner_called or key in _CALLING)
            for key, inner in reversed(value.items())
            if isinstance(inner, (dict, list))
        )


def _node(value: dict[str, Any], role: str, parent: str, *, called: bool) -> SchemaNode:
    loader, module, name = (value.get(key) for key in ("__loader__", "__module__", "__class__"))
    if not isinstance(loader, str):
        raise SchemaError("a node of schema.json names no loader")
    for part in (module, name):
        if part is not None and not isinstance(part, str):
            raise SchemaError("a node of schema.json has a type that is no name")
    identity = value.get("__id__")
    if "__id__" in value and type(identity) not in {int, str}:
        # skops compares ids as Python does, where 1, 1.0 and true are the same.
        raise SchemaError("a node of schema.json has an id that is no number")
    known_as = None if identity is None else json.dumps(identity)
    return SchemaNode(loader, module, name, value, role, parent, called, known_as)
