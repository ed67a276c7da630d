"""One member's headers: the 512-byte block, and what GNU and pax put before it.

After POSIX.1-2017 "pax Interchange Format" and GNU tar's manual, "Basic Tar Format". Where
two readers would take a header differently, that is a problem to report, and the reading of
Python's tarfile goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from tidegate.scanners.streams import read_exactly

BLOCK = 512
_LONG_NAME = 64 << 10
_PAX = 1 << 20
REGULAR = frozenset({b"0", b"\0", b"7"})
FOLDER, HARD_LINK, SYMBOLIC_LINK, SPARSE = b"5", b"1", b"2", b"S"
DEVICES = frozenset({b"3", b"4", b"6"})
_PAX_TYPES = frozenset({b"x", b"X"})
_ZIP_END = b"PK\5\6"
_OVERRIDING = ("path", "linkpath", "size")


class BrokenHeaderError(Exception):
    """Reading can't go on from this block; the message says why."""


@dataclass(slots=True)
class Header:
    """One member. Offsets count from the start of the stream; `problems` are for a person."""

    start: int
    name: str
    kind: bytes
    size: int
    data: int
    link: str = ""
    sparse: bool = False
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Pending:
    """What stood before the member's own block."""

    name: str | None = None
    link: str | None = None
    records: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    seen: int = 0


def read_block(stream: BinaryIO, at: int) -> bytes:
    """The block there, shorter at the end of the stream."""
    stream.seek(at)
    return read_exactly(stream, BLOCK)


def read_header(stream: BinaryIO, at: int, size: int) -> Header:
    """The member whose headers begin at `at`.

    Raises:
        BrokenHeaderError: there is no header that can be read.
    """
    pending = _Pending()
    start = at
    while True:
        block = read_block(stream, at)
        length = _check(block)
        kind = block[156:157]
        _note_archive(block, pending.problems)
        if kind in {b"L", b"K"}:
            value = _payload(stream, at, length, size, _LONG_NAME)
            _note_archive(value, pending.problems)
            text = _text(value.split(b"\0", 1)[0])
            if value.rstrip(b"\0").find(b"\0") >= 0:
                pending.problems.append("a long name has more after its end")
            if (pending.name if kind == b"L" else pending.link) is not None:
                pending.problems.append("a member has two long names")
            if kind == b"L":
                pending.name = text
            else:
                pending.link = text
        elif kind in _PAX_TYPES or kind == b"g":
            raw = _payload(stream, at, length, size, _PAX)
            _note_archive(raw, pending.problems)
            records = _pax(raw, pending.problems)
            if kind == b"g":
                if any(key in records for key in _OVERRIDING) or _is_sparse(records):
                    pending.problems.append("a global header sets names or sizes for all members")
            else:
                if set(records) & set(pending.records):
                    pending.problems.append("a member has two pax headers that say the same thing")
                pending.records.update(records)
        else:
            return _member(block, at, start, length, pending)
        pending.seen += 1
        if pending.seen > 8:
            raise BrokenHeaderError("more than 8 extended headers stand before one member")
        at += BLOCK + _padded(length)


def _note_archive(raw: bytes, problems: list[str]) -> None:
    """A zip reader looks for its end record in the last bytes of a file, wherever they are."""
    if _ZIP_END in raw:
        problems.append("a header holds the end of a zip archive")


def _padded(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


def _check(block: bytes) -> int:
    """The size that the block claims, after its checksum held."""
    if len(block) < BLOCK:
        raise BrokenHeaderError("the archive ends inside a header")
    claimed = _number(block[148:156])
    plain = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
    signed = plain - 256 * sum(byte > 0x7F for part in (block[:148], block[156:]) for byte in part)
    if claimed is None or claimed not in {plain, signed}:
        raise BrokenHeaderError("a header's checksum does not hold")
    length = _number(block[124:136])
    if length is None or not 0 <= length < 1 << 63:
        raise BrokenHeaderError("a header's size is no number that can be")
    return length


def _number(raw: bytes) -> int | None:
    """Octal digits, or GNU's numbers to the base 256."""
    if raw[0] in {0x80, 0xFF}:
        value = int.from_bytes(raw[1:], "big")
        return value - (1 << 8 * (len(raw) - 1)) if raw[0] == 0xFF else value
    digits = raw.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    if not all(byte in b"01234567" for byte in digits):
        return None
    return int(digits, 8)


def _payload(stream: BinaryIO, at: int, length: int, size: int, limit: int) -> bytes:
    if length > limit or at + BLOCK + length > size:
        raise BrokenHeaderError("an extended header is longer than any that is written")
    stream.seek(at + BLOCK)
    return read_exactly(stream, length)


def _text(raw: bytes) -> str:
    return (
        raw.decode("utf-8", errors="surrogateescape")
        .encode("utf-8", "backslashreplace")
        .decode("utf-8", "replace")
    )


def _pax(raw: bytes, problems: list[str]) -> dict[str, str]:
    """The records: a length, a space, "KEY=VALUE", a newline."""
    records: dict[str, str] = {}
    at = 0
    while at < len(raw) and raw[at]:
        space = raw.find(b" ", at, at + 12)
        digits = raw[at:space] if space > 0 else b""
        length = int(digits) if digits.isdigit() else 0
        record = raw[at : at + length]
        if length < 5 or len(record) < length or record[-1:] != b"\n" or b"=" not in record:
            problems.append("a pax header holds a record that can't be read")
            return records
        key, _, value = record[space - at + 1 : -1].partition(b"=")
        name = _text(key)
        if name in records and name in _OVERRIDING:
            problems.append(f"a pax header says {name} twice")
        records[name] = _text(value)
        at += length
    if raw[at:].strip(b"\0"):
        problems.append("bytes follow the records of a pax header")
    return records


def _is_sparse(records: dict[str, str]) -> bool:
    return any(key.startswith("GNU.sparse.") for key in records)


def _member(block: bytes, at: int, start: int, length: int, pending: _Pending) -> Header:
    kind = block[156:157]
    problems = pending.problems
    name = _text(block[:100].split(b"\0", 1)[0])
    magic = block[257:263]
    if magic == b"ustar\0":
        prefix = _text(block[345:500].split(b"\0", 1)[0])
        name = f"{prefix}/{name}" if prefix else name
    elif magic not in {b"ustar ", b"\0" * 6}:
        problems.append("a header's magic number is not tar's")
    link = _text(block[157:257].split(b"\0", 1)[0])
    records = pending.records
    if pending.name is not None and "path" in records and records["path"] != pending.name:
        problems.append("a member has a long name and another one in its pax header")
    name = records.get("path", pending.name if pending.name is not None else name)
    link = records.get("linkpath", pending.link if pending.link is not None else link)
    if "size" in records:
        told = (
            int(records["size"]) if records["size"].isascii() and records["size"].isdigit() else -1
        )
        if told < 0 or (length not in {0, told}):
            problems.append("a member's pax header and its header disagree on the size")
        length = told if told >= 0 else length
    data = at + BLOCK
    if kind == b"\0" and name.endswith("/"):
        kind = FOLDER
    if "\0" in name or any(key.partition(".")[0] == "hdrcharset" for key in records):
        problems.append("a member's name is written in an unusual way")
    return Header(
        start, name, kind, length, data, link, kind == SPARSE or _is_sparse(records), problems
    )
