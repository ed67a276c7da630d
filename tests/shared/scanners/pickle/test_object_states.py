"""What BUILD may give an object: a plain dict of attributes, or what honest pickles give."""

from __future__ import annotations

import collections
import pickle
import random

import numpy as np
import pytest
from samples.pickles import call, data, grave, name, pickled, rules, scan, text, tuple_of
from scipy import stats

from tidegate.scanners.callables import allowed_callables
from tidegate.scanners.pickle import states
from tidegate.scanners.pickle.values import Unknown

NORM = name("scipy.stats._continuous_distns", "norm_gen") + b")\x81"
TEMPLATE = stats.norm._parse_arg_template
KEY, SOURCE = text("_parse_arg_template"), text("print('tidegate-test')")
PAIR = KEY + SOURCE + b"\x86"
DICT = b"}" + KEY + SOURCE + b"s"
HONEST_DICT = b"}" + text("name") + text("norm") + b"s"


def built(made: bytes, state: bytes) -> set[str]:
    return rules(scan(pickled(made + state + b"b")))


SHAPES = {
    "a list of pairs": b"](" + PAIR + b"e",
    "a tuple of one pair": PAIR + b"\x85",
    "a tuple of two pairs": PAIR + PAIR + b"\x86",
    "a set of pairs": b"\x8f(" + PAIR + b"\x90",
    "a UserDict": call(name("collections", "UserDict"), DICT),
    "an OrderedDict with arguments": call(name("collections", "OrderedDict"), b"](" + PAIR + b"e"),
    "a Counter": call(name("collections", "Counter"), DICT),
    "two dicts whose keys are a name and a value": (
        b"}(" + KEY + text(TEMPLATE) + SOURCE + b"Nu" + b"}(" + text("a") + b"N" + text("b") + b"Nu"
    )
    + b"\x86",
    "a string": text("ab"),
    "bytes": data(b"abc"),
    "another object": NORM,
}


@pytest.mark.parametrize("state", SHAPES.values(), ids=SHAPES.keys())
def test_an_object_gets_no_state_but_a_plain_dict(state: bytes) -> None:
    assert "PICKLE-INDIRECT" in built(NORM, state)
    model = name("statsmodels.base.data", "ModelData") + b")\x81"
    assert "PICKLE-INDIRECT" in built(model, state)


def test_a_dict_filled_key_by_key_is_a_plain_state() -> None:
    ordered = call(name("collections", "OrderedDict")) + text("name") + text("norm") + b"s"
    assert built(NORM, HONEST_DICT) == {"PICKLE-PLAIN"}
    assert built(NORM, ordered) == {"PICKLE-PLAIN"}
    assert built(NORM, b"N" + HONEST_DICT + b"\x86") == {"PICKLE-PLAIN"}


def test_a_function_that_takes_tuples_lends_that_to_no_other_class() -> None:
    for module in ("sklearn.neighbors._kd_tree", "sklearn.metrics._dist_metrics"):
        made = call(name(module, "newObj"), name("scipy.stats._continuous_distns", "norm_gen"))
        assert grave(scan(pickled(made + PAIR + b"\x85b")))


def test_the_class_that_a_reconstructor_makes_decides_which_state_passes() -> None:
    made = call(
        name("copyreg", "_reconstructor"),
        name("scipy.stats._continuous_distns", "norm_gen"),
        name("builtins", "object"),
        b"N",
    )
    assert "PICKLE-INDIRECT" in built(made, PAIR + b"\x85")
    assert built(made, HONEST_DICT) == {"PICKLE-PLAIN"}


def test_a_state_that_changes_after_it_was_given_is_held() -> None:
    late = b"}\x94" + text("x") + b"N" + b"s"
    changed = NORM + late + b"b" + b"h\x00" + text("y") + b"Ns0"
    assert "PICKLE-INDIRECT" in rules(scan(pickled(changed)))


@pytest.mark.parametrize(
    "key", ["formula", "model_spec", "design_info", "restore_model_spec", "restore_design_info"]
)
def test_no_object_may_bring_a_formula_that_does_more_than_arithmetic(key: str) -> None:
    for owner in (
        ("statsmodels.discrete.discrete_model", "Logit"),
        ("sklearn.linear_model._base", "LinearRegression"),
    ):
        made = name(*owner) + b")\x81"
        assert "PICKLE-INDIRECT" in built(made, b"}" + text(key) + text("y ~ f(x)") + b"s")
        assert built(made, b"}" + text(key) + b"Ns") == {"PICKLE-PLAIN"}
    assert states.decides_code(key, "0 + x.real")
    assert states.decides_code(key, Unknown("too long"))


