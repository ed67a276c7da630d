"""Finite state entropy and Huffman tables of Zstandard, and the bits that they are read with.

After RFC 8878, sections 4.1 (FSE) and 4.2 (Huffman coding).
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_HUFFMAN_BITS = 11
_MAX_WEIGHT_LOG = 6


class BackwardBits:
    """Bits read from the end of a stream to its start; past the start they are zeros."""

    __slots__ = ("_data", "left")

    def __init__(self, data: bytes) -> None:
        if not data or not data[-1]:
            raise ValueError("a Zstandard bit stream has no end mark")
        self._data = data
        self.left = 8 * len(data) - 8 + data[-1].bit_length() - 1

    def read(self, count: int) -> int:
        """The next `count` bits as a number."""
        if not count:
            return 0
        place = self.left - count
        self.left = place
        if place < 0:
            if place <= -count:
                return 0
            value = int.from_bytes(self._data[:8], "little") & ((1 << (place + count)) - 1)
            return value << -place
        first = place >> 3
        raw = int.from_bytes(self._data[first : first + 8], "little")
        return (raw >> (place & 7)) & ((1 << count) - 1)


@dataclass(frozen=True, slots=True)
class Table:
    """A decoding table: for each state its symbol, how many bits follow, and where they lead."""

    log: int
    symbols: list[int]
    bits: list[int]
    bases: list[int]


def single(symbol: int) -> Table:
    """The table of a stream that repeats one symbol."""
    return Table(0, [symbol], [0], [0])


def make_table(frequencies: list[int], log: int) -> Table:
    """The table of those frequencies; -1 stands for "less than one"."""
    size = 1 << log
    symbols, state = [0] * size, [0] * len(frequencies)
    high = size
    for symbol, frequency in enumerate(frequencies):
        if frequency == -1:
            high -= 1
            symbols[high] = symbol
            state[symbol] = 1
    step, mask, place = (size >> 1) + (size >> 3) + 3, size - 1, 0
    for symbol, frequency in enumerate(frequencies):
        if frequency <= 0:
            continue
        state[symbol] = frequency
        for _ in range(frequency):
            symbols[place] = symbol
            place = (place + step) & mask
            while place >= high:
                place = (place + step) & mask
    bits, bases = [0] * size, [0] * size
    for at, symbol in enumerate(symbols):
        following = state[symbol]
        state[symbol] += 1
        bits[at] = log - (following.bit_length() - 1)
        bases[at] = (following << bits[at]) - size
    return Table(log, symbols, bits, bases)


def read_table(data: bytes, most_symbols: int, most_log: int) -> tuple[Table, int]:
    """The table described at the start of `data`, and how many bytes that takes.

    Raises:
        ValueError: the description is broken.
    """
    value, at = int.from_bytes(data[:512], "little"), 4
    log = (value & 15) + 5
    if log > most_log:
        raise ValueError("a Zstandard table is larger than it may be")
    left, frequencies = 1 << log, list[int]()
    while left > 0:
        if len(frequencies) >= most_symbols:
            raise ValueError("a Zstandard table has too many symbols")
        width = (left + 1).bit_length()
        number = (value >> at) & ((1 << width) - 1)
        low = (1 << (width - 1)) - 1
        threshold = (1 << width) - 1 - (left + 1)
        at += width
        if number & low < threshold:
            at -= 1
            number &= low
        elif number > low:
            number -= threshold
        frequency = number - 1
        left -= abs(frequency)
        frequencies.append(frequency)
        while frequency == 0:
            more = (value >> at) & 3
            at += 2
            frequencies += [0] * more
            if more != 3:
                break
    used = -(-at // 8)
    if left or len(frequencies) > most_symbols or used > len(data):
        raise ValueError("a Zstandard table is broken")
    return make_table(frequencies, log), used


@dataclass(frozen=True, slots=True)
class Huffman:
    """A Huffman code: for each run of `width` bits the symbol and how many bits it takes."""

    width: int
    symbols: bytes
    bits: bytes

    def decode(self, data: bytes, count: int) -> bytes:
        """`count` symbols from a stream, read from its end."""
        stream = BackwardBits(data)
        left, width, mask = stream.left, self.width, (1 << self.width) - 1
        symbols, bits = self.symbols, self.bits
        out = bytearray(count)
        for at in range(count):
            place = left - width
            if place >= 0:
                first = place >> 3
                raw = data[first] | data[first + 1] << 8 if first + 1 < len(data) else data[first]
                if first + 2 < len(data):
                    raw |= data[first + 2] << 16
                code = raw >> (place & 7) & mask
            else:
                raw = int.from_bytes(data[:2], "little") & ((1 << left) - 1)
                code = raw << -place & mask
            out[at] = symbols[code]
            left -= bits[code]
            if left < 0:
                raise ValueError("a Zstandard literal stream ends early")
        if left:
            raise ValueError("a Zstandard literal stream has bits to spare")
        return bytes(out)


def read_huffman(data: bytes) -> tuple[Huffman, int]:
    """The Huffman code described at the start of `data`, and how many bytes that takes."""
    if not data:
        raise ValueError("a Zstandard literal section breaks off")
    head = data[0]
    if head >= 128:
        count = head - 127
        used = 1 + (count + 1) // 2
        packed = data[1:used]
        weights = [nibble for byte in packed for nibble in (byte >> 4, byte & 15)][:count]
    else:
        used = 1 + head
        table, described = read_table(data[1:used], 13, _MAX_WEIGHT_LOG)
        weights = _read_weights(table, data[1 + described : used])
    if used > len(data) or not weights or max(weights) > MAX_HUFFMAN_BITS:
        raise ValueError("a Zstandard literal section breaks off")
    return _make_huffman(weights), used


def _read_weights(table: Table, data: bytes) -> list[int]:
    """Two states take turns until the bits are used up."""
    stream = BackwardBits(data)
    states = [stream.read(table.log), stream.read(table.log)]
    weights: list[int] = []
    turn = 0
    while len(weights) < 255:
        state = states[turn]
        weights.append(table.symbols[state])
        states[turn] = table.bases[state] + stream.read(table.bits[state])
        if stream.left < 0:
            weights.append(table.symbols[states[1 - turn]])
            break
        turn = 1 - turn
    return weights


def _make_huffman(weights: list[int]) -> Huffman:
    total = sum(1 << (weight - 1) for weight in weights if weight)
    if not total:
        raise ValueError("a Zstandard Huffman code has no symbols")
    width = total.bit_length()
    missing = (1 << width) - total
    if missing & (missing - 1) or width > MAX_HUFFMAN_BITS:
        raise ValueError("a Zstandard Huffman code is incomplete")
    weights = [*weights, missing.bit_length()]
    symbols, bits = bytearray(), bytearray()
    for weight in range(1, width + 1):
        for symbol, its in enumerate(weights):
            if its == weight:
                symbols += bytes([symbol]) * (1 << (weight - 1))
                bits += bytes([width + 1 - weight]) * (1 << (weight - 1))
    return Huffman(width, bytes(symbols), bytes(bits))
