"""A source that the reader can't take as Python does is never taken for a harmless one."""

from __future__ import annotations

import codecs
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.scanned import grave_rules_of, scanned

HARM = b"import os\nos.system('x')\n"


@pytest.mark.parametrize(
    "data",
    [
        b"print 'two'\n",
        b"x = = 1\n",
        b"\xff\xfe\x00 no text",
        b"x = 1\0\nimport os\n",
        HARM.decode().encode("utf-16"),
        b"# coding: utf-8\nx = '\xff'\n",
        b"(" * 5_000 + b")" * 5_000,
        b"x = " + b"-" * 30_000 + b"1",
        b"x = " + b"a." * 100 + b"b" + b"[0" * 300 + b"]" * 300,
        b"x = 1\n" * 400_000,
        b"type X[T] = list[T] = 3\n",
    ],
    ids=range(11),
)
def test_what_is_no_readable_source_is_unread(data):
    assert scanned(data, "m.py").unread_parts


@pytest.mark.parametrize(
    "encoding",
    ["utf-7", "rot13", "rot_13", "unicode_escape", "raw_unicode_escape", "utf_16", "cp037",
     "punycode", "idna", "hex", "base64", "zlib", "mbcs", "nothing-known", "utf-8-sig-x"],
)  # fmt: skip
@pytest.mark.parametrize("line", ["# -*- coding: {} -*-", "#!/usr/bin/python\n# coding={}"])
def test_an_encoding_in_which_bytes_say_something_else_is_held(encoding, line):
    data = line.format(encoding).encode() + b"\nx = 1\n"
    report = scanned(data, "m.py")
    assert "CODE-OBFUSCATED" in grave_rules_of(report)
    assert report.unread_parts


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "ascii", "latin-1", "iso-8859-15", "cp1252"])
def test_a_plain_encoding_is_read(encoding):
    data = f"# -*- coding: {encoding} -*-\n".encode() + HARM
    assert "CODE-PROCESS" in grave_rules_of(scanned(data, "m.py"))


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + HARM,
        HARM.replace(b"\n", b"\r"),
        HARM.replace(b"\n", b"\r\n"),
        b"\x0c\n" + HARM,
        "import os\nｏｓ.ｓｙｓｔｅｍ('x')\n".encode(),
        b"import os\nos . system ('x')\n",
        b"import os\nos.\\\nsystem('x')\n",
        b"import os;os.system('x')",
    ],
    ids=range(8),
)
def test_the_same_source_in_another_form_is_the_same(data):
    assert "CODE-PROCESS" in grave_rules_of(scanned(data, "m.py"))


@pytest.mark.parametrize(
    "line", ["#!/usr/bin/python3", "#!/usr/bin/env python", "#! /bin/python -u"]
)
@pytest.mark.parametrize("name", ["m.py", "notes.txt", "run"])
def test_a_script_for_python_is_read_as_python(line, name):
    assert not grave_rules_of(scanned(f"{line}\nx = 1\n".encode(), name))
    assert "CODE-PROCESS" in grave_rules_of(scanned(f"{line}\n".encode() + HARM, name))


@pytest.mark.parametrize(
    "line",
    ["#!/bin/sh python", "#!/bin/sh\n#!/usr/bin/python", "#!/usr/bin/pythonx", "#!python\x00",
     "#!/usr/bin/env perl"],
)  # fmt: skip
def test_a_script_for_another_program_is_held(line):
    assert scanned(f"{line}\nx = 1\n".encode(), "m.py").unread_parts or grave_rules_of(
        scanned(f"{line}\nx = 1\n".encode(), "m.py")
    )


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u202a"])
def test_marks_that_turn_the_text_around_are_held(mark):
    data = f"access = 'user{mark}'\n".encode()
    assert "CODE-OBFUSCATED" in grave_rules_of(scanned(data, "m.py"))


@pytest.mark.parametrize(
    "source",
    [
        "x = 'a'\n" + "x = x + x\n" * 2_000,
        "x = 'a' * 4000\n" + "x = x * 4000\n" * 50,
        "x = ('a', 'b')\n" + "x = (x, x)\n" * 500,
        "x = '%999999999d' % 1\ny = '{:999999999}'.format(1)\ngetattr(z, x + y)\n",
        "x = ','.join(('a',) * 4000).join(('b',) * 4000)\n",
        "".join(f"x{n} = x{n + 1}\n" for n in range(3_000)) + "x3000 = 1\n",
        "def f(x):\n    for i in x:\n        x = x.y().z(x)\n    return x\n" * 300,
        "x = " + " + ".join(["'a'"] * 3_000) + "\n",
        "if a: pass\n" + "elif b: pass\n" * 2_000,
        "import os\n" + "os = os.path.os\n" * 500,
        "eval(" + repr("eval(" + repr("eval('1')") + ")") + ")\n",
        "a = b.c(d)" + ".e(f)" * 60 + "\n",
        "from os import *\n" + "".join(f"n{n}(m{n})\n" for n in range(3_000)),
    ],
    ids=range(13),
)
def test_a_source_made_to_cost_time_does_not(source):
    start = time.perf_counter()
    scanned(source.encode(), "m.py")
    assert time.perf_counter() - start < 10


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data):
    scanned(data, "m.py")
    scanned(data, "x.ipynb")


_WORDS = st.sampled_from(
    [
        "import os\n",
        "os",
        ".",
        "system",
        "(",
        ")",
        "x",
        " = ",
        "'a'",
        "+",
        "[",
        "]",
        ":",
        "\n",
        "for ",
        " in ",
        "lambda ",
        "def f",
        "class A",
        "    ",
        ",",
        "*",
        "getattr",
        "b64decode",
        "{",
        "}",
        "f'{x}'",
        "%",
        "1",
        "if ",
        "else ",
        "@",
        "await ",
        "yield ",
        ":=",
        "match ",
        "case ",
        "_",
        "global x",
    ]
)


@settings(deadline=None, max_examples=400)
@given(st.lists(_WORDS, max_size=25).map("".join))
def test_any_source_is_read_without_an_error(source):
    scanned(source.encode(), "m.py")
