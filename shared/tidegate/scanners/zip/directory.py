"""The structure of a zip archive: end record, central directory, local headers, gaps.

Readers differ in which header they believe, so all are read and compared (PKWARE's APPNOTE.TXT
6.3.10, sections 4.3 to 4.5, names the fields). What honest writers do differently from one
another is no problem here: sizes in a data descriptor after the member, zip64 fields, padding in
the local extra field.

Always holds: never raises for hostile bytes; what can't be read ends up in `Archive.problems`
or `Archive.unread`; memory is bounded by the limits on members and on the directory's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from tidegate.scanners.member_names import is_odd
from tidegate.scanners.streams import read_exactly, shown

_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
LOCAL = struct.Struct("<4s5H3I2H")
_MAX_DIRECTORY = 128 << 20
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF

FLAG_ENCRYPTED = 0x0001
FLAG_DESCRIPTOR = 0x0008
FLAG_PATCHED = 0x0020
FLAG_STRONG = 0x0040
FLAG_UTF8 = 0x0800
FLAG_MASKED = 0x2000
_KNOWN_FLAGS = 0x281F | FLAG_PATCHED | FLAG_STRONG
# Bits 1 and 2 tell how hard the compressor tried, and writers may know that only afterwards.
_COMPARED_FLAGS = 0xFFFF & ~0x0006


@dataclass(slots=True)
class Member:
    """One entry of the central directory. Offsets count from the start of the stream."""

    name: str
    raw_name: bytes
    creator: int
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    attributes: int
    header: int
    data: int = -1
    end: int = -1
    agreed: bool = False
    """Whether the local header is there and says the same."""

    @property
    def is_folder(self) -> bool:
        """Whether the entry stands for a folder, and should have no content."""
        return self.name.endswith("/")

    @property
    def is_encrypted(self) -> bool:
        """Whether its content or its header is encrypted, in any of zip's ways."""
        return bool(self.flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) or self.method == 99


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: the rule, the message, where, and which member it is about."""

    rule: str
    message: str
    offset: int | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that belong to no member and no header."""

    start: int
    size: int


@dataclass(slots=True)
class Archive:
    """What was read. `unread` has the reasons why a part of the structure was not."""

    members: list[Member] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def broken(self, message: str, offset: int | None = None, member: str | None = None) -> None:
        """Note that the structure contradicts itself."""
        self.problems.append(Problem("ZIP-MALFORMED", message, offset, member))


@dataclass(frozen=True, slots=True)
class _End:
    start: int
    directory: int
    directory_size: int
    count: int
    shift: int
    comment: bytes


def read_archive(stream: BinaryIO, size: int, max_members: int) -> Archive:
    """Read and check the whole structure of the archive in `stream`."""
    archive = Archive()
    end = _find_end(stream, size, archive)
    if end is None:
        return archive
    if end.directory_size > _MAX_DIRECTORY:
        archive.unread.append(f"the archive's directory is larger than {_MAX_DIRECTORY >> 20} MiB")
        return archive
    for member in _read_directory(stream, end, archive):
        if len(archive.members) >= max_members:
            archive.unread.append(f"the archive has more than {max_members} members")
            break
        archive.members.append(member)
    for member in archive.members:
        _compare_local(stream, size, member, archive)
    _find_gaps(stream, size, end, archive)
    return archive


def _at(stream: BinaryIO, offset: int, count: int) -> bytes:
    stream.seek(offset)
    return read_exactly(stream, count)


