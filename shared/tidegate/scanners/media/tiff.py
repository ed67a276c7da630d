"""TIFF: directories that point into the file; what nothing points to is looked at.

TIFF 6.0, sections 2 and 8; BigTIFF's directories have wider fields. Exif's, GPS' and thumbnails'
directories are followed as well.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.media.parts import Parts

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
           16: 8, 17: 8, 18: 8}  # fmt: skip
_LAYOUTS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_PLACES = {273: 279, 324: 325, 288: 289, 513: 514}
"""Tags that say where data lie, and the tags that say how long they are."""
_LOOKED = frozenset({1, 2, 6, 7})
_DIRECTORIES = frozenset({330, 34665, 34853, 40965})
_MOST_DIRECTORIES = 10_000
_MOST_ENTRIES = 4096
_MOST_PLACES = 1 << 20
_PADDING = 16
# Writers of several pictures in one file leave remains of this size between them.
_REMAINS = 64


def read_tiff(cursor: Cursor, parts: Parts) -> None:
    """Follow every directory; then look at the stretches that nothing points to."""
    directories = _Directories(cursor)
    covered = list(directories.ranges())
    for start, length in directories.looked:
        parts.look(start, length, "value")
    reached = 0
    for start, length in sorted(covered):
        if start - reached > _PADDING:
            _uncovered(cursor, parts, reached, start)
        reached = max(reached, start + length)
    if cursor.size - reached > 2:
        parts.behind(reached, "picture")


def _uncovered(cursor: Cursor, parts: Parts, start: int, end: int) -> None:
    parts.look(start, end - start, "bytes")
    cursor.seek(start)
    if end - start > _REMAINS and cursor.peek(min(end - start, 1 << 20)).strip(b"\0"):
        parts.report.found(
            "MEDIA-TRAILING",
            parts.subject,
            f"{end - start} bytes inside the picture belong to no part of it.",
            offset=start,
            detail="gap",
        )


class _Directories:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        cursor.seek(2)
        self._wide = cursor.number("H") == 43
        if self._wide and cursor.unpack("HH") != (8, 0):
            raise BrokenError("The BigTIFF header is not one.")
        self._pending = [cursor.number("Q" if self._wide else "I")]
        self._seen: set[int] = set()
        self.looked: list[tuple[int, int]] = []
        """Values that are bytes or texts: start and length."""
        self._head = cursor.at

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Start and length of all that the file accounts for."""
        yield 0, self._head
        while self._pending:
            at = self._pending.pop()
            if at == 0 or at in self._seen:
                continue
            self._seen.add(at)
            if len(self._seen) > _MOST_DIRECTORIES:
                raise BrokenError(f"It has more than {_MOST_DIRECTORIES} directories.")
            yield from self._directory(at)

    def _directory(self, at: int) -> Iterator[tuple[int, int]]:
        cursor = self._cursor
        cursor.seek(at)
        count = cursor.number("Q" if self._wide else "H")
        if count > _MOST_ENTRIES:
            raise BrokenError(f"The directory at byte {at} claims {count} entries.")
        width, inline = (20, 8) if self._wide else (12, 4)
        places: dict[int, tuple[int, int, int]] = {}
        entries = cursor.at
        for index in range(count):
            cursor.seek(entries + width * index)
            tag, kind, number = cursor.unpack("HHQ" if self._wide else "HHI")
            length = _WIDTHS.get(kind, 0) * number
            value = cursor.at
            if length > inline:
                value = cursor.number("Q" if self._wide else "I")
                if value + length > cursor.size:
                    raise BrokenError(f"The value of tag {tag} leaves the file.")
                yield value, length
            places[tag] = (kind, number, value)
            if kind in _LOOKED and length > inline:
                self.looked.append((value, length))
        cursor.seek(entries + width * count)
        self._pending.append(cursor.number("Q" if self._wide else "I"))
        yield at, cursor.at - at
        for tag in _DIRECTORIES & set(places):
            self._pending.extend(self._numbers(*places[tag]))
        for tag, lengths in _PLACES.items():
            if tag in places and lengths in places:
                yield from zip(
                    self._numbers(*places[tag]), self._numbers(*places[lengths]), strict=False
                )

    def _numbers(self, kind: int, number: int, at: int) -> list[int]:
        layout = _LAYOUTS.get(kind)
        if layout is None or number > _MOST_PLACES:
            raise BrokenError("Its data's places are not numbers, or too many.")
        self._cursor.seek(at)
        return [int(value) for value in self._cursor.unpack(f"{number}{layout}")]
