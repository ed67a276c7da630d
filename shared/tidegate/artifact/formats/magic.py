"""Formats told by how a file begins: magic numbers, and heads whose parts agree with each other.

A head that only resembles a format adds a reading, and the reader of that format says what is
wrong with it; so a test here may be generous, never so strict that a lying file escapes its reader.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tidegate.artifact.formats.containers import is_lzma, other_archive
from tidegate.artifact.formats.data_files import by_data_head
from tidegate.artifact.formats.kinds import TORCH_LEGACY_MAGIC, Format

_SAFETENSORS_HEADER = 100_000_000
_LEGACY_BYTES = b"\x8a\x0a" + TORCH_LEGACY_MAGIC.to_bytes(10, "little") + b"."

TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
"""The last bytes of a table of LevelDB's kind, as which TensorFlow writes a checkpoint's index."""

_MAGIC: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\x93NUMPY", Format.NUMPY),
    (0, b"\x7fELF", Format.NATIVE),
    (0, b"\xfe\xed\xfa\xce", Format.NATIVE),
    (0, b"\xfe\xed\xfa\xcf", Format.NATIVE),
    (0, b"\xce\xfa\xed\xfe", Format.NATIVE),
    (0, b"\xcf\xfa\xed\xfe", Format.NATIVE),
    (0, b"\xca\xfe\xba\xbe", Format.NATIVE),
    (0, b"\xca\xfe\xba\xbf", Format.NATIVE),
    (0, b"\0asm", Format.NATIVE),
    (0, b"dex\n", Format.NATIVE),
    (0, b"BC\xc0\xde", Format.NATIVE),
    (0, b"!<arch>\n", Format.NATIVE),
    (0, b"\x1f\x8b\x08", Format.GZIP),
    (0, b"BZh", Format.BZ2),
    (0, b"\xfd7zXZ\0", Format.XZ),
    (0, b"\x04\x22\x4d\x18", Format.LZ4),
    (0, b"\x02\x21\x4c\x18", Format.LZ4),
    (0, b"\x28\xb5\x2f\xfd", Format.ZSTD),
    (257, b"ustar", Format.TAR),
    (0, b"7z\xbc\xaf\x27\x1c", Format.SEVENZIP),
    (0, b"Rar!\x1a\x07", Format.RAR),
    (0, b"MSCF\0\0\0\0", Format.CABINET),
    (0, b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (0, b"\x0c\xdb\x3a\x2a", Format.OCDBT),
    (0, b"\x0c\xdb\x20\xde", Format.OCDBT),
    (4, b"TFL3", Format.TFLITE),
    (4, b"PTMF", Format.TORCH_MOBILE),
    (4, b"ORTM", Format.ORT),
    (0, b"GGUF", Format.GGUF),
    (0, b"lmgg", Format.GGML_OLD),
    (0, b"fmgg", Format.GGML_OLD),
    (0, b"tjgg", Format.GGML_OLD),
    (0, b"algg", Format.GGML_OLD),
    (0, b"PAR1", Format.PARQUET),
    (0, b"ARROW1", Format.ARROW),
    (0, b"FEA1", Format.ARROW),
    (0, b"SQLite format 3\0", Format.SQLITE),
    (0, b"CBM1", Format.CATBOOST),
    (0, b"%PDF-", Format.PDF),
    (0, b"\x89PNG\r\n\x1a\n", Format.IMAGE),
    (0, b"\xff\xd8\xff", Format.IMAGE),
    (0, b"GIF87a", Format.IMAGE),
    (0, b"GIF89a", Format.IMAGE),
)


def by_head(head: bytes, size: int) -> Iterator[Format]:
    """The formats that a file of `size` bytes may be, going by its first bytes."""
    if _LEGACY_BYTES in head[:32]:
        yield Format.TORCH_LEGACY
    elif head[:1] == b"\x80" and head[1:2] and head[1] <= 5:
        yield Format.PICKLE
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield Format.ZIP
    for offset, magic, told in _MAGIC:
        if head.startswith(magic, offset):
            yield told
    if _is_old_tar(head):
        yield Format.TAR
    if _is_windows_program(head):
        yield Format.NATIVE
    if _is_safetensors(head, size):
        yield Format.SAFETENSORS
    if _is_bytecode(head):
        yield Format.BYTECODE
    if _is_zlib(head):
        yield Format.ZLIB
    if head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
        # A frame to be skipped: one with data may follow.
        yield Format.ZSTD
    if is_lzma(head):
        yield Format.LZMA
    if other_archive(head) is not None:
        yield Format.OTHER_ARCHIVE
    yield from by_data_head(head, size)


def _is_old_tar(head: bytes) -> bool:
    """A tar header without a magic number: its checksum holds (torch once wrote tar files)."""
    if len(head) < 512 or not head[0]:
        return False
    try:
        claimed = int(head[148:156].rstrip(b"\0 ") or b"x", 8)
    except ValueError:
        return False
    return claimed == sum(head[:148]) + 8 * 0x20 + sum(head[156:512])


def _is_windows_program(head: bytes) -> bool:
    if head[:2] != b"MZ" or len(head) < 64:
        return False
    (at,) = struct.unpack_from("<I", head, 60)
    return bool(head[at : at + 4] == b"PE\0\0") or head[2:4] in {b"\x90\0", b"\x50\0", b"\x78\0"}


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return (
        len(head) > 8
        and 2 <= length <= _SAFETENSORS_HEADER
        and 8 + length <= size
        and head[8:9] == b"{"
    )


def _is_bytecode(head: bytes) -> bool:
    """A file as CPython compiles it: version, line ends, flags, time, size, a marshalled code."""
    return (
        len(head) > 16
        and head[2:4] == b"\r\n"
        and head[4:8] in {b"\0\0\0\0", b"\1\0\0\0", b"\3\0\0\0"}
        and head[16] & 0x7F == 0x63
    )


def _is_zlib(head: bytes) -> bool:
    if len(head) < 6 or head[0] & 0x0F != 8 or head[0] >> 4 > 7 or head[1] & 0x20:
        return False
    if (head[0] << 8 | head[1]) % 31:
        return False
    opened = zlib.decompressobj()
    try:
        return bool(opened.decompress(head[:4096], 4096)) or opened.eof
    except zlib.error:
        return False
