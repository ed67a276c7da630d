"""A tensor's elements in their order, whatever order they have in the storage.

A tensor is a view: element (i, j, …) stands at `offset + i * stride[0] + j * stride[1] + …`.
Where that is one run of bytes it is copied as such; else it is gathered run by run, or by a step
through mapped memory, so that no more than a block is held at once.
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from typing import Any, BinaryIO

_BLOCK = 8 << 20
_FORMATS: dict[int, Any] = {1: "B", 2: "H", 4: "I", 8: "Q"}
_HELD = 64 << 20
_RELEASE = 4 << 30


def coalesced(shape: tuple[int, ...], stride: tuple[int, ...]) -> list[tuple[int, int]]:
    """The fewest (size, stride) pairs that visit the same elements in the same order."""
    dims: list[tuple[int, int]] = []
    for size, step in zip(shape, stride, strict=True):
        if size == 1:
            continue
        if dims and dims[-1][1] == step * size:
            dims[-1] = (dims[-1][0] * size, step)
        else:
            dims.append((size, step))
    return dims


def reach(shape: tuple[int, ...], stride: tuple[int, ...]) -> int:
    """How many elements of the storage the view needs, from its offset on; 0 for an empty one."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))


class Elements:
    """Reads views of one file. Close it to let go of the mapping."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._mapped: mmap.mmap | None = None
        self._passed = 0

    def close(self) -> None:
        """Let go of the mapped file."""
        if self._mapped is not None:
            self._mapped.close()
            self._mapped = None

    def read(
        self, start: int, item: int, shape: tuple[int, ...], stride: tuple[int, ...]
    ) -> Iterator[bytes]:
        """The bytes of the view whose first element stands at byte `start`, in order."""
        if 0 in shape:
            return
        dims = coalesced(shape, stride) or [(1, 1)]
        if dims[-1][1] == 1 and (len(dims) == 1 or dims[-1][0] * item >= _BLOCK):
            for at in _places(dims[:-1]):
                yield from self._run(start + at * item, dims[-1][0] * item)
            return
        waiting = bytearray()
        for piece in self._gather(start, item, dims):
            waiting += piece
            if len(waiting) >= _BLOCK:
                yield bytes(waiting)
                waiting.clear()
        if waiting:
            yield bytes(waiting)

    def _run(self, at: int, count: int) -> Iterator[bytes]:
        self._stream.seek(at)
        while count > 0:
            data = self._stream.read(min(count, _BLOCK))
            if not data:
                raise EOFError("the file ends inside a storage")
            count -= len(data)
            yield data

    def _gather(self, start: int, item: int, dims: list[tuple[int, int]]) -> Iterator[bytes]:
        """Element by element, by steps through the storage's bytes."""
        span = reach(tuple(size for size, _ in dims), tuple(step for _, step in dims)) * item
        if span <= _HELD:
            whole = memoryview(b"".join(self._run(start, span)))
            base = 0
        else:
            if self._mapped is None:
                self._mapped = mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ)
            whole, base = memoryview(self._mapped), start
        size, step = dims[-1]
        most = max(1, _BLOCK // item)
        with whole:
            for place in _places(dims[:-1]):
                for first in range(0, size, most):
                    count = min(most, size - first)
                    begin = base + (place + first * step) * item
                    end = begin + ((count - 1) * step + 1) * item
                    with whole[begin:end] as part, part.cast(_FORMATS[item]) as items:
                        yield items[::step].tobytes() if step else items.tobytes() * count
                    self._release(end - begin)

    def _release(self, passed: int) -> None:
        """Pages that were looked at would otherwise count as this process's own memory."""
        self._passed += passed
        if self._mapped is not None and self._passed >= _RELEASE:
            if hasattr(mmap, "MADV_DONTNEED"):
                self._mapped.madvise(mmap.MADV_DONTNEED)
            self._passed = 0


def _places(dims: list[tuple[int, int]]) -> Iterator[int]:
    """The offsets of the outer dimensions, in order."""
    ranges = [[place * step for place in range(size)] for size, step in dims[1:]]
    if not dims:
        yield 0
        return
    size, step = dims[0]
    for first in range(size):
        for rest in itertools.product(*ranges):
            yield first * step + sum(rest)


def swapped(data: bytes, unit: int) -> bytes:
    """The data with the bytes of each unit turned round."""
    if unit == 1:
        return data
    turned = bytearray(len(data))
    for place in range(unit):
        turned[place::unit] = data[unit - 1 - place :: unit]
    return bytes(turned)
