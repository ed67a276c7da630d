r"""The opcodes of pickle protocols 0 to 5, and how each one's operand is read.

The table is our own, after CPython's `Modules/_pickle.c`: an opcode is one byte and the operand
that follows it. Two rules keep it exact where a reader and a loader could part ways:

- an operand is read as the loader reads it (lines end at "\n" only; 4-byte lengths of
  BINSTRING are signed, those of BINUNICODE are not);
- a long string is never copied: it becomes a `Text` that knows where it lies.
"""

from __future__ import annotations

import codecs
import enum
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidegate.scanners.pickle.source import Break, Source

SHORT = 1024
"""Strings up to this many bytes are kept as values; longer ones by reference."""

NAME_LINE = 4096
"""No module has a longer name; an attribute reached through dots might."""

_NO_NAME = re.compile(rb"[\0-\x2d\x2f\x3a-\x40]")
_NUMBER_HEAD = re.compile(rb"[\s0-9a-zA-Z_+.-]*")


class Encoding(enum.Enum):
    """How the bytes of a string operand are written in the stream."""

    RAW = "raw"
    UTF8 = "utf-8"
    ESCAPED = "string-escape"
    UNICODE_ESCAPED = "raw-unicode-escape"


@dataclass(slots=True)
class Text:
    """A string or byte string that lies in the stream at `offset`, `length` bytes long."""

    offset: int
    length: int
    encoding: Encoding


@dataclass(slots=True)
class Number:
    """A number too long to be worth its value."""

    length: int


Operand = None | int | float | str | bytes | tuple[str, str] | Text | Number
Reader = Callable[[Source], Operand]


@dataclass(frozen=True, slots=True)
class Opcode:
    """One row of the table; `read` is None where no operand follows."""

    code: int
    name: str
    read: Reader | None


def _unpacked(layout: str) -> Reader:
    unpack, size = struct.Struct(layout).unpack, struct.calcsize(layout)

    def read(source: Source) -> Operand:
        value: int | float = unpack(source.take(size))[0]
        return value

    return read


def _counted(layout: str, encoding: Encoding) -> Reader:
    unpack, size = struct.Struct(layout).unpack, struct.calcsize(layout)

    def read(source: Source) -> Operand:
        length: int = unpack(source.take(size))[0]
        if length < 0:
            raise Break("a string's length is negative", source.offset - size)
        start = source.offset
        if length > SHORT:
            source.skip(length)
            return Text(start, length, encoding)
        return _decoded(source.take(length), encoding, start)

    return read


def _decoded(raw: bytes, encoding: Encoding, offset: int) -> str | bytes:
    """The value of a short string, as the loader would have it."""
    try:
        if encoding is Encoding.RAW:
            return raw
        if encoding is Encoding.UTF8:
            return raw.decode("utf-8", "surrogatepass")
        if encoding is Encoding.UNICODE_ESCAPED:
            return raw.decode("raw-unicode-escape")
        return unescape(raw).decode("latin-1")
    except UnicodeDecodeError:
        raise Break("a string is not of its encoding", offset) from None
    except ValueError:
        raise Break("a string holds a broken escape", offset) from None


def unescape(raw: bytes) -> bytes:
    """The bytes that a quoted, escaped string of protocol 0 stands for; ValueError if broken."""
    quoted = raw.strip()
    if len(quoted) < 2 or quoted[:1] not in (b"'", b'"') or quoted[-1:] != quoted[:1]:
        raise ValueError("the string is not quoted")
    inner = quoted[1:-1]
    if b"\\" not in inner:
        return inner
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return codecs.escape_decode(inner)[0]


def _short_binary_string(source: Source) -> Operand:
    return source.take(source.take(1)[0]).decode("latin-1")


def _binary_string(source: Source) -> Operand:
    value = _counted("<i", Encoding.RAW)(source)
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _text_line(encoding: Encoding) -> Reader:
    def read(source: Source) -> Operand:
        start = source.offset
        length = source.find_newline(limit=source.size)
        if length > SHORT:
            source.skip(length + 1)
            return Text(start, length, encoding)
        return _decoded(source.take(length + 1)[:-1], encoding, start)

    return read


