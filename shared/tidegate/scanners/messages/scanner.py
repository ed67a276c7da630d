"""The MessagePack scanner: every string, byte string and extension of a message.

MessagePack itself builds plain values only. What turns one into more is an extension type, whose
meaning the loader decides, a pickle that travels as bytes, and msgpack-numpy, which unpickles an
array whose kind is "O". Strings may hold messages of their own, as spaCy's do.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.embedded import judge_text
from tidegate.scanners.encoded import report_encoded
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.messages.tokens import Kind, Token, TooDeepError, is_message, tokens
from tidegate.scanners.pickle.probe import probe
from tidegate.scanners.raw import scan_raw
from tidegate.scanners.streams import read_exactly, shown, window

_SMALLEST = 8
_LONG_TEXT = 32
_MAX_TEXT = 8 << 20
_MAX_PARTS = 100_000
_NESTED_TOKENS = 5_000_000
_TIMESTAMP = -1
_TIMESTAMP_SIZES = frozenset({4, 8, 12})
# Flax: an array, a complex number, a scalar of numpy (flax.serialization._MsgpackExtType).
_FLAX_ARRAYS = frozenset({1, 3})
_FLAX_COMPLEX = 2
_FLAX_DTYPE = re.compile(
    r"bool|u?int(?:2|4|8|16|32|64)|b?float(?:16|32|64)|complex(?:64|128)|V\d+|[<>|=]?[SU]\d+"
    r"|float(?:8|6|4)_\w+|(?:datetime|timedelta)64(?:\[\w+\])?"
)
_TELLING = re.compile(rb"[\0-\x08\n\x80-\xff]")
_NUMPY_KEYS = frozenset({b"kind", b"data"})


@dataclass(slots=True)
class _Map:
    """An open map: the key whose value comes next, and what is kept of numpy's keys."""

    awaits_key: bool = True
    key: bytes | None = None
    kept: dict[bytes, bytes] = field(default_factory=dict)
    data: Token | None = None


