"""Which bytes of a file its own directory accounts for."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.scanners.cursor import BrokenError


def gaps(ranges: Iterable[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """The stretches (start and end) that no range covers; BrokenError where one leaves the file."""
    found, reached = [], 0
    for start, length in sorted(ranges):
        if start < 0 or length < 0 or start + length > size:
            raise BrokenError(f"{length} bytes are said to lie at byte {start}, outside the file.")
        if start > reached:
            found.append((reached, start))
        reached = max(reached, start + length)
    if reached < size:
        found.append((reached, size))
    return found
