"""What our own decompressors share: input that comes in pieces, output that is given in pieces.

They have the form of Python's own (`decompress` with a bound, `eof`, `needs_input`,
`unused_data`), and a frame that is stepped over, as LZ4 and Zstandard both have it. Always holds:
what is expanded and not yet given is one block at most, and a broken frame raises ValueError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class FrameDecompressor(ABC):
    """One frame; bytes after its end are `unused_data`."""

    def __init__(self) -> None:
        self.eof = False
        self._input = bytearray()
        self._output = bytearray()
        self._waiting = True
        self._begun = False
        self._skip = 0

    @property
    def unused_data(self) -> bytes:
        """What followed the frame."""
        return bytes(self._input) if self.eof else b""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""
        return self._waiting and not self._output and not self.eof

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` more bytes; ValueError where the frame is broken."""
        self._input += data
        self._waiting = False
        try:
            while not (self._output or self.eof or self._waiting):
                self._waiting = not self._step()
        except IndexError:
            raise ValueError("a compressed block breaks off") from None
        given = bytes(self._output[:max_length])
        del self._output[:max_length]
        return given

    def _step(self) -> bool:
        """One header or block; False where it is not there yet."""
        if self._skip:
            passed = min(self._skip, len(self._input))
            del self._input[:passed]
            self._skip -= passed
            self.eof = not self._skip
            return passed > 0
        return self._block_step() if self._begun else self._begin()

    @abstractmethod
    def _begin(self) -> bool:
        """Read the frame's header; False where it is not there yet."""

    @abstractmethod
    def _block_step(self) -> bool:
        """Read one block, or the frame's end; False where it is not there yet."""

    def _take(self, count: int) -> bytes | None:
        """The next bytes, or None, and nothing is taken, where they are not all there."""
        if len(self._input) < count:
            return None
        taken = bytes(self._input[:count])
        del self._input[:count]
        return taken

    def _step_over(self) -> bool:
        """Begin to step over the frame whose eight bytes of header are next."""
        self._skip = int.from_bytes(self._input[4:8], "little")
        del self._input[:8]
        self.eof = not self._skip
        return True
