"""A reader of marshal's format, which compiled Python is kept in: its own, and it makes no code.

CPython's `Python/marshal.c` is the specification; versions 3.8 to 3.14 write two layouts of code
objects, told apart by trying the newer one first. Always holds: memory grows with the data and
not with what they claim, nesting is bounded, and nothing is given to the interpreter.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from tidegate.scanners.bytecode.decoding import Tables, UnreadableCodeError, decode
from tidegate.scanners.bytecode.facts import CodeFacts

MAX_MARSHALLED = 16 << 20
_MAX_DEPTH = 100
_MAX_OBJECTS = 2_000_000
_REFERENCED = 0x80
_SINGLETONS = {b"N": None, b"F": False, b"T": True, b"S": None, b".": None}
_SHORT = 1024


@dataclass(slots=True)
class _Code:
    """A code object's parts, as far as they matter."""

    arguments: int
    code: object = None
    consts: object = None
    names: object = None
    fast: int = 0
    derefs: int = 0
    name: object = None


@dataclass(slots=True)
class _Reader:
    data: bytes
    modern: bool
    at: int = 0
    objects: int = 0
    references: list[object] = field(default_factory=list)
    codes: list[_Code] = field(default_factory=list)

    def take(self, count: int) -> bytes:
        if count < 0 or count > len(self.data) - self.at:
            raise UnreadableCodeError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value: int = struct.unpack("<i", self.take(4))[0]
        return value

    def value(self, depth: int = 0) -> object:
        self.objects += 1
        if depth > _MAX_DEPTH or self.objects > _MAX_OBJECTS:
            raise UnreadableCodeError("it nests too deep, or has too many parts")
        head = self.take(1)[0]
        kind = bytes([head & ~_REFERENCED])
        if not head & _REFERENCED:
            return self._of_kind(kind, depth)
        place = len(self.references)
        self.references.append(None)
        value = self._of_kind(kind, depth)
        self.references[place] = value
        return value

    def _of_kind(self, kind: bytes, depth: int) -> object:
        if kind in _SINGLETONS:
            return _SINGLETONS[kind]
        if kind in b"stuaAzZ":
            return self._text(kind)
        if kind in b"()[<>{":
            return self._items(kind, depth)
        if kind == b"c":
            return self._code(depth)
        if kind == b":":
            return tuple(self.value(depth + 1) for _ in range(3))
        if kind == b"r":
            index = self.number()
            if not 0 <= index < len(self.references):
                raise UnreadableCodeError("it refers to something that is not there")
            return self.references[index]
        return self._number(kind)

    def _number(self, kind: bytes) -> object:
        if kind == b"i":
            return self.number()
        if kind in (b"I", b"g"):
            self.take(8)
        elif kind == b"y":
            self.take(16)
        elif kind == b"l":
            self.take(2 * abs(self.number()))
        elif kind in (b"f", b"x"):
            for _ in range(1 if kind == b"f" else 2):
                self.take(self.take(1)[0])
        else:
            raise UnreadableCodeError("it is not of marshal's format")
        return 0

    def _text(self, kind: bytes) -> object:
        raw = self.take(self.take(1)[0] if kind in b"zZ" else self.number())
        if kind == b"s":
            return raw
        return raw.decode("utf-8" if kind in b"ut" else "latin-1", "surrogatepass")

    def _items(self, kind: bytes, depth: int) -> object:
        if kind == b"{":
            items: list[object] = []
            while self.data[self.at : self.at + 1] != b"0":
                items.append(self.value(depth + 1))
            self.take(1)
            return tuple(items)
        count = self.take(1)[0] if kind == b")" else self.number()
        if not 0 <= count <= len(self.data) - self.at:
            raise UnreadableCodeError("it ends too early")
        return tuple(self.value(depth + 1) for _ in range(count))

    def _code(self, depth: int) -> _Code:
        made = _Code(18 if self.modern else 16)
        self.codes.append(made)
        self.take(20 if self.modern else 24)
        made.code, made.consts, made.names, local = (self.value(depth + 1) for _ in range(4))
        if self.modern:
            self.value(depth + 1)
            made.fast = _length(local)
        else:
            made.fast = _length(local)
            made.derefs = _length(self.value(depth + 1)) + _length(self.value(depth + 1))
        self.value(depth + 1)
        made.name = self.value(depth + 1)
        if self.modern:
            self.value(depth + 1)
        self.number()
        self.value(depth + 1)
        if self.modern:
            self.value(depth + 1)
        return made


def _length(value: object) -> int:
    if not isinstance(value, tuple):
        raise UnreadableCodeError("its names can't be known")
    return len(value)


def read_marshalled(data: bytes) -> list[CodeFacts]:
    """What each code object in marshalled data names, nested ones too.

    Raises:
        UnreadableCodeError: it is not marshalled data of Python 3.8 to 3.14.
    """
    if len(data) > MAX_MARSHALLED:
        raise UnreadableCodeError("it is larger than what is read")
    failure = UnreadableCodeError("it holds no code")
    for modern in (True, False):
        reader = _Reader(data, modern)
        try:
            reader.value()
            if reader.codes:
                return [_facts(code) for code in reader.codes]
        except (UnreadableCodeError, UnicodeDecodeError) as error:
            failure = UnreadableCodeError(str(error))
    raise failure


def read_compiled(data: bytes) -> list[CodeFacts]:
    """The same for a `.pyc` file, whose header is 16 bytes long."""
    return read_marshalled(data[16:])


def _facts(code: _Code) -> CodeFacts:
    name = code.name if isinstance(code.name, str) else "<code>"
    names, consts = code.names, code.consts
    if not isinstance(code.code, bytes) or not isinstance(consts, tuple):
        raise UnreadableCodeError("its parts are not those of code")
    if not isinstance(names, tuple) or not all(isinstance(one, str) for one in names):
        raise UnreadableCodeError("its names can't be known")
    watched = names.index("open") if "open" in names else -1
    tables = Tables(len(names), len(consts), code.fast, code.derefs, watched)
    roles = decode(code.code, tables, code.arguments)
    strings, long_strings = _strings(consts)

    modes = frozenset(text for at in roles.watched if isinstance(text := consts[at], str))
    return replace(roles.facts(name, names, strings, modes), long_strings=long_strings)


def _strings(consts: tuple[object, ...]) -> tuple[frozenset[str], bool]:
    strings: set[str] = set()
    long_strings = False
    waiting: list[object] = list(consts)
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        # A tuple may stand in a million places; it is looked at once.
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, str):
            if len(value) <= _SHORT:
                strings.add(value)
            else:
                long_strings = True
        elif isinstance(value, tuple):
            waiting.extend(value)
    return frozenset(strings), long_strings
