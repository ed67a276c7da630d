"""Zstandard frames (RFC 8878), so that no verdict depends on whether a library is installed.

Slow beside the library, and only used where somebody packed a model so. Checksums are stepped
over, as in `lz4.py`. A frame that needs a dictionary, or a larger window than `MAX_WINDOW`, is
refused. Always holds: memory is one block and one window.
"""

from __future__ import annotations

from tidegate.scanners.codecs.frames import FrameDecompressor
from tidegate.scanners.codecs.fse import (
    BackwardBits,
    Huffman,
    Table,
    make_table,
    read_huffman,
    read_table,
    single,
)

MAX_WINDOW = 32 << 20
_FRAME, _SKIPPABLE = 0xFD2FB528, 0x184D2A50
_BLOCK = 128 << 10

_LITERAL_LENGTHS = [*((n, 0) for n in range(16)), (16, 1), (18, 1), (20, 1), (22, 1), (24, 2),
                    (28, 2), (32, 3), (40, 3), (48, 4), (64, 6),
                    *((1 << n, n) for n in range(7, 17))]  # fmt: skip
_MATCH_LENGTHS = [*((n + 3, 0) for n in range(32)), (35, 1), (37, 1), (39, 1), (41, 1), (43, 2),
                  (47, 2), (51, 3), (59, 3), (67, 4), (83, 4), (99, 5),
                  *(((1 << n) + 3, n) for n in range(7, 17))]  # fmt: skip
_DEFAULTS = (
    make_table([4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1,
                1, 1, 1, 1, -1, -1, -1, -1], 6),
    make_table([1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1,
                -1, -1], 5),
    make_table([1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1],
               6),
)  # fmt: skip
_LIMITS = ((36, 9), (32, 8), (53, 9))


