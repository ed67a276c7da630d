"""MessagePack read token by token (github.com/msgpack/msgpack/blob/master/spec.md).

Always holds: reading is iterative and linear; the contents of long strings are passed over, not
read; a container that claims more elements than bytes are left is `BrokenError`, because readers
make room for them all at once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from tidegate.scanners.cursor import BrokenError

MAX_DEPTH = 512
_UINT = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8, 0xCA: 4, 0xCB: 8}


class Kind(enum.IntEnum):
    """What a token is."""

    SCALAR = 0
    TEXT = 1
    BYTES = 2
    EXTENSION = 3
    MAP = 4
    ARRAY = 5
    END = 6


class Token(NamedTuple):
    """One token. `at` and `size` are where a string's content lies; `size` a container's count.

    `code` is an extension's type, or a scalar's first byte.
    """

    kind: Kind
    at: int
    size: int
    depth: int
    code: int = 0


class TooDeepError(Exception):
    """The containers nest deeper than is read."""


def tokens(stream: BinaryIO, size: int) -> Iterator[Token]:
    """The tokens of the one value that begins at the start; END closes each container.

    After the last one the stream stands behind the value. Raises BrokenError, TooDeepError.
    """
    stream.seek(0)
    at = 0
    pending: list[int] = []
    left = 1
    while True:
        while not left:
            if not pending:
                stream.seek(at)
                return
            left = pending.pop()
            yield Token(Kind.END, at, 0, len(pending))
        left -= 1
        head = stream.read(1)
        if not head:
            raise BrokenError(f"The value breaks off at byte {at}.")
        first = head[0]
        at += 1
        if first < 0x80 or first >= 0xE0:
            yield Token(Kind.SCALAR, at - 1, 0, len(pending), first)
            continue
        kind, count, code, width = _header(first)
        raw = stream.read(width)
        if len(raw) != width:
            raise BrokenError(f"The value breaks off at byte {at}.")
        if kind is Kind.SCALAR:
            yield Token(kind, at - 1, 0, len(pending), first)
            at += width
            continue
        at += width
        if kind is Kind.EXTENSION:
            code, raw = int.from_bytes(raw[-1:], "big", signed=True), raw[:-1]
        if raw:
            count = int.from_bytes(raw, "big")
        yield Token(kind, at, _checked(kind, count, at, size), len(pending), code)
        if kind in _CONTAINERS:
            if len(pending) >= MAX_DEPTH:
                raise TooDeepError
            pending.append(left)
            left = 2 * count if kind is Kind.MAP else count
        else:
            at += count
            stream.seek(at)


_CONTAINERS = frozenset({Kind.MAP, Kind.ARRAY})


def _checked(kind: Kind, count: int, at: int, size: int) -> int:
    """The count that a header claims, if so much can follow."""
    if (2 * count if kind is Kind.MAP else count) > size - at:
        what = "elements" if kind in _CONTAINERS else "bytes"
        raise BrokenError(f"{count} {what} are claimed at byte {at}, and fewer follow.")
    return count


def _header(first: int) -> tuple[Kind, int, int, int]:
    """Kind, count or length, extension's type, and how many bytes of header follow."""
    if first < 0x90:
        return Kind.MAP, first & 15, 0, 0
    if first < 0xA0:
        return Kind.ARRAY, first & 15, 0, 0
    if first < 0xC0:
        return Kind.TEXT, first & 31, 0, 0
    if first in {0xC0, 0xC2, 0xC3}:
        return Kind.SCALAR, 0, 0, 0
    if 0xC4 <= first <= 0xC6:
        return Kind.BYTES, 0, 0, 1 << (first - 0xC4)
    if 0xC7 <= first <= 0xC9:
        return Kind.EXTENSION, 0, 0, (1 << (first - 0xC7)) + 1
    if first in _UINT:
        return Kind.SCALAR, 0, 0, _UINT[first]
    if 0xD4 <= first <= 0xD8:
        return Kind.EXTENSION, 1 << (first - 0xD4), 0, 1
    if 0xD9 <= first <= 0xDB:
        return Kind.TEXT, 0, 0, 1 << (first - 0xD9)
    if first in {0xDC, 0xDD}:
        return Kind.ARRAY, 0, 0, 2 if first == 0xDC else 4
    if first in {0xDE, 0xDF}:
        return Kind.MAP, 0, 0, 2 if first == 0xDE else 4
    raise BrokenError("A byte that begins no value.")


def is_message(stream: BinaryIO, size: int, most: int = 50_000_000) -> bool:
    """Whether the bytes are one map or array, to the last of them. Moves the position."""
    stream.seek(0)
    first = stream.read(1)
    if not first or not (0x80 <= first[0] < 0xA0 or 0xDC <= first[0] <= 0xDF):
        return False
    try:
        for number, _ in enumerate(tokens(stream, size)):
            if number > most:
                return False
    except (BrokenError, TooDeepError):
        return False
    return stream.tell() == size