def _name_line(source: Source, *, dotted: bool = False) -> str:
    """A line of UTF-8. Where `dotted`, one of any length may be what a loader follows."""
    start = source.offset
    try:
        length = source.find_newline(NAME_LINE)
    except Break as broken:
        source.seek(start)
        head = source.take(min(NAME_LINE, source.size - start))
        if len(head) < NAME_LINE:
            return _cut_name(head, start)
        if dotted and len(head) == NAME_LINE and b"." in head and not _NO_NAME.search(head):
            raise Break(broken.reason, start, limit=True) from None
        raise
    try:
        return source.take(length + 1)[:-1].decode("utf-8")
    except UnicodeDecodeError:
        raise Break("a name is not UTF-8", start) from None


def _cut_name(rest: bytes, offset: int) -> str:
    """A name that the stream ends in: loaders written in Python import it without its last byte."""
    try:
        return rest[:-1].decode("utf-8")
    except UnicodeDecodeError:
        raise Break("a name is not UTF-8", offset) from None


def _name_pair(source: Source) -> Operand:
    return (_name_line(source), _name_line(source, dotted=True))


def _persistent_id(source: Source) -> Operand:
    start = source.offset
    length = source.find_newline(limit=source.size)
    if length > NAME_LINE:
        source.skip(length + 1)
        return Text(start, length, Encoding.UTF8)
    return _name_line(source)


def _number_line(source: Source) -> bytes | Number:
    """A line of digits up to its first NUL, where C ends a string; of a long one the length.

    Loaders read such a line at any length, so a long one is stepped over, unless its beginning
    already is no number.
    """
    start = source.offset
    length = source.find_newline(limit=source.size)
    if length <= SHORT:
        return source.take(length + 1)[:-1].split(b"\0", 1)[0]
    head = source.take(SHORT)
    source.seek(start)
    source.skip(length + 1)
    if b"\0" in head:
        return head.split(b"\0", 1)[0]
    if not _NUMBER_HEAD.fullmatch(head):
        raise Break("a number can't be read", start)
    return Number(length)


def _integer_line(source: Source) -> Operand:
    """INT and LONG: decimal digits, "00" and "01" for the booleans, an L behind."""
    start = source.offset
    line = _number_line(source)
    if isinstance(line, Number):
        return line
    if line in (b"00", b"01"):
        return line == b"01"
    digits = line.removesuffix(b"L")
    try:
        return _any_base(digits)
    except ValueError:
        # strtol takes nothing at all for a zero where a NUL follows.
        if not digits and source.offset - start > 1:
            return 0
        raise Break("a number can't be read", start) from None


def _any_base(digits: bytes) -> int:
    """Base 0 as Python reads it, and strtol's octal of a leading zero beside it."""
    try:
        return int(digits, 0)
    except ValueError:
        return int(digits, 8)


def _memo_line(source: Source) -> Operand:
    start = source.offset
    line = _number_line(source)
    if isinstance(line, Number):
        return line
    try:
        return int(line)
    except ValueError:
        raise Break("a memo index can't be read", start) from None


def _float_line(source: Source) -> Operand:
    start = source.offset
    line = _number_line(source)
    if isinstance(line, Number):
        return line
    try:
        return float(line)
    except ValueError:
        raise Break("a number can't be read", start) from None


def _long(layout: str) -> Reader:
    unpack, size = struct.Struct(layout).unpack, struct.calcsize(layout)

    def read(source: Source) -> Operand:
        length: int = unpack(source.take(size))[0]
        if length < 0:
            raise Break("a number's length is negative", source.offset - size)
        if length > SHORT:
            source.skip(length)
            return Number(length)
        return int.from_bytes(source.take(length), "little", signed=True)

    return read


_byte, _ushort, _int, _uint, _ulong = (_unpacked(f"<{layout}") for layout in "BHiIQ")

