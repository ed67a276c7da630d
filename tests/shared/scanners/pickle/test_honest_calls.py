"""Dangerous callables in the one way in which honest pickles use them, and in every other way."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from samples.pickles import call, data, name, pickled, rules, scan, text, tuple_of
from samples.scanned import scanned

from tidegate.scanners.interface import Severity

PARTIAL = name("functools", "partial")
GETATTR = name("builtins", "getattr")
CLIP = name("numpy", "clip")


def held(body: bytes) -> bool:
    return any(one.severity >= Severity.HIGH for one in scan(pickled(body)).findings)


def state(function: bytes, arguments: bytes = b")", keywords: bytes = b"}") -> bytes:
    return tuple_of(function, arguments, keywords, b"}") + b"b"


HONEST = {
    "a partial": call(PARTIAL, CLIP) + state(CLIP),
    "a partial of a partial": call(PARTIAL, call(PARTIAL, CLIP)),
    "a key": call(name("operator", "itemgetter"), b"K\1"),
    "an attribute": call(name("operator", "attrgetter"), text("real")),
    "a ufunc's method": call(GETATTR, name("numpy", "add"), text("reduce")),
}

HOSTILE = {
    "a partial of a dangerous function": call(PARTIAL, name("os", "system"), text("echo x")),
    "a partial that becomes another": call(PARTIAL, CLIP) + state(name("os", "system")),
    "a partial with a state of another kind": call(PARTIAL, CLIP) + b"}b",
    "a partial that is called": call(call(PARTIAL, CLIP), b"N"),
    "a partial of a string": call(PARTIAL, text("x")),
    "a partial of arguments that can't be seen": PARTIAL + b"NR",
    "an attribute that tells": call(name("operator", "attrgetter"), text("system")),
    "an attribute of an attribute": call(name("operator", "attrgetter"), text("a.b")),
    "an attrgetter that is called": call(
        call(name("operator", "attrgetter"), text("real")), name("numpy", "clip")
    ),
    "a class's dict": call(GETATTR, name("numpy", "ndarray"), text("__dict__")),
    "a function's globals": call(GETATTR, CLIP, text("__globals__")),
    "an attribute of a module": call(
        GETATTR, call(name("builtins", "__import__"), text("os")), text("path")
    ),
    "a telling method": call(GETATTR, call(name("collections", "OrderedDict")), text("system")),
    "a method that is called": call(
        call(GETATTR, call(name("collections", "OrderedDict")), text("clear"))
    ),
    "a constant of a class that is changed": call(GETATTR, name("numpy", "ndarray"), text("A"))
    + text("a")
    + b"Ns",
    "a constant of a class that is given a state": call(
        GETATTR, name("numpy", "ndarray"), text("A")
    )
    + b"}b",
    "an item of what is imported": call(
        call(name("operator", "itemgetter"), text("system")), name("os", "environ")
    ),
}


@pytest.mark.parametrize("body", HONEST.values(), ids=HONEST.keys())
def test_an_honest_use_is_no_finding(body: bytes) -> None:
    assert rules(scan(pickled(body))) == {"PICKLE-PLAIN"}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_any_other_use_is_held(body: bytes) -> None:
    assert held(body)


def test_a_torch_tensor_in_a_plain_pickle_is_read_as_the_torch_file_that_it_holds() -> None:
    torch = pytest.importorskip("torch")
    values = [torch.nn.Linear(2, 3), {"a": torch.zeros(3)}]
    for value in values:
        for protocol in (0, 2, 4):
            report = scanned(pickle.dumps(value, protocol))
            assert not report.unread_parts, report.unread_parts
            assert not [f for f in report.findings if f.severity >= Severity.HIGH], report.findings


@pytest.mark.parametrize("inside", [b"cos\nsystem\n(S'echo x'\ntR.", b"no pickle", b""])
def test_anything_else_in_the_place_of_a_torch_file_is_held(inside: bytes) -> None:
    body = call(name("torch.storage", "_load_from_bytes"), data(inside))
    report = scanned(pickled(body))
    assert report.unread_parts or any(f.severity >= Severity.HIGH for f in report.findings)


def test_a_module_in_torch_s_old_format_passes() -> None:
    torch = pytest.importorskip("torch")
    for module in (torch.nn.Linear(2, 3), torch.nn.LazyLinear(3)):
        out = io.BytesIO()
        torch.save(module, out, _use_new_zipfile_serialization=False)
        report = scanned(out.getvalue())
        assert not report.unread_parts, report.unread_parts
        assert not [f for f in report.findings if f.severity >= Severity.HIGH], report.findings


def dtype(fields: str, size: int) -> bytes:
    return pickle.dumps(np.dtype([("a", fields), ("b", fields)])).replace(
        b"K\x10K\x01", b"K" + bytes([size]) + b"K\x01"
    )


def test_a_field_that_lies_outside_its_item_is_held() -> None:
    assert rules(scan(dtype("f8", 16))) == {"PICKLE-PLAIN"}
    assert "PICKLE-MALFORMED" in rules(scan(dtype("f8", 15)))


def test_a_persistent_id_that_names_something_dangerous_is_held() -> None:
    assert "PICKLE-INDIRECT" in rules(scan(b"Pos.system\n."))
    assert held(b"Psubprocess.Popen\n")
    assert not held(b"Pcpu\n")


def test_a_module_by_itself_is_held_where_no_code_uses_it() -> None:
    subimport = name("cloudpickle.cloudpickle", "subimport")
    assert held(call(subimport, text("os")))
    assert not held(call(subimport, text("numpy")))
