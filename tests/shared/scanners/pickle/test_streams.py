"""Broken streams, several streams, and pickles inside pickles."""

from __future__ import annotations

import pickle
import struct

import pytest
from samples.pickles import (
    COMMAND,
    SYSTEM,
    TEXT_SYSTEM,
    call,
    data,
    details,
    finding,
    name,
    pickled,
    rules,
    scan,
    text,
)

from tidegate.scanners.interface import Limits

PAYLOAD = call(name("os", "system"), text(COMMAND))
BREAKS = {
    "an unknown opcode": b"\xff",
    "a string that claims too much": b"X\xff\xff\xff\x7f",
    "a string cut short": b"\x8c\x20abc",
    "a value that is not there": b"00000",
    "a mark that is not there": b"t",
    "a memo entry that is not there": b"h\xc8",
    "a line without an end": b"I12",
    "a number that is none": b"Iabc\n",
    "a protocol that does not exist": b"\x80\x09",
    "text that is not UTF-8": b"\x8c\x02\xff\xfe",
    "a call of a constant": b"N)R",
    "a negative length": b"T\xff\xff\xff\xff",
    "no STOP": b"",
}


@pytest.mark.parametrize("ending", BREAKS.values(), ids=BREAKS.keys())
def test_a_payload_before_a_break_is_still_found(ending: bytes) -> None:
    report = scan(b"\x80\x04" + PAYLOAD + ending)
    assert {"PICKLE-EXEC", "PICKLE-MALFORMED"} <= rules(report)
    assert report.unread_parts


@pytest.mark.parametrize("ending", BREAKS.values(), ids=BREAKS.keys())
def test_a_break_without_code_is_unread(ending: bytes) -> None:
    report = scan(b"\x80\x04]" + ending)
    assert report.unread_parts
    assert "PICKLE-PLAIN" not in rules(report)


@pytest.mark.parametrize(
    "hidden", [SYSTEM, TEXT_SYSTEM, b"\x80\x02" + TEXT_SYSTEM, PAYLOAD], ids=str
)
def test_a_payload_behind_a_break_is_found(hidden: bytes) -> None:
    report = scan(b"\x80\x04]\xff\xff" + b"\x00" * 70 + hidden)
    assert "os.system" in details(report, "PICKLE-EXEC")


def test_a_payload_far_behind_a_break_is_found() -> None:
    for padding in ((1 << 20) - 9, (1 << 20) + 5, 3 << 20):
        assert "PICKLE-EXEC" in rules(scan(b"\x80\x04]\xff" + b"\x00" * padding + TEXT_SYSTEM))


def test_an_empty_file_is_unread() -> None:
    assert scan(b"").unread_parts


@pytest.mark.parametrize("second", [SYSTEM, TEXT_SYSTEM])
def test_a_second_stream_is_read(second: bytes) -> None:
    report = scan(pickle.dumps([1]) + second)
    assert details(report, "PICKLE-EXEC") == {"os.system"}
    assert not report.unread_parts


def test_a_payload_in_the_thousandth_stream_is_found() -> None:
    assert "PICKLE-EXEC" in rules(scan(pickle.dumps(1) * 1000 + SYSTEM))


def test_memos_of_streams_are_not_shared() -> None:
    report = scan(pickle.dumps("os") + b"\x80\x04h\x00.")
    assert rules(report) == {"PICKLE-TRAILING"}


def test_plain_streams_one_after_another_are_no_finding() -> None:
    report = scan(b"".join(pickle.dumps({"a": number}) for number in range(20)))
    assert rules(report) == {"PICKLE-PLAIN"}
    assert not report.unread_parts


@pytest.mark.parametrize("rest", [b"\0\0\0", b"trailing text", b"\xff" * 40])
def test_bytes_behind_the_stop_are_reported(rest: bytes) -> None:
    found = finding(scan(pickle.dumps([1]) + rest), "PICKLE-TRAILING")
    assert found.offset == len(pickle.dumps([1]))


def test_a_payload_in_the_bytes_behind_the_stop_is_found() -> None:
    assert "PICKLE-EXEC" in rules(scan(pickle.dumps([1]) + b"\0\0junk" + SYSTEM))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "inner", [SYSTEM, TEXT_SYSTEM, SYSTEM + b"\0" * 2000, TEXT_SYSTEM + b" " * 9000]
)
def test_a_pickle_inside_a_byte_string_is_read(protocol: int, inner: bytes) -> None:
    report = scan(pickle.dumps({"weights": inner}, protocol))
    (member,) = {found.member for found in report.findings if found.rule == "PICKLE-EXEC"}
    assert member is not None
    assert member.startswith("bytes@")


@pytest.mark.parametrize("protocol", range(6))
def test_a_text_pickle_inside_a_text_is_read(protocol: int) -> None:
    assert "PICKLE-EXEC" in rules(scan(pickle.dumps(TEXT_SYSTEM.decode(), protocol)))


def test_a_pickle_inside_a_bytearray_is_read() -> None:
    assert "PICKLE-EXEC" in rules(scan(pickle.dumps(bytearray(SYSTEM), 5)))


def test_a_pickle_three_strings_deep_is_read() -> None:
    nested = SYSTEM
    for _ in range(3):
        nested = pickle.dumps([nested])
    (found,) = [one for one in scan(nested).findings if one.rule == "PICKLE-EXEC"]
    assert found.member is not None
    assert found.member.count("!") == 2


def test_pickles_nested_too_deep_are_unread() -> None:
    nested = SYSTEM
    for _ in range(12):
        nested = pickle.dumps([nested])
    report = scan(nested, Limits(max_depth=4))
    assert any("nested" in part.reason for part in report.unread_parts)


def test_a_long_escaped_string_that_may_be_a_pickle_is_not_passed_over() -> None:
    inner = TEXT_SYSTEM.replace(b"'", b'"') + b"x" * (5 << 20)
    report = scan(b"S'" + inner.replace(b"\n", b"\\n") + b"'\n.")
    assert report.unread_parts


def test_ordinary_strings_are_no_pickles() -> None:
    values = [
        "category,value\n1,2\n",
        "cat\ndog\nbird\n",
        "import os\nimport sys\n",
        "channels:\n- a\n",
        "c\n",
        "Name\n",
    ]
    values += [value * 400 for value in values]
    report = scan(pickle.dumps({"texts": values, "bytes": [value.encode() for value in values]}))
    assert rules(report) == {"PICKLE-PLAIN"}
    assert not report.unread_parts


def test_a_frame_that_lies_about_its_length_hides_nothing() -> None:
    for length in (0, 3, 1 << 40):
        assert "PICKLE-EXEC" in rules(
            scan(b"\x80\x04\x95" + struct.pack("<Q", length) + PAYLOAD + b".")
        )


def test_a_payload_behind_no_ops_is_found() -> None:
    assert "PICKLE-EXEC" in rules(scan(b"N0" * 5000 + b"(1]0" + TEXT_SYSTEM))
    assert "PICKLE-EXEC" in rules(scan(b"I-0x1f\n0I017\n0L9L\n0F1.5\n0" + TEXT_SYSTEM))


def test_data_of_a_string_is_not_taken_for_opcodes() -> None:
    report = scan(pickled(data(b"\xffcos\nsystem\n(S'x'\ntR.")))
    assert rules(report) == {"PICKLE-PLAIN"}
