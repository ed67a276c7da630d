"""Pickles inside the strings of a pickle.

A payload may travel as a byte string that some allowed class unpickles again. Each longer
string is looked at: where its bytes are a pickle, they are read as one. Long strings are read
where they lie; escaped ones of protocol 0 are unescaped up to a bound.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from tidegate.scanners.pickle.opcodes import OPCODES, Encoding, Text, unescape
from tidegate.scanners.pickle.probe import looks_like_pickle, probe
from tidegate.scanners.pickle.source import Window
from tidegate.scanners.pickle.trace import Constant, is_torch_file

MAX_UNESCAPED = 4 << 20
_HEAD = 4096
Found = Callable[[BinaryIO, int, int], None]
"""Takes a stream, its size, and the offset of the opcode whose string it is."""
TooLong = Callable[[int], None]
"""Takes the offset of a string that looks like a pickle but is too long to be unescaped."""


class NestedPickles:
    """Looks at each constant of `stream` and hands those that are pickles to `found`.

    The places of those that are files of torch are put into `torch_files`.
    """

    def __init__(
        self, stream: BinaryIO, found: Found, too_long: TooLong, torch_files: set[int]
    ) -> None:
        self._torch_files = torch_files
        self._stream = stream
        self._found = found
        self._too_long = too_long

    def examine(self, value: Constant, offset: int) -> None:
        """Look at one string of the pickle."""
        if isinstance(value, Text):
            if self._examine_text(value, offset):
                self._torch_files.add(value.offset)
        elif isinstance(value, bytes):
            self._examine_bytes(value, offset)
        elif value[0] == "\x80" or ("\n" in value and _is_opcode(ord(value[0]))):
            self._examine_bytes(value.encode("latin-1", "replace"), offset)

    def _examine_bytes(self, data: bytes, offset: int) -> bool:
        if _is_opcode(data[0]) and probe(io.BytesIO(data), len(data)):
            self._found(io.BytesIO(data), len(data), offset)
            return is_torch_file(data)
        return False

    def _examine_text(self, text: Text, offset: int) -> bool:
        """Look at a long string; True where it was read as a file of torch."""
        self._stream.seek(text.offset)
        head = self._stream.read(min(text.length, _HEAD))
        if text.encoding is Encoding.RAW or (
            text.encoding is Encoding.UTF8 and head[:1] != b"\xc2"
        ):
            if head and _is_opcode(head[0]):
                window = io.BufferedReader(Window(self._stream, text.offset, text.length))
                if probe(window, text.length):
                    self._found(window, text.length, offset)
                    return is_torch_file(head)
            return False
        if text.length <= MAX_UNESCAPED:
            self._stream.seek(text.offset)
            data = _unescaped(self._stream.read(text.length), text.encoding)
            return bool(data) and self._examine_bytes(data, offset)
        if looks_like_pickle(_unescaped(_whole_escapes(head, text.encoding), text.encoding)):
            self._too_long(offset)
        return False


def _is_opcode(code: int) -> bool:
    return code < len(OPCODES) and OPCODES[code] is not None


def _whole_escapes(head: bytes, encoding: Encoding) -> bytes:
    """The head of an escaped string, closed so that it can be unescaped by itself."""
    cut = head.rsplit(b"\\", 1)[0] if b"\\" in head[-8:] else head
    return cut + cut.lstrip()[:1] if encoding is Encoding.ESCAPED else cut


def _unescaped(raw: bytes, encoding: Encoding) -> bytes:
    """The bytes that a string stands for, a text's in latin1; empty where there are none."""
    try:
        if encoding is Encoding.ESCAPED:
            return unescape(raw)
        codec = "utf-8" if encoding is Encoding.UTF8 else "raw-unicode-escape"
        return raw.decode(codec, "ignore").encode("latin-1")
    except ValueError:
        return b""
