"""What a file is, told by its first and last bytes.

Always holds: the content decides. A file's name does two things only: it chooses among texts
that are harmless as text (an MLmodel file, requirements, YAML), and it can add a stricter
reading (a text called `x.py` is Python source); it never takes a reading away. A file that can
be read as several formats is told as all of them, and each is scanned. What is not recognised
is `UNKNOWN`, which nobody may take for harmless.

Pickles of protocol 0 and 1 have no magic number. The scanners' dispatcher asks the pickle probe
about every file that is not told as a pickle here.
"""

from __future__ import annotations

import codecs
import enum
import os
import struct
import unicodedata
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_HEAD = 64 << 10
# The end record of a zip archive is at most this far from the end: 22 bytes and a comment.
_TAIL = 22 + 0xFFFF
_DIRECTORY = 256 << 10
_SAFETENSORS_HEADER = 100_000_000

TORCH_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that torch wrote, as a pickle of its own, at the start of files before 1.6."""

_LEGACY_BYTES = b"\x8a\x0a" + TORCH_LEGACY_MAGIC.to_bytes(10, "little") + b"."


class Format(enum.StrEnum):
    """A family of formats that one reader reads."""

    EMPTY = "empty"
    PICKLE = "pickle"
    TORCH_LEGACY = "torch-legacy"
    ZIP = "zip"
    TORCH_ZIP = "torch-zip"
    SKOPS = "skops"
    NPZ = "npz"
    NUMPY = "numpy"
    SAFETENSORS = "safetensors"
    MLMODEL = "mlmodel"
    MODULE_NAME = "module-name"
    YAML = "yaml"
    JSON = "json"
    TEXT = "text"
    REQUIREMENTS = "requirements"
    PYTHON = "python"
    NOTEBOOK = "notebook"
    BYTECODE = "bytecode"
    SCRIPT = "script"
    NATIVE = "native"
    GZIP = "gzip"
    BZ2 = "bz2"
    XZ = "xz"
    LZMA = "lzma"
    ZLIB = "zlib"
    LZ4 = "lz4"
    ZSTD = "zstd"
    TAR = "tar"
    SEVENZIP = "7z"
    RAR = "rar"
    CABINET = "cabinet"
    HDF5 = "hdf5"
    ONNX = "onnx"
    TFLITE = "tflite"
    PROTOBUF = "protobuf"
    GGUF = "gguf"
    PARQUET = "parquet"
    ARROW = "arrow"
    SQLITE = "sqlite"
    CATBOOST = "catboost"
    PDF = "pdf"
    MARKUP = "markup"
    IMAGE = "image"
    UNKNOWN = "unknown"


ZIP_FORMATS = frozenset({Format.ZIP, Format.TORCH_ZIP, Format.SKOPS, Format.NPZ})
"""The formats whose container is a zip archive."""

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
    (0, b"\x28\xb5\x2f\xfd", Format.ZSTD),
    (257, b"ustar", Format.TAR),
    (0, b"7z\xbc\xaf\x27\x1c", Format.SEVENZIP),
    (0, b"Rar!\x1a\x07", Format.RAR),
    (0, b"MSCF\0\0\0\0", Format.CABINET),
    (0, b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (512, b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (1024, b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (2048, b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (4, b"TFL3", Format.TFLITE),
    (0, b"GGUF", Format.GGUF),
    (0, b"PAR1", Format.PARQUET),
    (0, b"ARROW1\0\0", Format.ARROW),
    (0, b"FEA1", Format.ARROW),
    (0, b"SQLite format 3\0", Format.SQLITE),
    (0, b"CBM1", Format.CATBOOST),
    (0, b"%PDF-", Format.PDF),
    (0, b"\x89PNG\r\n\x1a\n", Format.IMAGE),
    (0, b"\xff\xd8\xff", Format.IMAGE),
    (0, b"GIF87a", Format.IMAGE),
    (0, b"GIF89a", Format.IMAGE),
)

_CODE_SUFFIXES = {
    ".py": Format.PYTHON,
    ".pyw": Format.PYTHON,
    ".pyx": Format.PYTHON,
    ".ipynb": Format.NOTEBOOK,
    ".pyc": Format.BYTECODE,
    ".pyo": Format.BYTECODE,
    ".sh": Format.SCRIPT,
    ".bash": Format.SCRIPT,
    ".zsh": Format.SCRIPT,
    ".ksh": Format.SCRIPT,
    ".csh": Format.SCRIPT,
    ".fish": Format.SCRIPT,
    ".bat": Format.SCRIPT,
    ".cmd": Format.SCRIPT,
    ".ps1": Format.SCRIPT,
    ".psm1": Format.SCRIPT,
    ".vbs": Format.SCRIPT,
    ".js": Format.SCRIPT,
    ".mjs": Format.SCRIPT,
    ".wsf": Format.SCRIPT,
    ".hta": Format.SCRIPT,
    ".lua": Format.SCRIPT,
    ".pl": Format.SCRIPT,
    ".rb": Format.SCRIPT,
    ".php": Format.SCRIPT,
    ".r": Format.SCRIPT,
    ".jl": Format.SCRIPT,
    ".scala": Format.SCRIPT,
    ".exe": Format.NATIVE,
    ".dll": Format.NATIVE,
    ".scr": Format.NATIVE,
    ".so": Format.NATIVE,
    ".dylib": Format.NATIVE,
    ".pyd": Format.NATIVE,
}
_PICKLE_SUFFIXES = (".pkl", ".pickle", ".pck", ".dill", ".joblib", ".cloudpickle")
_MARKUP = (b"<?xml", b"<!doctype", b"<!entity", b"<html", b"<svg", b"<pmml", b"<script")
_MODULE_NAME_FILES = frozenset({"pickle_module_info.txt", "keras_module.txt"})
_TEXT = b"\t\n\f\r" + bytes(range(0x20, 0x7F))
# 8-bit texts (Latin-1 and its kin) have no characters between 0x7f and 0x9f.
_TEXT_8BIT = _TEXT + bytes(range(0xA0, 0x100))
_NO_CONTINUATION = bytes(range(0x80)) + bytes(range(0xC0, 0x100))
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


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
    head = _read_at(stream, 0, min(size, _HEAD))
    tail = head if size <= _HEAD else _read_at(stream, max(0, size - _TAIL), _TAIL)
    told = [*_by_head(head, size, base), *_by_tail(stream, size, head, tail)]
    kinds = [fmt for fmt in told if fmt in ZIP_FORMATS and fmt is not Format.ZIP]
    if kinds:
        # An archive's own kind says more than that it is an archive, and has the same reader.
        at = min(told.index(Format.ZIP), told.index(kinds[0]))
        told = [fmt for fmt in told if fmt not in ZIP_FORMATS]
        told.insert(at, kinds[0])
    if (
        not told
        and is_text(head, whole=size <= _HEAD)
        and (head.startswith(_WIDE_MARKS) or is_text(tail, whole=False))
    ):
        told.extend(_text_dialects(head, base))
    told.extend(_by_name(base, told))
    stream.seek(0)
    return tuple(dict.fromkeys(told)) or (Format.UNKNOWN,)


def is_text(data: bytes, *, whole: bool) -> bool:
    """Whether the bytes hold no control characters but whitespace.

    They may be UTF-8, UTF-16 or UTF-32 with a mark, or an 8-bit encoding. Where they are not the
    `whole` text, a character cut at either end is forgiven.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _is_wide_text(data, "utf-32", whole=whole)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _is_wide_text(data, "utf-16", whole=whole)
    if not data.translate(None, _TEXT_8BIT):
        return True
    if data.translate(None, _TEXT + bytes(range(0x80, 0x100))):
        return False
    start = 0
    while not whole and start < 3 and data[start : start + 1].translate(None, _NO_CONTINUATION):
        start += 1
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data[start:], whole)
    except UnicodeDecodeError:
        return False
    return not any("\x7f" <= character <= "\x9f" for character in text)


