"""TensorFlow's files other than graphs, made byte by byte: checkpoints, records, TFLite models."""

from __future__ import annotations

import struct
from typing import Any

from samples.protobufs import field, varint

TABLE_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)


def block(entries: list[tuple[bytes, bytes]], kind: bytes = b"\0") -> bytes:
    """One block of a table, with its trailer; its keys share nothing with each other."""
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries
    )
    return body + struct.pack("<II", 0, 1) + kind + bytes(4)


def index(*entries: tuple[bytes, bytes], shards: int = 1, gap: bytes = b"") -> bytes:
    """A checkpoint's index."""
    data = block([(b"", field(1, shards)), *entries])
    meta = block([])
    top = block([(b"\xff", varint(0) + varint(len(data) - 5))])
    start = len(data) + len(gap)
    handles = varint(start) + varint(len(meta) - 5)
    handles += varint(start + len(meta)) + varint(len(top) - 5)
    return data + gap + meta + top + handles.ljust(40, b"\0") + TABLE_MAGIC


def entry(offset: int, size: int, *, shard: int = 0, shape: int | None = None) -> bytes:
    """Where a tensor of float32 lies."""
    count = size // 4 if shape is None else shape
    dims = field(2, field(2, field(1, count)))
    return field(1, 1) + dims + field(3, shard) + field(4, offset) + field(5, size)


def record(data: bytes) -> bytes:
    """One record of a TFRecord file; nobody checks the last checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + bytes(4)


def masked_crc(data: bytes) -> int:
    """CRC-32C bit by bit, masked as the format wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def lite_model(*custom: str, buffers: tuple[bytes, ...] = ()) -> bytes:
    """A TFLite model with those custom operators and buffers, and nothing else."""
    import flatbuffers

    builder: Any = flatbuffers.Builder(0)

    def vector(offsets: list[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for each in reversed(offsets):
            builder.PrependUOffsetTRelative(each)
        return int(builder.EndVector())

    data = []
    for each in buffers:
        bytes_at = builder.CreateByteVector(each)
        builder.StartObject(1)
        builder.PrependUOffsetTRelativeSlot(0, bytes_at, 0)
        data.append(builder.EndObject())
    codes = []
    for name in custom:
        text = builder.CreateString(name)
        builder.StartObject(4)
        builder.PrependInt8Slot(0, 32, 0)
        builder.PrependUOffsetTRelativeSlot(1, text, 0)
        builder.PrependInt32Slot(3, 32, 0)
        codes.append(builder.EndObject())
    kept, used = vector(data), vector(codes)
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, used, 0)
    builder.PrependUOffsetTRelativeSlot(4, kept, 0)
    root = builder.EndObject()
    builder.Finish(root, file_identifier=b"TFL3")
    return bytes(builder.Output())


def lite_operator(name: str, options: bytes) -> bytes:
    """A TFLite model with one custom operator in its graph, and the options of that."""
    import flatbuffers

    builder: Any = flatbuffers.Builder(0)

    def one(offset: int) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    given = builder.CreateByteVector(options)
    builder.StartObject(9)
    builder.PrependUOffsetTRelativeSlot(5, given, 0)
    operators = one(builder.EndObject())
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(3, operators, 0)
    graphs = one(builder.EndObject())
    text = builder.CreateString(name)
    builder.StartObject(4)
    builder.PrependInt8Slot(0, 32, 0)
    builder.PrependUOffsetTRelativeSlot(1, text, 0)
    builder.PrependInt32Slot(3, 32, 0)
    codes = one(builder.EndObject())
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, codes, 0)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    root = builder.EndObject()
    builder.Finish(root, file_identifier=b"TFL3")
    return bytes(builder.Output())
