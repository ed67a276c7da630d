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

_MAX_PROGRAM = 64 << 20
_NAME = r"(?!__)[A-Za-z_][A-Za-z0-9_]*"
_TARGET = re.compile(
    rf"torch\.ops\.(?:aten|prims|prim|higher_order|quantized|quantized_decomposed|torchvision)"
    rf"\.{_NAME}\.{_NAME}"
    rf"|torch\.ops\.higher_order\.{_NAME}"
    r"|_operator\.(?:add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_"
    r"|getitem)"
    r"|math\.(?:ceil|floor|trunc|sqrt)"
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
_TREE_TYPES = frozenset({"builtins.list", "builtins.tuple", "builtins.dict", None})
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
    if not isinstance(value, str):
        return False
    try:
        specification = json.loads(value)
    except (ValueError, RecursionError):
        return False
    for key, inner in _entries(specification):
        if key == "type":
            if not (inner is None or isinstance(inner, str)) or inner not in _TREE_TYPES:
                return False
        elif key == "context":
            if inner is not None and not (isinstance(inner, str) and "__" not in inner):
                return False
        elif key != "children_spec":
            return False
    return True
