"""The conversion itself: check everything first, then stream."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tidegate.artifact.source import FileIdentity, opened
from tidegate.convert.checkpoint import Checkpoint, Run, read_checkpoint
from tidegate.convert.errors import RefusedError
from tidegate.convert.state_dict import find_state_dict
from tidegate.convert.strides import Elements, reach, swapped
from tidegate.convert.writer import Entry, header_of, write_atomically
from tidegate.errors import ArtifactMissingError, ArtifactUnreadableError
from tidegate.scanners.streams import shown
from tidegate.scanners.torch_tensors.reader import Tensor

_GROWTH, _ROOM = 4, 64 << 20


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written: `keys` led to the state dict, `shared` names share others' storage."""

    path: str
    tensors: int
    size: int
    keys: tuple[str, ...]
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """One tensor's bytes: where its first element stands, and how to read on."""

    entry: Entry
    tensor: Tensor
    start: int


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    keys: Sequence[str] = (),
    force: bool = False,
    identity: FileIdentity | None = None,
) -> Converted:
    """Write the state dict in the torch file `source` as the safetensors file `target`.

    Args:
        source: what torch.save wrote, in its zip format or the one before.
        target: the file to write; it is there whole, or not at all.
        keys: where in the checkpoint the state dict is, outermost first.
        force: replace `target` where it is there already.
        identity: the state of `source` that was scanned; another one is refused.

    Raises:
        RefusedError: the file holds something other than plain tensors.
        ArtifactChangedError: it was written meanwhile.
        UsageError: `target` is there already, or can't be written.
    """
    location = os.path.abspath(os.fspath(source))  # noqa: PTH100 - no link is resolved
    if identity is None:
        identity = identity_of(location)
    with (
        opened(location, identity) as descriptor,
        os.fdopen(os.dup(descriptor), "rb") as stream,
        closing(Elements(stream)) as elements,
    ):
        checkpoint = read_checkpoint(stream, identity.size)
        tensors, found = find_state_dict(checkpoint.value, keys)
        sources = _sources(tensors, checkpoint)
        total = sum(each.entry.size for each in sources)
        if total > _GROWTH * identity.size + _ROOM:
            raise RefusedError(
                f"its tensors would fill {total} bytes, of a file of {identity.size}: they repeat"
                " the same few numbers"
            )
        header = header_of([each.entry for each in sources])
        parts = _parts(header, sources, elements, turned=checkpoint.turned)
        written = write_atomically(Path(target), parts, force=force)
    return Converted(os.fspath(target), len(sources), written, found, _shared(sources))


def identity_of(location: str) -> FileIdentity:
    """The state of the file as it is now.

    Raises:
        ArtifactMissingError: there is none.
        ArtifactUnreadableError: it is no regular file.
    """
    try:
        status = os.stat(location)  # noqa: PTH116 - the one place where a link is followed
    except OSError as error:
        raise ArtifactMissingError(f"{location!r} can't be read: {error.strerror}") from error
    if not os.path.isfile(location):  # noqa: PTH113
        raise ArtifactUnreadableError(f"{location!r} is no file")
    return FileIdentity.of(status)


def _sources(tensors: dict[str, Tensor], checkpoint: Checkpoint) -> list[_Source]:
    """Every tensor with its place, checked; the widest types first, as the library orders them."""
    found = [_source(name, tensor, checkpoint) for name, tensor in tensors.items()]
    return sorted(found, key=lambda each: (-each.tensor.dtype.size, each.entry.name))


def _source(name: str, tensor: Tensor, checkpoint: Checkpoint) -> _Source:
    what = f"its tensor {shown(name)!r}"
    dtype = tensor.dtype
    if dtype.safetensors is None:
        raise RefusedError(f"{what} is of the type {dtype.name}, which safetensors does not have")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise RefusedError(f"{what} has a name that is no text") from None
    run = checkpoint.storages.get(tensor.storage.key)
    if run is None:
        raise RefusedError(f"{what} is of a storage that is not in the file")
    first = tensor.storage.first + tensor.offset
    needed = reach(tensor.shape, tensor.stride)
    _check_bounds(what, tensor, run, first + needed if needed else 0)
    count = math.prod(tensor.shape)
    entry = Entry(name, dtype.safetensors, tensor.shape, count * dtype.size)
    return _Source(entry, tensor, run.start + first * dtype.size)


def _check_bounds(what: str, tensor: Tensor, run: Run, end: int) -> None:
    size = tensor.dtype.size
    if run.size < (tensor.storage.first + tensor.storage.count) * size:
        raise RefusedError(f"{what} is of a storage that is shorter than it claims")
    if end > tensor.storage.first + tensor.storage.count:
        raise RefusedError(f"{what} reaches past the end of its storage")


def _parts(
    header: bytes, sources: list[_Source], elements: Elements, *, turned: bool
) -> Iterator[bytes]:
    yield header
    for each in sources:
        tensor = each.tensor
        given = 0
        for data in elements.read(each.start, tensor.dtype.size, tensor.shape, tensor.stride):
            given += len(data)
            yield swapped(data, tensor.dtype.unit) if turned else data
        if given != each.entry.size:
            raise RefusedError(f"its tensor {shown(each.entry.name)!r} has not the size it claims")


def _shared(sources: list[_Source]) -> tuple[str, ...]:
    """The names whose storage another name has as well."""
    seen: dict[str, str] = {}
    shared: set[str] = set()
    for each in sources:
        key = each.tensor.storage.key
        if key in seen:
            shared.update((each.entry.name, seen[key]))
        seen.setdefault(key, each.entry.name)
    return tuple(sorted(shared))