class MessagePackScanner(Scanner):
    """Reads MessagePack files."""

    name = "msgpack"
    formats = frozenset({"msgpack"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the one value to its end, and look at what stands behind it."""
        _Pass(subject, report, dispatcher).run()


class _Pass:
    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._open: list[_Map | None] = []
        self._parts = 0

    def run(self) -> None:
        """Read everything."""
        size = self._subject.size
        # A window keeps its own position while the strings are looked at.
        stream = window(self._subject.stream, 0, size)
        try:
            for token in tokens(stream, size):
                self._take(token)
        except BrokenError as problem:
            self._report.found(
                "MSGPACK-MALFORMED", self._subject, f"The message breaks the format: {problem}"
            )
            return
        except TooDeepError:
            self._report.unread(
                self._subject, "a message that nests too deep or has too many parts"
            )
            return
        end = stream.tell()
        if end < size:
            rest = size - end
            self._report.found(
                "MSGPACK-MALFORMED", self._subject, f"{rest} bytes follow the message.", offset=end
            )
            behind = window(self._subject.stream, end, rest)
            part = self._subject.inside(behind, rest, f"bytes@{end}")
            self._dispatcher.dispatch(part, self._report)

    def _take(self, token: Token) -> None:
        frame = self._open[-1] if self._open and token.kind is not Kind.END else None
        is_key = frame is not None and frame.awaits_key
        if frame is not None:
            frame.awaits_key = not is_key
        match token.kind:
            case Kind.MAP | Kind.ARRAY:
                self._open.append(_Map() if token.kind is Kind.MAP else None)
                return
            case Kind.END:
                closed = self._open.pop()
                if closed is not None:
                    self._judge_map(closed)
                return
            case Kind.SCALAR:
                return
            case Kind.EXTENSION:
                self._extension(token)
                return
        small = b""
        if token.size <= _LONG_TEXT and frame is not None:
            small = self._content(token)
        if frame is not None:
            if is_key:
                frame.key = small if small in _NUMPY_KEYS else None
            elif frame.key is not None:
                frame.kept[frame.key] = small
                if frame.key == b"data":
                    frame.data = token
        if token.size >= _SMALLEST:
            self._string(token)

    def _content(self, token: Token) -> bytes:
        self._subject.stream.seek(token.at)
        return read_exactly(self._subject.stream, token.size)

    def _part(self, token: Token, what: str) -> Subject:
        stream = window(self._subject.stream, token.at, token.size)
        return self._subject.inside(stream, token.size, f"{what}@{token.at}")

    def _string(self, token: Token) -> None:
        """Look whether a string is something of its own."""
        if token.kind is Kind.TEXT and token.size <= _MAX_TEXT:
            content = self._content(token)
            telling = _TELLING.search(content) is not None
            text = content.decode("utf-8", "replace")
            judge_text(content, "message", token.at, self._subject, self._report, self._dispatcher)
            if len(text) >= _LONG_TEXT:
                report_encoded(text, self._subject, self._report, self._dispatcher, where="a text")
            is_config = b"class_name" in content and content.lstrip()[:1] in {b"{", b"["}
            if is_config or (telling and probe(io.BytesIO(content), len(content))):
                self._hand_on(token, "text", is_config=is_config)
            return
        part = self._part(token, "bytes")
        if is_message(part.stream, token.size, _NESTED_TOKENS):
            self._count()
            part.stream.seek(0)
            self._dispatcher.dispatch(
                self._subject.inside(part.stream, token.size, f"bytes@{token.at}", "msgpack"),
                self._report,
            )
        else:
            self._hand_on(token, "bytes")

    def _hand_on(self, token: Token, what: str, *, is_config: bool = False) -> None:
        self._count()
        part = self._part(token, what)
        if is_config:
            self._dispatcher.dispatch(part, self._report)
        else:
            scan_raw(part, self._report, self._dispatcher)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise TooDeepError

    def _judge_map(self, closed: _Map) -> None:
        """msgpack-numpy unpickles the data of an array of objects."""
        if closed.data is None or closed.kept.get(b"kind") != b"O":
            return
        part = self._part(closed.data, "objects")
        self._report.found(
            "MSGPACK-OBJECTS", part, "An array of Python objects, which msgpack-numpy unpickles."
        )
        self._dispatcher.dispatch(
            self._subject.inside(part.stream, part.size, "objects", "pickle"), self._report
        )

    def _extension(self, token: Token) -> None:
        if token.code == _TIMESTAMP and token.size in _TIMESTAMP_SIZES:
            return
        part = self._part(token, f"extension {token.code}")
        problem = self._flax_problem(token, part)
        if problem is None:
            return
        self._report.found(
            "MSGPACK-EXTENSION",
            part,
            f"An extension of type {token.code} {problem}; what its loader makes of it nobody can"
            " tell.",
            detail=str(token.code),
        )
        scan_raw(part, self._report, self._dispatcher)

    def _flax_problem(self, token: Token, part: Subject) -> str | None:
        """What keeps the extension from being a number or an array as Flax writes it."""
        if token.code not in _FLAX_ARRAYS | {_FLAX_COMPLEX}:
            return "that is none of Flax' own"
        try:
            inner = list(zip(range(64), tokens(part.stream, token.size), strict=False))
            part.stream.seek(0)
            found = [each for _, each in inner]
        except (BrokenError, TooDeepError):
            return "that holds no array"
        if token.code == _FLAX_COMPLEX:
            plain = all(each.kind is Kind.SCALAR for each in found[1:-1])
            holds = len(found) == 4 and found[0].kind is Kind.ARRAY and plain
            return None if holds else "that holds no complex number"
        texts = [each for each in found if each.kind in (Kind.TEXT, Kind.BYTES)]
        others = {each.kind for each in found} - {Kind.TEXT, Kind.BYTES}
        if found[0].size != 3 or len(texts) != 2 or not others <= _IN_ARRAY:
            return "that holds no array"
        name, data = texts
        part.stream.seek(name.at)
        dtype = read_exactly(part.stream, min(name.size, 64)).decode("ascii", "replace")
        if _FLAX_DTYPE.fullmatch(dtype) is None:
            return f"that holds an array of {shown(dtype)}"
        content = window(self._subject.stream, token.at + data.at, data.size)
        inside = self._subject.inside(content, data.size, f"array@{token.at}")
        scan_raw(inside, self._report, self._dispatcher)
        return None


_IN_ARRAY = frozenset({Kind.ARRAY, Kind.SCALAR, Kind.END})