def _is_wide_text(data: bytes, encoding: str, *, whole: bool) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, whole)
    except UnicodeDecodeError:
        return False
    # Almost any bytes decode as UTF-16, but only a text keeps to characters that exist.
    return all(
        unicodedata.category(character) not in {"Cc", "Cn", "Co"} or character in "\t\n\r\f"
        for character in text
    )


def _read_at(stream: BinaryIO, offset: int, count: int) -> bytes:
    stream.seek(offset)
    parts = []
    while count > 0 and (data := stream.read(count)):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


def _by_head(head: bytes, size: int, base: str) -> Iterator[Format]:
    if _LEGACY_BYTES in head[:32]:
        yield Format.TORCH_LEGACY
    elif head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
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
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        yield Format.IMAGE
    if head[:4] in {b"II*\0", b"MM\0*"} or (head[:2] == b"BM" and head[6:10] == b"\0\0\0\0"):
        yield Format.IMAGE
    if _is_safetensors(head, size):
        yield Format.SAFETENSORS
    if _is_bytecode(head):
        yield Format.BYTECODE
    if _is_zlib(head):
        yield Format.ZLIB
    if head[:3] == b"\x5d\0\0" and len(head) > 13 and head[12] in {0x00, 0xFF}:
        yield Format.LZMA
    if base.lower().endswith(".onnx") and head[:1] == b"\x08":
        yield Format.ONNX
    if base.lower().endswith((".pb", ".pbtxt")):
        yield Format.PROTOBUF


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


