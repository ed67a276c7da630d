"""CPython's own unpicklers as the judge: what they would import, the machine has seen.

Both unpicklers run with a `find_class` that imports nothing and hands out an inert class, so
that even a hostile stream does nothing.
"""

from __future__ import annotations

import io
import pickle
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples.pickles import text

from tidegate.scanners.callables import python3_name
from tidegate.scanners.pickle.streams import read_streams
from tidegate.scanners.pickle.trace import Trace


class Inert:
    """Takes anything, does nothing."""

    def __init__(self, *args: object) -> None:
        self.args = args

    def __setstate__(self, state: object) -> None:
        self.state = state

    def append(self, value: object) -> None:
        self.value = value

    def __setitem__(self, key: object, value: object) -> None:
        self.value = value


NAMES = [
    ("os", "system"),
    ("acme", "Model"),
    ("collections", "OrderedDict"),
    ("__builtin__", "eval"),
]
OPCODES = st.one_of(
    st.sampled_from(
        [bytes([code]) for code in b"(012NRabd}e]lost)u\x81\x85\x86\x87\x88\x8f\x90\x91\x92"]
    ),
    st.sampled_from([b"\x93", b"\x94", b"\x80\x02", b"\x80\x04", b"I01\n", b"I7\n", b"Q"]),
    st.sampled_from([f"c{module}\n{name}\n".encode() for module, name in NAMES]),
    st.sampled_from([f"i{module}\n{name}\n".encode() for module, name in NAMES]),
    st.sampled_from([text(part) for pair in NAMES for part in pair]),
    st.integers(0, 4).map(lambda index: b"h" + bytes([index])),
    st.integers(0, 4).map(lambda index: b"q" + bytes([index])),
    st.integers(0, 4).map(lambda index: b"g%d\n" % index),
    st.integers(0, 4).map(lambda index: b"r" + struct.pack("<I", index)),
)


def imported_by(base: type, data: bytes) -> set[tuple[str, str]]:
    names: set[tuple[str, str]] = set()

    class Recording(base):  # type: ignore[misc, valid-type]
        def find_class(self, module: str, name: str) -> type:
            names.add((module, name))
            return Inert

        def persistent_load(self, _: object) -> object:
            return Inert()

    try:
        Recording(io.BytesIO(data)).load()
    except Exception:  # noqa: BLE001 - whatever stops it: the names before that are what counts
        return names
    return names


@pytest.mark.parametrize("base", [pickle.Unpickler, pickle._Unpickler], ids=["C", "Python"])
@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(parts=st.lists(OPCODES, max_size=40))
def test_what_an_unpickler_imports_the_machine_has_seen(base: type, parts: list[bytes]) -> None:
    data = b"".join(parts) + b"."
    trace = Trace()
    read_streams(io.BytesIO(data), len(data), trace)
    seen = set(trace.references)
    hidden = any(note.rule == "PICKLE-INDIRECT" for note in trace.notes)
    for pair in imported_by(base, data):
        assert pair in seen or python3_name(*pair) in seen or hidden, data
