"""Random opcode streams, and what must hold when the symbolic reader reads them.

Two judges: the reader itself (no exception, no long time) and CPython's own unpickler, run with
a `find_class` that imports nothing and hands out an inert class: whatever it would import, the
reader must have seen. Nothing that a stream names is ever imported, called or loaded.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import io
import pickle
import random
import struct
import time
from dataclasses import dataclass
from typing import ClassVar

from tidegate.scanners.callables import python3_name
from tidegate.scanners.pickle.opcodes import OPCODES
from tidegate.scanners.pickle.streams import read_streams
from tidegate.scanners.pickle.trace import Trace

SLOWEST = 2.0
"""Seconds that one short stream may take, on a machine that is busy with other things."""

NAMES = (
    ("os", "system"),
    ("acme.models", "Model"),
    ("collections", "OrderedDict"),
    ("__builtin__", "eval"),
    ("builtins", "getattr"),
    ("copyreg", "_reconstructor"),
    ("copy_reg", "_reconstructor"),
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
    ("functools", "partial"),
    ("cloudpickle.cloudpickle", "_make_function"),
    ("cloudpickle.cloudpickle", "_builtin_type"),
    ("cloudpickle.cloudpickle", "_make_skeleton_class"),
    ("cloudpickle.cloudpickle", "_class_setstate"),
    ("a b", "c"),
    ("os", "path.join"),
    ("", ""),
    ("K", "\x94"),
)
_WORDS = ("dtype", "shape", "CodeType", "storage", "latin1", "numpy_array_alignment_bytes", "f8")
_BARE = tuple(
    bytes([opcode.code])
    for opcode in OPCODES
    if opcode is not None and opcode.read is None and opcode.name != "STOP"
)


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


class Recording(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """CPython's unpickler in Python, which only notes what it would import."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.imported: set[tuple[str, str]] = set()
        self.ended = ""

    def find_class(self, module: str, name: str) -> type:
        self.imported.add((module, name))
        return Inert

    def persistent_load(self, _: object) -> object:
        return Inert()

    def load_bytearray8(self) -> None:
        """It would make room for whatever length is claimed."""
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(min(length, 1 << 20))))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"unregistered extension code {code}")


@dataclass(frozen=True)
class Failure:
    """A stream on which something did not hold."""

    why: str
    data: bytes


def check(data: bytes) -> Failure | None:
    """Read one stream by both; what did not hold, or None."""
    trace = Trace()
    begun = time.perf_counter()
    try:
        read_streams(io.BytesIO(data), len(data), trace)
    except Exception as error:  # noqa: BLE001 - that none escapes is the claim
        return Failure(f"{type(error).__name__}: {error}", data)
    if (spent := time.perf_counter() - begun) > SLOWEST:
        return Failure(f"read for {spent:.1f} s", data)
    unpickler = Recording(data)
    try:
        unpickler.load()
    except Exception as error:  # noqa: BLE001 - what it imported before its end is what counts
        unpickler.ended = type(error).__name__
    hidden = any(note.rule == "PICKLE-INDIRECT" for note in trace.notes) or trace.overflowed
    seen = trace.references.keys() | trace.doubtful
    for pair in unpickler.imported:
        if not (pair in seen or python3_name(*pair) in seen or hidden):
            return Failure(f"the unpickler imports {pair}, and the reader has not seen it", data)
    return None


def honest_streams() -> list[bytes]:
    """What picklers write, to be mutated."""
    shared = ["shared"]
    values: list[object] = [
        {"a": [1, 2.5, None, True, "x" * 300, b"y" * 300, (1, 2), {3}, frozenset({4}), 1 << 80]},
        collections.OrderedDict(a=shared, b=shared),
        [datetime.date(2020, 1, 1), decimal.Decimal("1.5"), collections.Counter("ab")],
        [bytearray(b"abc"), -5, 70_000, 1 << 40, "\u20ac\ud800", [[[[[]]]]]],
        [ValueError("x"), range(3), complex(1, 2)],
    ]
    return [pickle.dumps(value, protocol) for value in values for protocol in range(6)]


