"""Data files and models of single libraries, told by heads whose parts agree with each other.

As with the magic numbers: a test may be generous where the bytes could be no text, for a reading
that it adds is checked by its reader. Bytes that could be a text are told as one elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tidegate.artifact.formats.kinds import Format
from tidegate.artifact.formats.matlab4 import is_matlab4

_TIFF = frozenset({b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"})
_AIFF = frozenset({b"AIFF", b"AIFC"})
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))
# A safetensors header may begin with a "<" and zeros as well, and ones of 16 bits are such pairs.
_WIDE_MARKUP = re.compile(rb"<\0[?!a-zA-Z]\0[ -~]\0|\0<\0[?!a-zA-Z]\0[ -~]")
_NETPBM = re.compile(rb"P[456](?:\s|#[^\n]{0,200}\n)+\d{1,7}\s+\d{1,7}(?:\s+\d{1,5})?\s")
_RIFF = frozenset({b"WAVE", b"AVI ", b"RMID", b"sfbk", b"ACON"})
_WORD2VEC = re.compile(rb"\d{1,9} \d{1,6}\r?\n[^\n ]{1,400} ")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_R_OBJECT = re.compile(
    rb"(?:RD[XAB][23]\n)?(?:X\n\0\0\0[\x02\x03]|B\n[\x02\x03]\0\0\0|A\n[23]\n)",
    re.DOTALL,
)
_PROGRAMS: tuple[tuple[int, bytes], ...] = (
    (0, b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F"),  # a Windows shortcut
    (0, b"ITSF\3\0\0\0"),  # compiled help
    (0, b"\xed\xab\xee\xdb"),  # a package of RPM
    (0, b"\x1bLua"),
    (0, b"\x1bLJ"),
    (8, b"BEAM"),  # Erlang's byte code
    (0, b"\xca\xfe\xd0\x0d"),  # packed Java classes
    (0, b"JM\1\0PK"),  # a Java module
    (0, b"\3\2#\7\0"),  # SPIR-V
    (0, b"\x50\xed\x55\xba"),  # CUDA programs
    (0, b"MTLB\1"),
    (0, b"dey\n0"),
    (0, b"xar!\0"),  # an installer for macOS
    (0, b"\x7fCGC"),
)
"""Programs and what installs or starts one, beside those among the magic numbers."""


def by_data_head(head: bytes, size: int) -> Iterator[Format]:
    """The formats of this family that a file of `size` bytes with that head may be."""
    if head.startswith((793712314).to_bytes(4, "little")):
        yield Format.FASTTEXT
    if _WORD2VEC.match(head) and _CONTROL.search(head[:4096]):
        yield Format.WORD2VEC
    if head[124:128] in {b"\0\1IM", b"\1\0MI"} or is_matlab4(head, size):
        yield Format.MATLAB
    if head.startswith(b"ORC") and _CONTROL.search(head[:4096]):
        yield Format.ORC
    if head.startswith(b"crc\0"):
        yield Format.CHECKSUMS
    if _R_OBJECT.match(head):
        yield Format.R_OBJECT
    if head.startswith((b"\xac\xed\0\5", b"\xac\xed\0\6")):
        yield Format.JAVA_OBJECT
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        yield Format.COMPOUND
    if head.startswith(b"{\\rt"):
        yield Format.RTF
    if b"%PDF-" in head[1:1024] and b"\nendobj" in head:
        # Readers forgive some bytes before the mark.
        yield Format.PDF
    if any(head.startswith(magic, at) for at, magic in _PROGRAMS):
        yield Format.NATIVE
    if head.startswith(b"Obj\1"):
        yield Format.AVRO
    if _is_arrow_stream(head, size):
        yield Format.ARROW
    if head.startswith(b"binf") and head[4:64].count(0) > 8:
        yield Format.XGBOOST
    if head[:4] in _TIFF or (head[:2] == b"BM" and head[14:18] in _BMP_HEADERS):
        yield Format.IMAGE
    if _NETPBM.match(head) or _is_icon(head, size):
        yield Format.IMAGE
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        yield Format.IMAGE
    elif (head[:4] == b"RIFF" and head[8:12] in _RIFF) or head.startswith(b"OggS\0"):
        yield Format.MEDIA
    if head[:4] == b"FORM" and head[8:12] in _AIFF:
        yield Format.MEDIA
    if head[4:8] == b"ftyp" and head[:2] == b"\0\0":
        yield Format.MEDIA
    if head.startswith((b"\0\0\0\x0cjP  ", b"fLaC", b"ID3\2", b"ID3\3", b"ID3\4")):
        yield Format.MEDIA
    if _WIDE_MARKUP.match(head):
        # UTF-16 without a mark, which XML readers tell by this start.
        yield Format.MARKUP
    if _is_ubjson(head, size):
        yield Format.UBJSON


def _is_icon(head: bytes, size: int) -> bool:
    """An icon's directory, whose first picture follows it."""
    count = int.from_bytes(head[4:6], "little")
    start = int.from_bytes(head[18:22], "little")
    return head.startswith(b"\0\0\1\0") and 1 <= count <= 256 and 6 + 16 * count == start < size


def _is_arrow_stream(head: bytes, size: int) -> bool:
    """A message's length, and a flatbuffer whose first table has a list of fields."""
    length, root = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8))
    if head[:4] != b"\xff\xff\xff\xff" or not 16 <= length < size or not 4 <= root < length:
        return False
    back = int.from_bytes(head[8 + root : 12 + root], "little", signed=True)
    fields = head[8 + root - back : 10 + root - back] if 0 <= root - back < length else b""
    return len(fields) == 2 and 4 <= int.from_bytes(fields, "little") <= 32


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
