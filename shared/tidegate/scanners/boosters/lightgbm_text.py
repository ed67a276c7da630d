"""LightGBM's text models: sections in a known order, each of lines with a known form.

As `GBDT::SaveModelToString` and the Python package write them: a head of `key=value` lines, the
trees, "end of trees", importances, parameters, and `pandas_categorical:` with JSON at the end.
Lines of a tree are as long as the tree has leaves, so only a line's start is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.markup.tables import CODE

_CHUNK = 1 << 20
_KEPT = 1 << 10
_PAIR = re.compile(rb"[A-Za-z_]\w{0,80}=")
_NUMBERS = b"0123456789.eE+-infaNIF \t\r"
_NUMERIC = re.compile(
    rb"(?:num_leaves|num_cat|split_feature|split_gain|threshold|decision_type|left_child"
    rb"|right_child|leaf_value|leaf_weight|leaf_count|internal_value|internal_weight"
    rb"|internal_count|is_linear|leaf_const|num_features|leaf_features|leaf_coeff|shrinkage"
    rb"|cat_boundaries|cat_threshold|tree_sizes|num_class|num_tree_per_iteration|label_index"
    rb"|max_feature_idx)="
)
_PARAMETER = re.compile(rb"\[[a-z]\w{0,80}: ")
_LONELY = frozenset({b"average_output"})


def check_model(stream: BinaryIO) -> None:
    """BrokenError at the first line that LightGBM would not have written there."""
    section = "head"
    for number, start, is_numeric, is_code in _lines(stream):
        line = start.rstrip(b"\r")
        if number == 1:
            if line != b"tree":
                raise BrokenError("The first line is not LightGBM's.")
            continue
        section = _next_section(section, line)
        if is_code:
            raise BrokenError(f"Line {number} holds code.")
        if not _fits(section, line, is_numeric=is_numeric):
            raise BrokenError(f"Line {number} is none that LightGBM writes.")


def _next_section(section: str, line: bytes) -> str:
    if section == "parameters" and line == b"end of parameters":
        return "end"
    opens = {
        b"end of trees": ("head", "tree", "after"),
        b"feature_importances:": ("after", None, "importances"),
        b"feature importances:": ("after", None, "importances"),
        b"parameters:": ("after", "importances", "parameters"),
    }
    if line in opens:
        *before, name = opens[line]
        if section in before:
            return str(name)
    if line.startswith(b"Tree=") and section in {"head", "tree"}:
        return "tree"
    if line.startswith(b"pandas_categorical:") and section != "tail":
        return "tail"
    return section


def _fits(section: str, line: bytes, *, is_numeric: bool) -> bool:
    if not line:
        return True
    if section in {"head", "tree"}:
        if _NUMERIC.match(line) or line.startswith(b"Tree="):
            return is_numeric
        return _PAIR.match(line) is not None or line in _LONELY
    if section == "importances":
        return b"=" in line or line.endswith(b":") or len(line) >= _KEPT
    if section == "parameters":
        return line == b"parameters:" or _PARAMETER.match(line) is not None
    if section == "tail":
        return line.startswith(b"pandas_categorical:")
    return line in {b"end of trees", b"end of parameters"}


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool, bool]]:
    """Each line's number, start, whether all behind its "=" are numbers, and whether it is code."""
    number, start, numeric, begun, coded = 1, b"", True, False, False
    while chunk := stream.read(_CHUNK):
        parts = chunk.split(b"\n")
        for index, part in enumerate(parts):
            if index:
                yield number, start, numeric, coded
                number, start, numeric, begun, coded = number + 1, b"", True, False, False
            if len(start) < _KEPT:
                start += part[: _KEPT - len(start)]
            if begun:
                numeric = numeric and not part.translate(None, _NUMBERS)
            else:
                _, equals, value = part.partition(b"=")
                begun = bool(equals)
                numeric = numeric and not value.translate(None, _NUMBERS)
            if not (begun and numeric) and not coded:
                coded = CODE.search(part.decode("latin-1")) is not None
    if start:
        yield number, start, numeric, coded
