"""Unfolding a compressed part within bounds, for archive members and compressed files alike.

The part is expanded once to learn its size and checksum; small ones are kept in memory, larger
ones expanded again as their readers ask. What comes before damage is handed on as well, because
a loader that streams has already acted on it.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from tidegate.scanners.interface import Budget
from tidegate.scanners.streams import HEAD_KEPT, Codec, Expansion, expanded_stream

_KEPT = 16 << 20
_CHUNK = 256 << 10

# Zeros compress a thousandfold, so a small honest array may too; a bomb is large as well.
BOMB_SIZE = 256 << 20
BOMB_RATIO = 200


@dataclass(frozen=True, slots=True)
class Expanded:
    """What a part unfolded to.

    `broken` says why it ended early, `rest` counts the compressed bytes that follow its end,
    `bomb` and `over_budget` say that unfolding was given up.
    """

    stream: BinaryIO
    size: int
    crc: int
    broken: str | None = None
    rest: int = 0
    bomb: bool = False
    over_budget: bool = False


def expand(
    source: BinaryIO,
    compressed_size: int,
    codec: Callable[[], Codec],
    budget: Budget,
    *,
    several: bool,
) -> Expanded:
    """Unfold all of `source`; with `several`, streams one after another count as one."""

    def begin() -> Expansion:
        return Expansion(source, codec, several=several)

    unfolding = begin()
    kept: io.BytesIO | None = io.BytesIO()
    head, tail = bytearray(), bytearray()
    size = crc = 0
    bomb = over_budget = False
    while data := unfolding.read(_CHUNK):
        size += len(data)
        crc = zlib.crc32(data, crc)
        over_budget = not budget.take_bytes(len(data))
        bomb = size > BOMB_SIZE and size > BOMB_RATIO * max(1, compressed_size)
        if len(head) < HEAD_KEPT:
            head += data[: HEAD_KEPT - len(head)]
        tail = (tail + data)[-2 * HEAD_KEPT :]
        if kept is not None:
            kept.write(data)
            if size > _KEPT:
                kept = None
        if bomb or over_budget:
            break
    stream: BinaryIO
    if kept is not None:
        kept.seek(0)
        stream = kept
    else:
        stream = expanded_stream(begin, size, bytes(head), bytes(tail))
    return Expanded(stream, size, crc, unfolding.broken, unfolding.rest, bomb, over_budget)