def _by_tail(stream: BinaryIO, size: int, head: bytes, tail: bytes) -> Iterator[Format]:
    at = tail.rfind(b"PK\x05\x06")
    directory = b""
    if 0 <= at <= len(tail) - 22:
        length, offset = struct.unpack_from("<II", tail, at + 12)
        end = size - len(tail) + at
        wide = 0xFFFFFFFF in (length, offset)
        if wide:
            length, offset = _zip64_directory(stream, size, tail, at)
        if length <= end:
            # Where bytes stand before the archive, its offsets may count from its own start.
            start = offset if offset + length <= end else end - length
            directory = _read_at(stream, start, min(length, _DIRECTORY))
        if length <= end or wide or head.startswith(b"PK"):
            kind = _zip_kind(directory)
            if kind is not Format.ZIP:
                yield kind
            yield Format.ZIP


def _zip64_directory(stream: BinaryIO, size: int, tail: bytes, at: int) -> tuple[int, int]:
    end = size - len(tail) + at
    if end >= 76:
        record = _read_at(stream, end - 76, 56)
        if record[:4] == b"PK\x06\x06":
            length, offset = struct.unpack_from("<QQ", record, 40)
            return length, offset
    return size + 1, 0


def _zip_kind(directory: bytes) -> Format:
    names = _names_in(directory)
    if "schema.json" in names:
        return Format.SKOPS
    roots = {name[: -len("/data.pkl")] for name in names if name.endswith("/data.pkl")}
    if any(f"{root}/version" in names for root in roots):
        return Format.TORCH_ZIP
    if names and all(name.endswith(".npy") for name in names):
        return Format.NPZ
    return Format.ZIP


def _names_in(directory: bytes) -> set[str]:
    names, at = set(), 0
    while directory[at : at + 4] == b"PK\x01\x02" and len(directory) >= at + 46:
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        names.add(directory[at + 46 : at + 46 + name].decode("utf-8", errors="replace"))
        at += 46 + name + extra + comment
    return names


def _text_dialects(head: bytes, base: str) -> Iterator[Format]:
    lower = base.lower()
    start = head.lstrip(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"#!"):
        yield Format.SCRIPT
    if lower == "mlmodel":
        yield Format.MLMODEL
    elif lower in _MODULE_NAME_FILES:
        yield Format.MODULE_NAME
    elif lower.endswith((".yaml", ".yml")):
        yield Format.YAML
    elif lower.endswith(".txt") and ("requirement" in lower or "constraint" in lower):
        yield Format.REQUIREMENTS
    elif start.startswith((b"{", b"[")):
        yield Format.JSON
    elif start.startswith((b"<?php", b"<%")):
        yield Format.SCRIPT
    elif start[:9].lower().startswith(_MARKUP):
        yield Format.MARKUP
    elif lower.endswith(".pth") and any(
        line.lstrip().startswith((b"import ", b"import\t", b"exec")) for line in head.splitlines()
    ):
        # Python runs such lines of a .pth file that lies in a folder of installed packages.
        yield Format.PYTHON
    else:
        yield Format.TEXT


def _by_name(base: str, told: list[Format]) -> Iterator[Format]:
    """Readings that the name adds. It adds none to bytes that are known to be something else."""
    suffix = os.path.splitext(base.lower())[1]  # noqa: PTH122 - a name inside an archive, no path
    if (code := _CODE_SUFFIXES.get(suffix)) is not None:
        yield code
    texts = {Format.TEXT, Format.JSON, Format.YAML, Format.REQUIREMENTS, Format.MARKUP}
    if suffix in _PICKLE_SUFFIXES and (not told or texts & set(told)):
        yield Format.PICKLE
    if suffix == ".safetensors" and (not told or texts & set(told)):
        yield Format.SAFETENSORS
