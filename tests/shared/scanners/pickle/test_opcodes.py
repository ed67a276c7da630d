"""Every opcode of every protocol: decoded at the right place, and doing what the loader does."""

from __future__ import annotations

import io
import pickle
import pickletools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.pickles import COMMAND, details, pickled, rules, scan, text

from tidegate.scanners.pickle.opcodes import OPCODES, read_opcodes
from tidegate.scanners.pickle.source import Source

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(), inner, max_size=5)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers() | st.text(), max_size=5)
    ),
    max_leaves=25,
)


def test_the_table_is_pickletools_s() -> None:
    ours = {(opcode.name, code) for code, opcode in enumerate(OPCODES) if opcode is not None}
    assert ours == {(opcode.name, ord(opcode.code)) for opcode in pickletools.opcodes}


def positions(data: bytes) -> list[tuple[int, str]]:
    return [
        (at, opcode.name) for at, opcode, _ in read_opcodes(Source(io.BytesIO(data), len(data)))
    ]


@given(PLAIN, st.integers(0, 5))
def test_opcodes_stand_where_pickletools_finds_them(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert positions(data) == [(at, opcode.name) for opcode, _, at in pickletools.genops(data)]


@given(PLAIN, st.integers(0, 5))
def test_plain_data_is_no_finding(value: object, protocol: int) -> None:
    report = scan(pickle.dumps(value, protocol))
    assert rules(report) <= {"PICKLE-PLAIN"}
    assert not report.unread_parts


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_named_unread(data: bytes) -> None:
    report = scan(data)
    assert report.findings or report.unread_parts


@given(
    st.lists(
        st.sampled_from(
            [bytes([c]) for c, o in enumerate(OPCODES) if o] + [b"cos\nsystem\n", b"\x8c\x02os"]
        )
    )
)
def test_any_opcodes_are_read_or_named_unread(parts: list[bytes]) -> None:
    data = b"".join(parts)
    report = scan(data)
    assert report.findings or report.unread_parts


@given(PLAIN, st.integers(0, 5), st.data())
def test_a_stream_cut_anywhere_never_passes(
    value: object, protocol: int, source: st.DataObject
) -> None:
    data = pickle.dumps(value, protocol)
    cut = source.draw(st.integers(0, len(data) - 1))
    assert scan(data[:cut]).unread_parts


CALLS = {
    "REDUCE": b"cos\nsystem\n(S'x'\ntR",
    "INST": b"(S'x'\nios\nsystem\n",
    "OBJ": b"(cos\nsystem\nS'x'\no",
    "INST without arguments": b"(ios\nsystem\n",
    "OBJ without arguments": b"(cos\nsystem\no",
    "NEWOBJ": b"cos\nsystem\n)\x81",
    "NEWOBJ_EX": b"cos\nsystem\n)}\x92",
    "STACK_GLOBAL": b"\x8c\x02os\x8c\x06system\x93)R",
    "STACK_GLOBAL of BINUNICODE": b"X\x02\0\0\0osX\x06\0\0\0system\x93)R",
    "STACK_GLOBAL of BINUNICODE8": b"\x8d\x02\0\0\0\0\0\0\0os\x8d\x06\0\0\0\0\0\0\0system\x93)R",
    "STACK_GLOBAL of UNICODE": b"Vos\nVsys\\u0074em\n\x93)R",
    "STACK_GLOBAL of STRING": b"S'os'\nS'\\x73ystem'\n\x93)R",
    "STACK_GLOBAL of SHORT_BINSTRING": b"U\x02osU\x06system\x93)R",
    "STACK_GLOBAL of BINSTRING": b"T\x02\0\0\0osT\x06\0\0\0system\x93)R",
}


@pytest.mark.parametrize("body", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_every_way_to_call_is_a_call(body: bytes, protocol: int) -> None:
    assert details(scan(pickled(body, protocol)), "PICKLE-EXEC") == {"os.system"}


@pytest.mark.parametrize(
    "put",
    [b"p99\n", b"q\x63", b"r\x63\0\0\0"],
    ids=["PUT", "BINPUT", "LONG_BINPUT"],
)
@pytest.mark.parametrize(
    "get", [b"g99\n", b"h\x63", b"j\x63\0\0\0"], ids=["GET", "BINGET", "LONG_BINGET"]
)
def test_every_way_to_memoize_is_followed(put: bytes, get: bytes) -> None:
    stream = text("os") + put + b"0" + get + text("system") + b"\x93)R"
    assert details(scan(pickled(stream)), "PICKLE-EXEC") == {"os.system"}


def test_extension_codes_are_held() -> None:
    for body in (b"\x82\x05", b"\x83\x05\x01", b"\x84\x05\0\0\0"):
        assert rules(scan(pickled(body + b")R"))) >= {"PICKLE-EXTENSION-CODE", "PICKLE-INDIRECT"}
        assert rules(scan(pickled(body))) == {"PICKLE-EXTENSION-CODE"}


@pytest.mark.parametrize("body", [b"Psome id\n", text("some id") + b"Q"])
def test_persistent_ids_are_reported(body: bytes) -> None:
    assert rules(scan(pickled(body))) == {"PICKLE-PERSISTENT-ID"}


def test_what_a_persistent_id_stands_for_may_not_be_called() -> None:
    assert "PICKLE-INDIRECT" in rules(scan(pickled(b"Psome id\n" + text(COMMAND) + b"\x85R")))


def test_torch_s_storages_are_information_only() -> None:
    storage = b"(" + text("storage") + text("0") + text("cpu") + b"K\x02tQ"
    report = scan(pickled(storage, 2))
    assert [
        found.severity.label for found in report.findings if found.rule == "PICKLE-PERSISTENT-ID"
    ] == ["info"]


def test_buffers_from_outside_are_data_and_no_callables() -> None:
    assert rules(scan(pickled(b"\x97\x98", 5))) == {"PICKLE-PLAIN"}
    assert rules(scan(pickled(b"\x97)R", 5))) == {"PICKLE-INDIRECT"}
