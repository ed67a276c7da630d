"""Files of torch, numpy and safetensors, written by hand: neither torch nor a GPU is needed."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from typing import Any

TORCH_MAGIC = 0x1950A86A20F9469CFC6C


def torch_pickle(storages: int = 1, protocol: bytes = b"\x80\x02", elements: int = 4) -> bytes:
    """The pickle of a state dict of float tensors, as torch.save writes it."""
    count = b"J" + struct.pack("<i", elements)
    out = bytearray(protocol + b"ccollections\nOrderedDict\n)R(")
    for number in range(storages):
        out += _unicode(f"layer{number}.weight")
        out += b"ctorch._utils\n_rebuild_tensor_v2\n(("
        out += _unicode("storage") + b"ctorch\nFloatStorage\n" + _unicode(str(number))
        out += (
            _unicode("cpu") + count + b"tQK\x00" + count + b"\x85K\x01\x85\x89"
            b"ccollections\nOrderedDict\n)RtR"
        )
    return bytes(out + b"u.")


def _unicode(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def torch_zip(
    data_pkl: bytes, storages: list[bytes], extra: dict[str, bytes] | None = None
) -> bytes:
    """An archive as torch.save writes it since 1.6."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("archive/data.pkl", data_pkl)
        archive.writestr("archive/byteorder", b"little")
        for number, storage in enumerate(storages):
            archive.writestr(f"archive/data/{number}", storage)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/.data/serialization_id", b"1" * 40)
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return target.getvalue()


def torch_legacy(data_pkl: bytes, storages: list[bytes], protocol: int = 2) -> bytes:
    """A file as torch.save wrote it before 1.6: five pickles, then length and bytes of each."""
    parts = [
        pickle.dumps(TORCH_MAGIC, protocol),
        pickle.dumps(1001, protocol),
        pickle.dumps({"protocol_version": 1001, "little_endian": True}, protocol),
        data_pkl,
        pickle.dumps([str(number) for number in range(len(storages))], protocol),
    ]
    parts += [struct.pack("<q", len(storage) // 4) + storage for storage in storages]
    return b"".join(parts)


def safetensors_file(
    header: dict[str, Any] | bytes, data: bytes = b"", *, length: int | None = None
) -> bytes:
    """A safetensors file with that header, honest or not."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tensor(start: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    """One tensor's entry of a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def npy_file(header: str | bytes, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """An npy file with that header."""
    raw = header.encode() if isinstance(header, str) else header
    layout = "<H" if version == (1, 0) else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(layout, len(raw)) + raw + data
