"""Object headers, versions 1 and 2: the messages that say what a group, dataset or type is."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.scanners.hdf5.space import BrokenError, Cursor, Space, TooMuchError

MAX_MESSAGES = 100_000


class Message(enum.IntEnum):
    """The kinds of messages that are read."""

    NIL = 0x00
    DATASPACE = 0x01
    LINK_INFO = 0x02
    DATATYPE = 0x03
    LINK = 0x06
    EXTERNAL_FILES = 0x07
    LAYOUT = 0x08
    FILTERS = 0x0B
    ATTRIBUTE = 0x0C
    SHARED_TABLE = 0x0F
    CONTINUATION = 0x10
    SYMBOL_TABLE = 0x11
    DRIVER = 0x14
    ATTRIBUTE_INFO = 0x15


HIGHEST_KIND = 0x18
_SHARED = 0x02


@dataclass(frozen=True, slots=True)
class HeaderMessage:
    """One message: its kind and its bytes, or where they are shared from."""

    kind: int
    data: bytes
    shared: bool


def read_messages(space: Space, address: int) -> list[HeaderMessage]:
    """All messages of the object whose header stands at the address, in their order."""
    found: list[HeaderMessage] = []
    first = space.at(address, 16 if space.base + address + 16 <= space.size else 4)
    is_new = first[:4] == b"OHDR"
    if not is_new and first[0] != 1:
        raise BrokenError(f"no object header at {address}")
    blocks = [_new_block(space, address) if is_new else _old_block(space, address, first)]
    seen = {address}
    while blocks:
        cursor, with_order = blocks.pop()
        for message in _messages(cursor, is_new=is_new, with_order=with_order):
            if message.kind == Message.CONTINUATION:
                place = Cursor(message.data, space)
                start, count = place.address(), place.size()
                if start in seen:
                    raise BrokenError("an object header continues in itself")
                seen.add(start)
                blocks.append((_continuation(space, start, count, is_new=is_new), with_order))
            elif message.kind != Message.NIL:
                found.append(message)
        if len(found) > MAX_MESSAGES:
            raise TooMuchError(f"an object with more than {MAX_MESSAGES} messages")
    return found


def _old_block(space: Space, address: int, first: bytes) -> tuple[Cursor, bool]:
    size = int.from_bytes(first[8:12], "little")
    return space.cursor(address + 16, size), False


def _new_block(space: Space, address: int) -> tuple[Cursor, bool]:
    flags = space.at(address, 6)[5]
    fixed = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(space.at(address + fixed, width), "little")
    return space.cursor(address + fixed + width, size), bool(flags & 0x04)


def _continuation(space: Space, start: int, count: int, *, is_new: bool) -> Cursor:
    if not is_new:
        return space.cursor(start, count)
    cursor = space.cursor(start, count, b"OCHK")
    # The checksum is no message.
    cursor.data = cursor.data[:-4]
    return cursor


def _messages(cursor: Cursor, *, is_new: bool, with_order: bool) -> Iterator[HeaderMessage]:
    head = (6 if with_order else 4) if is_new else 8
    while cursor.left >= head:
        kind = cursor.number(1 if is_new else 2)
        size = cursor.number(2)
        flags = cursor.number(1)
        cursor.skip(head - (4 if is_new else 5))
        yield HeaderMessage(kind, cursor.take(size), bool(flags & _SHARED))


def shared_place(cursor: Cursor) -> int:
    """The address of the object that a shared message comes from; the cursor is behind it then."""
    version, kind = cursor.number(1), cursor.number(1)
    if version == 1:
        cursor.skip(6)
    elif version == 3 and kind == 1:
        raise TooMuchError("a message in the file's heap of shared messages")
    elif version not in {2, 3}:
        raise BrokenError(f"a shared message of version {version}")
    return cursor.address()


def resolved(space: Space, message: HeaderMessage) -> bytes:
    """The bytes of the message, fetched from where it is shared."""
    if not message.shared:
        return message.data
    home = shared_place(Cursor(message.data, space))
    return shared_from(space, home, message.kind)


def shared_from(space: Space, home: int, kind: int) -> bytes:
    """The message of that kind in the object that others share it from."""
    for other in read_messages(space, home):
        if other.kind == kind and not other.shared:
            return other.data
    raise BrokenError(f"a message is shared from {home}, where it does not stand")
