"""JSON read as a stream: a document of any size in little memory, by every reading of its bytes.

A loader's parser may take what the standard forbids (NaN, comments, a comma too many, keys that
stand twice, several documents in one file), so this reader is lenient: it goes on past what it
does not understand and says so in `irregular`. Whoever listens hears of each object when it
closes, of each text as it comes.

Always holds: reading is iterative and linear; kept are one window of the file, one text, and of
every open object and array a bounded part. Runs of numbers, of which large models consist, are
passed over as one.
"""

from __future__ import annotations

import json.decoder
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

MAX_DEPTH = 2000
MAX_STRING = 8 << 20
_KEPT_PAIRS = 512
_MAX_PAIRS = 8192
_KEPT_ITEMS = 8
_KEPT_TEXT = 4096
_ENOUGH = 64
# With more oddities than this, nothing takes the text for one document of JSON.
_MAX_ODD = 10_000

# Possessive throughout: a token that fails to match must not be tried in other ways.
_TOKEN = re.compile(
    rb'[ \t\r\n\f,:]*+(?:("[^"\\]*+(?:\\.[^"\\]*+)*+")|([{\[])|([}\]])'
    rb"|([-+.]?+[0-9][0-9.eE+\-]*+(?:[ \t\r\n]*+,[ \t\r\n]*+[-+.]?+[0-9][0-9.eE+\-]*+)*+)"
    rb"|([A-Za-z_$-][\w$-]*+)|(//[^\n]*+)|([^ \t\r\n\f,:\"{}\[\]0-9A-Za-z_$/+.-]++))",
    re.DOTALL,
)
_SEPARATORS = re.compile(rb"[ \t\r\n\f,:]++")
# What vocabularies consist of: numbers under plain keys, and plain texts or pairs in long arrays.
_PLAIN = rb'"[^"\\{]{0,31}+"'
_SPACE = rb"[ \t\r\n]*+"
_BETWEEN = rb"[ \t\r\n,]*+"
_NUMBER = rb"-?+[0-9][0-9.eE+-]*+"
_PAIR = rb"\[" + _SPACE + _PLAIN + _SPACE + b"," + _SPACE + _PLAIN + _SPACE + rb"\]"
_NUMBERED = re.compile(
    _BETWEEN + b"(?:" + _SPACE + _PLAIN + _SPACE + b":" + _SPACE + _NUMBER + _SPACE + b",)++"
)
_LISTED = re.compile(
    _BETWEEN + b"(?:" + _SPACE + b"(?:" + _PLAIN + b"|" + _PAIR + b")" + _SPACE + b",)++"
)
_STRING, _OPEN, _CLOSE, _NUMBERS, _WORD = 1, 2, 3, 4, 5
_WORDS = {b"true": True, b"false": False, b"null": None}
_NUMBER_WORDS = frozenset({b"NaN", b"Infinity", b"-Infinity"})
_NOT_ZERO = re.compile(rb"[1-9]")
_WORTH_A_LOOK = re.compile(rb"\{[{%#]|\\u")
_LONG = 32

Pairs = list[tuple[str, Any]]


class Listener(Protocol):
    """Who hears of what the reader sees.

    Values are texts, True, False, None, numbers as whether they are zero, lists of their first
    items, and for an object whether it holds anything, or what the listener said of it.
    """

    watched: frozenset[str]
    """Keys whose values are kept however many others an object has."""

    def object(self, pairs: Pairs, complete: bool) -> object:
        """An object has closed. `complete` says that no pair of it was left out.

        What this gives back, unless it is None, is the object's value in the one around it.
        """

    def text(self, text: str, keys: Callable[[], tuple[str, ...]]) -> None:
        """A text stands as a value; `keys` gives the keys that lead to it, outermost first."""


class JsonUnreadError(Exception):
    """A part of the text was not read; the message says why."""


@cache
def _pattern_of(keys: frozenset[str]) -> re.Pattern[bytes]:
    return re.compile(b'"(?:' + b"|".join(re.escape(key.encode()) for key in keys) + b')"')


@dataclass(slots=True)
class _Frame:
    is_object: bool
    key: str | None = None
    pairs: Pairs = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    count: int = 0
    complete: bool = True


