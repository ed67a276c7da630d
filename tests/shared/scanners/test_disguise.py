"""Hostile content under harmless names, and harmless names' own dangers."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import marshal
import pickle
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.pictures import jpeg, png
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

from tidegate.scanners.interface import Limits

HARMFUL_PROTOCOL_4 = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
NAMES = [
    "model.bin",
    "model",
    "weights.safetensors",
    "config.json",
    "README.md",
    "MLmodel",
    "requirements.txt",
    "conda.yaml",
    "image.png",
    "data.csv",
    "x.npy",
    "x.npz",
    "model.pt",
    "x.py",
    "a.gz",
]
PNG = png()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("payload", [HARMFUL_PICKLE, HARMFUL_PROTOCOL_4], ids=["text", "binary"])
def test_a_harmful_pickle_is_found_under_any_name(name, payload):
    assert "PICKLE-EXEC" in grave_rules_of(scanned(payload, name))


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_found_under_any_name(name):
    assert "CODE-NATIVE" in grave_rules_of(scanned(b"\x7fELF\2\1\1" + bytes(60), name))


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_with_a_payload_is_read_under_any_name(name):
    data = plain_zip({"inner/notes.txt": HARMFUL_PICKLE})
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data, name))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(PNG + data, name))


def test_a_picture_that_is_a_pickle_as_well_is_read_as_both():
    """The letter G takes the next eight bytes for a number; the payload follows them."""
    polyglot = b"GIF89a" + bytes(3) + HARMFUL_PICKLE
    with pytest.raises(pickle.UnpicklingError, match="system"):
        _Watching(polyglot).load()
    assert "PICKLE-EXEC" in grave_rules_of(scanned(polyglot, "picture.gif"))


class _Watching:
    """An unpickler that says what would be imported, and imports nothing."""

    def __init__(self, data: bytes) -> None:
        import io

        class Unpickler(pickle.Unpickler):
            def find_class(self, module, name):
                raise pickle.UnpicklingError(f"{module}.{name}")

        self.load = Unpickler(io.BytesIO(data)).load


COMPRESSED = {
    "gzip": gzip.compress(HARMFUL_PICKLE),
    "bz2": bz2.compress(HARMFUL_PICKLE),
    "xz": lzma.compress(HARMFUL_PICKLE),
    "lzma": lzma.compress(HARMFUL_PICKLE, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress(HARMFUL_PICKLE),
}


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_harmful_pickle_in_a_compressed_file_is_found(kind):
    report = scanned(COMPRESSED[kind], "model.joblib")
    assert grave_rules_of(report) == {"PICKLE-EXEC"}
    assert not report.unread_parts


@pytest.mark.parametrize("kind", COMPRESSED)
def test_a_compressed_text_has_no_finding(kind):
    pack = {
        "gzip": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
        "zlib": zlib.compress,
    }[kind]
    assert_clean(scanned(pack(b"a,b\n1,2\n" * 100), "data.csv"))


@pytest.mark.parametrize("kind", ["gzip", "bz2", "xz"])
def test_a_payload_in_a_second_stream_is_found(kind):
    pack = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[kind]
    begin = b"\x80\x04" + b"0".join([b"N"] * 2) + b"0"
    data = pack(begin) + pack(HARMFUL_PICKLE)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data))


def test_what_unfolds_before_the_damage_is_scanned_and_the_rest_is_unread():
    packed = zlib.compress(HARMFUL_PICKLE + bytes(range(256)) * 100)
    report = scanned(packed[:-40])
    assert "PICKLE-EXEC" in grave_rules_of(report)
    assert report.unread_parts


def test_bytes_behind_a_compressed_stream_are_unread():
    assert scanned(zlib.compress(b"words " * 50) + b"\x01\x02\x03more").unread_parts


def test_a_compressed_bomb_is_found(monkeypatch):
    from tidegate.scanners import expanding

    monkeypatch.setattr(expanding, "BOMB_SIZE", 1 << 20)
    report = scanned(gzip.compress(bytes(4 << 20)))
    assert "ARCHIVE-BOMB" in grave_rules_of(report)
    assert report.unread_parts


def test_compression_nested_past_the_limit_is_unread():
    data = HARMFUL_PICKLE
    for _ in range(4):
        data = gzip.compress(data)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data))
    assert scanned(data, limits=Limits(max_depth=3)).unread_parts


@pytest.mark.parametrize(
    ("data", "name", "rule"),
    [
        (b"import os\nos.system('true')\n", "loader.py", "CODE-PROCESS"),
        (b"\xa7\r\r\n" + bytes(12) + marshal.dumps(compile("1", "", "exec")), "x", "CODE-BYTECODE"),
        (b"import os\n", "x.pth", "CODE-SHADOW"),
        (b"#!/bin/sh\ntrue\n", "notes.txt", "CODE-SCRIPT"),
        (b"echo hello\n", "x.sh", "CODE-SCRIPT"),
        (b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0", "x.txt", "CODE-NATIVE"),
        (b"\xca\xfe\xba\xbe" + bytes(8), "x", "CODE-NATIVE"),
        (b"anything", "lib.so", "CODE-NATIVE"),
    ],
)
def test_code_is_found(data, name, rule):
    assert rule in grave_rules_of(scanned(data, name))


def test_an_empty_module_file_is_nothing():
    assert_clean(scanned(b"", "package/__init__.py"))


@pytest.mark.parametrize("name", ["x.yaml", "x.txt", "x.json", "notes"])
@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['true']\n",
        "a: !<tag:yaml.org,2002:python/name:os.system> ''\n",
        "%TAG ! tag:yaml.org,2002:python/\n---\n!object/apply:os.system ['true']\n",
    ],
)
def test_a_python_tag_is_found_in_any_text(name, text):
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert "YAML-TAG" in grave_rules_of(scanned(text.encode(encoding), name))


def test_a_python_tag_in_broken_yaml_is_found():
    report = scanned(b"a: [\n b: ]: !!python/object/apply:os.system ['true']\n", "x.yaml")
    assert "YAML-TAG" in grave_rules_of(report)
    assert report.unread_parts


def test_words_about_python_tags_are_no_finding():
    assert_clean(scanned(b"`!!python/object` is a tag that builds objects.\n", "README.md"))
    assert_clean(scanned(b"text: 'say !!python/name'\n", "x.yaml"))


def test_a_text_that_turns_binary_is_unread():
    for at in (70_000, 200_000, 3_000_000):
        data = bytearray(b"plain words\n" * 400_000)
        data[at] = 1
        assert scanned(bytes(data), "x.txt").unread_parts


def test_an_honest_long_text_is_read_in_full():
    assert_clean(scanned("größe,wert\n".encode() * 200_000, "x.csv"))


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://host.example/simple",
        "--index-url=https://host.example/simple",
        "--extra-index https://host.example/simple",
        "-i https://host.example/simple",
        "-ihttps://host.example/simple",
        "--find-links ./wheels",
        "-f wheels",
        "-e .",
        "--editable ../x",
        "--trusted-host host.example",
        "git+https://host.example/x.git",
        "x @ https://host.example/x.whl",
        "x@file:///tmp/x",
        "https://host.example/x.tar.gz",
        "./x",
        "../x",
        "/tmp/x.whl",
        "x.whl",
        "wheels/x-1.0-py3-none-any.whl",
        "C:\\x",
        "-r https://host.example/r.txt",
        "-r ../r.txt",
        "-c /etc/c.txt",
        "mlflow --index-url https://host.example",
        "--index-\\\nurl https://host.example",
        '"git+https://host.example/x"',
        "${PLACE}/x",
    ],
)
def test_requirements_from_elsewhere_are_found(line):
    report = scanned(f"mlflow==3.17.2\n{line}\n".encode(), "requirements.txt")
    assert rules_of(report) == {"REQUIREMENTS-ELSEWHERE"}


@pytest.mark.parametrize(
    "line",
    [
        "mlflow==3.17.2",
        "scikit-learn>=1.5,<2 ; python_version >= '3.10'",
        "uvicorn[standard]==0.30",
        "torch==2.1.0+cu118",
        "# git+https://host.example/x",
        "x==1  # from https://host.example",
        "-r more-requirements.txt",
        "-c constraints.txt",
        "--pre",
        "--no-binary :all:",
        "--require-hashes",
        "x==1 --hash=sha256:abcdef",
        "",
    ],
)
def test_ordinary_requirements_have_no_finding(line):
    assert_clean(scanned(f"{line}\n".encode(), "requirements.txt"))


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01\x02",
    ],
)
def test_what_nobody_reads_yet_is_unread(data):
    report = scanned(data)
    assert report.unread_parts
    assert not report.findings


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "data.csv"),
        (json.dumps({"a": [1, None]}).encode(), "config.json"),
        (PNG, "plot.png"),
        (jpeg(), "photo.jpg"),
        (b"# Title\n\nSome words.\n", "README.md"),
        (b"category,value\ncat\ndog\n", "labels.txt"),
        (b"tree\nversion=v4\nnum_class=1\n", "model.lgb"),
        (b"name: env\nchannels:\n- conda-forge\n", "conda.yaml"),
    ],
)
def test_harmless_files_have_no_finding(data, name):
    assert_clean(scanned(data, name))


@given(st.binary(max_size=300), st.sampled_from([*NAMES, "x.pkl", "x.pyc", "keras_module.txt"]))
def test_any_bytes_are_scanned_without_an_error(data, name):
    scanned(data, name)


@given(st.sampled_from(sorted(COMPRESSED)), st.binary(max_size=120))
def test_any_bytes_behind_a_compressed_start_are_scanned_without_an_error(kind, tail):
    scanned(COMPRESSED[kind][:20] + tail)


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_around_an_end_record_are_scanned_without_an_error(head, tail):
    scanned(head + b"PK\x05\x06" + tail)
    scanned(plain_zip({"a": head}) + tail)


@given(st.data())
def test_an_archive_with_any_byte_changed_is_scanned_without_an_error(data):
    from samples.archives import streamed_zip

    archive = bytearray(streamed_zip({"a.txt": b"words " * 9, "b": HARMFUL_PICKLE}))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    scanned(bytes(archive))
