"""A payload in a string that somebody would decode first is found; honest strings are not."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import pickle
import zipfile
import zlib

import numpy as np
import pytest
from samples.pickles import SYSTEM, TEXT_SYSTEM
from samples.scanned import assert_clean, grave_rules_of, scanned

ENCODINGS = {
    "base64": base64.b64encode,
    "base64 for addresses": base64.urlsafe_b64encode,
    "hexadecimal": lambda data: data.hex().encode(),
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zlib in base64": lambda data: base64.b64encode(zlib.compress(data)),
}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("payload", [SYSTEM, TEXT_SYSTEM], ids=["protocol 4", "protocol 0"])
@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_an_encoded_pickle_is_found(encode, payload, protocol) -> None:
    encoded = encode(payload)
    for filler in (b"", b"x" * 5000):
        assert "PICKLE-EXEC" in grave_rules_of(
            scanned(pickle.dumps({"a": encoded, "b": filler}, protocol))
        )
    if encoded.isascii():
        assert "PICKLE-EXEC" in grave_rules_of(scanned(pickle.dumps([encoded.decode()], protocol)))


def test_a_long_encoded_pickle_is_found() -> None:
    payload = SYSTEM[:-1] + b"0" + b"N0" * 4000 + b"N."
    data = pickle.dumps([base64.b64encode(payload)])
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data))


def test_honest_strings_are_no_finding() -> None:
    numbers = np.random.RandomState(0).rand(3000).tobytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "plain text")
    values = [
        [hashlib.sha256(bytes([n])).hexdigest() for n in range(200)],
        [base64.b64encode(hashlib.sha256(bytes([n])).digest()).decode() for n in range(200)],
        [zlib.compress(numbers), gzip.compress(numbers), base64.b64encode(numbers)],
        [f"a_column_with_a_very_long_name_of_its_own_{n}" for n in range(200)],
        [base64.b64encode(pickle.dumps({"a": 1, "b": [2.5] * 20}))],
    ]
    for value in values:
        for protocol in (0, 2, 4):
            assert_clean(scanned(pickle.dumps(value, protocol)))