def stream(source: random.Random, honest: list[bytes]) -> bytes:
    """One random stream: composed, mutated, or spliced of both."""
    choice = source.random()
    if choice < 0.6:
        return composed(source)
    data = bytearray(source.choice(honest))
    for _ in range(source.randint(1, 6)):
        _mutate(source, data)
    if choice > 0.9:
        data[source.randrange(len(data) + 1) :] = composed(source)
    return bytes(data)


def composed(source: random.Random) -> bytes:
    """Opcodes in a random order, likelier in one that does something."""
    parts: list[bytes] = []
    if source.random() < 0.5:
        parts.append(bytes([0x80, source.randint(0, 5)]))
    parts.extend(_opcode(source) for _ in range(source.randint(1, 24)))
    if source.random() < 0.9:
        parts.append(b".")
    if source.random() < 0.1:
        parts.append(_opcode(source) + b"." + _opcode(source))
    return b"".join(parts)


def _opcode(source: random.Random) -> bytes:
    choice = source.random()
    if choice < 0.4:
        return source.choice(_BARE)
    if choice < 0.65:
        return _import(source)
    if choice < 0.8:
        index = source.randint(0, 5)
        return source.choice(
            (
                b"h" + bytes([index]),
                b"q" + bytes([index]),
                b"g%d\n" % index,
                b"p%d\n" % index,
                b"r" + struct.pack("<I", index),
                b"j" + struct.pack("<I", index),
                b"\x94",
            )
        )
    return _constant(source)


def _import(source: random.Random) -> bytes:
    module, name = source.choice(NAMES)
    choice = source.random()
    if choice < 0.3:
        return b"%c%s\n%s\n" % (source.choice(b"ci"), module.encode(), name.encode())
    if choice < 0.7:
        return _text(source, module) + _text(source, name) + b"\x93"
    args = b"".join(_opcode(source) for _ in range(source.randint(0, 3)))
    head = _text(source, module) + _text(source, name) + b"\x93("
    return head + args + b"t" + source.choice((b"R", b"\x81", b"R", b"R}b"))


def _text(source: random.Random, value: str) -> bytes:
    raw = value.encode()
    return source.choice(
        (
            b"\x8c" + bytes([len(raw)]) + raw,
            b"X" + struct.pack("<I", len(raw)) + raw,
            b"U" + bytes([len(raw)]) + raw,
            b"V" + raw.replace(b"\n", b"") + b"\n",
            b"S'" + raw.replace(b"\n", b"") + b"'\n",
            b"\x8d" + struct.pack("<Q", len(raw)) + raw,
        )
    )


def _constant(source: random.Random) -> bytes:
    raw = source.choice((b"", b"a", b"cos\nsystem\n", b"\x80\x04N.", source.randbytes(3)))
    return source.choice(
        (
            b"K" + source.randbytes(1),
            b"M" + source.randbytes(2),
            b"J" + source.randbytes(4),
            b"G" + source.randbytes(8),
            b"I%d\n" % source.randint(-3, 3),
            b"I01\n",
            b"L5L\n",
            b"F1.5\n",
            b"\x8a\x02" + source.randbytes(2),
            b"C" + bytes([len(raw)]) + raw,
            b"B" + struct.pack("<I", len(raw)) + raw,
            b"T" + struct.pack("<i", len(raw)) + raw,
            b"\x96" + struct.pack("<Q", len(raw)) + raw,
            b"\x95" + struct.pack("<Q", source.choice((0, 1, 5, 20, 1 << 20))),
            b"P1\n",
            b"\x82\x01",
            b"\x83\x01\x00",
            b"\x84\x01\x00\x00\x00",
            _text(source, source.choice(_WORDS)),
        )
    )


def _mutate(source: random.Random, data: bytearray) -> None:
    if not data:
        return
    at = source.randrange(len(data))
    choice = source.random()
    if choice < 0.3:
        data[at] = source.randrange(256)
    elif choice < 0.6:
        data[at:at] = _opcode(source)
    elif choice < 0.75:
        del data[at : at + source.randint(1, 8)]
    elif choice < 0.9:
        end = min(len(data), at + source.randint(1, 30))
        to = source.randrange(len(data))
        data[to:to] = data[at:end]
    else:
        del data[at:]
