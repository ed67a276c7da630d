"""No random stream raises, hangs or hides an import; what once did stays mended.

The long form is `python fuzz/pickle_reader.py`.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import fuzzed_pickles
from samples.fuzzed_pickles import check, honest_streams, stream
from samples.pickles import SYSTEM, details, name, pickled, scan, text

from tidegate.scanners.pickle import streams

FOUND = json.loads((Path(fuzzed_pickles.__file__).parent / "found_pickles.json").read_text("utf-8"))
HONEST = honest_streams()


@settings(max_examples=1500, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 1 << 40))
def test_a_random_stream_holds_what_the_reader_promises(seed: int) -> None:
    failure = check(stream(random.Random(seed), HONEST))
    assert failure is None, failure


@pytest.mark.parametrize("row", FOUND["streams"], ids=lambda row: row["why"][:40])
def test_what_was_found_stays_mended(row: dict[str, str]) -> None:
    assert check(row["data"].encode("latin-1")) is None


def test_the_check_sees_a_reader_that_misses_an_import(monkeypatch) -> None:
    monkeypatch.setattr(fuzzed_pickles, "read_streams", lambda *_: None)
    assert check(SYSTEM) is not None
    monkeypatch.setattr(fuzzed_pickles, "read_streams", lambda *_: 1 / 0)
    assert check(SYSTEM) is not None
    assert streams.read_streams is not fuzzed_pickles.read_streams


def test_behind_a_doubtful_import_a_payload_is_still_found() -> None:
    """joblib steps over the array; any other loader runs it, and imports what exists."""
    head = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}b"
    doubtful = text("numpy.core.numeric") + text("dtype") + b"\x93"
    data = pickled(head + doubtful + name("os", "system") + b"(" + text("echo x") + b"tR")
    assert "os.system" in details(scan(data), "PICKLE-EXEC")