class ZstdDecompressor(FrameDecompressor):
    """One frame; bytes after its end are `unused_data`."""

    def __init__(self) -> None:
        super().__init__()
        self._checksum = self._last = False
        self._window = 0
        self._history = bytearray()
        self._huffman: Huffman | None = None
        self._tables: list[Table | None] = [None, None, None]
        self._offsets = [1, 4, 8]

    def _block_step(self) -> bool:
        if self._last:
            self.eof = self._take(4 * self._checksum) is not None
            return self.eof
        if len(self._input) < 3:
            return False
        head = int.from_bytes(self._input[:3], "little")
        kind, size = head >> 1 & 3, head >> 3
        stored = 1 if kind == 1 else size
        if kind == 3 or size > _BLOCK:
            raise ValueError("a Zstandard block is of no kind that there is")
        raw = self._take(3 + stored)
        if raw is None:
            return False
        body = raw[3:]
        self._last = bool(head & 1)
        if kind == 2:
            self._expand(body)
        else:
            self._give(body * size if kind == 1 else body)
        return True

    def _give(self, data: bytes) -> None:
        self._output += data
        self._history += data
        if len(self._history) > 2 * self._window + _BLOCK:
            del self._history[: len(self._history) - self._window]

    def _begin(self) -> bool:
        if len(self._input) < 8:
            return False
        magic = int.from_bytes(self._input[:4], "little")
        if magic & 0xFFFFFFF0 == _SKIPPABLE:
            return self._step_over()
        if magic != _FRAME:
            raise ValueError("no Zstandard frame")
        flags = self._input[4]
        whole = bool(flags & 0x20)
        dictionary = (0, 1, 2, 4)[flags & 3]
        content = (1 if whole else 0, 2, 4, 8)[flags >> 6]
        length = 5 + (not whole) + dictionary + content
        if flags & 0x08:
            raise ValueError("a Zstandard frame has a reserved flag")
        raw = self._take(length)
        if raw is None:
            return False
        if any(raw[length - content - dictionary : length - content]):
            raise ValueError("a Zstandard frame needs a dictionary")
        if whole:
            size = int.from_bytes(raw[length - content :], "little")
            self._window = size + (256 if content == 2 else 0)
        else:
            base = 1 << (10 + (raw[5] >> 3))
            self._window = base + (base >> 3) * (raw[5] & 7)
        if self._window > MAX_WINDOW and not whole:
            raise ValueError("a Zstandard frame needs a larger window than it is given")
        self._window = min(self._window, MAX_WINDOW)
        self._checksum = bool(flags & 4)
        self._begun = True
        return True

    def _expand(self, body: bytes) -> None:
        literals, at = self._literals(body)
        sequences, at = _count(body, at)
        if not sequences:
            if at != len(body):
                raise ValueError("bytes follow the literals of a Zstandard block")
            self._give(literals)
            return
        modes = body[at]
        at += 1
        tables = []
        for number, shift in enumerate((6, 4, 2)):
            table, at = self._table(number, modes >> shift & 3, body, at)
            tables.append(table)
        self._run(tables, sequences, BackwardBits(body[at:]), literals)

    def _table(self, number: int, mode: int, body: bytes, at: int) -> tuple[Table, int]:
        table: Table | None
        if mode == 0:
            table = _DEFAULTS[number]
        elif mode == 1:
            if body[at] >= _LIMITS[number][0]:
                raise ValueError("a Zstandard sequence has an unknown code")
            table, at = single(body[at]), at + 1
        elif mode == 2:
            table, used = read_table(body[at:], *_LIMITS[number])
            at += used
        else:
            table = self._tables[number]
        if table is None:
            raise ValueError("a Zstandard block repeats a table that there was not")
        self._tables[number] = table
        return table, at

    def _literals(self, body: bytes) -> tuple[bytes, int]:
        head = body[0]
        kind, form = head & 3, head >> 2 & 3
        if kind < 2:
            width = (1, 2, 1, 3)[form]
            size = int.from_bytes(body[:width], "little") >> (3 if width == 1 else 4)
            if size > _BLOCK:
                raise ValueError("a Zstandard block has too many literals")
            if kind == 1:
                return body[width : width + 1] * size, width + 1
            if width + size > len(body):
                raise ValueError("a Zstandard literal section breaks off")
            return body[width : width + size], width + size
        width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
        value = int.from_bytes(body[:width], "little") >> 4
        size, packed = value & ((1 << bits) - 1), value >> bits
        if size > _BLOCK or width + packed > len(body):
            raise ValueError("a Zstandard literal section breaks off")
        data = body[width : width + packed]
        if kind == 2:
            self._huffman, used = read_huffman(data)
            data = data[used:]
        if self._huffman is None:
            raise ValueError("a Zstandard block repeats a Huffman code that there was not")
        return _unpack(self._huffman, data, size, streams=4 if form else 1), width + packed

    def _run(self, tables: list[Table], count: int, stream: BackwardBits, literals: bytes) -> None:
        lengths, offsets, matches = tables
        read = stream.read
        length_state, offset_state, match_state = (read(table.log) for table in tables)
        recent = self._offsets
        out = self._history
        begin, taken = len(out), 0
        for number in range(count):
            code = offsets.symbols[offset_state]
            value = (1 << code) + read(code)
            base, extra = _MATCH_LENGTHS[matches.symbols[match_state]]
            match = base + read(extra)
            base, extra = _LITERAL_LENGTHS[lengths.symbols[length_state]]
            length = base + read(extra)
            if number < count - 1:
                length_state = lengths.bases[length_state] + read(lengths.bits[length_state])
                match_state = matches.bases[match_state] + read(matches.bits[match_state])
                offset_state = offsets.bases[offset_state] + read(offsets.bits[offset_state])
            distance = _distance(recent, value, first=length == 0)
            if taken + length > len(literals):
                raise ValueError("a Zstandard block takes more literals than it has")
            out += literals[taken : taken + length]
            taken += length
            start = len(out) - distance
            if start < 0 or distance <= 0 or len(out) - begin + match > _BLOCK:
                raise ValueError("a Zstandard block refers to bytes that there are not")
            if distance >= match:
                out += out[start : start + match]
            else:
                out += (out[start:] * (match // distance + 1))[:match]
        if stream.left != 0:
            raise ValueError("a Zstandard block has bits to spare")
        out += literals[taken:]
        self._output += out[begin:]
        if len(out) - begin > _BLOCK:
            raise ValueError("a Zstandard block unfolds to more than it may")
        if len(out) > 2 * self._window + _BLOCK:
            del out[: len(out) - self._window]


def _count(body: bytes, at: int) -> tuple[int, int]:
    """How many sequences the block has, and where what follows that number begins."""
    first = body[at]
    if first < 128:
        return first, at + 1
    if first < 255:
        return (first - 128 << 8) + body[at + 1], at + 2
    return body[at + 1] + (body[at + 2] << 8) + 0x7F00, at + 3


def _unpack(code: Huffman, data: bytes, size: int, *, streams: int) -> bytes:
    if streams == 1:
        return code.decode(data, size)
    ends = [int.from_bytes(data[at : at + 2], "little") for at in (0, 2, 4)]
    each = (size + 3) // 4
    if 6 + sum(ends) > len(data) or size < 3 * each:
        raise ValueError("a Zstandard literal section breaks off")
    at, parts = 6, []
    for length, count in zip([*ends, len(data)], [each, each, each, size - 3 * each], strict=True):
        parts.append(code.decode(data[at : at + length], count))
        at += length
    return b"".join(parts)


def _distance(recent: list[int], value: int, *, first: bool) -> int:
    """The distance that an offset's value means; the three last ones have short names."""
    if value > 3:
        recent[:] = [value - 3, recent[0], recent[1]]
        return recent[0]
    place = value - 1 + first
    if place == 0:
        return recent[0]
    distance = recent[place] if place < 3 else recent[0] - 1
    recent[:] = [distance, recent[0], recent[1] if place > 1 else recent[2]]
    return distance


class TooLargeError(ValueError):
    """The frame unfolds to more than the limit; `begin` is what it unfolds to up to there."""

    def __init__(self, begin: bytes, limit: int) -> None:
        super().__init__(f"a frame that unfolds to more than {limit} bytes")
        self.begin = begin


def frame(data: bytes, limit: int) -> tuple[bytes, int]:
    """What the frame at the start unfolds to, at most `limit` bytes, and where it ends.

    Raises:
        TooLargeError: it unfolds to more.
        ValueError: it is broken, or breaks off.
    """
    decoder, out, given = ZstdDecompressor(), bytearray(), data
    while not decoder.eof:
        if decoder.needs_input and not given:
            raise ValueError("a Zstandard frame breaks off")
        out += decoder.decompress(given, _BLOCK)
        given = b""
        if len(out) > limit:
            raise TooLargeError(bytes(out[:limit]), limit)
    return bytes(out), len(data) - len(decoder.unused_data)
