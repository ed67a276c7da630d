"""The states that a skops file gives to its objects, and whether one of them decides code.

A type on the allow-lists may still run text from its state: scipy's distributions execute a
template of theirs, statsmodels evaluates a formula. So the keys of every state are judged as a
pickle's are.

Always holds: a state that could be anything but a plain dict, nothing, or the tuple of one of
the few classes that are known to have one, is a finding. skops takes a node for another one of
the same id, so every node of that id is judged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.pickle.states import decides_code
from tidegate.scanners.skops.schema import SchemaNode
from tidegate.scanners.streams import shown

_GIVES_STATE = frozenset({"ObjectNode", "TreeNode", "LossNode", "QuantileForestNode"})
_DICTS = frozenset({("builtins", "dict"), ("collections", "OrderedDict")})
# Classes of compiled modules, whose state is a tuple that they take apart by position.
_WITH_TUPLE = frozenset(
    {"sklearn.metrics._dist_metrics", "sklearn.neighbors._ball_tree", "sklearn.neighbors._kd_tree"}
)
_NO_DICT = "is given a state that is no plain dict"
_NO_TEXT_KEYS = "is given a state whose keys are made by other types than str"
# statsmodels.base.data.ModelData and its subclasses evaluate the formula that they are given.
_FORMULA_MODULE = "statsmodels.base.data"
_FORMULA_KEYS = frozenset({"formula", "model_spec", "design_info"})


class States:
    """Judges the states of one file, of which it has seen all nodes."""

    def __init__(self, found: list[SchemaNode]) -> None:
        self._by_id: dict[str, list[dict[str, Any]]] = {}
        for node in found:
            if node.id is not None:
                self._by_id.setdefault(node.id, []).append(node.fields)

    def check(self, node: SchemaNode, part: Subject, report: Report) -> None:
        """Report what is wrong with the state of `node`, if it gives one."""
        if node.loader == "PartialNode":
            content = node.fields.get("content")
            state = content.get("namespace") if isinstance(content, dict) else None
        elif node.loader in _GIVES_STATE:
            state = node.fields.get("content")
        else:
            return
        owner = f"{node.module}.{node.name}"
        if node.module == _FORMULA_MODULE:
            self._report(owner, "evaluates a formula from its state", part, report)
        if state is None:
            return
        for candidate in self._meant(state):
            problem = self._problem(candidate, node)
            if problem is not None:
                self._report(owner, problem, part, report)

    @staticmethod
    def _report(owner: str, problem: str, part: Subject, report: Report) -> None:
        report.found(
            "SKOPS-UNTRUSTED-TYPE" if problem in {_NO_DICT, _NO_TEXT_KEYS} else "SKOPS-EXEC",
            part,
            f"{shown(owner)} {problem}.",
            detail=shown(owner, 500),
        )

    def _meant(self, value: object) -> Iterator[dict[str, Any] | None]:
        """Every node that skops may take for `value`; None where there may be another thing."""
        if not isinstance(value, dict):
            yield None
            return
        identity = value.get("__id__")
        same = [] if identity is None else self._by_id.get(json.dumps(identity), [])
        named = isinstance(value.get("__loader__"), str) and value["__loader__"] != "CachedNode"
        if named and not any(value is other for other in same):
            yield value
        candidates = [other for other in same if other.get("__loader__") != "CachedNode"]
        yield from candidates
        if not named and not candidates:
            yield None

    def _problem(self, state: dict[str, Any] | None, node: SchemaNode) -> str | None:
        """What is wrong with a state, as the end of a sentence about its owner."""
        loader = None if state is None else state.get("__loader__")
        if state is None or loader not in {"DictNode", "JsonNode", "TupleNode"}:
            return _NO_DICT
        if loader == "JsonNode":
            nothing = state.get("content") == "null"
            return None if nothing else _NO_DICT
        if loader == "TupleNode":
            known = node.module in _WITH_TUPLE
            plain = (state.get("__module__"), state.get("__class__")) == ("builtins", "tuple")
            return None if known and plain else _NO_DICT
        content = state.get("content")
        kind = (state.get("__module__"), state.get("__class__"))
        if kind not in _DICTS or not isinstance(content, dict):
            return _NO_DICT
        if not self._has_text_keys(state.get("key_types")):
            return _NO_TEXT_KEYS
        for key, value in content.items():
            if key in _FORMULA_KEYS or any(decides_code(key, text) for text in self._texts(value)):
                return f"is given {shown(key, 80)}, which may decide what code runs"
        return None

    def _has_text_keys(self, key_types: object) -> bool:
        for found in self._meant(key_types):
            if found is None or found.get("__loader__") != "ListNode":
                return False
            items = found.get("content")
            if not isinstance(items, list):
                return False
            for item in items:
                for kind in self._meant(item):
                    if kind is None or (
                        kind.get("__loader__"),
                        kind.get("__module__"),
                        kind.get("__class__"),
                    ) != ("TypeNode", "builtins", "str"):
                        return False
        return True

    def _texts(self, value: object) -> Iterator[str | None]:
        """The text that the value may be; None where it may be something else."""
        for found in self._meant(value):
            raw = found.get("content") if found and found.get("__loader__") == "JsonNode" else None
            try:
                text = json.loads(raw) if isinstance(raw, str) else None
            except (ValueError, RecursionError):
                text = None
            yield text if isinstance(text, str) else None
