"""Formats are told by content; a name only adds a stricter reading."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import marshal
import pickle
import struct
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.tensors import safetensors_file, torch_legacy, torch_pickle, torch_zip

from tidegate.artifact.formats import Format, detect_format, detect_formats, is_text


def told(data: bytes, name: str = "file.bin") -> tuple[Format, ...]:
    return detect_formats(io.BytesIO(data), len(data), name)


def tar(*, old: bool = False) -> bytes:
    """A tar file; an old one has no magic number, and its reader only checks the sum."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), None)
    data = bytearray(target.getvalue())
    if old:
        data[257:265] = bytes(8)
        data[148:156] = b" " * 8
        data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
        with tarfile.open(fileobj=io.BytesIO(bytes(data))) as archive:
            assert archive.getnames() == ["a"]
    return bytes(data)


PE = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0"
PYC = b"\xa7\r\r\n" + bytes(12) + marshal.dumps(compile("1", "x", "exec"))

SAMPLES = [
    (b"", Format.EMPTY),
    (pickle.dumps([1], 2), Format.PICKLE),
    (pickle.dumps([1], 5), Format.PICKLE),
    (plain_zip({"a.txt": b"x"}), Format.ZIP),
    (plain_zip({"a.npy": b"x"}), Format.NPZ),
    (plain_zip({"schema.json": b"{}"}), Format.SKOPS),
    (torch_zip(torch_pickle(), []), Format.TORCH_ZIP),
    (torch_legacy(torch_pickle(), []), Format.TORCH_LEGACY),
    (torch_legacy(torch_pickle(), [], 4), Format.TORCH_LEGACY),
    (safetensors_file({}), Format.SAFETENSORS),
    (b"\x93NUMPY\1\0", Format.NUMPY),
    (gzip.compress(b"x"), Format.GZIP),
    (bz2.compress(b"x"), Format.BZ2),
    (lzma.compress(b"x"), Format.XZ),
    (lzma.compress(b"x", format=lzma.FORMAT_ALONE), Format.LZMA),
    (zlib.compress(b"x" * 50), Format.ZLIB),
    (zlib.compress(bytes(500), 1), Format.ZLIB),
    (tar(), Format.TAR),
    (tar(old=True), Format.TAR),
    (b"\x89HDF\r\n\x1a\n" + bytes(8), Format.HDF5),
    (bytes(512) + b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (b"GGUF" + bytes(8), Format.GGUF),
    (b"PAR1" + bytes(8), Format.PARQUET),
    (b"\x7fELF\2\1\1", Format.NATIVE),
    (PE, Format.NATIVE),
    (b"\xcf\xfa\xed\xfe", Format.NATIVE),
    (b"\0asm\1\0\0\0", Format.NATIVE),
    (PYC, Format.BYTECODE),
    (b"\x89PNG\r\n\x1a\n", Format.IMAGE),
    (b'{"a": 1}', Format.JSON),
    (b"a,b\n1,2\n", Format.TEXT),
    ("Größe\n".encode(), Format.TEXT),
    ("Größe\n".encode("latin-1"), Format.TEXT),
    ("Größe\n".encode("utf-16"), Format.TEXT),
    (b"#!/bin/sh\necho hello\n", Format.SCRIPT),
    (b"<?xml version='1.0'?><PMML/>", Format.MARKUP),
    (b"\x00\x01\x02\x03", Format.UNKNOWN),
    (b"text\x00text", Format.UNKNOWN),
    (b"\xff\xfe\x01\x00", Format.UNKNOWN),
    (b"\xff\xfe" + bytes(range(200, 240)) * 9, Format.UNKNOWN),
]


@pytest.mark.parametrize(("data", "expected"), SAMPLES, ids=[f.value for _, f in SAMPLES])
@pytest.mark.parametrize("name", ["file", "file.png", "file.json", "file.csv"])
def test_content_decides_under_any_name(data, expected, name):
    assert detect_format(io.BytesIO(data), len(data), name) is expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("MLmodel", b"flavors: {}\n", Format.MLMODEL),
        ("conda.yaml", b"name: x\n", Format.YAML),
        ("requirements.txt", b"mlflow\n", Format.REQUIREMENTS),
        ("pickle_module_info.txt", b"pickle", Format.MODULE_NAME),
        ("notes.txt", b"words\n", Format.TEXT),
    ],
)
def test_names_choose_among_texts(name, text, expected):
    assert told(text, f"folder/{name}") == (expected,)
    assert expected not in told(b"\x00\x01" + text, name)


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("x.py", Format.PYTHON),
        ("x.PY", Format.PYTHON),
        ("x.ipynb", Format.NOTEBOOK),
        ("x.sh", Format.SCRIPT),
        ("x.so", Format.NATIVE),
        ("x.pkl", Format.PICKLE),
        ("x.safetensors", Format.SAFETENSORS),
    ],
)
def test_names_add_stricter_readings_and_take_none_away(name, added):
    plain = told(b"plain words\n", "x")
    assert set(plain) < set(told(b"plain words\n", name))
    assert added in told(b"plain words\n", name)


def test_a_pth_file_with_imports_is_python():
    assert Format.PYTHON in told(b"import os; os.system('true')\n", "x.pth")
    assert Format.PYTHON not in told(b"some/path\n", "x.pth")


@pytest.mark.parametrize(
    ("head", "primary"),
    [
        (pickle.dumps([1], 4), Format.PICKLE),
        (b"\x89PNG\r\n\x1a\n", Format.IMAGE),
        (b"\x7fELF", Format.NATIVE),
        (b"\x93NUMPY", Format.NUMPY),
    ],
)
def test_an_archive_at_the_tail_is_seen_beside_the_head(head, primary):
    formats = told(head + plain_zip({"a": b"x"}))
    assert formats[0] is primary
    assert Format.ZIP in formats


def test_an_archive_with_a_long_comment_and_bytes_behind_is_still_seen():
    archive = bytearray(plain_zip({"a": b"x"}))
    archive[-2:] = (60_000).to_bytes(2, "little")
    assert Format.ZIP in told(b"\x01\x02" + bytes(archive) + b"c" * 60_000)


def test_only_head_and_tail_are_looked_at():
    long_text = b"words\n" * 100_000
    assert told(long_text) == (Format.TEXT,)
    assert told(long_text + HARMFUL_PICKLE + b"\x00") == (Format.UNKNOWN,)


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_printable_text_is_text(text):
    assert is_text(text.encode(), whole=True)


@given(st.text(alphabet="aé€😀", min_size=40), st.integers(0, 8), st.integers(0, 8))
def test_a_character_cut_at_either_end_is_forgiven(text, left, right):
    data = text.encode()
    assert is_text(data[left : len(data) - right], whole=False)


@given(st.binary(max_size=400), st.sampled_from(["MLmodel", "a.py", "x.npz", "a.pkl", ""]))
def test_any_bytes_have_a_format(data, name):
    formats = told(data, name)
    assert formats
    assert Format.UNKNOWN not in formats or formats == (Format.UNKNOWN,)


@pytest.mark.parametrize(
    "numbers",
    [
        struct.pack("<64e", *[1.0] * 64),
        struct.pack("<64e", *[0.5, 1.0] * 32),
        struct.pack("<64i", -1, 100, *range(62)),
        struct.pack("<64i", 65536, *range(1, 64)),
        struct.pack("<64h", 60, 60, *range(62)),
    ],
)
def test_numbers_are_no_format(numbers):
    assert told(numbers) == (Format.UNKNOWN,)
