"""Programs that `torch.export` saved (pt2): graphs that pass, where nothing in them is evaluated.

Loading one resolves the graph's targets by their dotted names, evaluates symbolic expressions
with sympy, imports the modules of enum values in tree specifications, and runs guard code (read
from torch 2.13's `torch/_export/serde/serialize.py` and `torch/utils/_pytree.py`). So a program
passes where all of these are of the plain kinds that ordinary models have; anything else is held
as code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.streams import read_exactly, shown

_MAX_PROGRAM = 24 << 20
_NAME = r"(?!__)[A-Za-z_][A-Za-z0-9_]*"
_TARGET = re.compile(
    rf"torch\.ops\.(?:aten|prims|prim|higher_order|quantized|quantized_decomposed|torchvision)"
    rf"\.{_NAME}\.{_NAME}"
    rf"|torch\.ops\.higher_order\.{_NAME}"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_"
    r"|getitem)"
    r"|math\.(?:ceil|floor|trunc|sqrt)"
    r"|torch\._functorch\.predispatch\.(?:_(?:add|remove)_batch_dim|_(?:vmap|jvp)_(?:in|de)crement"
    r"_nesting|_(?:un)?(?:make|pack)_dual|_unwrap_for_grad|_(?:enter|exit)_dual_level|lazy_load_"
    r"decompositions)"
    r"|torch\.(?:_C\._set_grad_enabled|amp\.autocast_mode\._(?:enter|exit)_autocast)"
    r"|torch\.sym_(?:int|float|max|min|not|ite|sum|sqrt)"
)
_EXPRESSION = re.compile(r"(?:[A-Za-z][A-Za-z0-9]*|[0-9.]+|[-+*/%(), <>=!&|~])*")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
# sympy writes a symbol as Symbol('s0', ...); its name is a text, and never evaluated.
_QUOTED_SYMBOL = re.compile(r"'((?:[suz]|zuf|zf)[0-9]{1,9})'")
_SYMBOL = re.compile(r"(?:[suz]|zuf|zf|int)[0-9]*")
_FUNCTIONS = frozenset({
    "Max", "Min", "Mod", "PythonMod", "FloorDiv", "CeilDiv", "CleanDiv", "IntTrueDiv",
    "FloatTrueDiv", "ModularIndexing", "ToFloat", "TruncToInt", "RoundToInt", "FloorToInt",
    "CeilToInt", "PowByNatural", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Abs",
    "Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Relational", "BooleanTrue",
    "BooleanFalse", "positive", "nonnegative", "integer", "real", "zero", "nonzero", "precision",
    "floor", "ceiling", "StrictGreaterThan", "StrictLessThan", "GreaterThan", "LessThan",
    "Equality", "Unequality", "ITE", "Piecewise", "ExprCondPair", "Where", "Infinity",
    "NegativeInfinity", "One", "Zero", "Half", "NegativeOne", "even", "odd", "negative",
    "nonpositive", "finite", "commutative", "True", "False", "true", "false", "oo", "I",
})  # fmt: skip
# Only types that a program has registered can be named: no type is looked up by its name.
_TREE_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_DEFAULT_FACTORIES = frozenset({"list", "dict", "set", "tuple", "int", "float", "str", "bool"})
_EVALUATED = frozenset({"expr_str"})
_SPECIFICATIONS = frozenset({"in_spec", "out_spec", "as_pytree_spec", "treespec"})


def check_program(part: Subject, report: Report) -> None:
    """Report what loading the program would evaluate or fetch beyond a plain graph."""
    part.stream.seek(0)
    if part.size > _MAX_PROGRAM:
        report.unread(part, f"the program is larger than {_MAX_PROGRAM >> 20} MiB")
        return
    try:
        root = json.loads(read_exactly(part.stream, part.size))
    except (ValueError, RecursionError):
        report.unread(part, "the program is no JSON")
        return
    for key, value in _entries(root):
        problem = _problem(key, value)
        if problem is not None:
            report.found(
                "TORCH-EXPORT-CODE",
                part,
                f"The exported program {problem}.",
                detail=shown(problem, 200),
            )


def _problem(key: str, value: Any) -> str | None:
    if key == "target" and isinstance(value, str) and not _TARGET.fullmatch(value):
        return f"calls {shown(value)}"
    if key in _EVALUATED and not (isinstance(value, str) and _is_plain_expression(value)):
        return f"evaluates {shown(str(value))} when it is loaded"
    if key == "guards_code" and value:
        return "runs guard code of its own when it is used"
    if key in _SPECIFICATIONS and value is not None and not _is_plain_specification(value):
        return f"builds types that its {key} names when it is loaded"
    return None


def _entries(root: Any) -> Iterator[tuple[str, Any]]:
    """Every key of every object in the tree, with its value."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield from node.items()
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _is_plain_expression(text: str) -> bool:
    bare = _QUOTED_SYMBOL.sub(r"\1", text)
    return _EXPRESSION.fullmatch(bare) is not None and all(
        word in _FUNCTIONS or _SYMBOL.fullmatch(word) for word in _WORD.findall(bare)
    )


def _is_plain_specification(value: Any) -> bool:
    """Whether a tree specification names containers alone, with contexts that import nothing."""
    specification = _parsed(value)
    if specification is None:
        return False
    return all(
        _is_plain_node(node) for node in _nodes(specification) if node.keys() & {"type", "context"}
    )


def _is_plain_node(node: dict[str, Any]) -> bool:
    if node.keys() - {"type", "context", "children_spec"}:
        return False
    kind, context = node.get("type"), node.get("context")
    if kind is not None and not (isinstance(kind, str) and _TREE_TYPE.fullmatch(kind)):
        return False
    if context is None:
        return True
    parsed = context
    if isinstance(context, str):
        # torch parses this text as JSON once more; the names of named tuples stand as they are.
        parsed = _parsed(context)
        if parsed is None:
            return kind is not None and _TREE_TYPE.fullmatch(context) is not None
    if kind == "collections.defaultdict":
        return _is_plain_default(parsed)
    return not any("__enum__" in inner for inner in _nodes(parsed))


def _is_plain_default(context: Any) -> bool:
    """Torch imports the module that the context names, and calls what it finds there."""
    context = _parsed(context) if isinstance(context, str) else context
    return (
        isinstance(context, dict)
        and context.get("default_factory_module") == "builtins"
        and context.get("default_factory_name") in _DEFAULT_FACTORIES
        and not any("__enum__" in inner for inner in _nodes(context))
    )


def _parsed(text: Any) -> Any:
    """The JSON in the text; None where there is none."""
    if not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _nodes(root: Any) -> Iterator[dict[str, Any]]:
    """Every object in the tree."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
