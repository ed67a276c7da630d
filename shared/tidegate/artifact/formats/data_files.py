"""Data files and models of single libraries, told by heads whose parts agree with each other.

As with the magic numbers: a test may be generous where the bytes could be no text, for a reading
that it adds is checked by its reader. Bytes that could be a text are told as one elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from tidegate.artifact.formats.kinds import Format


def by_data_head(head: bytes, size: int) -> Iterator[Format]:
    """The formats of this family that a file of `size` bytes with that head may be."""
    if head.startswith(b"binf") and head[4:64].count(0) > 8:
        yield Format.XGBOOST
    if head.startswith((b"<\0", b"\0<")):
        # UTF-16 without a mark, which XML readers tell by this start.
        yield Format.MARKUP
    if _is_ubjson(head, size):
        yield Format.UBJSON


def _is_ubjson(head: bytes, size: int) -> bool:
    """An object whose first key has the length that it claims."""
    widths = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}
    if head[:1] != b"{" or (width := widths.get(head[1:2])) is None or len(head) < 2 + width:
        return False
    length = int.from_bytes(head[2 : 2 + width], "big")
    key = head[2 + width : 2 + width + length]
    # A text has no control character there; a length of one is not a text's.
    return (
        0 < length < size
        and not head[2 : 2 + width].isspace()
        and min(head[2:10]) < 32
        and (key.isascii() and b"\n" not in key)
    )