class JsonReader:
    """Reads one text, given as UTF-8 in pieces."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._frames: list[_Frame] = []
        self._watched = _pattern_of(listener.watched)
        self._odd = 0

    @property
    def irregular(self) -> bool:
        """Whether the text is something else than plain JSON."""
        return self._odd > 0

    def read(self, pieces: Iterator[bytes]) -> None:
        """Read to the end. Raises JsonUnreadError for what is too long or nests too deep."""
        window, at, ended = b"", 0, False
        while self._odd <= _MAX_ODD:
            if at >= len(window):
                if ended or not (window := next(pieces, b"")):
                    break
                at = 0
            if (skipped := self._plain_run(window, at)) is not None:
                at = skipped
                continue
            found = _TOKEN.match(window, at)
            whole = found is not None and found.end() < len(window)
            if found is not None and not whole and not ended and found.lastindex == _NUMBERS:
                # A long run is taken up to its last comma; what else ends a window may go on.
                start = found.start(_NUMBERS)
                comma = window.rfind(b",", start)
                if comma - start >= _ENOUGH:
                    self._take(_NUMBERS, window[start:comma])
                    at = comma
                    continue
            if not whole and not ended and self._may_go_on(window, at, found):
                window, at, ended = self._longer(window, at, pieces)
                continue
            if found is None:
                if (between := _SEPARATORS.match(window, at)) is not None:
                    at = between.end()
                    continue
                self._odd += 1
                # A string without an end takes the rest with it.
                at = len(window) if window[at : at + 1] == b'"' else at + 1
                continue
            if found.lastindex is not None:
                self._take(found.lastindex, found[found.lastindex])
            at = found.end()
        self._finish()

    def _plain_run(self, window: bytes, at: int) -> int | None:
        """Where a run of entries that mean nothing to the listener ends, if one begins here."""
        if not self._frames:
            return None
        frame = self._frames[-1]
        if frame.is_object and frame.key is None and frame.count:
            found = _NUMBERED.match(window, at)
            if found is not None and (key := self._watched.search(window, at, found.end())):
                found = _NUMBERED.match(window, at, key.start())
        elif not frame.is_object and frame.count >= _KEPT_ITEMS:
            found = _LISTED.match(window, at)
        else:
            return None
        if found is None:
            return None
        frame.count += 1
        return found.end()

    @staticmethod
    def _may_go_on(window: bytes, at: int, found: re.Match[bytes] | None) -> bool:
        if found is not None:
            return found.lastindex in {_NUMBERS, _WORD}
        return window[at : at + 1] in {b'"', b"/", b"-", b"+", b"."}

    @staticmethod
    def _longer(window: bytes, at: int, pieces: Iterator[bytes]) -> tuple[bytes, int, bool]:
        """The window from `at` on, at least twice as long, so that growing it stays linear."""
        parts = [window[at:]]
        have = wanted = len(parts[0])
        if have > MAX_STRING:
            raise JsonUnreadError(f"a JSON text with a string larger than {MAX_STRING >> 20} MiB")
        while have < 2 * wanted or len(parts) == 1:
            piece = next(pieces, b"")
            if not piece:
                return b"".join(parts), 0, True
            parts.append(piece)
            have += len(piece)
        return b"".join(parts), 0, False

    def _take(self, kind: int, raw: bytes) -> None:
        if kind == _STRING:
            self._string(raw)
        elif kind == _OPEN:
            if len(self._frames) >= MAX_DEPTH:
                raise JsonUnreadError("a JSON text that nests too deep")
            self._frames.append(_Frame(raw == b"{"))
        elif kind == _CLOSE:
            self._close(raw == b"}")
        elif kind == _NUMBERS:
            self._value(1 if _NOT_ZERO.search(raw) else 0)
        elif kind == _WORD:
            if raw not in _WORDS and raw not in _NUMBER_WORDS:
                self._odd += 1
                return
            self._value(_WORDS.get(raw, 1))
        else:
            self._odd += 1

    def _string(self, raw: bytes) -> None:
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.is_object and frame.key is None:
            if b"\n" in raw:
                self._odd += 1
            frame.key = self._decoded(raw[: _KEPT_TEXT + 2])
            return
        plain = len(raw) < _LONG and _WORTH_A_LOOK.search(raw) is None
        if plain and frame is not None and not frame.is_object and frame.count >= _KEPT_ITEMS:
            frame.count += 1
            return
        text = self._decoded(raw)
        self._listener.text(text, self._keys)
        self._value(text if len(text) <= _KEPT_TEXT else text[:_KEPT_TEXT])

    def _decoded(self, raw: bytes) -> str:
        text = raw.decode("utf-8", errors="replace")
        if "\\" not in text:
            if "\n" in text:
                self._odd += 1
            return text[1:-1]
        try:
            return str(json.decoder.scanstring(text, 1, False)[0])  # type: ignore[attr-defined]
        except ValueError:
            self._odd += 1
            return text[1:-1]

    def _keys(self) -> tuple[str, ...]:
        return tuple(frame.key for frame in self._frames if frame.key is not None)

    def _value(self, value: Any) -> None:
        if not self._frames:
            return
        frame = self._frames[-1]
        frame.count += 1
        if not frame.is_object:
            if frame.count <= _KEPT_ITEMS:
                frame.items.append(value)
            return
        if (key := frame.key) is None:
            self._odd += 1
            return
        frame.key = None
        if len(frame.pairs) >= _KEPT_PAIRS:
            worth = key in self._listener.watched or (isinstance(value, list) and len(value) == 2)
            if not worth or len(frame.pairs) >= _MAX_PAIRS:
                frame.complete = frame.complete and not worth
                return
        frame.pairs.append((key, value))

    def _close(self, is_object: bool) -> None:
        if not self._frames or self._frames[-1].is_object != is_object:
            self._odd += 1
            if not any(frame.is_object == is_object for frame in self._frames[-4:]):
                return
            while self._frames[-1].is_object != is_object:
                self._value_of(self._frames.pop())
        self._value_of(self._frames.pop())

    def _value_of(self, frame: _Frame) -> None:
        if frame.is_object:
            told = self._listener.object(frame.pairs, frame.complete)
            self._value(bool(frame.count) if told is None else told)
        else:
            self._value(frame.items)

    def _finish(self) -> None:
        if self._frames:
            self._odd += 1
        while self._frames:
            self._value_of(self._frames.pop())
