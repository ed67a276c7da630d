"""Dense storage: many links or attributes of one object, kept in a heap and listed by trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tidegate.scanners.hdf5.heaps import FractalHeap, fractal_heap
from tidegate.scanners.hdf5.space import Cursor, Space, is_defined
from tidegate.scanners.hdf5.trees import records_of


@dataclass(frozen=True, slots=True)
class DenseRecord:
    """One record of a tree: which tree, its bytes, and the heap that it points into."""

    by_order: bool
    data: bytes = field(repr=False)
    heap: FractalHeap = field(repr=False)


def dense_records(space: Space, info: Cursor, counter: int) -> Iterator[DenseRecord]:
    """The records of both trees, by name and by order of creation, as an info message names them.

    An object may stand in one of them only, so both are read.

    Args:
        space: the file.
        info: a link info or attribute info message.
        counter: how many bytes its count of what was ever made takes, where it has one.
    """
    info.skip(1)
    flags = info.number(1)
    info.skip(counter if flags & 1 else 0)
    heap_place, by_name = info.address(), info.address()
    by_order = info.address() if flags & 2 else space.undefined
    if not is_defined(heap_place, space):
        return
    heap = fractal_heap(space, heap_place)
    for tree, is_by_order in ((by_name, False), (by_order, True)):
        if is_defined(tree, space):
            for data in records_of(space, tree):
                yield DenseRecord(is_by_order, data, heap)
