"""Thrift's compact protocol, decoded into plain values: the footers of Parquet files.

Apache Thrift, "thrift-compact-protocol.md". A struct becomes a dict of its fields' numbers.
Always holds: nesting is bounded, and so is the number of values, whatever a length claims.
"""

from __future__ import annotations

from typing import Any

from tidegate.scanners.cursor import BrokenError

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_DEPTH = 40
_MOST_VALUES = 8_000_000


class ThriftReader:
    """Reads one value after another from bytes in memory; `at` is where it stands."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self.at = data, at
        self._left = _MOST_VALUES

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """One struct; BrokenError where the bytes are none."""
        if depth > _MAX_DEPTH:
            raise BrokenError("The footer nests too deep.")
        fields: dict[int, Any] = {}
        last = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            last = last + delta if delta else self._zigzag()
            if last in fields:
                raise BrokenError("A field of the footer stands twice.")
            if kind in {_TRUE, _FALSE}:
                fields[last] = kind == _TRUE
            else:
                fields[last] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise BrokenError(f"The footer has more than {_MOST_VALUES} values.")
        if kind in {_I16, _I32, _I64}:
            return self._zigzag()
        if kind == _BINARY:
            return self._take(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in {_LIST, _SET}:
            return self._list(depth)
        if kind in {_TRUE, _FALSE, _BYTE}:
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _MAP:
            return self._map(depth)
        raise BrokenError(f"The footer has a value of the unknown type {kind}.")

    def _list(self, depth: int) -> list[Any]:
        if depth > _MAX_DEPTH:
            raise BrokenError("The footer nests too deep.")
        head = self._byte()
        count = head >> 4
        if count == 15:
            count = self._varint()
        self._check_count(count)
        return [self._value(head & 15, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> list[Any]:
        count = self._varint()
        if not count:
            return []
        kinds = self._byte()
        self._check_count(count)
        return [
            (self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1))
            for _ in range(count)
        ]

    def _check_count(self, count: int) -> None:
        # An item takes a byte at least.
        if count > len(self._data) - self.at:
            raise BrokenError(f"A list of the footer claims {count} items.")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise BrokenError("The footer breaks off.")
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise BrokenError("A number of the footer is too long.")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            raise BrokenError(f"A text of the footer claims {count} bytes.")
        self.at += count
        return self._data[self.at - count : self.at]
