"""R's and Java's objects: data pass, and what runs when it is read or used is found."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, scanned

HARMFUL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
HAS_ATTRIBUTES, HAS_TAG = 0x200, 0x400
NIL = 254


class R:
    """Writes R's serialisation in XDR, version 3 unless told otherwise."""

    @staticmethod
    def head(version: int = 3) -> bytes:
        out = b"X\n" + struct.pack(">iii", version, 0x40301, 0x30500)
        return out + (struct.pack(">i", 5) + b"UTF-8" if version == 3 else b"")

    @staticmethod
    def flags(kind: int, more: int = 0) -> bytes:
        return struct.pack(">i", kind | more)

    @staticmethod
    def nil() -> bytes:
        return struct.pack(">i", NIL)

    @staticmethod
    def chars(text: bytes) -> bytes:
        return struct.pack(">ii", 9 | 0x40000, len(text)) + text

    @classmethod
    def symbol(cls, name: bytes) -> bytes:
        return cls.flags(1) + cls.chars(name)

    @classmethod
    def strings(cls, *texts: bytes) -> bytes:
        return cls.flags(16) + struct.pack(">i", len(texts)) + b"".join(map(cls.chars, texts))

    @classmethod
    def reals(cls, *values: float) -> bytes:
        return cls.flags(14) + struct.pack(f">i{len(values)}d", len(values), *values)

    @classmethod
    def raw(cls, data: bytes) -> bytes:
        return cls.flags(24) + struct.pack(">i", len(data)) + data

    @classmethod
    def call(cls, name: bytes, *arguments: bytes) -> bytes:
        out = cls.flags(6) + cls.symbol(name)
        return out + b"".join(cls.flags(2) + one for one in arguments) + cls.nil()

    @classmethod
    def vector(cls, *items: bytes, names: tuple[bytes, ...] = ()) -> bytes:
        more = HAS_ATTRIBUTES if names else 0
        out = cls.flags(19, more) + struct.pack(">i", len(items)) + b"".join(items)
        if names:
            out += cls.flags(2, HAS_TAG) + cls.symbol(b"names") + cls.strings(*names) + cls.nil()
        return out


DATA = R.vector(R.reals(1, 2), R.strings(b"a", b"b"), names=(b"x", b"y"))
FORMULA = R.call(b"~", R.symbol(b"y"), R.call(b"+", R.symbol(b"a"), R.symbol(b"b")))
FITTED = R.vector(R.reals(1.5), R.call(b"lm", FORMULA), names=(b"coefficients", b"call"))
ENVIRONMENT = R.flags(4) + struct.pack(">i", 0) + R.nil() * 4
ASCII = b"A\n3\n262913\n197888\n5\nUTF-8\n14\n2\n1\n2.5\n"


@pytest.mark.parametrize("name", ["x.rds", "model", "x.bin"])
@pytest.mark.parametrize("version", [2, 3])
def test_plain_objects_have_no_finding(name, version):
    for content in (DATA, FITTED, ENVIRONMENT, R.nil(), R.raw(b"bytes and more bytes")):
        data = R.head(version) + content
        assert_clean(scanned(data, name))
        assert_clean(scanned(b"RDX3\n" + data, name))
        for pack in (gzip.compress, bz2.compress, lzma.compress):
            assert_clean(scanned(pack(data), name))
    assert_clean(scanned(ASCII, name))


def test_what_rs_readers_in_python_write_has_no_finding(tmp_path):
    rdata = pytest.importorskip("rdata", reason="rdata writes R's files")
    rdata.write_rds(tmp_path / "x.rds", {"a": [1, "b"]})
    assert_clean(scanned((tmp_path / "x.rds").read_bytes(), "x.rds"))


PROMISE = R.flags(5) + struct.pack(">i", 252) + R.call(b"system", R.strings(b"true"))
CLOSURE = R.flags(3) + R.nil() + R.nil() + R.reals(1)

