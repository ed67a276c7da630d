"""Honest pickles bind methods, keep partials and carry torch files; so do hostile ones.

What passes is the binding of a known class's method to data. Whatever is called while loading, or
bound to anything else, is held as before.
"""

from __future__ import annotations

import functools
import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
import scipy.stats
from samples.pickles import SYSTEM, call, data, name, pickled, rules, scan, text, tuple_of

from tidegate.scanners.interface import Severity


def assert_plain(pickle_bytes: bytes) -> None:
    report = scan(pickle_bytes)
    assert rules(report) == {"PICKLE-PLAIN"}, report.findings
    assert not report.unread_parts


@pytest.mark.parametrize("kind", ["randint", "poisson", "geom"])
def test_a_discrete_distribution_is_plain(kind: str) -> None:
    value = getattr(scipy.stats, kind)(*((1, 9) if kind == "randint" else (0.5,)))
    for protocol in range(6):
        assert_plain(pickle.dumps(value, protocol))
    assert_plain(cloudpickle.dumps(value))
    out = io.BytesIO()
    joblib.dump(value, out)
    assert_plain(out.getvalue())


def test_a_partial_of_a_function_of_numbers_is_plain() -> None:
    value = functools.partial(np.quantile, q=0.5)
    for protocol in range(6):
        assert_plain(pickle.dumps(value, protocol))


@pytest.mark.parametrize("target", [("os", "system"), ("acme", "run"), ("builtins", "print")])
def test_a_partial_of_anything_else_is_held(target: tuple[str, str]) -> None:
    made = call(name("functools", "partial"), name(*target))
    found = scan(pickled(made))
    assert any(one.severity >= Severity.HIGH for one in found.findings)


def test_a_partial_is_not_called_and_does_not_change_its_function() -> None:
    made = call(name("functools", "partial"), name("numpy", "log1p"))
    assert "PICKLE-INDIRECT" in rules(scan(pickled(call(made, text("x")))))
    for function in (text("x"), name("os", "system"), call(name("builtins", "list"))):
        state = tuple_of(function, b")", b"}", b"N")
        assert "PICKLE-INDIRECT" in rules(scan(pickled(made + state + b"b")))


def test_vectorize_may_be_made_and_not_called() -> None:
    made = name("numpy", "vectorize") + b")\x81}" + text("pyfunc") + name("numpy", "log1p") + b"sb"
    assert rules(scan(pickled(made))) == {"PICKLE-PLAIN"}
    found = scan(pickled(call(name("numpy", "vectorize"), name("numpy", "log1p"))))
    assert any(one.severity >= Severity.HIGH for one in found.findings)


def test_a_method_is_fetched_from_an_object_of_a_known_class_and_not_called() -> None:
    made = name("scipy.stats._discrete_distns", "randint_gen") + b")\x81"
    fetched = call(name("builtins", "getattr"), made, text("fit"))
    assert rules(scan(pickled(fetched))) == {"PICKLE-PLAIN"}
    assert "PICKLE-INDIRECT" in rules(scan(pickled(call(fetched))))
    for attribute in ("__reduce_ex__", "__init__", "__class__", "system"):
        fetched = call(name("builtins", "getattr"), made, text(attribute))
        assert "PICKLE-INDIRECT" in rules(scan(pickled(fetched))), attribute
    unknown = name("acme", "Model") + b")\x81"
    fetched = call(name("builtins", "getattr"), unknown, text("fit"))
    assert "PICKLE-INDIRECT" in rules(scan(pickled(fetched)))


def test_a_method_binds_nothing_but_listed_functions() -> None:
    kind = call(name("cloudpickle.cloudpickle", "_builtin_type"), text("MethodType"))
    owner = name("sklearn.svm._classes", "SVC") + b")\x81"
    found = scan(pickled(call(kind, name("os", "system"), owner)))
    assert any(one.severity >= Severity.HIGH for one in found.findings)


def test_a_table_of_many_columns_is_plain() -> None:
    wide = np.zeros(2, dtype=[(f"column {number}", "f8") for number in range(200)])
    for protocol in range(6):
        assert_plain(pickle.dumps(wide, protocol))
    mixed = np.zeros(
        2, dtype=[(f"c{number}", "O" if number > 90 else "f8") for number in range(99)]
    )
    assert_plain(pickle.dumps(mixed))


def test_a_table_that_lies_about_its_last_columns_is_held() -> None:
    mixed = np.zeros(
        1, dtype=[(f"c{number}", "O" if number > 90 else "f8") for number in range(99)]
    )
    raw = pickle.dumps(mixed.dtype, 2)
    at = raw.rindex(b"K?t")  # the flags: everything that a type of objects has
    lying = raw[:at] + b"K\x10t" + raw[at + 3 :]
    assert "PICKLE-MALFORMED" in rules(scan(lying))


def test_tensors_pickled_without_torch_save_are_plain() -> None:
    torch = pytest.importorskip("torch", reason="torch is missing")
    model = torch.nn.Sequential(
        torch.nn.Linear(9, 200), torch.nn.ReLU(), torch.nn.GroupNorm(1, 200)
    )
    for value in (torch.zeros(2), torch.rand(2000), model, model.state_dict(), {"a": [model]}):
        for protocol in (2, 4, 5):
            report = scan_whole(pickle.dumps(value, protocol))
            grave = [one for one in report.findings if one.severity > Severity.LOW]
            assert not grave, grave
            assert not report.unread_parts


def test_a_payload_in_a_pickled_tensor_is_found() -> None:
    torch = pytest.importorskip("torch", reason="torch is missing")
    out = io.BytesIO()
    torch.save({"a": torch.rand(999)}, out, _use_new_zipfile_serialization=False)
    honest = out.getvalue()
    head = honest[:14]
    for inner in (SYSTEM, head + SYSTEM, honest[:14] + SYSTEM + honest[14:]):
        stream = pickled(call(name("torch.storage", "_load_from_bytes"), data(inner)))
        found = scan_whole(stream)
        assert any(one.severity >= Severity.HIGH for one in found.findings), inner[:20]
    assert "PICKLE-EXEC" in rules(
        scan_whole(pickled(call(name("torch.storage", "_load_from_bytes"), data(b"PK\3\4" * 9))))
    )


def scan_whole(stream: bytes):
    from samples.scanned import scanned

    return scanned(stream, "model.pkl")
