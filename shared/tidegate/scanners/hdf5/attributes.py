"""Attributes: their names, and the bytes and strings that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tidegate.scanners.hdf5.dense import dense_records
from tidegate.scanners.hdf5.headers import (
    HeaderMessage,
    Message,
    resolved,
    shared_from,
    shared_place,
)
from tidegate.scanners.hdf5.heaps import global_object
from tidegate.scanners.hdf5.space import BrokenError, Cursor, Space, TooMuchError
from tidegate.scanners.hdf5.types import Datatype, Kind, read_count, read_datatype

_BY_NAME, _BY_ORDER = 8, 9
MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its name, its type, and its bytes as they stand in the file."""

    name: str
    datatype: Datatype
    count: int
    data: bytes = field(repr=False)


def attributes_of(space: Space, messages: list[HeaderMessage]) -> Iterator[Attribute]:
    """All attributes of the object that has these messages."""
    for message in messages:
        if message.kind == Message.ATTRIBUTE:
            yield read_attribute(Cursor(resolved(space, message), space))
        elif message.kind == Message.ATTRIBUTE_INFO:
            yield from _dense(space, Cursor(resolved(space, message), space))


def _dense(space: Space, info: Cursor) -> Iterator[Attribute]:
    seen = set()
    for record in dense_records(space, info, 2):
        length = record.heap.id_length
        identity, flags = record.data[:length], record.data[length]
        if identity in seen:
            continue
        seen.add(identity)
        if flags & 2:
            raise TooMuchError("an attribute in the file's heap of shared messages")
        yield read_attribute(Cursor(record.heap.object(identity), space))


def read_attribute(cursor: Cursor) -> Attribute:
    """The attribute that an attribute message, or an object of a heap, holds."""
    version, flags = cursor.number(1), cursor.number(1)
    if version not in {1, 2, 3}:
        raise BrokenError(f"an attribute of version {version}")
    sizes = [cursor.number(2) for _ in range(3)]
    if version == 3:
        cursor.skip(1)
    pieces = []
    for size in sizes:
        pieces.append(cursor.take(size))
        if version == 1:
            cursor.skip(-size % 8)
    name, type_data, space_data = pieces
    shared = flags if version > 1 else 0
    datatype = read_datatype(_part(cursor.space, type_data, Message.DATATYPE, shared & 1))
    count = read_count(_part(cursor.space, space_data, Message.DATASPACE, shared & 2))
    if count * datatype.size > cursor.left:
        raise BrokenError("an attribute with less data than its shape needs")
    text = name.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    return Attribute(text, datatype, count, cursor.take(count * datatype.size))


def _part(space: Space, data: bytes, kind: Message, shared: int) -> Cursor:
    if not shared:
        return Cursor(data, space)
    return Cursor(shared_from(space, shared_place(Cursor(data, space)), kind), space)


def values_of(
    space: Space, datatype: Datatype, count: int, data: bytes
) -> Iterator[tuple[bool, bytes]]:
    """Each string or run of bytes among the elements, and whether the type calls it text.

    What the type calls numbers of more than a byte is given as one run.
    """
    if datatype.kind is Kind.STRING or datatype.kind is Kind.OPAQUE:
        if datatype.size == 0:
            return
        for at in range(0, count * datatype.size, datatype.size):
            yield datatype.kind is Kind.STRING, data[at : at + datatype.size]
    elif datatype.kind is Kind.VARIABLE:
        for index in range(count):
            element = Cursor(data[index * datatype.size : (index + 1) * datatype.size], space)
            length, address, number = element.number(4), element.address(), element.number(4)
            if not length or address in {0, space.undefined}:
                continue
            (base,) = datatype.parts
            found = global_object(space, address, number)
            if datatype.is_text:
                yield True, found[:length]
            else:
                wanted = min(length, len(found) // max(1, base.size))
                yield from values_of(space, base, wanted, found)
    elif datatype.kind is Kind.COMPOUND:
        for index in range(count):
            start = index * datatype.size
            for part, offset in zip(datatype.parts, datatype.offsets, strict=True):
                inner = data[start + offset : start + offset + part.size]
                if len(inner) != part.size:
                    raise BrokenError("a member outside its compound")
                yield from values_of(space, part, 1, inner)
    elif datatype.kind is Kind.ARRAY and datatype.parts[0].size:
        (base,) = datatype.parts
        each = datatype.size // base.size
        if each * base.size != datatype.size:
            raise BrokenError("an array whose size is no multiple of its elements'")
        yield from values_of(space, base, count * each, data)
    elif data:
        yield False, data[: count * datatype.size]
