"""The JSON stream: whatever Python's own parser sees in a text, a listener hears of as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidegate.scanners.json_stream import MAX_DEPTH, JsonReader, JsonUnreadError


class Heard:
    """Keeps what it is told."""

    watched = frozenset({"watched", "auto_map"})

    def __init__(self) -> None:
        self.objects: list[list[str]] = []
        self.pairs: list[list[tuple[str, Any]]] = []
        self.texts: list[tuple[str, tuple[str, ...]]] = []

    def object(self, pairs: list[tuple[str, Any]], complete: bool) -> None:
        assert complete
        self.pairs.append(pairs)
        self.objects.append([key for key, _ in pairs])

    def text(self, text: str, keys: Callable[[], tuple[str, ...]]) -> None:
        self.texts.append((text, keys()))


def heard(data: bytes, piece: int = 1 << 20) -> tuple[Heard, JsonReader]:
    listener = Heard()
    reader = JsonReader(listener)
    reader.read(data[at : at + piece] for at in range(0, len(data), piece))
    return listener, reader


_TEXTS = st.text(alphabet='ab{}[]":,\\\n\té€😀 1/', max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | _TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXTS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@example([7.92e-235, 1.34e154, 1.34e154, 7.92e-235, 1.34e154, 1.34e154, 1.34e154], 1, False, 18)
@given(_VALUES, st.sampled_from([None, 1, 4]), st.booleans(), st.integers(1, 40))
def test_every_object_of_a_valid_text_is_heard_of_with_all_its_keys(value, indent, plain, piece):
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    expected: list[list[str]] = []
    json.loads(text, object_pairs_hook=lambda pairs: expected.append([key for key, _ in pairs]))
    listener, reader = heard(text.encode(), piece)
    # Entries that mean nothing are passed over as one, where numbers follow each other.
    assert len(listener.objects) == len(expected)
    for found, wanted in zip(listener.objects, expected, strict=True):
        assert set(found) <= set(wanted)
    assert not reader.irregular


@settings(max_examples=100)
@given(
    st.dictionaries(_TEXTS, _TEXTS | st.lists(_TEXTS, max_size=3), max_size=6), st.integers(1, 30)
)
def test_every_text_is_heard_of_under_its_key(value, piece):
    listener, _ = heard(json.dumps(value).encode(), piece)
    expected = [
        (text, (key,))
        for key, inner in value.items()
        for text in ([inner] if isinstance(inner, str) else inner)
    ]
    assert listener.texts == expected


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (b'{"a": "x", "a": "y", "b": {"c": null}}', [["c"], ["a", "a", "b"]]),
        (b'{"a": NaN, "b": Infinity, "c": -Infinity}', [["a", "b", "c"]]),
        (b'{"a": 1} {"b": 2}', [["a"], ["b"]]),
        (b'{"a": 1}\n{"b": 2}\n', [["a"], ["b"]]),
        (b'{"a": 1,}', [["a"]]),
        (b'{"a": [1, 2, 3', [["a"]]),
        (b'{"a": {"watched": 1', [["watched"], ["a"]]),
        (b'// note\n{"a": 1}', [["a"]]),
        (b'{"\\u0061uto_map": 1}', [["auto_map"]]),
    ],
)
def test_what_lenient_readers_take_is_heard_of(text, keys):
    listener, _ = heard(text)
    assert listener.objects == keys


def test_what_is_no_json_is_irregular():
    for text in (b'{"a" b}', b"[1", b"}", b'["a\nb"]', b"[nope]", b'{"a": "'):
        assert heard(text)[1].irregular
    assert not heard(b'[{"a": [1, -2.5e3, "x", true, null]}]')[1].irregular


def test_a_text_without_any_separator_is_no_string():
    listener, reader = heard(b"[" + "\u4e2d\u6587".encode() * 2_000_000 + b'{"a": 1}')
    assert reader.irregular
    assert listener.objects == [["a"]]


def test_a_watched_key_in_a_long_vocabulary_is_kept():
    many = {f"word{number}": number for number in range(5000)}
    for value in ({**many, "watched": 7, "z": 1}, {**many, "auto_map": {"A": "b"}, "y": 2}):
        listener, _ = heard(json.dumps(value).encode(), 4096)
        assert {"watched", "auto_map"} & {key for keys in listener.objects for key in keys}


def test_a_text_that_nests_too_deep_is_refused():
    with pytest.raises(JsonUnreadError):
        heard(b"[" * (MAX_DEPTH + 1))
    heard(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_memory_stays_small_for_a_large_document():
    import tracemalloc

    def pieces():
        yield b'{"a": ['
        for _ in range(30):
            yield b'{"name": "value", "n": [1, 2, 3]}, ' * 1000
        yield b"0]}"

    tracemalloc.start()
    reader = JsonReader(listener := Heard())
    listener.object = lambda pairs, complete: None  # type: ignore[method-assign]
    listener.text = lambda text, keys: None  # type: ignore[method-assign]
    reader.read(pieces())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes_are_read_without_an_error(data, piece):
    heard(data, piece)
    heard(b'{"a": ' + data, piece)
