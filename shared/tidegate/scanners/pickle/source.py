"""Reading forward through a stream in bounded memory.

A pickle may be gigabytes of array data with a few hundred opcodes between them, so nothing here
holds more than one chunk: small operands are returned, large ones are stepped over and can be
read again later through a `Window`.
"""

from __future__ import annotations

import io
from typing import BinaryIO

CHUNK = 1 << 18


class Break(Exception):  # noqa: N818 - a place where reading ends, not a fault of this program
    """The stream can't be read on as a pickle from here; `reason` says why.

    `limit` says that a bound of this program ended the reading: a loader might go on.
    """

    def __init__(self, reason: str, offset: int, *, limit: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.limit = limit


class Source:
    """A position in a seekable stream, with one chunk of it in memory.

    `offset` counts from the stream's start. What lies past `size`, or past the end of the
    stream where `size` claims more, is a `Break`, never an empty answer.
    """

    __slots__ = ("_base", "_chunk", "_position", "_stream", "size")

    def __init__(self, stream: BinaryIO, size: int, offset: int = 0) -> None:
        self._stream = stream
        self.size = size
        self._chunk = b""
        self._base = offset
        self._position = 0

    @property
    def stream(self) -> BinaryIO:
        """The stream beneath; its own position is of no meaning while a source reads it."""
        return self._stream

    @property
    def offset(self) -> int:
        """Where the next byte is read."""
        return self._base + self._position

    def seek(self, offset: int) -> None:
        """Read on at `offset`."""
        if self._base <= offset <= self._base + len(self._chunk):
            self._position = offset - self._base
        else:
            self._base, self._chunk, self._position = offset, b"", 0

    def byte(self) -> int:
        """The next byte, or -1 at the end."""
        if self._position >= len(self._chunk) and not self._refill():
            return -1
        value = self._chunk[self._position]
        self._position += 1
        return value

    def in_memory(self) -> tuple[bytes, int]:
        """The chunk at hand, and where in it the next byte is."""
        return self._chunk, self._position

    def advance(self, count: int) -> None:
        """Step over `count` bytes of the chunk at hand."""
        self._position += count

    def take(self, count: int) -> bytes:
        """The next `count` bytes; `count` is small, at most a chunk."""
        end = self._position + count
        if end <= len(self._chunk):
            data = self._chunk[self._position : end]
            self._position = end
            return data
        start = self.offset
        parts: list[bytes] = []
        missing = count
        while missing:
            if self._position >= len(self._chunk) and not self._refill():
                raise Break("the stream ends inside an opcode's operand", start)
            part = self._chunk[self._position : self._position + missing]
            self._position += len(part)
            missing -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Step over `count` bytes without reading them."""
        start = self.offset
        if count > self.size - start:
            raise Break("an operand claims more bytes than the stream has", start)
        self.seek(start + count)

    def find_newline(self, limit: int) -> int:
        """The length of the line from here, without its newline; the position stays.

        A line that does not end within `limit` bytes is a `Break`.
        """
        start, length = self.offset, 0
        while True:
            if self._position >= len(self._chunk) and not self._refill():
                raise Break("the stream ends inside a line of text", start)
            found = self._chunk.find(b"\n", self._position)
            if found >= 0:
                length += found - self._position
                break
            length += len(self._chunk) - self._position
            self._position = len(self._chunk)
            if length > limit:
                break
        self.seek(start)
        if length > limit:
            raise Break(f"a line of text is longer than {limit} bytes", start)
        return length

    def _refill(self) -> bool:
        start = self.offset
        wanted = min(CHUNK, self.size - start)
        if wanted <= 0:
            return False
        self._stream.seek(start)
        self._chunk = self._stream.read(wanted)
        self._base, self._position = start, 0
        return bool(self._chunk)


class Window(io.RawIOBase):
    """A part of a seekable stream as a stream of its own, without a copy."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        super().__init__()
        self._stream = stream
        self._offset = offset
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """True: that is what a window is for."""
        return True

    def seekable(self) -> bool:
        """True, as the stream beneath is."""
        return True

    def tell(self) -> int:
        """The position, counted from the window's start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move as `io` has it; ValueError before the window's start."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError(f"position {origin + offset} lies before the window's start")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the window; 0 at its end."""
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        self._stream.seek(self._offset + self._position)
        data = self._stream.read(wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
