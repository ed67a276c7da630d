"""Operators that open files whose names the graph computes: savers, and tables made from files.

Every SavedModel has operators that save and restore variables. They are harmless as long as the
path comes from who loads the model: then it is an argument or a placeholder, joined with "part"
and the like. A path that stands in the graph, or that is computed from what stands in it, is a
finding. A function that contains such an operator is one itself where it is called.

Always holds: time is linear in the nodes and inputs of a graph, for each operator that opens
files at most once, and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.scanners.tensorflow.operators import saver_operators

_PASSING = frozenset({
    "Identity", "Pack", "PlaceholderWithDefault", "Select", "SelectV2", "ShardedFilename",
    "ShardedFilespec", "StaticRegexFullMatch", "StringJoin",
})  # fmt: skip
"""Operators through which a path may come to a saver."""

_SOURCES = frozenset({"Placeholder", "_Arg", "Const", "StaticRegexFullMatch"})
_MAKING = frozenset({
    "AsString", "Base64Decode", "DecodeBase64", "DecodeCompressed", "EncodeBase64", "ReduceJoin",
    "RegexReplace", "StaticRegexReplace", "StringFormat", "StringJoin", "StringLower",
    "StringStrip", "StringUpper", "Substr", "UnicodeEncode", "UnicodeTranscode",
    "UnsortedSegmentJoin", "ZlibDecompress",
})  # fmt: skip
"""Operators that make texts, from which a path for a function may not come."""

_TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_PLAIN = re.compile(rb"[\w.-]{0,64}(?:/part)?|_temp_[0-9a-f]{32}/part", re.ASCII)
_PATH = re.compile(rb"[/~\\].*|.*\.\.[/\\].*|[A-Za-z]:[/\\].*|\w{2,12}://.*", re.DOTALL)
_OWN = re.compile(r"__inference__traced_(?:save|restore)_\d+")
_GIVEN = re.compile(r"(?:saver_filename|asset_path_initializer)(?:_\d+)?")
_MAX_VISITED = 200_000
_SAVERS_FIRST = {"MergeV2Checkpoints": 2}


@dataclass(frozen=True, slots=True)
class Node:
    """What of a node matters here."""

    op: str
    inputs: tuple[str, ...]
    texts: tuple[bytes, ...]
    functions: tuple[str, ...]
    offset: int


@dataclass(slots=True)
class Body:
    """The nodes of a graph or a function that pass texts on, by name."""

    name: str
    nodes: dict[str, Node]


def matters(op: str, functions: tuple[str, ...], texts: tuple[bytes, ...]) -> bool:
    """Whether a node has a part in the names of files."""
    return (
        op in saver_operators()
        or op in _PASSING
        or op in _MAKING
        or op in _TABLES
        or op in {"Placeholder", "_Arg"}
        or bool(functions)
        or (op == "Const" and bool(texts))
    )


def problems(bodies: list[Body], assets: frozenset[str]) -> Iterator[tuple[Node, str]]:
    """Each node that opens a file which the graph names, and what is wrong with it."""
    opening = _opening(bodies)
    visits = 0
    for body in bodies:
        for node in body.nodes.values():
            called = opening.intersection((node.op, *node.functions))
            if node.op in saver_operators() and body.name and not _OWN.fullmatch(body.name):
                yield node, "it stands in a function that is not one of TensorFlow's savers"
                continue
            if node.op in saver_operators():
                starts, strict = node.inputs[: _SAVERS_FIRST.get(node.op, 1)], True
            elif node.op in _TABLES:
                starts, strict = node.inputs[1:2], False
            elif called:
                starts, strict = node.inputs, False
            else:
                continue
            seen: set[str] = set()
            problem = _problem(body, starts, seen, assets, strict=strict)
            visits += len(seen)
            if problem is None and visits > _MAX_VISITED:
                problem = "too many nodes lead to it for this version to follow"
            if problem is not None:
                yield node, problem
            if visits > _MAX_VISITED:
                return


def _opening(bodies: list[Body]) -> set[str]:
    """The functions that open files, or call one that does."""
    callers: dict[str, set[str]] = {}
    pending = []
    for body in bodies:
        for node in body.nodes.values():
            if node.op in saver_operators() or node.op in _TABLES:
                pending.append(body.name)
            for called in (node.op, *node.functions):
                callers.setdefault(called, set()).add(body.name)
    opening: set[str] = set()
    while pending:
        name = pending.pop()
        if name and name not in opening:
            opening.add(name)
            pending.extend(callers.get(name, ()))
    return opening


def _problem(
    body: Body, starts: tuple[str, ...], seen: set[str], assets: frozenset[str], *, strict: bool
) -> str | None:
    pending = [_producer(name) for name in starts if not name.startswith("^")]
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        node = body.nodes.get(name)
        if node is None:
            # In a function, an argument; else an operator that passes no text on.
            if strict and not body.name:
                return "its path is computed in the graph"
            continue
        if node.op == "Placeholder" and not strict and not _GIVEN.fullmatch(name):
            return "its path may come with a request to the model"
        if node.op == "Const":
            if name in assets:
                continue
            for text in node.texts:
                if _PATH.fullmatch(text) or (strict and not _PLAIN.fullmatch(text)):
                    return f"its path stands in the graph: {text[:80].decode('latin-1')!r}"
            continue
        if strict and node.op not in _PASSING and node.op not in _SOURCES:
            return f"its path is computed in the graph by {node.op}"
        if not strict and node.op in _MAKING:
            return f"its path is computed in the graph by {node.op}"
        if node.op in _PASSING:
            # Behind a sharded name's path stand the number of the shard and that of all.
            paths = node.inputs[:1] if node.op.startswith("Sharded") else node.inputs
            pending.extend(_producer(each) for each in paths if not each.startswith("^"))
    return None


def _producer(name: str) -> str:
    return name.split(":", 1)[0]
