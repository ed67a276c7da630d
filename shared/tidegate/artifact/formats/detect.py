"""Telling the formats of one file: its head, its tail, its text, its name, in that order."""

from __future__ import annotations

from typing import BinaryIO

from tidegate.artifact.formats.archives import by_tail, ends_as_archive, read_at
from tidegate.artifact.formats.kinds import ZIP_FORMATS, Format
from tidegate.artifact.formats.magic import TABLE_MAGIC, by_head
from tidegate.artifact.formats.names import by_name
from tidegate.artifact.formats.text import WIDE_MARKS, is_text, text_dialects

_HEAD = 64 << 10
# The end record of a zip archive is at most this far from the end: 22 bytes and a comment.
_TAIL = 22 + 0xFFFF
_COMPRESSED = frozenset(
    {Format.GZIP, Format.BZ2, Format.XZ, Format.LZMA, Format.ZLIB, Format.LZ4, Format.ZSTD}
)
_ACCOUNTED = frozenset({Format.TAR, Format.SEVENZIP})
"""Containers that hold members as they are, and whose readers account for every byte."""
_OCDBT_NODE = b"\x0c\xdb\x20\xde"
_HDF5 = b"\x89HDF\r\n\x1a\n"


def detect_format(stream: BinaryIO, size: int, name: str) -> Format:
    """The first of `detect_formats`: what a report calls the file."""
    return detect_formats(stream, size, name)[0]


def detect_formats(stream: BinaryIO, size: int, name: str) -> tuple[Format, ...]:
    """All formats as which the `size` bytes of `stream` could be read, the plainest first.

    `name` is the file's own name or path. Reads the first 64 KiB, the last 64 KiB and the start
    of a zip archive's directory; leaves the stream at position 0.
    """
    if size == 0:
        return (Format.EMPTY,)
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    head, tail = _ends(stream, size)
    told = _binary(stream, size, head, tail)
    if (
        not told
        and is_text(head, whole=size <= _HEAD)
        and (head.startswith(WIDE_MARKS) or is_text(tail, whole=False))
    ):
        told.extend(text_dialects(head, base))
    told.extend(by_name(base, told))
    stream.seek(0)
    return tuple(dict.fromkeys(told)) or (Format.UNKNOWN,)


def binary_formats(stream: BinaryIO, size: int) -> frozenset[Format]:
    """The same for bytes that are numbers by their place: no kind of text, and no name to add."""
    if size == 0:
        return frozenset()
    told = _binary(stream, size, *_ends(stream, size))
    stream.seek(0)
    return frozenset(told)


def _ends(stream: BinaryIO, size: int) -> tuple[bytes, bytes]:
    head = read_at(stream, 0, min(size, _HEAD))
    return head, head if size <= _HEAD else read_at(stream, max(0, size - _TAIL), _TAIL)


def _binary(stream: BinaryIO, size: int, head: bytes, tail: bytes) -> list[Format]:
    told = [*by_head(head, size)]
    if tail.endswith(TABLE_MAGIC):
        told.append(Format.TF_CHECKPOINT)
    # The last member of such an archive may be a zip archive: its reader hands that on.
    if not _ACCOUNTED.intersection(told) or ends_as_archive(tail):
        archives = list(by_tail(stream, size, head, tail))
        if archives and _COMPRESSED.intersection(told):
            # What follows the stream is handed on by its reader, an archive too.
            archives = [Format.ZIP_IN_STREAM]
        told.extend(archives)
    if not {Format.HDF5, *_ACCOUNTED}.intersection(told) and _has_superblock(stream, size):
        told.append(Format.HDF5)
    if _ends_with_node(tail):
        told.append(Format.OCDBT)
    kinds = [fmt for fmt in told if fmt in ZIP_FORMATS and fmt is not Format.ZIP]
    if kinds:
        # An archive's own kind says more than that it is an archive, and has the same reader.
        at = min(told.index(Format.ZIP), told.index(kinds[0]))
        told = [fmt for fmt in told if fmt not in ZIP_FORMATS]
        told.insert(at, kinds[0])
    return told


def _has_superblock(stream: BinaryIO, size: int) -> bool:
    """Whether an HDF5 file begins where its library looks: at 512 and at each double of it.

    In an archive's compressed member only as far as its beginning is kept: looking further would
    unfold all of it once more, and what no HDF5 reader looks at there, another one accounts for.
    """
    is_slow = getattr(getattr(stream, "raw", None), "going_back_is_slow", False)
    last = min(size, _HEAD) if is_slow else size
    at = 512
    while at + len(_HDF5) <= last:
        if read_at(stream, at, len(_HDF5)) == _HDF5:
            return True
        at *= 2
    return False


def _ends_with_node(tail: bytes) -> bool:
    """Whether the file ends with a node of a B-tree of TensorStore, as its data files may."""
    at = tail.rfind(_OCDBT_NODE)
    length = int.from_bytes(tail[at + 4 : at + 12], "little") if at >= 0 else 0
    return at >= 0 and at + length == len(tail)
