"""The links of a group: hard and soft ones, and those that lead out of the file."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.scanners.hdf5.dense import dense_records
from tidegate.scanners.hdf5.headers import HeaderMessage, Message, resolved
from tidegate.scanners.hdf5.heaps import local_heap, name_in
from tidegate.scanners.hdf5.space import BrokenError, Cursor, Space
from tidegate.scanners.hdf5.trees import group_nodes

_BY_NAME, _BY_ORDER = 5, 6
_SOFT_ENTRY = 2
_EXTERNAL = 64


class LinkKind(enum.Enum):
    """What a link leads to."""

    HARD = "hard"
    SOFT = "soft"
    EXTERNAL = "external"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `address` is a hard link's; `target` what any other one names."""

    name: str
    kind: LinkKind
    address: int = 0
    target: str = ""


def links_of(space: Space, messages: list[HeaderMessage]) -> Iterator[Link]:
    """All links of the group that has these messages."""
    for message in messages:
        if message.kind == Message.LINK:
            yield read_link(Cursor(resolved(space, message), space))
        elif message.kind == Message.LINK_INFO:
            yield from _dense(space, Cursor(resolved(space, message), space))
        elif message.kind == Message.SYMBOL_TABLE:
            cursor = Cursor(resolved(space, message), space)
            tree = cursor.address()
            yield from _symbols(space, tree, local_heap(space, cursor.address()))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _symbols(space: Space, tree: int, heap: bytes) -> Iterator[Link]:
    for node in group_nodes(space, tree):
        head = space.cursor(node, 8, b"SNOD")
        head.skip(2)
        count = head.number(2)
        size = 2 * space.offset + 24
        entries = space.cursor(node + 8, count * size)
        for _ in range(count):
            name = _text(name_in(heap, entries.address()))
            address, kind = entries.address(), entries.number(4)
            entries.skip(4)
            scratch = entries.take(16)
            if kind == _SOFT_ENTRY:
                target = _text(name_in(heap, int.from_bytes(scratch[:4], "little")))
                yield Link(name, LinkKind.SOFT, target=target)
            else:
                yield Link(name, LinkKind.HARD, address)


def _dense(space: Space, info: Cursor) -> Iterator[Link]:
    seen = set()
    for record in dense_records(space, info, 8):
        start = 8 if record.by_order else 4
        identity = record.data[start : start + record.heap.id_length]
        if identity not in seen:
            seen.add(identity)
            yield read_link(Cursor(record.heap.object(identity), space))


def read_link(cursor: Cursor) -> Link:
    """The link that a link message, or an object of a group's heap, holds."""
    if cursor.number(1) != 1:
        raise BrokenError("a link of unknown version")
    flags = cursor.number(1)
    kind = cursor.number(1) if flags & 0x08 else 0
    cursor.skip(8 if flags & 0x04 else 0)
    cursor.skip(1 if flags & 0x10 else 0)
    name = _text(cursor.take(cursor.number(1 << (flags & 3))))
    if kind == 0:
        return Link(name, LinkKind.HARD, cursor.address())
    value = cursor.take(cursor.number(2))
    if kind == 1:
        return Link(name, LinkKind.SOFT, target=_text(value))
    if kind == _EXTERNAL:
        parts = [part for part in value[1:].split(b"\0") if part]
        return Link(name, LinkKind.EXTERNAL, target=":".join(map(_text, parts)))
    return Link(name, LinkKind.OTHER, target=f"a link of class {kind}")
