"""Compiled Python is read by a reader of our own, and what it names is said."""

from __future__ import annotations

import importlib.util
import marshal
import random
import types
from pathlib import Path

import pytest
from samples.pickles import data, details, gadget, scan
from samples.scanned import scanned

from tidegate.scanners.bytecode import (
    CodeFacts,
    UnreadableCodeError,
    concerns,
    read_compiled,
    read_marshalled,
)
from tidegate.scanners.bytecode.decoding import Tables, decode

SOURCE = (
    "import json\nimport os\nX = 1.5\n\n\ndef f(x, *, y=(1, 'a', b'b', None, ...)):\n"
    "    return [os.system(z) for z in x]\n\n\nclass A:\n    def g(self):\n"
    "        with open('x', 'w') as s:\n            s.write('y')\n"
)


def nested(code: types.CodeType) -> int:
    return 1 + sum(nested(one) for one in code.co_consts if isinstance(one, types.CodeType))


def test_every_code_object_is_read_with_what_it_names() -> None:
    code = compile(SOURCE, "a.py", "exec")
    found = read_marshalled(marshal.dumps(code))
    assert len(found) == nested(code)
    assert found[0].imports == {"json", "os"}
    assert any("os" in facts.roots and "system" in facts.attributes for facts in found)
    reached = {concern.path for facts in found for concern in concerns(facts)}
    assert {"system", "open"} <= reached


def test_compiled_files_of_this_interpreter_are_read() -> None:
    read = 0
    for spec in ("json", "tarfile", "argparse", "dataclasses", "typing"):
        found = importlib.util.find_spec(spec)
        assert found is not None
        assert found.origin is not None
        raw = bytes(16) + marshal.dumps(compile(Path(found.origin).read_text("utf-8"), "x", "exec"))
        read += len(read_compiled(raw))
    assert read > 500


def test_code_objects_of_other_versions_are_told_apart_by_their_layout() -> None:
    def integer(value: int) -> bytes:
        return value.to_bytes(4, "little")

    def raw(value: bytes) -> bytes:
        return b"s" + integer(len(value)) + value

    names = b")\x02" + b"z\x02os" + b"z\x06system"
    code = bytes([100, 0, 108, 0, 106, 1, 83, 0])
    older = b"c" + integer(0) * 5 + integer(64) + raw(code) + b")\x01N" + names
    older += b")\0" * 3 + b"z\x01f" + b"z\x01g" + integer(1) + raw(b"")
    (facts,) = read_marshalled(older)
    assert facts == CodeFacts("g", imports=frozenset({"os"}), attributes=frozenset({"system"}))
    newer = bytes([149, 0, 83, 0, 75, 0, 82, 2, 36, 0])
    layout = b"c" + integer(0) * 5 + raw(newer) + b")\x01N" + names
    layout += b")\0" + raw(b"") + b"z\x01f" + b"z\x01g" * 2 + integer(1) + raw(b"") * 2
    (facts,) = read_marshalled(layout)
    assert facts.imports == {"os"}
    assert facts.attributes == {"system"}


def test_an_argument_counts_with_and_without_what_extends_it() -> None:
    code = bytes([151, 0, 144, 1, 116, 2, 83, 0])
    tables = Tables(names=200, consts=1, fast=0, derefs=0)
    assert decode(code, tables, 18).roots == {1, 129}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"c",
        b"N",
        b"i\0\0\0\0",
        b"(\xff\xff\xff\x7f",
        b"(" * 500,
        b"[\x01\0\0\0" * 500 + b"N",
        b"r\x05\0\0\0",
        b"s\xff\xff\xff\xff",
        b"\xe3" * 100,
        b"l\xff\xff\xff\x7f",
    ],
)
def test_what_is_no_code_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UnreadableCodeError):
        read_marshalled(raw)


def test_a_damaged_file_never_raises_anything_else() -> None:
    source = random.Random(0)
    whole = marshal.dumps(compile(SOURCE, "a.py", "exec"))
    for _ in range(3000):
        raw = bytearray(whole)
        for _ in range(source.randint(1, 5)):
            raw[source.randrange(len(raw))] = source.randrange(256)
        try:
            read_marshalled(bytes(raw[: source.randint(1, len(raw))]))
        except UnreadableCodeError:
            continue


def test_marshalled_code_in_a_pickle_is_read_beside_the_call_that_is_held() -> None:
    code = marshal.dumps(compile("import os\nos.system('echo x')", "", "exec"))
    for padding in (b"", b"x = 1\n" * 400):
        code = marshal.dumps(compile(padding + b"import os\nos.system('echo x')", "", "exec"))
        report = scan(gadget("marshal", "loads", data(code)))
        assert "<module>: os.system" in details(report, "PICKLE-CODE-OBJECT")
        assert details(report, "PICKLE-EXEC") == {"marshal.loads"}


def test_a_compiled_file_is_held_and_says_what_it_reaches() -> None:
    magic = importlib.util.MAGIC_NUMBER
    raw = magic + bytes(12) + marshal.dumps(compile(SOURCE, "a.py", "exec"))
    report = scanned(raw, "a.pyc")
    assert any("system" in (one.detail or "") for one in report.findings)
    assert scanned(magic + bytes(12) + b"\xe3" + bytes(40), "a.pyc").unread_parts