def _find_end(stream: BinaryIO, size: int, archive: Archive) -> _End | None:
    tail_size = min(size, _END.size + _FULL16)
    tail = _at(stream, size - tail_size, tail_size)
    base = size - tail_size
    at = tail.rfind(b"PK\x05\x06", 0, max(0, len(tail) - _END.size + 4))
    if at < 0:
        archive.broken(
            "the archive has no end record: it is cut off, or not meant for every reader"
        )
        archive.unread.append("the archive has no directory that can be read")
        return None
    _, disk, first_disk, here, count, length, offset, comment = _END.unpack_from(tail, at)
    start = base + at
    after = tail[at + _END.size :]
    if len(after) != comment:
        archive.broken(f"{len(after)} bytes follow the end record, which claims {comment}", start)
    _find_rival_end(tail, at, archive, base)
    if (disk, first_disk) not in {(0, 0), (_FULL16, _FULL16), (0, _FULL16), (_FULL16, 0)}:
        archive.broken("the archive claims to be one of several volumes", start)
    limit = start
    if _FULL16 in (here, count) or _FULL32 in (length, offset) or _has_locator(stream, start):
        wide = _read_end64(stream, start, (here, count, length, offset), archive)
        if wide is not None:
            here, count, length, offset, limit = wide
    if here != count:
        archive.broken("the end record counts the members in two ways", start)
    if length > limit:
        archive.broken("the directory would begin before the archive does", start)
        archive.unread.append("the archive has no directory that can be read")
        return None
    shift = limit - length - offset
    if shift:
        _judge_shift(stream, offset, shift, archive)
    return _End(start, limit - length, length, count, shift, after)


def _find_rival_end(tail: bytes, chosen: int, archive: Archive, base: int) -> None:
    """Readers that check the comment's length may settle for an earlier record than others."""
    at = tail.rfind(b"PK\x05\x06", 0, chosen)
    while at >= 0:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if at + _END.size + comment == len(tail):
            archive.broken(
                "the archive has two end records, and readers choose differently", base + at
            )
            return
        at = tail.rfind(b"PK\x05\x06", 0, at)


def _has_locator(stream: BinaryIO, end: int) -> bool:
    return end >= _LOCATOR.size and _at(stream, end - _LOCATOR.size, 4) == b"PK\x06\x07"


def _read_end64(
    stream: BinaryIO, end: int, narrow: tuple[int, int, int, int], archive: Archive
) -> tuple[int, int, int, int, int] | None:
    """The four counts of the zip64 end record and its own offset."""
    if not _has_locator(stream, end):
        if _FULL32 in narrow[2:]:
            archive.broken("the end record points to a zip64 record that is not there", end)
        return None
    _, _, claimed, volumes = _LOCATOR.unpack(_at(stream, end - _LOCATOR.size, _LOCATOR.size))
    at = end - _LOCATOR.size - _END64.size
    raw = _at(stream, at, _END64.size) if at >= 0 else b""
    if len(raw) < _END64.size or raw[:4] != b"PK\x06\x06":
        archive.broken("the zip64 end record is not where it belongs", end)
        return None
    _, length, _, _, _, _, here, count, directory_size, directory = _END64.unpack(raw)
    if length != _END64.size - 12 or volumes not in {0, 1}:
        archive.broken("the zip64 end record has an unusual form", at)
    if claimed != at and claimed + (at - directory_size - directory) != at:
        archive.broken("the zip64 locator points elsewhere than to the record before it", at)
    for short, wide, full in zip(
        narrow,
        (here, count, directory_size, directory),
        (_FULL16, _FULL16, _FULL32, _FULL32),
        strict=True,
    ):
        if short not in {full, wide}:
            archive.broken("the end record and the zip64 end record disagree", at)
            break
    return here, count, directory_size, directory, at


def _judge_shift(stream: BinaryIO, offset: int, shift: int, archive: Archive) -> None:
    """Offsets that don't count from the start of the file: bytes were put before the archive."""
    if shift < 0:
        archive.broken("the end record points past the directory")
    elif _at(stream, offset, 4) == b"PK\x01\x02":
        archive.broken("the archive has two directories, and readers choose differently", offset)
    else:
        archive.problems.append(
            Problem("ZIP-HIDDEN-DATA", f"{shift} bytes were put before the archive", 0)
        )


