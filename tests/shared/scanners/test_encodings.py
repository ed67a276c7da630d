"""A file that stands encoded in a text or a string is found, whatever the encoding."""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import json
import lzma
import pickle
import random
import zlib

import pytest
from samples.pickles import SYSTEM, TEXT_SYSTEM
from samples.scanned import assert_clean, grave_rules_of, scanned

ENCODERS = {
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "hexadecimal": lambda data: data.hex().encode(),
    "base32": base64.b32encode,
    "base32 in small letters": lambda data: base64.b32encode(data).lower(),
    "base32hex": base64.b32hexencode,
    "base85": base64.b85encode,
    "ascii85": base64.a85encode,
    "Adobe's ascii85": lambda data: base64.a85encode(data, adobe=True),
    "numbers": lambda data: str(list(data)).encode(),
    "bits": lambda data: " ".join(format(byte, "08b") for byte in data).encode(),
    "escapes": lambda data: "".join(f"\\x{byte:02x}" for byte in data).encode(),
    "percent": lambda data: "".join(f"%{byte:02x}" for byte in data).encode(),
    "uuencode": lambda data: codecs.encode(data, "uu"),
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
BINARY = {"zlib", "gzip", "bz2", "xz"}
TEXTS = sorted(set(ENCODERS) - BINARY)
PAYLOADS = {"binary": SYSTEM, "of protocol 0": TEXT_SYSTEM}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("name", ENCODERS)
def test_a_pickle_encoded_in_a_string_of_a_pickle_is_found(name, payload):
    encoded = ENCODERS[name](PAYLOADS[payload])
    assert "PICKLE-EXEC" in grave_rules_of(scanned(pickle.dumps({"w": encoded}, 4)))
    if name not in BINARY:
        assert "PICKLE-EXEC" in grave_rules_of(scanned(pickle.dumps({"w": encoded.decode()}, 4)))


@pytest.mark.parametrize("outer", ["base64", "base32", "base85", "ascii85", "zlib"])
@pytest.mark.parametrize("inner", sorted({*ENCODERS} - {"bits"}))
def test_a_chain_of_two_encodings_is_followed(inner, outer):
    encoded = ENCODERS[outer](ENCODERS[inner](SYSTEM))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(pickle.dumps([encoded], 4)))


@pytest.mark.parametrize("name", TEXTS)
def test_it_is_found_in_a_source_and_in_a_configuration(name):
    encoded = ENCODERS[name](SYSTEM).decode()
    assert "PICKLE-EXEC" in grave_rules_of(scanned(json.dumps({"k": encoded}).encode(), "x.json"))
    if name != "escapes":
        source = f'DATA = """{encoded}"""\n'
        assert grave_rules_of(scanned(source.encode(), "x.py"))


def test_a_chain_longer_than_is_followed_is_unread():
    encoded = SYSTEM
    for _ in range(12):
        encoded = base64.b64encode(encoded)
    assert scanned(pickle.dumps([encoded], 4)).unread_parts


@pytest.mark.parametrize("stream", [SYSTEM, TEXT_SYSTEM])
def test_a_pickle_turned_around_or_deflated_without_a_header_is_found(stream):
    bare = zlib.compress(stream)[2:-4]
    for data in (stream[::-1], bare, base64.b64encode(stream)[::-1], base64.b64encode(bare)):
        if data is not bare or stream is not SYSTEM:
            assert "PICKLE-EXEC" in grave_rules_of(scanned(pickle.dumps([data], 4)))


def test_random_numbers_digests_and_words_are_no_files():
    chance = random.Random(3)
    digests = [chance.randbytes(32).hex() for _ in range(2_000)]
    encoders = (base64.b64encode, base64.b85encode, base64.a85encode, base64.b32encode)
    coded = [encode(chance.randbytes(300)).decode() for encode in encoders for _ in range(200)]
    rows = "\n".join(",".join(str(chance.randint(0, 255)) for _ in range(40)) for _ in range(500))
    assert_clean(scanned(json.dumps(digests + coded).encode(), "x.json"))
    assert_clean(scanned(("a,b\n" + rows).encode(), "data.csv"))
    assert_clean(scanned(pickle.dumps(digests + coded, 4)))
