"""Where a torch file keeps its pickle and its storages: the zip format, and the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from tidegate.artifact.formats import TORCH_LEGACY_MAGIC
from tidegate.convert.errors import RefusedError
from tidegate.scanners.streams import read_exactly, shown
from tidegate.scanners.torch_tensors.reader import MAX_PICKLE, BrokenPickleError, Read
from tidegate.scanners.torch_tensors.reader import read_pickle as read_data
from tidegate.scanners.zip.directory import Archive, Member, read_archive

_MAX_MEMBERS = 1_000_000
_SMALL = 64
_LEGACY_PICKLES = 5


@dataclass(frozen=True, slots=True)
class Run:
    """A storage's bytes in the file."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The value that the file's pickle describes, and the storages that it refers to.

    `turned` says that the numbers are big-endian.
    """

    value: Any
    storages: Mapping[str, Run]
    turned: bool


def read_checkpoint(stream: BinaryIO, size: int) -> Checkpoint:
    """Read a torch file without its tensors' bytes.

    Raises:
        RefusedError: it is no torch file, or contradicts itself.
    """
    stream.seek(0)
    head = read_exactly(stream, 32)
    if head[:4] == b"PK\3\4":
        return _read_zip(stream, size)
    if TORCH_LEGACY_MAGIC.to_bytes(10, "little") in head:
        return _read_legacy(stream, size)
    raise RefusedError(
        "it is no file of torch.save: neither its zip format nor the one before",
        remedy="give the file that torch.save wrote",
    )


def read_pickle(data: bytes) -> Read:
    """The first pickle in `data`; refused where it is broken."""
    try:
        return read_data(data)
    except BrokenPickleError as error:
        raise RefusedError(str(error)) from None


def _read_zip(stream: BinaryIO, size: int) -> Checkpoint:
    archive = read_archive(stream, size, _MAX_MEMBERS)
    if archive.problems or archive.unread:
        why = archive.problems[0].message if archive.problems else archive.unread[0]
        raise RefusedError(f"its archive is broken or ambiguous: {why}")
    members = _by_name(archive)
    root = archive.members[0].name.split("/", 1)[0] + "/" if archive.members else ""
    pickle = members.get(f"{root}data.pkl")
    if pickle is None:
        raise RefusedError("its archive has no data.pkl, so torch.save did not write it")
    if f"{root}constants.pkl" in members:
        raise RefusedError(
            "it is a TorchScript archive, whose parameters belong to its code",
            remedy="load it with torch.jit.load where you trust it, and save its state_dict()",
        )
    read = read_pickle(_content(stream, pickle, MAX_PICKLE))
    if read.end != pickle.size:
        raise RefusedError("bytes follow the pickle in its data.pkl")
    order = b"little"
    if (told := members.get(f"{root}byteorder")) is not None:
        order = _content(stream, told, _SMALL).strip()
    if order not in {b"little", b"big"}:
        raise RefusedError(f"its byte order is {shown(order.decode('latin-1'))}")
    prefix = f"{root}data/"
    storages = {
        name[len(prefix) :]: Run(member.data, member.compressed)
        for name, member in members.items()
        if name.startswith(prefix) and member.method == 0
    }
    return Checkpoint(read.value, storages, order == b"big")


def _by_name(archive: Archive) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for member in archive.members:
        if member.name in members:
            raise RefusedError(f"its archive has two members {shown(member.name)}")
        members[member.name] = member
    return members


def _content(stream: BinaryIO, member: Member, limit: int) -> bytes:
    if member.method != 0 or member.is_encrypted:
        raise RefusedError(f"its member {shown(member.name)} is compressed, as torch never does")
    if member.compressed > limit:
        raise RefusedError(f"its member {shown(member.name)} is larger than {limit} bytes")
    stream.seek(member.data)
    return read_exactly(stream, member.compressed)


def _read_legacy(stream: BinaryIO, size: int) -> Checkpoint:
    """Five pickles (magic number, version, system, object, keys), then each storage's bytes."""
    stream.seek(0)
    data = read_exactly(stream, min(size, MAX_PICKLE))
    reads, at = [], 0
    for _ in range(_LEGACY_PICKLES):
        reads.append(read_pickle(data[at:]))
        at += reads[-1].end
    magic, version, _, value, keys = (read.value for read in reads)
    if magic != TORCH_LEGACY_MAGIC or version != 1001:
        raise RefusedError("its magic number or version is not that of torch's old format")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise RefusedError("its list of storages can't be told")
    sizes = reads[3].storages
    storages: dict[str, Run] = {}
    for key in keys:
        stream.seek(at)
        count = int.from_bytes(read_exactly(stream, 8), "little", signed=True)
        item = sizes.get(key)
        if item is None:
            raise RefusedError(f"its storage {shown(key)} is of a type that is not understood")
        if count < 0 or at + 8 + count * item > size:
            raise RefusedError(f"it ends inside the storage {shown(key)}")
        if key in storages:
            raise RefusedError(f"its storage {shown(key)} stands twice")
        storages[key] = Run(at + 8, count * item)
        at += 8 + count * item
    if at != size:
        raise RefusedError("bytes follow its last storage")
    return Checkpoint(value, storages, turned=False)
