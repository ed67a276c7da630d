"""Reading parts of a file without copying them: windows, and compressed parts.

Always holds: nothing is written to disk, and memory stays bounded whatever a header claims. A
window shares its parent's stream and position, so readers of the same file take turns; every
read seeks first.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol

from tidegate.scanners.codecs.lz4 import Lz4Decompressor
from tidegate.scanners.codecs.zstd import ZstdDecompressor

_CHUNK = 64 << 10
# Small enough to stay in the processor's cache between reading and summing.
_CRC_CHUNK = 256 << 10
# The largest that `xz -9` and joblib ask for is 65 MiB.
_LZMA_MEMORY = 80 << 20

HEAD_KEPT = 64 << 10
"""How many bytes from the start and from the end of an expanded part are kept at hand."""


class _Seekable(io.RawIOBase):
    """A stream of known size, with a position of its own."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the start")
        self._at = start + offset
        return self._at


class _Window(_Seekable):
    def __init__(self, base: BinaryIO, start: int, size: int) -> None:
        super().__init__(size)
        self._base, self._start = base, start

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        self._base.seek(self._start + self._at)
        count = self._base.readinto(memoryview(buffer)[:wanted])  # type: ignore[attr-defined]
        self._at += count
        return int(count)


def window(base: BinaryIO, start: int, size: int) -> BinaryIO:
    """The `size` bytes of `base` from `start`, as a seekable stream of their own."""
    return io.BufferedReader(_Window(base, start, size), _CHUNK)


def crc_of(base: BinaryIO, start: int, size: int) -> int:
    """The CRC-32 of a stretch of `base`, read into one small buffer, so that it costs no memory."""
    crc, at = 0, start
    buffer = memoryview(bytearray(min(_CRC_CHUNK, max(size, 1))))
    base.seek(start)
    while at < start + size:
        count = base.readinto(buffer[: min(len(buffer), start + size - at)])  # type: ignore[attr-defined]
        if not count:
            break
        crc = zlib.crc32(buffer[:count], crc)
        at += count
    return crc


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """Up to `count` bytes; fewer only at the end of the stream."""
    parts = []
    while count > 0 and (data := stream.read(min(count, 1 << 20))):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


class Codec(Protocol):
    """The common part of Python's decompressors."""

    @property
    def eof(self) -> bool:
        """Whether the compressed stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` more bytes."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""


class _Zlib:
    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._full

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        expanded = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        # A full answer may hide more output that waits inside.
        self._full = len(expanded) == max_length
        return expanded


CODECS: dict[str, Callable[[], Codec]] = {
    "deflate": lambda: _Zlib(-15),
    "zlib": lambda: _Zlib(15),
    "gzip": lambda: _Zlib(31),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, _LZMA_MEMORY),
    "lz4": Lz4Decompressor,
    "zstd": ZstdDecompressor,
}


class Expansion:
    """One pass over a compressed stream, from its start.

    `broken` says why it stopped before a proper end; `rest` is how many compressed bytes follow
    the end. With `several`, streams that follow one another are read as one, as gzip does.
    """

    def __init__(self, source: BinaryIO, codec: Callable[[], Codec], *, several: bool) -> None:
        self._source, self._make, self._several = source, codec, several
        self._codec = codec()
        self._source.seek(0)
        self._pending = b""
        self._begun = False
        self.broken: str | None = None
        self.ended = False
        self.rest = 0

    def read(self, count: int) -> bytes:
        """At most `count` more bytes; empty at the end, proper or not."""
        while not self.ended:
            if self._codec.eof and not self._next_stream():
                return b""
            data = b""
            if self._codec.needs_input:
                data = self._pending or self._source.read(_CHUNK)
                self._pending = b""
                if not data:
                    if getattr(self._codec, "may_end", False):
                        self.ended = True
                    else:
                        self._stop("it breaks off before its end")
                    return b""
                self._begun = True
            try:
                expanded = self._codec.decompress(data, count)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                self._stop(f"its data are damaged ({error})")
                return b""
            if expanded:
                return expanded
        return b""

    def _next_stream(self) -> bool:
        remaining = self._codec.unused_data
        if self._several and not remaining:
            remaining = self._source.read(_CHUNK)
        if self._several and remaining.strip(b"\0"):
            codec = self._make()
            try:
                codec.decompress(remaining[:64], 1)
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
                pass_over = True
            else:
                pass_over = False
            if not pass_over:
                self._codec, self._pending = self._make(), remaining
                return True
        self.rest = len(remaining)
        while data := self._source.read(_CHUNK):
            self.rest += len(data)
        self.ended = True
        return False

    def _stop(self, reason: str) -> None:
        self.broken, self.ended = reason, True


class _Expanded(_Seekable):
    """A seekable view of an expansion whose size is known; going back starts again."""

    going_back_is_slow = True

    def __init__(self, begin: Callable[[], Expansion], size: int, head: bytes, tail: bytes) -> None:
        super().__init__(size)
        self._begin, self._head, self._tail = begin, head, tail
        self._pass: Expansion | None = None
        self._reached = 0

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        data = self._kept(wanted) or self._expand(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _kept(self, wanted: int) -> bytes:
        if self._at < len(self._head):
            return self._head[self._at : self._at + wanted]
        from_end = self._at - (self._size - len(self._tail))
        return self._tail[from_end : from_end + wanted] if from_end >= 0 else b""

    def _expand(self, wanted: int) -> bytes:
        if self._pass is None or self._reached > self._at:
            self._pass, self._reached = self._begin(), 0
        while self._reached < self._at:
            skipped = self._pass.read(min(_CHUNK, self._at - self._reached))
            if not skipped:
                return b""
            self._reached += len(skipped)
        data = self._pass.read(min(wanted, _CHUNK))
        self._reached += len(data)
        return data


def expanded_stream(
    begin: Callable[[], Expansion], size: int, head: bytes, tail: bytes
) -> BinaryIO:
    """What `begin()` expands to, `size` bytes, as a seekable stream.

    `head` and `tail` are the first and last bytes, kept so that looking at both ends does not
    expand everything once more.
    """
    return io.BufferedReader(_Expanded(begin, size, head, tail), _CHUNK)


def shown(text: str, limit: int = 80) -> str:
    """Text from an artifact as it may stand in a message: printable ASCII, escaped, cut."""
    escaped = text[: limit * 2].encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= limit else f"{escaped[:limit]}..."
