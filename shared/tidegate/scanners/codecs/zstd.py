"""Zstandard frames (RFC 8878), unfolded by ourselves: Python has no module for it before 3.14.

Always holds: what a frame unfolds to never grows past the limit that is asked for, and whatever
breaks the format is a ValueError. The checksum at a frame's end is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
_MAX_BLOCK = 128 << 10

_LITERAL_BASES = (
    *((n, 0) for n in range(16)),
    (16, 1), (18, 1), (20, 1), (22, 1), (24, 2), (28, 2), (32, 3), (40, 3), (48, 4), (64, 6),
    *((1 << n, n) for n in range(7, 17)),
)  # fmt: skip
_MATCH_BASES = (
    *((n + 3, 0) for n in range(32)),
    (35, 1), (37, 1), (39, 1), (41, 1), (43, 2), (47, 2), (51, 3), (59, 3), (67, 4), (83, 4),
    (99, 5), (131, 7),
    *(((1 << n) + 3, n) for n in range(8, 17)),
)  # fmt: skip
_LITERAL_DEFAULT = (
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
    -1, -1, -1, -1,
)  # fmt: skip
_MATCH_DEFAULT = (
    1, 4, 3, 2, 2, 2, 2, 2, 2, *(1,) * 37, -1, -1, -1, -1, -1, -1, -1,
)  # fmt: skip
_OFFSET_DEFAULT = (1, 1, 1, 1, 1, 1, 2, 2, 2, *(1,) * 15, -1, -1, -1, -1, -1)

Table = tuple[int, list[tuple[int, int, int]]]
"""An FSE table: its accuracy, and for each state symbol, bits to read, and base of the next."""


class _Bits:
    """A bit stream that is read from its end."""

    def __init__(self, data: bytes) -> None:
        if not data or not data[-1]:
            raise ValueError("a bit stream without its end mark")
        self.value = int.from_bytes(data, "little")
        self.left = len(data) * 8 - (8 - data[-1].bit_length()) - 1

    def read(self, count: int) -> int:
        """The next bits; past the beginning they are zeros."""
        self.left -= count
        if self.left >= 0:
            return (self.value >> self.left) & ((1 << count) - 1)
        if self.left < -64:
            raise ValueError("a bit stream that is read past its beginning")
        return (self.value << -self.left) & ((1 << count) - 1)


@dataclass(slots=True)
class _Frame:
    """What later blocks of a frame take from earlier ones."""

    out: bytearray
    limit: int
    huffman: tuple[int, list[tuple[int, int]]] | None = None
    tables: dict[str, Table] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=lambda: [1, 4, 8])


class TooLargeError(ValueError):
    """The frame unfolds to more than the limit; `begin` is what it unfolds to up to there."""

    def __init__(self, begin: bytes, limit: int) -> None:
        super().__init__(f"a frame that unfolds to more than {limit} bytes")
        self.begin = begin


def frame(data: bytes, limit: int) -> tuple[bytes, int]:
    """What the frame at the start unfolds to, at most `limit` bytes, and where it ends."""
    try:
        return _frame(data, limit)
    except IndexError:
        raise ValueError("a frame that breaks off") from None


def _frame(data: bytes, limit: int) -> tuple[bytes, int]:
    if data[1:4] == _SKIPPABLE and data[:1] and data[0] >> 4 == 5:
        return b"", 8 + int.from_bytes(data[4:8], "little")
    if data[:4] != MAGIC or len(data) < 6:
        raise ValueError("no frame")
    flags = data[4]
    single = flags >> 5 & 1
    at = 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    at += (1 if single else 0, 2, 4, 8)[flags >> 6]
    if flags & 3:
        raise ValueError("a frame that needs a dictionary")
    state = _Frame(bytearray(), limit)
    last = False
    while not last:
        if at + 3 > len(data):
            raise ValueError("a frame that breaks off")
        header = int.from_bytes(data[at : at + 3], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        at += 3
        stored = 1 if kind == 1 else size
        block = data[at : at + stored]
        if len(block) != stored or kind == 3 or size > _MAX_BLOCK:
            raise ValueError("a block that makes no sense")
        if kind == 0:
            state.out += block
        elif kind == 1:
            state.out += block * size
        else:
            _compressed(block, state)
        at += stored
        if len(state.out) > limit:
            raise TooLargeError(bytes(state.out), limit)
    return bytes(state.out), at + (4 if flags & 4 else 0)


def _compressed(block: bytes, state: _Frame) -> None:
    literals, at = _literals(block, state)
    if at >= len(block):
        raise ValueError("a block without sequences")
    count = block[at]
    if count < 128:
        at += 1
    elif count < 255:
        count = (count - 128 << 8) + block[at + 1]
        at += 2
    else:
        count = block[at + 1] + (block[at + 2] << 8) + 0x7F00
        at += 3
    if not count:
        state.out += literals
        return
    modes = block[at]
    at += 1
    for name, shift, default, accuracy, most in _TABLES:
        at = _table(block, at, modes >> shift & 3, state, name, default, accuracy, most)
    _sequences(_Bits(block[at:]), count, literals, state)


_TABLES = (
    ("literals", 6, _LITERAL_DEFAULT, 6, 9),
    ("offsets", 4, _OFFSET_DEFAULT, 5, 8),
    ("matches", 2, _MATCH_DEFAULT, 6, 9),
)


def _table(
    block: bytes, at: int, mode: int, state: _Frame, name: str, default: tuple[int, ...],
    accuracy: int, most: int,
) -> int:  # fmt: skip
    if mode == 0:
        state.tables[name] = _fse(default, accuracy)
    elif mode == 1:
        state.tables[name] = (0, [(block[at], 0, 0)])
        at += 1
    elif mode == 2:
        weights, accuracy, used = _distribution(block[at:], most)
        state.tables[name] = _fse(tuple(weights), accuracy)
        at += used
    elif name not in state.tables:
        raise ValueError("a table that repeats none")
    return at


def _sequences(bits: _Bits, count: int, literals: bytes, state: _Frame) -> None:
    tables = [state.tables[name] for name in ("literals", "offsets", "matches")]
    lengths, offsets, matches = (table for _, table in tables)
    of_length, of_offset, of_match = (bits.read(accuracy) for accuracy, _ in tables)
    out, recent, used = state.out, state.offsets, 0
    for number in range(count):
        code, extra, base = offsets[of_offset]
        if code > 31:
            raise ValueError("an offset without end")
        value = (1 << code) + bits.read(code)
        start, width = _MATCH_BASES[_checked(matches[of_match][0], 52)]
        match = start + bits.read(width)
        start, width = _LITERAL_BASES[_checked(lengths[of_length][0], 35)]
        length = start + bits.read(width)
        if number < count - 1:
            _, more, after = lengths[of_length]
            of_length = after + bits.read(more)
            _, more, after = matches[of_match]
            of_match = after + bits.read(more)
            of_offset = base + bits.read(extra)
        distance = _distance(value, length, recent)
        out += literals[used : used + length]
        used += length
        if used > len(literals) or not 0 < distance <= len(out):
            raise ValueError("a sequence that leads out of the data")
        if len(out) + match > state.limit:
            raise TooLargeError(bytes(out), state.limit)
        begin = len(out) - distance
        if distance >= match:
            out += out[begin : begin + match]
        else:
            piece = bytes(out[begin:])
            out += (piece * (match // distance + 1))[:match]
    out += literals[used:]


def _checked(code: int, most: int) -> int:
    if code > most:
        raise ValueError("a length without meaning")
    return code


def _distance(value: int, length: int, recent: list[int]) -> int:
    """The distance that an offset value stands for, by the three used last."""
    if value > 3:
        distance = value - 3
        recent[:] = [distance, recent[0], recent[1]]
        return distance
    index = value - 1 + (0 if length else 1)
    if index == 0:
        return recent[0]
    distance = recent[index] if index < 3 else recent[0] - 1
    recent[:] = [distance, recent[0], recent[1] if index > 1 else recent[2]]
    return distance


def _literals(block: bytes, state: _Frame) -> tuple[bytes, int]:
    kind, form = block[0] & 3, block[0] >> 2 & 3
    if kind < 2:
        width = (1, 2, 1, 3)[form]
        size = int.from_bytes(block[:width], "little") >> (3 if width == 1 else 4)
        if size > _MAX_BLOCK:
            raise ValueError("literals larger than a block")
        if kind == 1:
            return block[width : width + 1] * size, width + 1
        return block[width : width + size], width + size
    width, bits = ((3, 10), (3, 10), (4, 14), (5, 18))[form]
    header = int.from_bytes(block[:width], "little") >> 4
    size, stored = header & ((1 << bits) - 1), header >> bits
    data = block[width : width + stored]
    if size > _MAX_BLOCK or len(data) != stored:
        raise ValueError("literals larger than a block")
    if kind == 2:
        state.huffman, used = _huffman(data)
        data = data[used:]
    if state.huffman is None:
        raise ValueError("literals without a table")
    if form == 0:
        return _decoded(data, size, state.huffman), width + stored
    if len(data) < 6:
        raise ValueError("literals that break off")
    first, second, third = (int.from_bytes(data[n : n + 2], "little") for n in (0, 2, 4))
    ends = [6, 6 + first, 6 + first + second, 6 + first + second + third, len(data)]
    each = (size + 3) // 4
    parts = [
        _decoded(data[ends[n] : ends[n + 1]], each if n < 3 else size - 3 * each, state.huffman)
        for n in range(4)
    ]
    return b"".join(parts), width + stored


def _decoded(data: bytes, size: int, table: tuple[int, list[tuple[int, int]]]) -> bytes:
    width, entries = table
    bits = _Bits(data)
    # A bounded register: shifting one large number for each symbol would take quadratic time.
    out = bytearray()
    value, left, at = 0, 0, len(data)
    value, left = data[-1] & ((1 << (data[-1].bit_length() - 1)) - 1), data[-1].bit_length() - 1
    at -= 1
    total = bits.left
    for _ in range(max(0, size)):
        while left < width:
            at -= 1
            value = value << 8 | (data[at] if at >= 0 else 0)
            left += 8
        symbol, used = entries[value >> (left - width) & ((1 << width) - 1)]
        out.append(symbol)
        left -= used
        value &= (1 << left) - 1
        total -= used
    if total != 0:
        raise ValueError("literals that do not end with their stream")
    return bytes(out)


def _huffman(data: bytes) -> tuple[tuple[int, list[tuple[int, int]]], int]:
    """The table that stands at the start, and how many bytes it takes."""
    head = data[0]
    if head >= 128:
        count = head - 127
        packed = data[1 : 1 + (count + 1) // 2]
        weights = [half for byte in packed for half in (byte >> 4, byte & 15)][:count]
        used = 1 + (count + 1) // 2
    else:
        weights, used = _weights(data[1 : 1 + head]), 1 + head
    total = sum(1 << weight - 1 for weight in weights if weight)
    if not total or max(weights) > 11:
        raise ValueError("a table without symbols")
    width = total.bit_length()
    rest = (1 << width) - total
    if rest & (rest - 1) or width > 11:
        raise ValueError("a table that does not add up")
    weights.append(rest.bit_length())
    entries: list[tuple[int, int]] = []
    for weight in range(1, width + 1):
        for symbol, each in enumerate(weights):
            if each == weight:
                entries += [(symbol, width + 1 - weight)] * (1 << weight - 1)
    if len(entries) != 1 << width:
        raise ValueError("a table that does not add up")
    return (width, entries), used


def _weights(data: bytes) -> list[int]:
    distribution, accuracy, used = _distribution(data, 6)
    _, table = _fse(tuple(distribution), accuracy)
    bits = _Bits(data[used:])
    states = [bits.read(accuracy), bits.read(accuracy)]
    weights: list[int] = []
    turn = 0
    while len(weights) < 255:
        symbol, count, base = table[states[turn]]
        weights.append(symbol)
        if bits.left < count:
            weights.append(table[states[1 - turn]][0])
            return weights
        states[turn] = base + bits.read(count)
        turn = 1 - turn
    raise ValueError("a table with too many symbols")


def _distribution(data: bytes, most: int) -> tuple[list[int], int, int]:
    """The probabilities of the symbols, the accuracy, and the bytes that they take."""
    value, at = int.from_bytes(data[:512], "little"), 4
    accuracy = (value & 15) + 5
    if accuracy > most:
        raise ValueError("a table of too high an accuracy")
    left = (1 << accuracy) + 1
    found: list[int] = []
    while left > 1 and len(found) <= 255:
        width = left.bit_length()
        raw = value >> at & ((1 << width) - 1)
        small = (1 << width) - 1 - left
        if raw & ((1 << width - 1) - 1) < small:
            raw &= (1 << width - 1) - 1
            at += width - 1
        else:
            if raw >= 1 << width - 1:
                raw -= small
            at += width
        probability = raw - 1
        left -= abs(probability)
        found.append(probability)
        if probability == 0:
            while True:
                repeat = value >> at & 3
                at += 2
                found += [0] * repeat
                if repeat != 3 or len(found) > 255:
                    break
    used = (at + 7) // 8
    if left != 1 or used > len(data):
        raise ValueError("a table that does not add up")
    return found, accuracy, used


def _fse(distribution: tuple[int, ...], accuracy: int) -> Table:
    size = 1 << accuracy
    symbols = [0] * size
    high = size - 1
    for symbol, probability in enumerate(distribution):
        if probability == -1:
            symbols[high] = symbol
            high -= 1
    step, place = (size >> 1) + (size >> 3) + 3, 0
    for symbol, probability in enumerate(distribution):
        for _ in range(max(0, probability)):
            symbols[place] = symbol
            place = (place + step) & (size - 1)
            while place > high:
                place = (place + step) & (size - 1)
    following = [1 if probability == -1 else probability for probability in distribution]
    table = []
    for symbol in symbols:
        state = following[symbol]
        following[symbol] += 1
        if state <= 0:
            raise ValueError("a table that does not add up")
        count = accuracy - (state.bit_length() - 1)
        table.append((symbol, count, (state << count) - size))
    return accuracy, table