HOSTILE = {
    "promise": (PROMISE, "R-PROMISE"),
    "promise in a list": (R.vector(R.reals(1), PROMISE), "R-PROMISE"),
    "promise with an environment": (
        R.flags(5, HAS_ATTRIBUTES) + R.nil() + R.flags(252) + R.call(b"print"), "R-PROMISE"),
    "promise as an attribute": (
        R.flags(19, HAS_ATTRIBUTES) + struct.pack(">i", 0)
        + R.flags(2, HAS_TAG) + R.symbol(b"names") + PROMISE + R.nil(), "R-PROMISE"),
    "unbound value": (R.vector(struct.pack(">i", 252)), "R-PROMISE"),
    "arguments to be evaluated": (R.flags(17) + PROMISE + R.nil(), "R-PROMISE"),
    "function": (CLOSURE, "R-CODE"),
    "byte code": (R.flags(21) + bytes(40), "R-CODE"),
    "pointer": (R.flags(22) + R.nil() * 2, "R-CODE"),
    "object kept elsewhere": (
        R.flags(247) + struct.pack(">ii", 0, 1) + R.chars(b"x"), "R-CODE"),
    "system": (R.call(b"system", R.strings(b"true")), "R-CALL"),
    "eval in a formula": (
        R.vector(R.call(b"~", R.call(b"eval", R.call(b"parse")))), "R-CALL"),
    "expression": (
        R.flags(20) + struct.pack(">i", 1) + R.call(b"source", R.strings(b"x")), "R-CALL"),
    "system by a reference": (
        R.vector(R.symbol(b"system"), R.flags(6) + R.flags(255 | 1 << 8) + R.nil()), "R-CALL"),
    "a built-in function": (R.flags(8) + struct.pack(">i", 6) + b"system", "R-CALL"),
    "call of a namespace": (
        R.call(b"::", R.symbol(b"base"), R.symbol(b"system")), "R-CALL"),
    "a pickle in raw bytes": (R.raw(HARMFUL), "PICKLE-EXEC"),
    "a text pickle in raw bytes": (R.raw(HARMFUL_PICKLE), "PICKLE-EXEC"),
    "a program in raw bytes": (R.raw(b"\x7fELF" + bytes(60)), "CODE-NATIVE"),
    "bytes behind": (DATA + b"behind", "R-MALFORMED"),
    "a pickle behind": (DATA + HARMFUL, "R-MALFORMED"),
    "breaks off": (DATA[:-8], "R-MALFORMED"),
    "a vector of billions": (R.flags(14) + struct.pack(">i", 1 << 30), "R-MALFORMED"),
    "a list of billions": (R.flags(19) + struct.pack(">i", 1 << 30), "R-MALFORMED"),
    "negative length": (R.flags(14) + struct.pack(">i", -5), "R-MALFORMED"),
    "a reference to nothing": (R.flags(255 | 7 << 8), "R-MALFORMED"),
    "unknown type": (R.flags(99), "R-MALFORMED"),
    "nests deep": (R.flags(6) * 6_000_000, "R-MALFORMED"),
}  # fmt: skip


@pytest.mark.parametrize("sample", [one for one in HOSTILE if one != "nests deep"])
def test_a_hostile_object_is_found(sample):
    content, rule = HOSTILE[sample]
    assert rule in grave_rules_of(scanned(R.head() + content, "x.rds"))
    assert rule in grave_rules_of(scanned(b"RDX2\n" + R.head(2) + content, "x.RData"))
    assert rule in grave_rules_of(scanned(gzip.compress(R.head() + content), "x"))


def test_an_object_that_nests_deep_ends_in_a_finding():
    data = R.head() + R.flags(6) * 300_000
    assert "R-MALFORMED" in grave_rules_of(scanned(data, "x.rds"))


def test_a_promise_in_the_text_spelling_is_found():
    data = b"A\n2\n262913\n131840\n5\n252\n254\n254\n"
    assert "R-PROMISE" in grave_rules_of(scanned(data, "x.rds"))


def java(*classes: bytes) -> bytes:
    """A stream with those classes' descriptors."""
    out = b"\xac\xed\0\5"
    for name in classes:
        out += b"sr" + struct.pack(">H", len(name)) + name + bytes(8) + b"\2\0\0xp"
    return out


@pytest.mark.parametrize(
    ("name", "critical"),
    [
        (b"java.util.ArrayList", False),
        (b"org.example.Model", False),
        (b"org.apache.commons.collections.functors.InvokerTransformer", True),
        (b"com.sun.org.apache.xalan.internal.xsltc.trax.TemplatesImpl", True),
        (b"java.net.URL", True),
        (b"[Ljava.lang.reflect.Method;", True),
    ],
)
def test_serialized_java_is_held(name, critical):
    from tidegate.scanners.interface import Severity

    report = scanned(java(b"java.util.HashMap", name), "x.bin")
    assert grave_rules_of(report) == {"JAVA-SERIALIZED"}
    assert any(f.severity is Severity.CRITICAL for f in report.findings) == critical
    assert name.decode().strip("[L;")[:20] in str(report.findings)


def test_serialized_java_in_base64_in_a_configuration_is_held():
    text = b'{"state": "' + base64.b64encode(java(b"java.net.URL")) + b'"}'
    assert "JAVA-SERIALIZED" in grave_rules_of(scanned(text, "config.json"))


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([DATA, FITTED, PROMISE, ENVIRONMENT]),
    st.integers(0, 200),
    st.binary(min_size=1, max_size=4),
)
def test_a_changed_object_is_read_without_an_error(content, at, new):
    data = R.head() + content
    scanned(data[:at] + new + data[at + len(new) :], "x")


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_mark_are_read_without_an_error(data):
    for mark in (R.head(), R.head(2), b"A\n2\n1\n1\n", b"\xac\xed\0\5", b"B\n\2\0\0\0" + bytes(8)):
        scanned(mark + data, "x")
