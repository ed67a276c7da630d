"""How TensorFlow frames records: the length, its checksum, the bytes, their checksum."""

from __future__ import annotations

from functools import cache

HEADER = 12
"""Bytes before a record: its length and a checksum of that."""

_MASK = 0xA282EAD8


@cache
def _table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)  # noqa: PLW2901
        table.append(value)
    return tuple(table)


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted as the format wants it."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def begins_record(head: bytes) -> bool:
    """Whether the bytes are a record's length with its checksum."""
    if len(head) < HEADER:
        return False
    return masked_crc(head[:8]) == int.from_bytes(head[8:HEADER], "little")
