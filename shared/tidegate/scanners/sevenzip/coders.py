"""From a folder's coders to one decoder.

Python's lzma knows LZMA, LZMA2, Delta and the branch filters as raw chains; deflate and bzip2 are
its own modules. Only plain chains are decoded: each coder feeds the next one.
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from typing import Any

from tidegate.scanners.codecs.raw_lzma import (
    Bounded,
    UnsupportedError,
    lzma1_filter,
    lzma2_filter,
    raw_decompressor,
)
from tidegate.scanners.sevenzip.header import Coder, Folder
from tidegate.scanners.streams import CODECS, Codec

COPY, LZMA1, LZMA2 = b"\0", b"\3\1\1", b"\x21"
_DELTA = b"\3"
_AES = b"\6\xf1\7\1"
_BRANCH = {
    b"\x04": lzma.FILTER_X86,
    b"\3\3\1\3": lzma.FILTER_X86,
    b"\3\3\2\5": lzma.FILTER_POWERPC,
    b"\3\3\4\1": lzma.FILTER_IA64,
    b"\3\3\5\1": lzma.FILTER_ARM,
    b"\3\3\7\1": lzma.FILTER_ARMTHUMB,
    b"\3\3\x08\5": lzma.FILTER_SPARC,
}
_NAMES = {
    _AES: "AES encryption",
    b"\3\4\1": "PPMd",
    b"\3\3\1\x1b": "BCJ2",
    b"\4\xf7\x11\2": "Brotli",
    b"\4\xf7\x11\4": "LZ4",
    b"\4\1\x09": "Deflate64",
    b"\x0a": "the ARM64 filter",
}


class EncryptedError(UnsupportedError):
    """The folder is encrypted."""


def decoder_of(folder: Folder) -> Callable[[], Codec] | None:
    """What makes a decoder for the folder; None where its bytes are stored as they are.

    Raises:
        UnsupportedError: there is no decoder for it here.
    """
    if any(coder.method == _AES for coder in folder.coders):
        raise EncryptedError("it is encrypted")
    coders = _chain(folder)
    coders = [coder for coder in coders if coder.method != COPY] or [Coder(COPY, b"")]
    first = coders[0]
    size = folder.size
    if len(coders) == 1 and first.method == COPY:
        return None
    if len(coders) == 1 and first.method == b"\4\1\x08":
        return lambda: Bounded(CODECS["deflate"](), size)
    if len(coders) == 1 and first.method == b"\4\xf7\x11\1":
        return lambda: Bounded(CODECS["zstd"](), size)
    if len(coders) == 1 and first.method == b"\4\2\2":
        return lambda: Bounded(bz2.BZ2Decompressor(), size)
    filters = [_filter(coder) for coder in reversed(coders)]
    if first.method not in {LZMA1, LZMA2} or any(c.method in {LZMA1, LZMA2} for c in coders[1:]):
        raise UnsupportedError(f"no decoder for its method {_name(first)}")
    if first.method == LZMA1 and any(coder.method in _BRANCH for coder in coders[1:]):
        raise UnsupportedError("no decoder for LZMA with a branch filter")
    return lambda: Bounded(raw_decompressor(filters), size)


def _chain(folder: Folder) -> list[Coder]:
    """The coders from the packed stream to the unpacked one."""
    for coder in folder.coders:
        if coder.inputs != 1:
            raise UnsupportedError(f"no decoder for its method {_name(coder)}")
    if len(folder.packed) != 1:
        raise UnsupportedError("its coders read several streams")
    after = {output: source for source, output in folder.binds}
    at = folder.packed[0]
    order: list[int] = []
    while len(order) <= len(folder.coders):
        if not 0 <= at < len(folder.coders):
            raise UnsupportedError("its coders are joined to nothing")
        order.append(at)
        if at not in after:
            break
        at = after[at]
    if sorted(order) != list(range(len(folder.coders))):
        raise UnsupportedError("its coders are no chain")
    return [folder.coders[number] for number in order]


def _filter(coder: Coder) -> dict[str, Any]:
    if coder.method == LZMA1:
        return lzma1_filter(coder.properties)
    if coder.method == LZMA2:
        return lzma2_filter(coder.properties)
    if coder.method == _DELTA and len(coder.properties) == 1:
        return {"id": lzma.FILTER_DELTA, "dist": coder.properties[0] + 1}
    if coder.method in _BRANCH:
        return {"id": _BRANCH[coder.method]}
    raise UnsupportedError(f"no decoder for its method {_name(coder)}")


def _name(coder: Coder) -> str:
    return _NAMES.get(coder.method, coder.method.hex() or "without a name")
