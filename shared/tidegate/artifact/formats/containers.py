"""Compressed streams without a magic number, and containers that no reader of ours opens."""

from __future__ import annotations

import lzma

_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"070701", "a cpio archive"),
    (0, b"070702", "a cpio archive"),
    (0, b"070707", "a cpio archive"),
    (0, b"\xc7\x71", "a cpio archive"),
    (0, b"\x71\xc7", "a cpio archive"),
    (0, b"\xed\xab\xee\xdb", "an RPM package"),
    (32769, b"CD001", "a CD image"),
    (0, b"hsqs", "a SquashFS image"),
    (0, b"sqsh", "a SquashFS image"),
    (0, b"xar!", "a xar archive"),
    (0, b"MSWIM\0\0\0", "a Windows image"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE compound file"),
    (0, b"ITSF\3\0\0\0", "a compiled help file"),
    (0, b"\x60\xea", "an ARJ archive"),
    (7, b"**ACE**", "an ACE archive"),
    (2, b"-lh", "an LHA archive"),
    (0, b"ZOO ", "a ZOO archive"),
    (0, b"StuffIt", "a StuffIt archive"),
    (0, b"SIT!", "a StuffIt archive"),
    (0, b"\x1f\x9d", "a file packed by compress"),
    (0, b"\x1f\xa0", "a file packed by compress"),
    (0, b"\x1f\x1e", "a file packed by pack"),
    (0, b"LZIP\1", "an lzip file"),
    (0, b"LRZI", "an lrzip file"),
    (0, b"\x89LZO\0\r\n\x1a\n", "an lzop file"),
    (0, b"\xff\x06\0\0sNaPpY", "a Snappy stream"),
    (0, b"7kSt", "a ZPAQ archive"),
    (0, b"KDMV", "a disk image"),
    (0, b"QFI\xfb", "a disk image"),
    (0, b"conectix", "a disk image"),
    (0, b"vhdxfile", "a disk image"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"MSCF\0\0\0\0", "a cabinet file"),
    (0, b"PK00PK\3\4", "a part of a split zip archive"),
    (0, b"PK\x07\x08PK\3\4", "a part of a split zip archive"),
    (1, b"\x80LZFSE", "an Apple archive"),
    (0, b"AA01", "an Apple archive"),
    (0, b"bvx", "an LZFSE stream"),
)
_SHORT = {b"\xc7\x71": 26, b"\x71\xc7": 26, b"\x60\xea": 34}


def other_archive(head: bytes) -> str | None:
    """What the file is, where it is a container that is told and not opened."""
    for offset, magic, what in _OTHERS:
        if head.startswith(magic, offset) and _is_plausible(head, magic):
            return what
    return None


def _is_plausible(head: bytes, magic: bytes) -> bool:
    """Two bytes may stand anywhere: the fields behind them must make sense as well."""
    if magic in {b"\xc7\x71", b"\x71\xc7"}:
        order = "little" if magic == b"\xc7\x71" else "big"
        length = int.from_bytes(head[20:22], order)  # type: ignore[arg-type]
        return 1 < length < 1024 and head[25 + length : 26 + length] == b"\0"
    if magic == b"\x60\xea":
        return 30 <= int.from_bytes(head[2:4], "little") <= 2600 and head[10:11] == b"\2"
    if magic.startswith(b"0707"):
        return all(byte in b"0123456789abcdefABCDEF" for byte in head[6:70])
    if magic == b"-lh":
        return head[6:7] == b"-"
    if magic in {b"\x1f\x9d", b"\x1f\xa0", b"\x1f\x1e"}:
        return magic != b"\x1f\x9d" or head[2:3] >= b"\x80"
    return True


def is_lzma(head: bytes) -> bool:
    """Whether the bytes are an LZMA stream of the old kind ("alone"), which has no magic number.

    joblib takes every file that begins with 5d 00 for one.
    """
    if len(head) < 18 or head[0] >= 225 or head[13]:
        return False
    size = head[5:13]
    if size != b"\xff" * 8 and int.from_bytes(size, "little") >= 1 << 38:
        return False
    dictionary = int.from_bytes(head[1:5], "little")
    usual = dictionary >= 4096 and (dictionary.bit_count() <= 2 or dictionary == 0xFFFFFFFF)
    if not (usual or head[:2] == b"\x5d\0"):
        return False
    # What is looked at here needs no larger window, whatever the header asks for.
    begun = head[:1] + (1 << 16).to_bytes(4, "little") + head[5:4096]
    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, 1 << 24)
    try:
        return bool(decoder.decompress(begun, 1 << 16))
    except (lzma.LZMAError, MemoryError):
        return False
