"""B-trees of both versions, walked from the root without recursion, each node at most once."""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.scanners.hdf5.space import BrokenError, Space, is_defined

_MAX_DIMENSIONS = 33


def group_nodes(space: Space, address: int) -> Iterator[int]:
    """The addresses of a group's symbol nodes, by its version 1 B-tree."""
    for child, _ in _old_leaves(space, address, kind=0, key_size=space.length):
        yield child


def chunk_places(space: Space, address: int, rank: int) -> Iterator[tuple[int, int, int]]:
    """Address, stored size and filter mask of each chunk, by a version 1 B-tree.

    `rank` counts the element itself as one more dimension, as the layout message does.
    """
    if rank > _MAX_DIMENSIONS:
        raise BrokenError(f"a dataset of {rank} dimensions")
    for child, key in _old_leaves(space, address, kind=1, key_size=8 + 8 * rank):
        yield child, int.from_bytes(key[:4], "little"), int.from_bytes(key[4:8], "little")


def _old_leaves(
    space: Space, root: int, *, kind: int, key_size: int
) -> Iterator[tuple[int, bytes]]:
    pending, seen = [root], set()
    head = 8 + 2 * space.offset
    while pending:
        address = pending.pop()
        if address in seen:
            raise BrokenError("a B-tree that leads back to itself")
        seen.add(address)
        cursor = space.cursor(address, head, b"TREE")
        if cursor.number(1) != kind:
            raise BrokenError("a B-tree of another kind than its owner's")
        level, count = cursor.number(1), cursor.number(2)
        body = space.cursor(address + head, count * (key_size + space.offset))
        below = []
        for _ in range(count):
            key = body.take(key_size)
            child = body.address()
            if level:
                below.append(child)
            else:
                yield child, key
        pending.extend(reversed(below))


def records_of(space: Space, address: int) -> Iterator[bytes]:
    """The records of a version 2 B-tree, those of inner nodes before those below them."""
    cursor = space.cursor(address, 22 + space.offset + space.length, b"BTHD")
    if cursor.number(1) != 0:
        raise BrokenError("a B-tree of unknown version")
    cursor.skip(1)
    node_size, record, depth = cursor.number(4), cursor.number(2), cursor.number(2)
    cursor.skip(2)
    root, count = cursor.address(), cursor.number(2)
    if not record or node_size <= 10 or depth > 32:
        raise BrokenError("a B-tree whose numbers make no sense")
    if not is_defined(root, space) or not count:
        return
    per_leaf = max(1, (node_size - 10) // record)
    count_size = _bytes_for(per_leaf)
    # For each level: how many bytes the number of all records below a child takes.
    totals, most = [0], per_leaf
    for level in range(1, depth + 1):
        pointer = space.offset + count_size + totals[level - 1]
        fits = max(1, (node_size - 10 - pointer) // (record + pointer))
        most = (fits + 1) * most + fits
        totals.append(_bytes_for(most))
    pending, seen = [(root, count, depth)], set()
    while pending:
        at, count, level = pending.pop()
        if at in seen:
            raise BrokenError("a B-tree that leads back to itself")
        seen.add(at)
        pointer = space.offset + count_size + (totals[level - 1] if level > 1 else 0)
        size = 6 + count * record + ((count + 1) * pointer if level else 0)
        node = space.cursor(at, size, b"BTIN" if level else b"BTLF")
        node.skip(2)
        for _ in range(count):
            yield node.take(record)
        below = []
        for _ in range(count + 1 if level else 0):
            child = node.address()
            child_count = node.number(count_size)
            if level > 1:
                node.skip(totals[level - 1])
            below.append((child, child_count, level - 1))
        pending.extend(reversed(below))


def _bytes_for(limit: int) -> int:
    return (limit.bit_length() - 1) // 8 + 1
