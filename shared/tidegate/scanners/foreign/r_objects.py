"""R's saved objects (.rds, .RData): every item read, and what would run when it is used found.

A promise with a value that is not bound yet runs its expression as soon as somebody looks at the
object (CVE-2024-27322). Closures, byte code and pointers are code of the file's own. Calls that
are kept as data, as a fitted model keeps its formula, pass unless they name a function that
reaches for the system.

Items nest as deep as they like, so what is still to be read is kept on a list of our own.
"""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.foreign.r_stream import Primitives
from tidegate.scanners.tables import read_table

(NIL, SYMBOL, LIST, CLOSURE, ENVIRONMENT, PROMISE, CALL, SPECIAL, BUILTIN, CHARS, LOGICAL) = range(
    11
)
(INTEGER, REAL, COMPLEX, STRINGS, DOTS, ANY, VECTOR, EXPRESSION, BYTECODE, POINTER, WEAK, RAW,
 S4) = range(13, 26)  # fmt: skip
ALTREP, NAMESPACE, PACKAGE, PERSISTENT, REFERENCE = 238, 249, 248, 247, 255
_BARE = frozenset({NIL, 241, 242, 250, 251, 252, 253, 254})
_PAIRS = frozenset({LIST, CLOSURE, PROMISE, CALL, DOTS})
_WIDTHS = {LOGICAL: 4, INTEGER: 4, REAL: 8, COMPLEX: 16}
_HAS_ATTRIBUTES, _HAS_TAG = 0x200, 0x400
_MOST_ITEMS = 30_000_000
_MOST_PENDING = 5_000_000
_MOST_SYMBOLS = 1_000_000

Say = Callable[[str, str], None]
"""Told of each danger: what it is (a word), and its name."""


class ByteCodeError(Exception):
    """Byte code turned up, which ends the reading."""


class RReader:
    """Reads one serialised object."""

    def __init__(self, primitives: Primitives, say: Say, raw: Callable[[bytes], None]) -> None:
        self._read = primitives
        self._say = say
        self._raw = raw
        self._references: list[bytes | None] = []
        self._dangerous = frozenset(read_table("r_functions.json")["dangerous"])
        # What is to be read next: an item, as the head of a call or not, or items of a vector.
        self._pending: list[tuple[str, int]] = []
        self._items = 0

    def read(self) -> None:
        """Read header and object; BrokenError where they are none."""
        version = self._read.number()
        self._read.number()
        self._read.number()
        if version == 3:
            self._read.text(self._length())
        elif version != 2:
            raise BrokenError(f"The serialisation has the unknown version {version}.")
        self._pending.append(("item", 0))
        while self._pending:
            kind, count = self._pending.pop()
            if kind == "items":
                if count > 1:
                    self._pending.append(("items", count - 1))
                kind = "item" if count else ""
            if kind:
                self._item(head=kind == "head")
            if len(self._pending) > _MOST_PENDING:
                raise BrokenError("It nests too deep.")

    def _item(self, *, head: bool) -> None:
        self._items += 1
        if self._items > _MOST_ITEMS:
            raise BrokenError(f"It has more than {_MOST_ITEMS} items.")
        flags = self._read.number()
        kind = flags & 0xFF
        has_attributes = bool(flags & _HAS_ATTRIBUTES)
        if kind in _BARE:
            if kind == 252:
                self._say("unbound", "an unbound value")
        elif kind in _PAIRS:
            self._pair(kind, has_attributes, bool(flags & _HAS_TAG))
        elif kind == SYMBOL:
            name = self._chars()
            self._refer(name)
            self._name(name, head=head)
        elif kind == REFERENCE:
            self._reference((flags & 0xFFFFFFFF) >> 8, head=head)
        elif kind in _WIDTHS:
            self._read.numbers(self._length(), _WIDTHS[kind])
            self._attributes(has_attributes)
        elif kind == CHARS:
            self._chars_of(flags)
        elif kind == STRINGS:
            for _ in range(self._length()):
                self._chars()
            self._attributes(has_attributes)
        elif kind in {VECTOR, EXPRESSION}:
            length = self._length()
            self._attributes(has_attributes)
            if length:
                self._pending.append(("items", length))
        elif kind == RAW:
            if (data := self._read.raw(self._length())) is not None:
                self._raw(data)
            self._attributes(has_attributes)
        else:
            self._rare(kind, has_attributes)

    def _rare(self, kind: int, has_attributes: bool) -> None:
        if kind == ENVIRONMENT:
            self._read.number()
            self._refer(None)
            self._pending.append(("items", 4))
        elif kind in {NAMESPACE, PACKAGE, PERSISTENT}:
            self._read.number()
            names = [self._chars() for _ in range(self._length())]
            self._refer(None)
            if kind == PERSISTENT:
                self._say("persistent", "an object kept elsewhere")
            elif names and names[0] in {b"reticulate", b"rJava", b"inline", b"RCurl"}:
                self._say("package", names[0].decode("latin-1"))
        elif kind in {SPECIAL, BUILTIN}:
            self._name(self._read.text(self._length()), head=True)
        elif kind == S4:
            self._attributes(has_attributes)
        elif kind == ALTREP:
            self._pending.append(("items", 3))
        elif kind == POINTER:
            self._say("pointer", "an external pointer")
            self._refer(None)
            self._attributes(has_attributes)
            self._pending.append(("items", 2))
        elif kind == WEAK:
            self._refer(None)
            self._attributes(has_attributes)
        else:
            if kind == BYTECODE:
                self._say("bytecode", "byte code")
                raise ByteCodeError("byte code is not read")
            raise BrokenError(f"An item is of the type {kind}, which is not read here.")

    def _pair(self, kind: int, has_attributes: bool, has_tag: bool) -> None:
        told = {CLOSURE: "closure", PROMISE: "promise", DOTS: "dots"}.get(kind)
        if told:
            self._say(told, f"a {told}")
        self._pending.append(("item", 0))
        self._pending.append(("head" if kind == CALL else "item", 0))
        if has_tag:
            self._pending.append(("item", 0))
        if has_attributes:
            self._pending.append(("item", 0))

    def _attributes(self, has_attributes: bool) -> None:
        if has_attributes:
            self._pending.append(("item", 0))

    def _reference(self, index: int, *, head: bool) -> None:
        index = index or self._read.number()
        if not 1 <= index <= len(self._references):
            raise BrokenError(f"The reference {index} leads nowhere.")
        if (name := self._references[index - 1]) is not None:
            self._name(name, head=head)

    def _refer(self, name: bytes | None) -> None:
        if len(self._references) >= _MOST_SYMBOLS:
            raise BrokenError(f"It has more than {_MOST_SYMBOLS} symbols.")
        self._references.append(name)

    def _name(self, name: bytes, *, head: bool) -> None:
        text = name.decode("utf-8", errors="replace")
        if text.startswith(("mmap_", "Rcpp_")) or (head and text in self._dangerous):
            self._say("call", text)

    def _chars(self) -> bytes:
        flags = self._read.number()
        if flags & 0xFF == CHARS:
            return self._chars_of(flags)
        if flags & 0xFF == REFERENCE:
            # A symbol's name may stand once.
            raise BrokenError("A text is a reference.")
        raise BrokenError("A text is of another type.")

    def _chars_of(self, _flags: int) -> bytes:
        length = self._read.number()
        return b"" if length == -1 else self._read.text(length)

    def _length(self) -> int:
        length = self._read.number()
        if length == -1:
            high, low = self._read.number(), self._read.number()
            length = (high << 32) + (low & 0xFFFFFFFF)
        if length < 0:
            raise BrokenError("A length is negative.")
        return length
