"""Keys of an object's state that decide which code runs when the state is given.

Attributes are harmless by themselves. A few are not: those that replace the object's own special
methods, and those that some library's `__setstate__` runs as source text. The second kind was
found by reading every `__setstate__` on the allow-lists.
"""

from __future__ import annotations

import re

from tidegate.scanners.pickle.formulas import is_plain_formula
from tidegate.scanners.pickle.values import Value

_HARMLESS = frozenset(
    {
        "__doc__",
        "__module__",
        "__name__",
        "__networkx_cache__",
        "__overloads__",
        "__qualname__",
    }
)

_RUN_AS_FORMULA = frozenset({"design_info", "model_spec"})
"""Formulas are Python. statsmodels evaluates them when it gives ModelData its state, or when a
model predicts; under which class the attribute stands does not matter to it."""

_FORMULAS = frozenset({"formula"})
_RESTORE = frozenset({"restore_design_info", "restore_model_spec"})
"""Told so, statsmodels' ModelData evaluates the formula of the same dict while it is loaded."""

KEYS_THAT_DECIDE = _RUN_AS_FORMULA | _FORMULAS | _RESTORE

_SHAPES = r"(?:[A-Za-z_]\w{0,40}, ){0,20}"
_PLACE = r" loc=0(?:, scale=1)?"
_RETURNED = rf"return \({_SHAPES}\), loc, (?:scale|1)"
_TEMPLATE = re.compile(
    rf"\ndef _parse_args\(self, {_SHAPES}{_PLACE}\):\n    {_RETURNED}\n"
    rf"\ndef _parse_args_rvs\(self, {_SHAPES}{_PLACE}, size=None\):\n"
    rf"    return self\._argcheck_rvs\({_SHAPES} loc, (?:scale|1), size=size\)\n"
    rf"\ndef _parse_args_stats\(self, {_SHAPES}{_PLACE}, moments='mv'\):\n"
    rf"    {_RETURNED}, moments\n",
    re.ASCII,
)
"""What scipy.stats writes of a distribution; its `__setstate__` runs the text."""


def decides_code(key: Value, value: Value) -> bool:
    """True where an object with this attribute in its state may run more than its class does."""
    if isinstance(key, str):
        if key == "_parse_arg_template":
            return not (isinstance(value, str) and _TEMPLATE.fullmatch(value))
        if key in _FORMULAS:
            return value is not None and not (isinstance(value, str) and is_plain_formula(value))
        if key in _RESTORE:
            return value is not None and not isinstance(value, bool)
        if key in _RUN_AS_FORMULA:
            return value is not None and value is not False
        return key.startswith("__") and key.endswith("__") and key not in _HARMLESS
    return not isinstance(key, int | bytes | None)
