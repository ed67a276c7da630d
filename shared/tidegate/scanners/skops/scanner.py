"""What loading a skops file reaches, node by node.

For each kind of node: which names skops imports for it and what it does with them (keeps them,
makes an instance with `__new__`, calls them). Read from skops' own sources, where the number of
the protocol, which the file chooses, decides which reader runs; the strictest reading is taken.

Always holds: a kind of node that is not known here makes the file `unread`.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from tidegate.scanners.callables import Use
from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.skops.judging import report_type
from tidegate.scanners.skops.schema import (
    MAX_SCHEMA,
    SchemaError,
    SchemaNode,
    nodes,
    read_schema,
)
from tidegate.scanners.skops.states import States
from tidegate.scanners.streams import read_exactly, shown

_PROTOCOLS = range(3)

# Kinds that import `__module__.__class__` from the file, and the most they do with it.
_IMPORTING = {
    "DictNode": Use.CALL,
    "ListNode": Use.CALL,
    "SetNode": Use.CALL,
    "TupleNode": Use.CALL,
    "NdArrayNode": Use.CALL,
    "RandomStateNode": Use.CALL,
    "RandomGeneratorNode": Use.CALL,
    "ConstructorFromReduceNode": Use.CALL,
    "LossNode": Use.CALL,
    "ObjectNode": Use.MAKE,
    "TypeNode": Use.NAME,
    "FunctionNode": Use.NAME,
}
# Kinds whose loader knows by itself what it makes, with the only names that honest files give it.
_FIXED = {
    "DefaultDictNode": {("collections", "defaultdict")},
    "PartialNode": {("functools", "partial")},
    "SliceNode": {("builtins", "slice")},
    "BytesNode": {("builtins", "bytes")},
    "BytearrayNode": {("builtins", "bytearray")},
    "DTypeNode": {("numpy", "dtype")},
    "MaskedArrayNode": {("numpy.ma", "MaskedArray"), ("numpy.ma.core", "MaskedArray")},
    # An array stays what numpy reads; only other names (numpy's scalars) are called with it.
    "NdArrayNode": {("numpy", "ndarray")},
    "TreeNode": {("sklearn.tree._tree", "Tree")},
    "QuantileForestNode": {("quantile_forest._quantile_forest_fast", "QuantileForest")},
    "_DictWithDeprecatedKeysNode": {("sklearn.covariance._graph_lasso", "_DictWithDeprecatedKeys")},
}
_PLAIN = frozenset({"JsonNode", "CachedNode", "SparseMatrixNode", "MethodNode", "OperatorFuncNode"})
_RAW_BYTES = frozenset({"BytesNode", "BytearrayNode"})
_WITH_FILE = _RAW_BYTES | {"NdArrayNode", "SparseMatrixNode"}
_BIT_GENERATORS = frozenset({"MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"})


def scan_schema(
    stream: BinaryIO, size: int, subject: Subject, members: frozenset[str], report: Report
) -> dict[str, str]:
    """Read `schema.json` of the archive `subject`, whose members have the names `members`.

    Returns the members that the schema takes as raw bytes, each with its node's kind.
    """
    part = subject.inside(stream, size, "schema.json")
    if size > MAX_SCHEMA:
        report.unread(part, f"the schema is larger than {MAX_SCHEMA >> 20} MiB")
        return {}
    raw: dict[str, str] = {}
    try:
        root = read_schema(read_exactly(stream, size))
        if "__loader__" not in root and "__class__" not in root:
            # Some other archive that happens to hold a file of that name.
            return {}
        _check_protocol(root, part, report)
        found = list(nodes(root))
        states = States(found)
        for node in found:
            _check_node(node, part, members, report)
            states.check(node, part, report)
            file = node.fields.get("file")
            if node.loader in _RAW_BYTES and isinstance(file, str):
                raw[file] = node.loader
    except SchemaError as problem:
        report.found("SKOPS-MALFORMED", part, f"{problem}.")
        return {}
    return raw


def _check_protocol(root: dict[str, Any], part: Subject, report: Report) -> None:
    protocol = root.get("protocol")
    if type(protocol) is not int or protocol < 0:
        raise SchemaError("schema.json names no protocol")
    if protocol not in _PROTOCOLS:
        report.unread(part, f"skops protocol {protocol} is newer than this version knows")


def _check_node(node: SchemaNode, part: Subject, members: frozenset[str], report: Report) -> None:
    known = node.loader in _IMPORTING or node.loader in _FIXED or node.loader in _PLAIN
    if not known:
        report.unread(part, f"this version does not know nodes of the kind {shown(node.loader)}")
    for module, name, use in names_reached(node):
        report_type(module, name, use, _doing(use), part, report)
    if node.loader == "RandomGeneratorNode":
        _check_bit_generator(node, part, report)
    elif node.loader == "JsonNode" and not isinstance(node.fields.get("content"), str):
        raise SchemaError("a plain value of schema.json is no text")
    if node.loader in _WITH_FILE:
        _check_file(node, members)


def names_reached(node: SchemaNode) -> list[tuple[str, str, Use]]:
    """Each module and name that skops imports for the node itself, and what it does with it.

    Raises SchemaError where the node does not name what a node of its kind must.
    """
    if node.loader == "OperatorFuncNode":
        return [("operator", _text(node.name), Use.CALL)]
    if node.loader == "MethodNode":
        content = node.fields.get("content")
        method = _text(content.get("func") if isinstance(content, dict) else None)
        return [(_text(node.module), f"{_text(node.name)}.{method}", Use.CALL)]
    if node.loader in _PLAIN or (node.module, node.name) in _FIXED.get(node.loader, ()):
        return []
    use = _IMPORTING.get(node.loader, Use.CALL)
    if node.called and use is Use.NAME:
        use = Use.CALL
    reached = [(_text(node.module), _text(node.name), use)]
    content = node.fields.get("content")
    if node.loader == "FunctionNode" and isinstance(content, dict):
        # Protocol 0 keeps the function's name here, and the file chooses the protocol.
        reached.append((_text(content.get("module_path")), _text(content.get("function")), use))
    return reached


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise SchemaError("a node of schema.json does not name its type")
    return value


def _doing(use: Use) -> str:
    return {
        Use.NAME: "is imported when the file is loaded",
        Use.MAKE: "is imported, and an instance made and given its state, when the file is loaded",
        Use.CALL: "is imported and called when the file is loaded or the model used",
    }[use]


def _check_bit_generator(node: SchemaNode, part: Subject, report: Report) -> None:
    """numpy.random's attribute of that name is fetched and called, whatever it is."""
    content = node.fields.get("content")
    state = content.get("bit_generator") if isinstance(content, dict) else None
    inner = state.get("content") if isinstance(state, dict) else None
    told = inner.get("bit_generator") if isinstance(inner, dict) else None
    raw = told.get("content") if isinstance(told, dict) else None
    try:
        name = json.loads(raw) if isinstance(raw, str) else None
    except (ValueError, RecursionError):
        name = None
    if not isinstance(name, str):
        raise SchemaError("a random generator of schema.json names no bit generator")
    if name not in _BIT_GENERATORS:
        what = "is called to make a random generator, and is no bit generator"
        report.found(
            "SKOPS-UNTRUSTED-TYPE",
            part,
            f"numpy.random.{shown(name)} {what}.",
            detail=f"numpy.random.{shown(name)}",
        )


def _check_file(node: SchemaNode, members: frozenset[str]) -> None:
    if node.loader == "NdArrayNode" and node.fields.get("type") == "json":
        return
    file = node.fields.get("file")
    if not isinstance(file, str) or file not in members:
        raise SchemaError("schema.json refers to a member that is not there")
