"""Raw arrays between opcodes: stepped over as joblib does, and read as any other loader would."""

from __future__ import annotations

import io
import pickle

import joblib
import numpy as np
import pytest
from samples.pickles import COMMAND, call, details, name, rules, scan, text, tuple_of

from tidegate.scanners.interface import Report

PAYLOAD = call(name("os", "system"), text(COMMAND))


def dumped(value: object, protocol: int | None = None) -> bytes:
    out = io.BytesIO()
    joblib.dump(value, out, protocol=protocol)
    return out.getvalue()


def clean(report: Report) -> bool:
    return rules(report) == {"PICKLE-PLAIN"} and not report.unread_parts


ARRAYS = [
    np.arange(6.0),
    np.arange(6, dtype="i2").reshape(2, 3),
    np.asfortranarray(np.ones((3, 4))),
    np.zeros((0, 3)),
    np.array(2.5),
    np.array(["abc", "d"]),
    np.array([b"abc"]),
    np.array(["2020"], dtype="M8[D]"),
    np.zeros(3, "?"),
    np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (2, 2))]),
    np.array([1, 2], dtype=">u2"),
    np.zeros(3, dtype="c16"),
    np.array([None, "x", {"a": np.ones(2)}], dtype=object),
    np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
    np.frombuffer(b"cos\nsystem\n(S'x'\ntR." * 8, dtype="u1"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype} {a.shape}")
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_array_is_stepped_over_to_the_byte(array: np.ndarray, protocol: int) -> None:
    assert clean(scan(dumped({"a": array, "b": [array, "behind"]}, protocol)))


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype} {a.shape}")
def test_a_payload_behind_an_array_is_found(array: np.ndarray) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return print, (COMMAND,)

    report = scan(dumped([array, Hostile()]))
    assert "builtins.print" in details(report, "PICKLE-UNLISTED-GLOBAL")


def test_a_payload_inside_an_array_of_objects_is_found() -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return eval, ("1",)

    report = scan(dumped({"a": np.array([Hostile(), None], dtype=object)}))
    assert "builtins.eval" in details(report, "PICKLE-EXEC")


def wrapper(dtype: bytes, shape: bytes, alignment: bytes = b"") -> bytes:
    """What joblib writes before an array; with no alignment, the data follow at once."""
    state = b"}(" + text("dtype") + dtype + text("shape") + shape + alignment + b"u"
    return name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + state + b"b"


BYTES = call(name("numpy", "dtype"), text("u1"))


def test_opcodes_inside_an_array_are_read_as_another_loader_would() -> None:
    raw = b"0" + PAYLOAD + b"."
    hidden = b"\x80\x04" + wrapper(BYTES, b"K" + bytes([len(raw)]) + b"\x85") + raw + b"N."
    assert "os.system" in details(scan(hidden), "PICKLE-EXEC")


def test_opcodes_inside_an_array_see_the_memo_of_the_stream() -> None:
    raw = b"0h\x00h\x01\x93" + tuple_of(text("x")) + b"R."
    memo = text("os") + b"\x940" + text("system") + b"\x940"
    hidden = b"\x80\x04" + memo + wrapper(BYTES, b"K" + bytes([len(raw)]) + b"\x85") + raw + b"N."
    assert "os.system" in details(scan(hidden), "PICKLE-EXEC")


def test_a_payload_behind_the_array_that_joblib_sees_is_found() -> None:
    raw = b"\xff" * 10
    hidden = b"\x80\x04" + wrapper(BYTES, b"K\x0a\x85") + raw + PAYLOAD + b"."
    assert "os.system" in details(scan(hidden), "PICKLE-EXEC")


def test_padding_is_skipped_as_its_first_byte_says() -> None:
    raw = b"\x03\xff\xff\xff" + b"\xff" * 10
    hidden = (
        b"\x80\x04"
        + wrapper(BYTES, b"K\x0a\x85", text("numpy_array_alignment_bytes") + b"K\x10")
        + raw
    )
    assert "os.system" in details(scan(hidden + PAYLOAD + b"."), "PICKLE-EXEC")


DOUBTFUL = {
    "a computed type": (call(name("builtins", "str"), text("u1")), b"K\x01\x85"),
    "an unknown type code": (call(name("numpy", "dtype"), text("q9")), b"K\x01\x85"),
    "a negative length": (BYTES, b"J\xff\xff\xff\xff\x85"),
    "a length that is no number": (BYTES, text("1") + b"\x85"),
    "a shape that overflows": (BYTES, b"(" + b"\x8a\x05\0\0\0\0\x01" * 3 + b"t"),
    "a shape that is computed": (BYTES, call(name("builtins", "tuple"), b"]")),
    "more data than there are": (BYTES, b"J\xff\xff\xff\x7f\x85"),
    "a state that contradicts the type": (
        BYTES
        + tuple_of(b"K\x03", text("|"), b"N", b"N", b"N", b"K\x09", b"K\x01", b"K\x00")
        + b"b",
        b"K\x01\x85",
    ),
    "objects in a type of numbers": (
        BYTES
        + tuple_of(b"K\x03", text("|"), b"N", b"N", b"N", b"K\x01", b"K\x01", b"K\x3f")
        + b"b",
        b"K\x01\x85",
    ),
}


@pytest.mark.parametrize(("dtype", "shape"), DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_an_array_whose_length_is_in_doubt_never_passes(dtype: bytes, shape: bytes) -> None:
    report = scan(b"\x80\x04" + wrapper(dtype, shape) + b"\xff" * 40 + PAYLOAD + b".")
    assert report.unread_parts
    assert {"PICKLE-MALFORMED", "PICKLE-EXEC"} <= rules(report)


def test_an_array_inside_a_frame_is_held_since_joblib_reads_it_elsewhere() -> None:
    body = wrapper(BYTES, b"K\x04\x85") + b"\xff\xff\xff\xffN."
    framed = b"\x80\x04\x95" + len(body).to_bytes(8, "little") + body
    assert "PICKLE-MALFORMED" in rules(scan(framed))


def test_joblib_s_old_wrapper_is_dangerous_because_it_loads_another_file() -> None:
    old = (
        name("joblib.numpy_pickle_compat", "NDArrayWrapper")
        + b")\x81}"
        + text("filename")
        + text("x")
        + b"sb"
    )
    assert "PICKLE-EXEC" in rules(scan(b"\x80\x04" + old + b"."))


def test_arrays_in_an_ordinary_pickle_are_no_finding() -> None:
    for array in ARRAYS[:-1]:
        for protocol in range(6):
            assert clean(scan(pickle.dumps(array, protocol)))
