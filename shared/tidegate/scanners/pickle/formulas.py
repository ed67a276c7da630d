"""Formulas of statistical models, as patsy and formulaic read them: which are mere arithmetic.

A formula is Python source: "y ~ x" is as much evaluated as "y ~ system('id')", by statsmodels
while it loads a result. Always holds: a formula passes only where every token of it is a column,
a number, a text, an operator, or the call of a function named here. None of those functions
opens, imports or runs anything, and no attribute, index or keyword is reached.
"""

from __future__ import annotations

import keyword
import re

_FUNCTIONS = frozenset(
    [
        "C",
        "Q",
        "I",
        "bs",
        "ns",
        "cr",
        "cc",
        "cs",
        "te",
        "poly",
        "center",
        "scale",
        "standardize",
        "lag",
        "lead",
        "hashed",
        "Treatment",
        "Sum",
        "Helmert",
        "Poly",
        "Diff",
        "log",
        "log2",
        "log10",
        "log1p",
        "exp",
        "expm1",
        "sqrt",
        "square",
        "abs",
        "absolute",
        "sin",
        "cos",
        "tan",
        "arcsin",
        "arccos",
        "arctan",
        "sinh",
        "cosh",
        "tanh",
        "power",
        "sign",
        "floor",
        "ceil",
        "round",
        "maximum",
        "minimum",
    ]
)
"""What patsy and formulaic offer, and numpy's functions of numbers, which follow "np."."""

_TOKEN = re.compile(
    r"(?P<space>[ \t\n]+)"
    r"|(?P<call>(?:(?:np|numpy)\.)?[A-Za-z]\w*)(?=[ \t\n]*\()"
    r"|(?P<name>[^\W\d_]\w*)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<text>\"[^\"\\\n]*\"|'[^'\\\n]*')"
    r"|(?P<column>`[^`\\\n]*`)"
    r"|(?P<open>\()"
    r"|(?P<close>\))"
    r"|(?P<operator>[-+*/:~|,=^%<>])"
)
_VALUES = frozenset({"name", "number", "text", "column", "close"})


def _is_keyword(word: str) -> bool:
    return keyword.iskeyword(word) and word not in ("True", "False", "None")


def is_plain_formula(formula: str) -> bool:
    """True where the formula computes with columns and does nothing else."""
    at, before = 0, ""
    while at < len(formula):
        match = _TOKEN.match(formula, at)
        if match is None or match.end() == at:
            return False
        kind, word = match.lastgroup or "", match.group()
        at = match.end()
        if kind == "space":
            continue
        if kind == "call":
            if word.rpartition(".")[2] not in _FUNCTIONS or before in _VALUES:
                return False
        elif kind == "name" and (_is_keyword(word) or before in _VALUES or "__" in word):
            return False
        elif kind in ("text", "number", "column") and before in _VALUES:
            return False  # a prefix such as f"…" stands before a text
        elif kind == "open" and before in _VALUES:
            return False  # what is computed is called
        elif word == "=" and before == ":":
            return False
        before = word if word == ":" else kind
    return True