_ROWS: tuple[tuple[bytes, str, Reader | None], ...] = (
    (b"(", "MARK", None),
    (b".", "STOP", None),
    (b"0", "POP", None),
    (b"1", "POP_MARK", None),
    (b"2", "DUP", None),
    (b"F", "FLOAT", _float_line),
    (b"I", "INT", _integer_line),
    (b"J", "BININT", _int),
    (b"K", "BININT1", _byte),
    (b"L", "LONG", _integer_line),
    (b"M", "BININT2", _ushort),
    (b"N", "NONE", None),
    (b"P", "PERSID", _persistent_id),
    (b"Q", "BINPERSID", None),
    (b"R", "REDUCE", None),
    (b"S", "STRING", _text_line(Encoding.ESCAPED)),
    (b"T", "BINSTRING", _binary_string),
    (b"U", "SHORT_BINSTRING", _short_binary_string),
    (b"V", "UNICODE", _text_line(Encoding.UNICODE_ESCAPED)),
    (b"X", "BINUNICODE", _counted("<I", Encoding.UTF8)),
    (b"a", "APPEND", None),
    (b"b", "BUILD", None),
    (b"c", "GLOBAL", _name_pair),
    (b"d", "DICT", None),
    (b"}", "EMPTY_DICT", None),
    (b"e", "APPENDS", None),
    (b"g", "GET", _memo_line),
    (b"h", "BINGET", _byte),
    (b"i", "INST", _name_pair),
    (b"j", "LONG_BINGET", _uint),
    (b"l", "LIST", None),
    (b"]", "EMPTY_LIST", None),
    (b"o", "OBJ", None),
    (b"p", "PUT", _memo_line),
    (b"q", "BINPUT", _byte),
    (b"r", "LONG_BINPUT", _uint),
    (b"s", "SETITEM", None),
    (b"t", "TUPLE", None),
    (b")", "EMPTY_TUPLE", None),
    (b"u", "SETITEMS", None),
    (b"G", "BINFLOAT", _unpacked(">d")),
    (b"\x80", "PROTO", _byte),
    (b"\x81", "NEWOBJ", None),
    (b"\x82", "EXT1", _byte),
    (b"\x83", "EXT2", _ushort),
    (b"\x84", "EXT4", _int),
    (b"\x85", "TUPLE1", None),
    (b"\x86", "TUPLE2", None),
    (b"\x87", "TUPLE3", None),
    (b"\x88", "NEWTRUE", None),
    (b"\x89", "NEWFALSE", None),
    (b"\x8a", "LONG1", _long("<B")),
    (b"\x8b", "LONG4", _long("<i")),
    (b"B", "BINBYTES", _counted("<I", Encoding.RAW)),
    (b"C", "SHORT_BINBYTES", _counted("<B", Encoding.RAW)),
    (b"\x8c", "SHORT_BINUNICODE", _counted("<B", Encoding.UTF8)),
    (b"\x8d", "BINUNICODE8", _counted("<Q", Encoding.UTF8)),
    (b"\x8e", "BINBYTES8", _counted("<Q", Encoding.RAW)),
    (b"\x8f", "EMPTY_SET", None),
    (b"\x90", "ADDITEMS", None),
    (b"\x91", "FROZENSET", None),
    (b"\x92", "NEWOBJ_EX", None),
    (b"\x93", "STACK_GLOBAL", None),
    (b"\x94", "MEMOIZE", None),
    (b"\x95", "FRAME", _ulong),
    (b"\x96", "BYTEARRAY8", _counted("<Q", Encoding.RAW)),
    (b"\x97", "NEXT_BUFFER", None),
    (b"\x98", "READONLY_BUFFER", None),
)

_BY_BYTE = {code[0]: Opcode(code[0], name, read) for code, name, read in _ROWS}

OPCODES: tuple[Opcode | None, ...] = tuple(_BY_BYTE.get(value) for value in range(256))
"""The opcode of each byte; None where no protocol has one."""


def read_opcodes(source: Source) -> Iterator[tuple[int, Opcode, Operand]]:
    """(offset, opcode, operand) up to and with the first STOP; a `Break` where there is none."""
    while True:
        offset = source.offset
        value = source.byte()
        if value < 0:
            raise Break("the stream ends without a STOP", offset)
        opcode = OPCODES[value]
        if opcode is None:
            raise Break(f"byte 0x{value:02x} is no opcode", offset)
        yield offset, opcode, opcode.read(source) if opcode.read else None
        if opcode.name == "STOP":
            return
