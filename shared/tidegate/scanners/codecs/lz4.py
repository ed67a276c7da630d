"""LZ4 frames, as joblib writes them, and the legacy frames of the `lz4` tool.

After "LZ4 Frame Format Description" 1.6.4 and "LZ4 Block Format Description". Checksums are
stepped over: a loader that streams has acted on the bytes before it learns that a checksum is
wrong, so all that unfolds is looked at either way.

Always holds: memory is one block and the 64 KiB before it, whatever a header claims.
"""

from __future__ import annotations

from tidegate.scanners.codecs.frames import FrameDecompressor

_FRAME, _LEGACY = 0x184D2204, 0x184C2102
_SKIPPABLE, _SKIPPABLE_MASK = 0x184D2A50, 0xFFFFFFF0
_BLOCK_SIZES = {4: 64 << 10, 5: 256 << 10, 6: 1 << 20, 7: 4 << 20}
_LEGACY_BLOCK = 8 << 20
_LONGEST_DISTANCE = 64 << 10
_UNCOMPRESSED = 0x80000000


class Lz4Decompressor(FrameDecompressor):
    """One frame; bytes after its end are `unused_data`."""

    def __init__(self) -> None:
        super().__init__()
        self._history = b""
        self._legacy = False
        self._linked = self._block_checksums = self._content_checksum = False
        self._block = 0

    @property
    def may_end(self) -> bool:
        """Whether the stream may end here: a legacy frame has no end mark."""
        return self._legacy and not self._input and not self._output

    def _block_step(self) -> bool:
        if len(self._input) < 4:
            return False
        size = int.from_bytes(self._input[:4], "little")
        if self._legacy:
            return self._legacy_block(size)
        if size == 0:
            if self._take(8 if self._content_checksum else 4) is None:
                return False
            self.eof = True
            return True
        length = size & ~_UNCOMPRESSED
        if length > self._block:
            raise ValueError("an LZ4 block is larger than its frame allows")
        raw = self._take(4 + length + (4 if self._block_checksums else 0))
        if raw is None:
            return False
        body = raw[4 : 4 + length]
        history = self._history if self._linked else b""
        block = body if size & _UNCOMPRESSED else expand_block(body, history, self._block)
        if self._linked:
            self._history = (self._history + block)[-_LONGEST_DISTANCE:]
        self._output += block
        return True

    def _legacy_block(self, size: int) -> bool:
        """A block of a legacy frame, which has no end: another frame's magic number ends it."""
        if size > _LEGACY_BLOCK + (_LEGACY_BLOCK >> 7):
            self.eof = True
            return True
        raw = self._take(4 + size)
        if raw is None:
            return False
        self._output += expand_block(raw[4:], b"", _LEGACY_BLOCK)
        return True

    def _begin(self) -> bool:
        if len(self._input) < 8:
            return False
        magic = int.from_bytes(self._input[:4], "little")
        if magic == _LEGACY:
            del self._input[:4]
            self._begun = self._legacy = True
            return True
        if magic & _SKIPPABLE_MASK == _SKIPPABLE:
            return self._step_over()
        if magic != _FRAME:
            raise ValueError("no LZ4 frame")
        flags, block = self._input[4], self._input[5]
        if flags >> 6 != 1 or flags & 1 or (block >> 4) & 7 not in _BLOCK_SIZES:
            raise ValueError("an LZ4 frame of an unknown version, or one that needs a dictionary")
        if self._take(7 + (8 if flags & 8 else 0)) is None:
            return False
        self._begun = True
        self._linked = not flags & 0x20
        self._block_checksums = bool(flags & 0x10)
        self._content_checksum = bool(flags & 0x04)
        self._block = _BLOCK_SIZES[(block >> 4) & 7]
        return True


def expand_block(source: bytes, history: bytes, limit: int) -> bytes:
    """What one compressed block unfolds to, at most `limit` bytes.

    Args:
        source: the block.
        history: the bytes before it that it may refer to.
        limit: the most that it may give.

    Raises:
        ValueError: the block is broken or gives more.
    """
    out = bytearray(history)
    most = len(history) + limit
    at, end = 0, len(source)
    try:
        while at < end:
            token = source[at]
            at += 1
            length = token >> 4
            if length == 15:
                while (more := source[at]) == 255:
                    length += 255
                    at += 1
                length += more
                at += 1
            if at + length > end:
                raise ValueError("an LZ4 block ends inside its literals")
            out += source[at : at + length]
            at += length
            if at == end:
                break
            distance = source[at] | source[at + 1] << 8
            at += 2
            length = (token & 15) + 4
            if length == 19:
                while (more := source[at]) == 255:
                    length += 255
                    at += 1
                length += more
                at += 1
            start = len(out) - distance
            if distance == 0 or start < 0:
                raise ValueError("an LZ4 block refers to bytes before its start")
            if len(out) + length > most:
                raise ValueError("an LZ4 block unfolds to more than its frame allows")
            if distance >= length:
                out += out[start : start + length]
            else:
                out += (out[start:] * (length // distance + 1))[:length]
    except IndexError:
        raise ValueError("an LZ4 block breaks off") from None
    if len(out) > most:
        raise ValueError("an LZ4 block unfolds to more than its frame allows")
    return bytes(out[len(history) :])
