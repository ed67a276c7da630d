"""The Merkle tree of an append-only log, after RFC 6962 (section 2.1) and RFC 9162.

A leaf is hashed behind the byte 0, an inner node behind the byte 1, so that neither can be passed
off as the other. The tree over n leaves splits at the largest power of two below n; its shape
depends on n alone. Whoever holds a root can therefore be shown that a leaf is in the log
(inclusion), and that a later log only grew (consistency), by a proof of about log2(n) hashes.

Always holds: proofs are computed from leaf hashes alone and verified without the log; verifying
raises nothing and believes nothing that the proof says of sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HASH_SIZE = 32
"""Bytes of every hash here: SHA-256."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a log without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a log's entry as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node over its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to go on appending: the roots of the full subtrees, the largest first.

    A tree of `size` leaves has one such subtree for each bit that is set in `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Frontier:
        """The frontier after one more leaf hash."""
        peaks = list(self.peaks)
        size = self.size
        while size & 1:
            leaf = node_hash(peaks.pop(), leaf)
            size >>= 1
        return Frontier(self.size + 1, (*peaks, leaf))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after several more leaf hashes."""
        peaks = list(self.peaks)
        size = self.size
        for leaf in leaves:
            at, merged = size, leaf
            while at & 1:
                merged = node_hash(peaks.pop(), merged)
                at >>= 1
            peaks.append(merged)
            size += 1
        return Frontier(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        return joined(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """Read what `to_bytes` wrote; ValueError where the count does not fit the size."""
        if size < 0 or len(data) != HASH_SIZE * size.bit_count():
            raise ValueError("a frontier has one hash for each bit that is set in its size")
        peaks = (data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE))
        return cls(size, tuple(peaks))

    def to_bytes(self) -> bytes:
        """The peaks one after the other."""
        return b"".join(self.peaks)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Frontier().extend(leaves).root


def inclusion_ranges(index: int, size: int) -> tuple[tuple[int, int], ...]:
    """Whose roots prove that leaf `index` is in a tree of `size`: leaves from, and up to.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return tuple(reversed(ranges))


def consistency_ranges(first: int, size: int) -> tuple[tuple[int, int], ...]:
    """Whose roots prove that a tree of `first` leaves is the beginning of one of `size`.

    Raises:
        IndexError: the whole has fewer leaves than that.
    """
    if not 0 <= first <= size:
        raise IndexError(f"a tree of {size} leaves has no beginning of {first}")
    if first in {0, size}:
        return ()
    ranges: list[tuple[int, int]] = []
    start, end, is_known = 0, size, True
    while first != end - start:
        middle = _split(end - start)
        if first <= middle:
            ranges.append((start + middle, end))
            end = start + middle
        else:
            ranges.append((start, start + middle))
            start, first, is_known = start + middle, first - middle, False
    if not is_known:
        ranges.append((start, end))
    return tuple(reversed(ranges))


def complete_subtrees(start: int, end: int) -> tuple[tuple[int, int], ...]:
    """The full subtrees, as (level, number), that the leaves of one of those ranges make up.

    The largest comes first. Subtree `number` of a level covers `1 << level` leaves.
    """
    parts: list[tuple[int, int]] = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append((level, start >> level))
        start += 1 << level
    return tuple(parts)


def joined(hashes: Sequence[bytes]) -> bytes:
    """The root over full subtrees that lie side by side, the largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for each in reversed(hashes[:-1]):
        root = node_hash(each, root)
    return root


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """The hashes beside the way from leaf `index` to the root, the lowest first.

    Raises:
        IndexError: there is no such leaf.
    """
    return tuple(root_of(leaves[a:b]) for a, b in inclusion_ranges(index, len(leaves)))


def consistency_proof(size: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """What shows that the tree over the first `size` leaves is the beginning of the whole.

    Raises:
        IndexError: the whole has fewer leaves than that.
    """
    return tuple(root_of(leaves[a:b]) for a, b in consistency_ranges(size, len(leaves)))


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the proof shows `leaf` at `index` in the tree of `size` leaves with that root.

    The algorithm of RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> bool:
    """Whether the proof shows the tree of `first` leaves at the beginning of that of `second`.

    The algorithm of RFC 9162, section 2.1.4.2.
    """
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    if first == second:
        return not proof and first_root == second_root
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
