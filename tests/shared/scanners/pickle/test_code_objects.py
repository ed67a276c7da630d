"""Functions and classes that travel as byte code."""

from __future__ import annotations

import importlib.util

import cloudpickle
import pytest
from samples.pickles import details, finding, gadget, rules, scan


def test_a_function_pickled_by_value_is_held() -> None:
    report = scan(cloudpickle.dumps(lambda x: x + 1))
    assert finding(report, "PICKLE-CODE-OBJECT").severity.label == "high"


def test_a_class_pickled_by_value_is_held() -> None:
    class Model:
        def predict(self, x: object) -> object:
            return x

    Model.__module__ = "__main__"
    assert "PICKLE-CODE-OBJECT" in rules(scan(cloudpickle.dumps(Model())))


@pytest.mark.skipif(importlib.util.find_spec("dill") is None, reason="dill is not installed")
def test_a_function_pickled_by_dill_is_held() -> None:
    import dill

    function = eval("lambda x: x")
    assert "PICKLE-CODE-OBJECT" in rules(scan(dill.dumps(function, recurse=True)))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("types", "CodeType"),
        ("types", "FunctionType"),
        ("cloudpickle.cloudpickle", "_make_function"),
        ("cloudpickle.cloudpickle", "_builtin_type"),
        ("dill._dill", "_create_code"),
        ("new", "code"),
        ("joblib.externals.cloudpickle.cloudpickle", "_make_skeleton_class"),
    ],
)
def test_what_rebuilds_byte_code_is_held(module: str, name: str) -> None:
    assert details(scan(gadget(module, name)), "PICKLE-CODE-OBJECT") == {f"{module}.{name}"}


def test_marshalled_code_is_critical() -> None:
    assert "PICKLE-EXEC" in rules(scan(gadget("marshal", "loads")))
