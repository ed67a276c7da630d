"""Datatypes and dataspaces: what the elements of an attribute or dataset are, and how many."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tidegate.scanners.hdf5.space import BrokenError, Cursor, TooMuchError

MAX_DEPTH = 32
MAX_MEMBERS = 10_000


class Kind(enum.IntEnum):
    """The classes of datatypes."""

    INTEGER = 0
    FLOAT = 1
    TIME = 2
    STRING = 3
    BITS = 4
    OPAQUE = 5
    COMPOUND = 6
    REFERENCE = 7
    ENUM = 8
    VARIABLE = 9
    ARRAY = 10
    COMPLEX = 11


@dataclass(frozen=True, slots=True)
class Datatype:
    """One datatype: class, size of an element in bytes, and the types that it is made of.

    `is_text` tells a variable-length string from a variable-length sequence; `offsets` are the
    places of a compound's members.
    """

    kind: Kind
    size: int
    is_text: bool = False
    parts: tuple[Datatype, ...] = ()
    offsets: tuple[int, ...] = ()

    @property
    def holds_bytes(self) -> bool:
        """Whether an element is, or is made of, bytes that may be something of their own."""
        if self.kind in {Kind.INTEGER, Kind.BITS, Kind.ENUM}:
            return self.size == 1
        if self.kind is Kind.ARRAY:
            return self.parts[0].holds_bytes
        return self.kind in {Kind.STRING, Kind.OPAQUE}


def read_datatype(cursor: Cursor, depth: int = 0) -> Datatype:
    """The datatype at the cursor, which is behind it then."""
    if depth > MAX_DEPTH:
        raise TooMuchError(f"a datatype that nests deeper than {MAX_DEPTH} levels")
    first = cursor.number(1)
    version, bits, size = first >> 4, cursor.number(3), cursor.number(4)
    try:
        kind = Kind(first & 15)
    except ValueError:
        raise BrokenError(f"a datatype of class {first & 15}") from None
    match kind:
        case Kind.INTEGER | Kind.BITS:
            cursor.skip(4)
        case Kind.FLOAT:
            cursor.skip(12)
        case Kind.TIME:
            cursor.skip(2)
        case Kind.OPAQUE:
            cursor.skip(bits & 0xFF)
        case Kind.COMPOUND:
            return _compound(cursor, version, bits & 0xFFFF, size, depth)
        case Kind.ENUM:
            return _enum(cursor, version, bits & 0xFFFF, size, depth)
        case Kind.VARIABLE:
            base = read_datatype(cursor, depth + 1)
            return Datatype(kind, size, is_text=bits & 15 == 1, parts=(base,))
        case Kind.ARRAY:
            rank = cursor.number(1)
            cursor.skip(3 + 8 * rank if version < 3 else 4 * rank)
            return Datatype(kind, size, parts=(read_datatype(cursor, depth + 1),))
        case Kind.COMPLEX:
            return Datatype(kind, size, parts=(read_datatype(cursor, depth + 1),))
    return Datatype(kind, size)


def _name(cursor: Cursor, version: int) -> None:
    length = len(cursor.text()) + 1
    if version < 3:
        cursor.skip(-length % 8)


def _compound(cursor: Cursor, version: int, count: int, size: int, depth: int) -> Datatype:
    if count > MAX_MEMBERS:
        raise TooMuchError(f"a datatype with more than {MAX_MEMBERS} members")
    parts, offsets = [], []
    for _ in range(count):
        _name(cursor, version)
        offset = cursor.number(4 if version < 3 else (max(1, size).bit_length() + 7) // 8)
        copies = 1
        if version == 1:
            rank = cursor.number(1)
            cursor.skip(11)
            for dimension in [cursor.number(4) for _ in range(4)][: min(rank, 4)]:
                copies *= dimension
        part = read_datatype(cursor, depth + 1)
        if copies != 1:
            part = Datatype(Kind.ARRAY, part.size * copies, parts=(part,))
        offsets.append(offset)
        parts.append(part)
    return Datatype(Kind.COMPOUND, size, parts=tuple(parts), offsets=tuple(offsets))


def _enum(cursor: Cursor, version: int, count: int, size: int, depth: int) -> Datatype:
    base = read_datatype(cursor, depth + 1)
    for _ in range(count):
        _name(cursor, version)
    cursor.skip(count * base.size)
    return Datatype(Kind.ENUM, size, parts=(base,))


def read_count(cursor: Cursor) -> int:
    """How many elements the dataspace at the cursor has."""
    version, rank, flags = cursor.number(1), cursor.number(1), cursor.number(1)
    is_null = False
    if version == 1:
        cursor.skip(5)
    elif version == 2:
        is_null = cursor.number(1) == 2
    else:
        raise BrokenError(f"a dataspace of version {version}")
    if rank > 32:
        raise BrokenError(f"a dataspace of {rank} dimensions")
    count = 1
    for _ in range(rank):
        count *= cursor.size()
    if flags & 1:
        cursor.skip(rank * cursor.space.length)
    return 0 if is_null else count
