"""Lines that a loader reads at any length, and payloads behind them that nobody may miss."""

from __future__ import annotations

import io
import pickle

import pytest
from samples.pickles import TEXT_SYSTEM, details, scan

from tidegate.artifact.formats import Format
from tidegate.scanners.dispatch import formats_of
from tidegate.scanners.pickle.probe import probe

LONG = (1 << 20) + 8
LINES = {
    "FLOAT": b"F" + b"0" * 5000 + b"\n0",
    "FLOAT with a NUL": b"F1\0x\n0",
    "a long FLOAT with a NUL": b"F1\0" + b"x" * 5000 + b"\n0",
    "INT": b"I" + b"0" * LONG + b"\n0",
    "INT with a NUL": b"I1\0x\n0",
    "INT that is only a NUL": b"I\0x\n0",
    "a long INT with a NUL": b"I1\0" + b"x" * LONG + b"\n0",
    "LONG": b"L" + b"1" * LONG + b"L\n0",
    "PUT": b"Np" + b"0" * 5000 + b"\n0",
    "PUT with a NUL": b"Np1\0x\n0",
    "GET": b"Np0\n0g" + b"0" * 5000 + b"\n0",
    "PERSID": b"P" + b"x" * 5000 + b"\n0",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_payload_behind_a_line_of_any_length_is_found(line: bytes) -> None:
    whole = line + TEXT_SYSTEM
    assert probe(io.BytesIO(whole), len(whole))
    assert "os.system" in details(scan(whole), "PICKLE-EXEC") or "posix.system" in details(
        scan(whole), "PICKLE-EXEC"
    )


class Numbers(pickle.Unpickler):
    """Imports nothing, so it can only make plain values."""

    def find_class(self, module: str, name: str) -> object:
        raise AssertionError((module, name))


@pytest.mark.parametrize("key", [key for key in LINES if "NUL" in key])
def test_the_c_unpickler_reads_those_lines_too(key: str) -> None:
    assert Numbers(io.BytesIO(LINES[key] + b"N.")).load() is None


def test_a_memo_index_that_is_too_long_to_read_leaves_no_stale_value() -> None:
    recalled = b"cos\nsystem\np1\n0Np" + b"0" * 2000 + b"1\n0g1\n(S'x'\ntR."
    assert scan(recalled).unread_parts or "PICKLE-INDIRECT" in {
        one.rule for one in scan(recalled).findings
    }


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.gif", "a.bin", "a.md"])
def test_a_payload_inside_what_is_told_as_something_else_is_read_as_a_pickle(name: str) -> None:
    for head in (b"GIF89a\0\0\0" + b"0F1\0x\n0", b"F" + b"0" * 5000 + b"\n0", b"Ixyz\n"):
        whole = head + TEXT_SYSTEM
        assert Format.PICKLE in formats_of(io.BytesIO(whole), len(whole), name)


@pytest.mark.parametrize(
    "words",
    [
        b"acos\nasin\natan\ncos\ncosh\n",
        b"scipy.stats\nscipy.special\nnumpy.random\n",
        b"Name\npodcast\nchannel\nicon\ncode\nspickle\nloads\n",
        b"Cpython\ncpickle\nload\nid\n",
        b"N.B. import os\nos.system('ls') runs a command\n",
        b"c" + b"cgat" * 4000 + b"\nacgt\n",
        b"I" + b" am a long line" * 500 + b"\n",
        b"cat\n" + b"Some words. And more, " * 500 + b"\n",
        b"0" * 200_000 + b"\n",
    ],
    ids=lambda words: repr(words[:20]),
)
def test_a_thorough_look_takes_no_ordinary_text_for_a_pickle(words: bytes) -> None:
    if words[:1] == b"0":
        words = b"\n" + words
    assert not probe(io.BytesIO(words), len(words), thorough=True)


def test_a_function_s_long_dotted_name_is_no_way_past_the_probe() -> None:
    whole = b"\x80\x04cos\n" + b"path.os." * 1000 + b"system\n(S'x'\ntR."
    assert probe(io.BytesIO(whole[2:]), len(whole) - 2)


RUNSTRING = b"cnumpy.testing._private.utils\nrunstring\n"
ARGUMENTS = {
    "a list": b"(lS\"print('tidegate-test')\"\na(da",
    "a string": b"S'ab'\n",
    "a dict": b"(S'a'\nNd",
    "a set": b"\x8f(S'a'\n\x90",
    "bytes": b"C\x02ab",
    "what is imported": b"cstring\ndigits\n",
}


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS.keys())
@pytest.mark.parametrize("opcode", [b"R", b"\x81", b"}\x92"], ids=["REDUCE", "NEWOBJ", "NEWOBJ_EX"])
def test_a_call_with_any_items_is_a_call(arguments: bytes, opcode: bytes) -> None:
    whole = RUNSTRING + arguments + opcode + b"."
    assert probe(io.BytesIO(whole), len(whole))
    report = scan(whole)
    assert "numpy.testing._private.utils.runstring" in details(report, "PICKLE-EXEC")
    assert not report.unread_parts


def test_a_dangerous_name_of_a_dotted_module_makes_a_pickle() -> None:
    assert probe(io.BytesIO(RUNSTRING), len(RUNSTRING))
