"""Telling pickles from everything else by their bytes."""

from __future__ import annotations

import io
import json
import pickle
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.pickles import SYSTEM, TEXT_SYSTEM, call, name, text
from samples.scanned import grave_rules_of, scanned

from tidegate.scanners.pickle.probe import looks_like_pickle, probe

TEXTS = [
    b"category,value\n1,2\n",
    b"cat\ndog\nbird\n",
    b"cat\ndog\n",
    b"code\nname\nid\n",
    b"cast\ncastle\ncat\n",
    b"channels:\n- conda-forge\ndependencies:\n- python\n",
    b"import os\nimport sys\nprint(1)\n",
    b"in\nout\n",
    b"class Foo:\n    pass\n",
    b"config\nsetup\n",
    b'{"a": [1, 2]}',
    b"[1, 2, 3]",
    b"# Title\n\ntext\n",
    b"(see below)\n",
    b"Name,Age\nBob,3\n",
    b"Index\n1\n2\n",
    b"I am a text.\n",
    b"0\n1\n2\n",
    b"]\n",
    b"N.B. a note\n",
    b"Value\n1\n",
    b"numpy==2.0\npandas\n",
    b"flavors:\n  sklearn: {}\n",
    b"Given that\n",
    b"Python\n",
    b"S'quoted' text\n",
    b"model\nlabels\n",
    b"%PDF-1.7\n",
    b"<html></html>",
    b"\x89PNG\r\n\x1a\n",
    b"PK\x03\x04",
    b"\x7fELF",
    b"GIF89a",
    b"",
    b".",
    b"..",
    b"0" * 100,
    b"c\n\n",
    b"c" * 5000,
    b"(" * 5000,
    b"Lorem ipsum dolor sit amet.\n",
    b"}\n",
    b"yes\nno\n",
    b"cos, sin\ntan\n",
    b"cold\nhot\nRain\n",
    b"id\tlabel\n",
    b"iris\nsetosa\nversicolor\n",
    b"caption\nbook\nRose\n",
]


@pytest.mark.parametrize("data", TEXTS, ids=repr)
def test_ordinary_text_is_no_pickle(data: bytes) -> None:
    assert not probe(io.BytesIO(data), len(data))
    assert not looks_like_pickle(data)


@given(
    st.text(
        alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=300
    )
)
def test_json_text_is_no_pickle(value: str) -> None:
    data = json.dumps({"text": value}, indent=1).encode()
    assert not probe(io.BytesIO(data), len(data))


HOSTILE = [
    TEXT_SYSTEM,
    SYSTEM,
    b"cos\nsystem\n",
    b"(S'x'\nios\nsystem\n.",
    b"N0" * 300_000 + TEXT_SYSTEM,
    b"]0(1" + TEXT_SYSTEM,
    b"\x95" + struct.pack("<Q", 3) + TEXT_SYSTEM,
    call(name("os", "system"), text("x")),
    b"I1\n0" + TEXT_SYSTEM,
    b"Va comment\n0" + TEXT_SYSTEM,
    TEXT_SYSTEM + b" and ordinary text behind it",
    b"cacme\nModel\n(tR.",
    b"cacme\nModel\n.",
    b"(cacme\nModel\no.",
    b"cos\nsystem\n(S'x'\ntR",
]


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: repr(data[:40]))
def test_a_pickle_without_a_magic_number_is_seen(data: bytes) -> None:
    assert probe(io.BytesIO(data), len(data))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value", [None, [1, 2], {"a": "b"}, "text", 3.5, b"x" * 9000, ("a", {"b": [1]})], ids=repr
)
def test_plain_pickles_are_seen(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert probe(io.BytesIO(data), len(data))
    assert looks_like_pickle(data)


def test_the_head_of_a_long_pickle_is_enough() -> None:
    assert looks_like_pickle(pickle.dumps([b"x" * 100_000])[:64])


@given(st.binary(max_size=200))
def test_any_bytes_are_told_without_an_error(data: bytes) -> None:
    probe(io.BytesIO(data), len(data))
    looks_like_pickle(data)


def test_a_table_whose_header_begins_with_a_c_is_no_pickle() -> None:
    table = b"const_p1,const_p2\n.031,.5\n.02,.6\n"
    assert not probe(io.BytesIO(table), len(table))
    path = b"c../evil\nx\n."
    assert probe(io.BytesIO(path), len(path))


@pytest.mark.parametrize("before", [b"\n", b" ", b"\r\n\t  "])
def test_a_pickle_behind_white_space_is_still_found(before):
    report = scanned(before + TEXT_SYSTEM, "notes.txt")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_text_behind_white_space_is_still_a_text():
    for words in (b"\n# Title\n\ncat\ndog\n", b"  import os\n", b'\n{"a": [1, 2]}\n'):
        assert not probe(io.BytesIO(words), len(words), thorough=True)