def _read_directory(stream: BinaryIO, end: _End, archive: Archive) -> Iterator[Member]:
    raw = _at(stream, end.directory, end.directory_size)
    at = seen = 0
    while at < len(raw):
        if raw[at : at + 4] != b"PK\x01\x02" or len(raw) - at < _CENTRAL.size:
            archive.broken("the directory holds something else than members", end.directory + at)
            archive.unread.append(f"the archive's directory can't be read from byte {at} on")
            return
        fields = _CENTRAL.unpack_from(raw, at)
        name_size, extra_size, comment_size = fields[10:13]
        name_at = at + _CENTRAL.size
        after = name_at + name_size + extra_size + comment_size
        if after > len(raw):
            archive.broken("a member's entry is longer than the directory", end.directory + at)
            archive.unread.append(f"the archive's directory can't be read from byte {at} on")
            return
        raw_name = raw[name_at : name_at + name_size]
        extra = raw[name_at + name_size : name_at + name_size + extra_size]
        yield _member(fields, raw_name, extra, end, archive)
        seen += 1
        at = after
    if seen != end.count:
        archive.broken(f"the end record claims {end.count} members, the directory has {seen}")


def _member(
    fields: tuple[int, ...], raw_name: bytes, extra: bytes, end: _End, archive: Archive
) -> Member:
    version, flags, method = fields[1], fields[3], fields[4]
    crc, compressed, size = fields[7:10]
    header = fields[16]
    name = _decoded(raw_name, flags, archive)
    extras = _extras(extra, name, archive)
    size, compressed, header = _widened(extras.get(1, b""), (size, compressed, header))
    if (other := extras.get(0x7075)) is not None and other[5:] != raw_name:
        archive.broken("a member has a second name in its extra field", member=name)
    if fields[13] not in {0, _FULL16}:
        archive.broken("a member claims to begin in another volume", member=name)
    if flags & FLAG_PATCHED or flags & ~_KNOWN_FLAGS:
        archive.broken("a member has flags that no writer sets", member=name)
    return Member(
        name=name,
        raw_name=raw_name,
        creator=version >> 8,
        flags=flags,
        method=method,
        crc=crc,
        compressed=compressed,
        size=size,
        attributes=fields[15],
        header=header + end.shift,
    )


def _decoded(raw: bytes, flags: int, archive: Archive) -> str:
    try:
        name = raw.decode("utf-8" if flags & FLAG_UTF8 else "cp437")
    except UnicodeDecodeError:
        name = raw.decode("utf-8", errors="replace")
        archive.broken("a member's name is not the UTF-8 that it claims to be", member=name)
    if is_odd(name) or any(byte < 0x20 or byte == 0x7F for byte in raw):
        archive.broken(
            "a member's name is empty or holds characters that hide a part of it", member=name
        )
    return name


def _extras(extra: bytes, name: str, archive: Archive) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            archive.broken("a member's extra field is longer than its place", member=name)
            break
        if kind in fields and kind in {1, 0x7075}:
            archive.broken("a member's extra field says the same thing twice", member=name)
        fields[kind] = extra[at + 4 : at + 4 + length]
        at += 4 + length
    return fields


