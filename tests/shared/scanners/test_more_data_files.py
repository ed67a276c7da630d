"""ORC, Feather 1, MATLAB 4 and ORT: honest files pass, and nothing hides in them."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, scanned

from tidegate.scanners.codecs.snappy import unsnapped

ROWS = 3000
HIDDEN = [os.urandom(100), b"x" * 200, HARMFUL_PICKLE * 3, b"\x7fELF" + bytes(200)]
ORT = (Path(__file__).parents[2] / "samples" / "matmul.ort").read_bytes()
"""A matrix product and a Relu, written by onnxruntime 1.32."""


def table():
    arrow = pytest.importorskip("pyarrow")
    numbers = [number * 0.5 for number in range(ROWS)]
    return arrow.table({"a": range(ROWS), "b": [f"x{n}" for n in range(ROWS)], "c": numbers})


def orc(compression: str) -> bytes:
    target = io.BytesIO()
    writer = pytest.importorskip("pyarrow.orc")
    writer.write_table(table(), target, compression=compression)
    return target.getvalue()


def feather(tmp_path: Path) -> bytes:
    writer = pytest.importorskip("pyarrow.feather")
    path = tmp_path / "x.feather"
    with warnings.catch_warnings():
        # Whoever writes it is told that it is old.
        warnings.simplefilter("ignore")
        writer.write_feather(table().to_pandas(), str(path), version=1)
    return path.read_bytes()


def matlab4() -> bytes:
    target = io.BytesIO()
    values = {"a": [[1.0, 2.0], [3.0, 4.0]], "s": "hello", "i": [[1, 2, 3]], "c": [[1j, 2.0]]}
    pytest.importorskip("scipy.io").savemat(target, values, format="4")
    return target.getvalue()


@pytest.fixture(params=["orc", "feather 1", "matlab 4", "ort"])
def honest(request, tmp_path):
    if request.param == "orc":
        return orc("zlib")
    if request.param == "feather 1":
        return feather(tmp_path)
    return matlab4() if request.param == "matlab 4" else ORT


def test_an_honest_file_passes(honest):
    assert_clean(scanned(honest))


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "snappy", "lz4", "zstd"])
def test_orc_files_pass_however_their_footer_is_compressed(compression):
    assert_clean(scanned(orc(compression), "x.orc"))


@pytest.mark.parametrize("more", HIDDEN, ids=["noise", "text", "pickle", "program"])
def test_bytes_before_in_and_behind_it_are_held(honest, more):
    for data in (honest + more, more + honest):
        report = scanned(data)
        assert grave_rules_of(report) or report.unread_parts


def test_a_file_that_breaks_off_is_held(honest):
    for data in (honest[:-30], honest[: len(honest) // 2]):
        report = scanned(data)
        assert grave_rules_of(report) or report.unread_parts


@pytest.mark.parametrize(("name", "other"), [(b"Relu", b"Evil"), (b"MatMul", b"PyFunc")])
def test_an_operator_of_an_ort_model_that_nobody_has_is_held(name, other):
    assert "ONNX-OPERATOR" in grave_rules_of(scanned(ORT.replace(name, other), "m.ort"))


def test_a_snappy_block_unfolds_to_what_was_folded_or_is_an_error():
    arrow = pytest.importorskip("pyarrow")
    for content in (b"", b"a" * 5000, os.urandom(300), b"abcd" * 40 + os.urandom(70_000)):
        packed = arrow.compress(content, codec="snappy", asbytes=True)
        assert unsnapped(packed, 1 << 20) == content
        with pytest.raises(ValueError):
            unsnapped(packed + b"\0x", 1 << 20)
        with pytest.raises(ValueError):
            unsnapped(packed, len(content) - 1)
    for _ in range(500):
        block = os.urandom(40)
        try:
            assert len(unsnapped(block, 4096)) <= 4096
        except ValueError:
            continue
