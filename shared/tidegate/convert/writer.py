"""Writing a safetensors file: whole, or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.convert.errors import RefusedError
from tidegate.errors import UsageError

MAX_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of the output: `dtype` as safetensors names it, `size` in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int


def header_of(entries: Sequence[Entry]) -> bytes:
    """The length and the JSON header, padded so that the tensors begin at a multiple of 8."""
    table: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for entry in entries:
        table[entry.name] = {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [at, at + entry.size],
        }
        at += entry.size
    raw = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    if len(raw) > MAX_HEADER:
        raise RefusedError("its tensors have more names than a safetensors header may hold")
    return len(raw).to_bytes(8, "little") + raw


def write_atomically(target: Path, parts: Iterator[bytes], *, force: bool) -> int:
    """Write the parts beside `target`, then put them in its place; the bytes written.

    Raises:
        UsageError: the file is there already (and not `force`), or can't be written.
    """
    if not force and os.path.lexists(target):
        raise _exists(target)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise UsageError(f"{str(target)!r} can't be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as out:
            written = sum(out.write(part) for part in parts)
            out.flush()
            os.fsync(out.fileno())
            os.fchmod(out.fileno(), 0o666 & ~_umask())
        _put_in_place(name, target, force=force)
    except OSError as error:
        raise UsageError(f"{str(target)!r} can't be written: {error.strerror}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - a name from mkstemp
    return written


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _put_in_place(name: str, target: Path, *, force: bool) -> None:
    if force:
        os.replace(name, target)  # noqa: PTH105
        return
    try:
        # A link, unlike a rename, never takes the place of a file that came up meanwhile.
        os.link(name, target)
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        if os.path.lexists(target):
            raise _exists(target) from None
        os.replace(name, target)  # noqa: PTH105


def _exists(target: Path) -> UsageError:
    return UsageError(
        f"{str(target)!r} is there already", remedy="name another file, or say --force"
    )