def _widened(field: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Replace those of `values` that say "see zip64" by the field's next 8 bytes each."""
    wide, at = [], 0
    for value in values:
        if value == _FULL32 and at + 8 <= len(field):
            wide.append(int.from_bytes(field[at : at + 8], "little"))
            at += 8
        else:
            wide.append(value)
    return tuple(wide)


def _compare_local(stream: BinaryIO, size: int, member: Member, archive: Archive) -> None:
    raw = _at(stream, member.header, LOCAL.size) if 0 <= member.header < size else b""
    if len(raw) < LOCAL.size or raw[:4] != b"PK\x03\x04":
        archive.broken("a member's own header is missing", member.header, member.name)
        return
    _, _, flags, method, _, _, crc, compressed, full, name_size, extra_size = LOCAL.unpack(raw)
    names = _at(stream, member.header + LOCAL.size, name_size + extra_size)
    raw_name, extra = names[:name_size], names[name_size:]
    member.data = member.header + LOCAL.size + name_size + extra_size
    member.end = member.data + member.compressed
    extras = _extras(extra, member.name, archive)
    has_wide = 1 in extras
    if _FULL32 in (full, compressed):
        full, compressed = _widened(extras.get(1, b""), (full, compressed))
    if (other := extras.get(0x7075)) is not None and other[5:] != raw_name:
        archive.broken("a member has a second name in its extra field", member=member.name)
    differing = []
    if raw_name != member.raw_name:
        differing.append(f"name {shown(raw_name.decode('utf-8', errors='replace'))}")
    if (flags ^ member.flags) & _COMPARED_FLAGS:
        differing.append("flags")
    if method != member.method:
        differing.append("compression method")
    deferred = bool(flags & FLAG_DESCRIPTOR)
    for label, local, central in (
        ("checksum", crc, member.crc),
        ("compressed size", compressed, member.compressed),
        ("size", full, member.size),
    ):
        # Before a data descriptor the writer did not know yet, and left zero (or "see zip64").
        if local != central and not (deferred and local in {0, _FULL32}):
            differing.append(label)
    if differing:
        archive.broken(
            f"a member's header and the directory disagree on: {', '.join(differing)}",
            member.header,
            member.name,
        )
    if member.end > size:
        archive.broken("a member reaches past the end of the file", member.header, member.name)
        return
    member.agreed = not differing
    if deferred:
        _read_descriptor(stream, member, archive, wide_first=has_wide)


def _read_descriptor(
    stream: BinaryIO, member: Member, archive: Archive, *, wide_first: bool
) -> None:
    raw = _at(stream, member.end, 24)
    widths = ("<QQ", "<II") if wide_first else ("<II", "<QQ")
    for signed in (True, False):
        body = raw[4:] if signed else raw
        if signed and raw[:4] != b"PK\x07\x08":
            continue
        for layout in widths:
            length = 4 + struct.calcsize(layout)
            if len(body) < length:
                continue
            values = (int.from_bytes(body[:4], "little"), *struct.unpack_from(layout, body, 4))
            if values == (member.crc, member.compressed, member.size):
                member.end += length + (4 if signed else 0)
                return
    member.agreed = False
    archive.broken("a member's data descriptor disagrees or is missing", member.end, member.name)


def _find_gaps(stream: BinaryIO, size: int, end: _End, archive: Archive) -> None:
    reached = 0
    for member in sorted(archive.members, key=lambda member: member.header):
        if member.end < 0 or member.end > size:
            continue
        if member.header > reached:
            _note_gap(stream, reached, member.header, archive, shift=end.shift)
        elif member.header < reached:
            archive.broken("a member lies inside another one", member.header, member.name)
        reached = max(reached, member.end)
    if reached > end.directory:
        archive.broken("a member reaches into the directory", end.directory)
    elif reached < end.directory:
        _note_gap(stream, reached, end.directory, archive, shift=end.shift)
    if end.comment:
        start = size - len(end.comment)
        archive.gaps.append(Gap(start, len(end.comment)))


def _note_gap(stream: BinaryIO, start: int, end: int, archive: Archive, *, shift: int) -> None:
    hidden = Gap(start, end - start)
    archive.gaps.append(hidden)
    head = _at(stream, start, 4)
    if head == b"PK\x03\x04":
        archive.broken("a member stands in the archive that the directory does not list", start)
    elif start > 0 or shift <= 0:
        where = "before the first member" if start == 0 else "between the members"
        archive.problems.append(
            Problem("ZIP-HIDDEN-DATA", f"{end - start} bytes stand {where}", start)
        )
