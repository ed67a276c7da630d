"""numpy's files: arrays of objects are pickles, all others are exactly as long as they say."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned
from samples.tensors import npy_file

PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"


def saved(*arrays, allow_pickle=True) -> bytes:
    target = io.BytesIO()
    for array in arrays:
        np.save(target, array, allow_pickle=allow_pickle)
    return target.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5),
        np.zeros((0, 3)),
        np.float64(3.5),
        np.asfortranarray(np.ones((3, 4), dtype=np.float16)),
        np.array(["a", "bcd"]),
        np.array([b"a", b"bcd"]),
        np.array([True, False]),
        np.array(["2020-01-01"], dtype="M8[ns]"),
        np.array([1 + 2j]),
        np.zeros(3, dtype=[("a", "<i4"), ("b", "<f8", (2, 2)), ("c", [("d", "S3")])]),
        np.zeros(2, dtype="V7"),
        np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.zeros(2, dtype=np.longdouble),
    ],
    ids=lambda array: f"{array.dtype}"[:30],
)
def test_honest_arrays_have_no_finding(array):
    assert_clean(scanned(saved(array), "x.npy"))


def test_honest_archives_of_arrays_have_no_finding():
    for save in (np.savez, np.savez_compressed):
        target = io.BytesIO()
        save(target, a=np.arange(1000), b=np.ones((3, 3)), c=np.array("text"))
        assert_clean(scanned(target.getvalue(), "x.npz"))


def test_arrays_one_after_another_are_all_read():
    assert_clean(scanned(saved(np.arange(3), np.ones(2)), "x.npy"))


def test_an_honest_array_of_objects_is_read_as_a_pickle():
    report = scanned(saved(np.array([None, {"a": 1}], dtype=object)), "x.npy")
    assert "NUMPY-OBJECT-ARRAY" in rules_of(report)
    assert not report.unread_parts


@pytest.mark.parametrize("descr", ["|O", "O", "O8", "=O"])
def test_a_harmful_pickle_in_an_array_of_objects_is_found(descr):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}"
    report = scanned(npy_file(header, HARMFUL_PICKLE), "x.npy")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_harmful_pickle_behind_a_column_of_objects_is_found():
    header = (
        "{'descr': [('a', '<f4'), ('b', [('c', '|O')])], 'fortran_order': False, 'shape': (1,)}"
    )
    assert "PICKLE-EXEC" in grave_rules_of(scanned(npy_file(header, HARMFUL_PICKLE)))


@pytest.mark.parametrize("descr", ["object", "f4,O", "O,O", "float64", "<f", "x9"])
def test_a_dtype_spelled_as_numpy_never_does_is_found_and_its_data_are_scanned(descr):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}"
    report = scanned(npy_file(header, HARMFUL_PICKLE), "x.npy")
    assert {"NUMPY-MALFORMED", "PICKLE-EXEC"} <= grave_rules_of(report)


def test_an_array_hidden_in_an_archive_is_found():
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    data = plain_zip({"a.npy": saved(np.arange(3)), "b.npy": npy_file(header, HARMFUL_PICKLE)})
    report = scanned(data, "x.npz")
    assert {f.member for f in report.findings if f.rule == "PICKLE-EXEC"} == {"b.npy!objects"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        "[1]",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': 1, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [2]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (10**9,)}",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,)}",
        "{'descr': {}, 'fortran_order': False, 'shape': (2,)}",
        "(" * 5000,
        "{'descr': " + "[" * 150 + "]" * 150 + ", 'fortran_order': False, 'shape': ()}",
    ],
    ids=range(13),
)
def test_a_broken_header_is_found(header):
    assert "NUMPY-MALFORMED" in grave_rules_of(scanned(npy_file(header, bytes(8)), "x.npy"))


@pytest.mark.parametrize("data", [bytes(7), bytes(9), bytes(8) + HARMFUL_PICKLE])
def test_data_of_another_length_than_the_header_says_are_found(data):
    report = scanned(npy_file(PLAIN, data), "x.npy")
    assert "NUMPY-MALFORMED" in grave_rules_of(report)


def test_a_harmful_pickle_after_the_array_is_found():
    report = scanned(npy_file(PLAIN, bytes(8) + HARMFUL_PICKLE), "x.npy")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_an_unknown_version_is_found():
    report = scanned(npy_file(PLAIN, bytes(8), version=(9, 0)))
    assert "NUMPY-MALFORMED" in grave_rules_of(report)


def test_a_header_that_claims_gigabytes_costs_nothing():
    data = b"\x93NUMPY\2\0\xff\xff\xff\xff" + PLAIN.encode()
    assert "NUMPY-MALFORMED" in grave_rules_of(scanned(data))


@given(st.binary(max_size=300))
def test_any_bytes_behind_the_magic_number_are_read_without_an_error(tail):
    scanned(b"\x93NUMPY" + tail, "x.npy")


@given(st.text(max_size=120), st.binary(max_size=40))
def test_any_header_is_read_without_an_error(header, data):
    scanned(npy_file(header.encode()[:60000], data), "x.npy")
