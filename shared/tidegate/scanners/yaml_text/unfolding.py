"""How large a YAML text is once its aliases are followed, as most who walk over it do.

A few lines whose aliases name each other stand for billions of nodes: a loader shares them, and
whoever prints, copies, merges or validates them does not. Always holds: one pass over the
parser's events, in memory that grows with the anchors alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

_MOST = 1_000_000
"""Nodes behind aliases; honest configurations have some hundreds."""

_MAX_ANCHORS = 100_000


class Unfolding:
    """Takes the parser's events one by one and counts."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._open: list[tuple[str | None, int]] = []
        self._being_made: set[str] = set()
        self._most = 0
        self._is_endless = False

    @property
    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if self._is_endless:
            return "holds a value that contains itself"
        if self._most > _MOST:
            return f"unfolds to more than {_MOST:,} nodes by its aliases"
        return None

    def take(self, event: yaml.Event) -> None:
        """One event, in order."""
        import yaml

        if isinstance(event, yaml.AliasEvent):
            name = event.anchor or ""
            self._is_endless = self._is_endless or name in self._being_made
            self._add(self._sizes.get(name, 1))
        elif isinstance(event, yaml.ScalarEvent):
            self._keep(event.anchor, 1)
            self._add(1)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open.append((event.anchor, 1))
            if event.anchor is not None:
                self._being_made.add(event.anchor)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchor, size = self._open.pop()
            if anchor is not None:
                self._being_made.discard(anchor)
            self._keep(anchor, size)
            self._add(size)

    def _keep(self, anchor: str | None, size: int) -> None:
        if anchor is not None and len(self._sizes) < _MAX_ANCHORS:
            self._sizes[anchor] = size
            self._most = max(self._most, size)

    def _add(self, size: int) -> None:
        if self._open:
            anchor, before = self._open[-1]
            # Numbers of that size must not themselves grow without bound.
            self._open[-1] = anchor, min(before + size, 1 << 62)
