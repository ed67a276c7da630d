"""MessagePack: parameters pass as numbers, and whatever else a message carries is found."""

from __future__ import annotations

import base64
import io
import json
import pickle
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

from tidegate.scanners.messages.tokens import is_message, tokens

msgpack = pytest.importorskip("msgpack", reason="msgpack writes the samples")

LAMBDA = json.dumps({"class_name": "Lambda", "config": {"function": ["4wE="]}})


def packed(value: object) -> bytes:
    return bytes(msgpack.packb(value))


def array(dtype: str = "float32", data: bytes = bytes(16), shape: object = (4,)) -> bytes:
    """The content of an array's extension, as Flax writes it."""
    return packed((shape, dtype, data))


def extension(code: int, content: bytes) -> bytes:
    return packed({"params": {"w": msgpack.ExtType(code, content)}})


HONEST = {
    "nothing": b"\x80",
    "an array": extension(1, array()),
    "a scalar": extension(3, array("int32", bytes(4), ())),
    "bfloat16": extension(1, array("bfloat16", bytes(8))),
    "a complex number": extension(2, packed((1.0, 2.0))),
    "plain values": packed({"a": [1, -5, 1 << 40, 2.5, None, True, "text" * 100, b"bytes" * 100]}),
    "a time": packed({"t": msgpack.Timestamp(1, 2)}),
    "a message in a message": packed({"a": packed({"b": packed([1, 2, 3])})}),
    "numbers of numpy": packed(
        {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": (4,), b"data": bytes(16)}
    ),
    "many": packed({str(number): number for number in range(70_000)}),
    "a harmless pickle": packed({"a": pickle.dumps([1, 2, 3])}),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_message_has_no_finding(name):
    assert_clean(scanned(HONEST[name], "x.bin"))
    assert_clean(scanned(HONEST[name], "x.msgpack"))


HOSTILE = {
    "a pickle as bytes": packed({"w": HARMFUL_PICKLE}),
    "a pickle of protocol 4": packed({"w": b"\x80\x04" + HARMFUL_PICKLE}),
    "a pickle as text": packed({"w": HARMFUL_PICKLE.decode()}),
    "a pickle as a key": packed({HARMFUL_PICKLE: 1}),
    "a pickle in base64": packed({"w": base64.b64encode(HARMFUL_PICKLE).decode()}),
    "a pickle in a message in a message": packed([packed({"a": packed({"b": HARMFUL_PICKLE})})]),
    "a pickle in an array": extension(1, array("uint8", HARMFUL_PICKLE)),
    "an extension of nobody known": extension(42, b"anything"),
    "a pickle in an extension": extension(5, HARMFUL_PICKLE),
    "a negative extension": b"\x81\xa1a\xd7\xf9" + b"x" * 8,
    "an array of objects": extension(1, array("object", HARMFUL_PICKLE)),
    "an array of nobody known": extension(1, array("evil", bytes(16))),
    "an array that is none": extension(1, b"\xc1\xc1"),
    "a pickle instead of an array": extension(1, HARMFUL_PICKLE),
    "more than an array": extension(1, packed([1, 2, 3, 4, 5])),
    "a complex number that is none": extension(2, packed((b"x" * 20, 1))),
    "objects of msgpack-numpy": packed(
        {b"nd": True, b"type": "|O", b"kind": b"O", b"data": HARMFUL_PICKLE}
    ),
    "the same with texts for keys": packed(
        {"nd": True, "data": HARMFUL_PICKLE, "kind": "O", "type": "|O"}
    ),
    "a Lambda of Keras": packed({"config": LAMBDA}),
    "an archive": packed({"w": plain_zip({"data.pkl": HARMFUL_PICKLE})}),
    "a program": packed({"w": b"\x7fELF" + bytes(60)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_else_a_message_carries_is_found(name):
    for file in ("flax_model.msgpack", "checkpoint", "model.bin"):
        assert grave_rules_of(scanned(HOSTILE[name], file)), file


BROKEN = {
    "bytes behind": packed({"a": 1}) + b"more",
    "a second message behind": packed({"a": 1}) * 2,
    "cut off": packed({"a": b"x" * 100})[:-3],
    "a count of billions": b"\xdd\xff\xff\xff\xff" + bytes(100),
    "a map of billions": b"\xdf\xff\xff\xff\xff" + bytes(100),
    "a string of gigabytes": b"\x81\xa1a\xc6\xff\xff\xff\xff" + bytes(100),
    "a byte that begins nothing": b"\x81\xa1a\xc1",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_message_is_held(name):
    assert "MSGPACK-MALFORMED" in grave_rules_of(scanned(BROKEN[name], "x.msgpack"))
    report = scanned(BROKEN[name], "checkpoint")
    assert grave_rules_of(report) or report.unread_parts


def test_a_message_that_nests_too_deep_is_unread():
    assert scanned(b"\x91" * 100_000 + b"\xc0", "x.msgpack").unread_parts


def test_a_payload_behind_a_message_is_found():
    assert grave_rules_of(scanned(packed({"a": 1}) + HARMFUL_PICKLE, "x.msgpack")) > {
        "MSGPACK-MALFORMED"
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats()
    | st.text(max_size=40) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=40,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=3), st.binary(max_size=5))
def test_whatever_msgpack_writes_is_read_to_its_end(value, more):
    data = packed(value)
    assert is_message(io.BytesIO(data), len(data))
    assert sum(1 for _ in tokens(io.BytesIO(data), len(data)))
    assert not more or not is_message(io.BytesIO(data + more), len(data + more))


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_without_an_error(data):
    scanned(data, "x.msgpack")
    scanned(struct.pack(">BI", 0xDF, len(data) // 2) + data, "x.msgpack")


def test_what_is_no_message_is_not_taken_for_one():
    for data in (b"text", b"\x81", b"\x81\xa1", b"", b"\x05", bytes(100), b"\xc0"):
        assert not is_message(io.BytesIO(data), len(data))


@pytest.mark.slow
def test_honest_parameters_of_flax_have_no_finding(monkeypatch):
    serialization = pytest.importorskip("flax.serialization")
    import jax.numpy as jnp
    import numpy as np

    tree = {
        "params": {"dense": {"kernel": jnp.ones((8, 4)), "bias": jnp.zeros(4, jnp.bfloat16)}},
        "step": 3, "scale": np.float32(2), "z": 1 + 2j, "name": "x" * 50, "none": None,
    }  # fmt: skip
    assert_clean(scanned(serialization.to_bytes(tree), "flax_model.msgpack"))
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 64)
    chunked = serialization.msgpack_serialize({"a": np.arange(1000.0)})
    assert b"__msgpack_chunked_array__" in chunked
    assert_clean(scanned(chunked, "flax_model.msgpack"))
    assert rules_of(scanned(chunked + b"x", "flax_model.msgpack")) == {"MSGPACK-MALFORMED"}


def test_code_in_a_text_is_held():
    hostile = msgpack.packb({"init": "__import__('os').system('echo')", "w": [1.0]})
    assert "GRAPH-EMBEDDED-CODE" in grave_rules_of(scanned(hostile, "x.msgpack"))