def test_honest_objects_with_other_states_are_plain() -> None:
    value = [
        random.Random(0),
        np.random.default_rng(0),
        np.random.RandomState(0),
        np.arange(3),
        collections.OrderedDict(a=1),
    ]
    for protocol in range(2, 6):
        assert rules(scan(pickle.dumps(value, protocol))) == {"PICKLE-PLAIN"}


def test_whatever_may_get_a_tuple_stands_on_an_allow_list() -> None:
    from tidegate.scanners.pickle.objects import _given_tuples

    allowed = {f"{module}.{attribute}" for module, attribute in allowed_callables()}
    assert set(_given_tuples()) <= allowed


DTYPE = name("numpy", "dtype")
TYPES = [
    np.dtype("O"),
    np.dtype([("a", "O")]),
    np.dtype(("O", (2,))),
    np.dtype([("a", [("b", "O")]), ("c", "i4", (2,))]),
    np.dtype("M8[D]"),
    np.dtype("U3"),
    np.dtype("V8"),
    np.dtype("i4", metadata={"a": 1}),
    np.rec.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]).dtype,
    np.dtype([(f"field {at}", "f8") for at in range(16)]),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("protocol", range(6))
def test_an_honest_data_type_is_plain(dtype: np.dtype, protocol: int) -> None:
    found = rules(scan(pickle.dumps(dtype, protocol)))
    assert "PICKLE-MALFORMED" not in found


def dtype_of(code: str, *, flags: int, sub: bytes = b"N", fields: bytes = b"N") -> bytes:
    state = tuple_of(
        b"K\x03", text("|"), sub, b"N", fields, b"K\x08", b"K\x01", b"K" + bytes([flags])
    )
    return call(DTYPE, text(code)) + state + b"b"


OBJECT = call(DTYPE, text("O8"))


def field(dtype: bytes) -> bytes:
    return b"}" + text("a") + dtype + b"K\x00\x86s"


FORGED = {
    "an object without the flag": dtype_of("O8", flags=0),
    "an object that is pickled as bytes": dtype_of("O8", flags=1),
    "a field": dtype_of("V8", flags=0, fields=field(OBJECT)),
    "a field of a number's type": dtype_of("i8", flags=0, fields=field(OBJECT)),
    "a subarray": dtype_of("V8", flags=0, sub=OBJECT + b"K\x01\x85\x86"),
    "a field of a field": dtype_of(
        "V8", flags=0, fields=field(dtype_of("V8", flags=27, fields=field(OBJECT)))
    ),
    "the flag without an object": dtype_of("V8", flags=27),
    "a code with fields of its own": dtype_of("O,i4", flags=0),
    "a field of no known type": dtype_of("V8", flags=0, fields=field(b"N")),
    "fields that are no dict": dtype_of("V8", flags=0, fields=call(name("collections", "Counter"))),
    "a state that is no tuple": call(DTYPE, text("V8")) + b"}b",
    "a second state": dtype_of("V8", flags=0) + tuple_of(b"K\x03") + b"b",
    "a state that comes late": call(DTYPE, text("V8"))
    + b"\x94h\x00"
    + tuple_of(b"K\x03", text("|"), b"N", b"N", b"N", b"K\x08", b"K\x01", b"K\x00")
    + b"b",
    "one that is made by another function": call(name("copyreg", "__newobj__"), DTYPE, text("O8"))
    + tuple_of(b"K\x03", text("|"), b"N", b"N", b"N", b"K\x08", b"K\x01", b"K\x00")
    + b"b",
}


@pytest.mark.parametrize("dtype", FORGED.values(), ids=FORGED.keys())
def test_a_data_type_that_takes_bytes_for_objects_is_held(dtype: bytes) -> None:
    assert "PICKLE-MALFORMED" in rules(scan(pickled(dtype)))


def test_the_fields_of_a_data_type_may_not_change_later() -> None:
    inner = call(DTYPE, text("i8"))
    fields = b"}\x94" + text("a") + inner + b"K\x00\x86s"
    late = b"h\x00" + text("a") + OBJECT + b"K\x00\x86s0"
    report = scan(pickled(dtype_of("V8", flags=0, fields=fields) + late))
    assert "PICKLE-INDIRECT" in rules(report)
