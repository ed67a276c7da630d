"""LZMA without a header of its own, as zip members (method 14) and 7z archives hold it."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from typing import Any

from tidegate.scanners.streams import Codec

MAX_DICTIONARY = 80 << 20
"""The largest dictionary that is given memory: `xz -9` asks for 64 MiB."""


class UnsupportedError(ValueError):
    """The stream asks for something that has no decoder here; the message says what."""


def lzma1_filter(properties: bytes) -> dict[str, Any]:
    """The filter that five bytes of LZMA properties describe.

    Raises:
        UnsupportedError: they describe none that is decoded here.
    """
    if len(properties) != 5 or properties[0] >= 225:
        raise UnsupportedError("its LZMA properties are none")
    rest, lc = divmod(properties[0], 9)
    pb, lp = divmod(rest, 5)
    size = int.from_bytes(properties[1:], "little")
    if size > MAX_DICTIONARY or lc + lp > 4:
        raise UnsupportedError("its LZMA settings need more memory than it is given")
    return {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": max(size, 4096)}


def lzma2_filter(properties: bytes) -> dict[str, Any]:
    """The filter that the one byte of LZMA2 properties describes; errors as above."""
    if len(properties) != 1 or properties[0] > 40:
        raise UnsupportedError("its LZMA2 properties are none")
    bits = properties[0]
    size = 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << (bits // 2 + 11)
    if size > MAX_DICTIONARY:
        raise UnsupportedError("its LZMA2 dictionary needs more memory than it is given")
    return {"id": lzma.FILTER_LZMA2, "dict_size": max(size, 4096)}


def raw_decompressor(filters: Sequence[dict[str, Any]]) -> lzma.LZMADecompressor:
    """A decoder for the chain, in the order in which the encoder applied it."""
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=list(filters))


class Bounded:
    """A codec that ends after `size` bytes, for streams that do not mark their own end."""

    def __init__(self, inner: Codec, size: int) -> None:
        self._inner = inner
        self._left = size

    @property
    def eof(self) -> bool:
        """Whether all bytes came, or the stream itself ended."""
        return self._left <= 0 or self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What followed the end; unknown where the stream marks none."""
        return self._inner.unused_data if self._inner.eof else b""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""
        return self._inner.needs_input

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` more bytes."""
        expanded = self._inner.decompress(data, min(max_length, self._left))
        self._left -= len(expanded)
        return expanded


class ZipLzma:
    """A zip member of method 14: two bytes of version, the properties with their length, LZMA."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._head = b""
        self._inner: Codec | None = None

    @property
    def eof(self) -> bool:
        """Whether the content has ended."""
        return self._inner is not None and self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What followed the end."""
        return self._inner.unused_data if self._inner is not None else b""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""
        return self._inner is None or self._inner.needs_input

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` more bytes."""
        if self._inner is None:
            self._head += data
            if len(self._head) < 9:
                return b""
            if self._head[2:4] != b"\5\0":
                raise UnsupportedError("its LZMA properties are none")
            filters = [lzma1_filter(self._head[4:9])]
            self._inner = Bounded(raw_decompressor(filters), self._size)
            data, self._head = self._head[9:], b""
        return self._inner.decompress(data, max_length)
