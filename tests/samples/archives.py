"""Zip archives written byte by byte, so that each header can lie on its own."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field

HARMFUL_PICKLE = b"cos\nsystem\n(S'echo tidegate'\ntR."
"""A pickle of protocol 0 that would run a harmless command."""

HARMLESS_PICKLE = b"\x80\x02]q\x00(K\x01K\x02e."


@dataclass
class RawMember:
    """One member; `local` and `central` override single fields of either header."""

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0
    extra: bytes = b""
    local_extra: bytes = b""
    descriptor: bytes | None = None
    creator: int = 3
    mode: int = 0o100644
    local: dict[str, object] = field(default_factory=dict)
    central: dict[str, object] = field(default_factory=dict)
    hidden: bool = False
    packed: bytes | None = None

    def body(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method == 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            return packer.compress(self.data) + packer.flush()
        return self.data


def raw_zip(
    members: list[RawMember],
    *,
    prefix: bytes = b"",
    gap: bytes = b"",
    before_directory: bytes = b"",
    comment: bytes = b"",
    trailing: bytes = b"",
    count: int | None = None,
    shift_offsets: bool = True,
) -> bytes:
    """An archive of the members; with `shift_offsets`, offsets count the prefix in."""
    out = bytearray(prefix)
    entries = []
    for member in members:
        body = member.body()
        offset = len(out) - (0 if shift_offsets else len(prefix))
        values: dict[str, object] = {
            "name": member.name,
            "flags": member.flags,
            "method": member.method,
            "crc": zlib.crc32(member.data),
            "compressed": len(body),
            "size": len(member.data),
            "offset": offset,
        }
        local = {**values, **member.local}
        out += struct.pack(
            "<4s5H3I2H",
            b"PK\3\4",
            20,
            local["flags"],
            local["method"],
            0,
            0,
            local["crc"],
            local["compressed"],
            local["size"],
            len(local["name"]),
            len(member.local_extra),
        )
        out += local["name"] + member.local_extra + body + (member.descriptor or b"") + gap
        if not member.hidden:
            entries.append((member, {**values, **member.central}))
    out += before_directory
    start = len(out)
    for member, values in entries:
        out += struct.pack(
            "<4s6H3I5H2I",
            b"PK\1\2",
            member.creator << 8 | 20,
            20,
            values["flags"],
            values["method"],
            0,
            0,
            values["crc"],
            values["compressed"],
            values["size"],
            len(values["name"]),
            len(member.extra),
            0,
            0,
            0,
            member.mode << 16,
            values["offset"],
        )
        out += values["name"] + member.extra
    told = len(entries) if count is None else count
    directory = start - (0 if shift_offsets else len(prefix))
    size = len(out) - start
    out += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, told, told, size, directory, len(comment))
    return bytes(out + comment + trailing)


class Unseekable(io.RawIOBase):
    """A stream that can't go back: zipfile then writes data descriptors."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def streamed_zip(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """What Python's zipfile writes on a stream that can't seek."""
    target = Unseekable()
    with zipfile.ZipFile(target, "w", compression) as archive:  # type: ignore[type-var]
        for name, data in members.items():
            archive.writestr(name, data)
    return bytes(target.data)


def plain_zip(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """What Python's zipfile writes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()
