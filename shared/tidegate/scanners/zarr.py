"""Zarr: the file that describes an array whose chunks lie in files of their own beside it.

Versions 2 (`.zarray`) and 3 (`zarr.json`) of the format (zarr-specs.readthedocs.io). The chunks are
claimed as raw data. A filter or codec that unpickles what the chunks hold is found.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, shown

_MAX_DESCRIPTION = 1 << 20
_MAX_CHUNKS = 50_000
_HARMLESS = frozenset(
    {"astype", "adler32", "bitround", "blosc", "bytes", "bz2", "categorize", "crc32", "crc32c",
     "delta", "endian", "fixedscaleoffset", "fletcher32", "gzip", "jenkins_lookup3", "json2",
     "lz4", "lzma", "msgpack2", "packbits", "quantize", "sharding_indexed", "shuffle",
     "transpose", "vlen-array", "vlen-bytes", "vlen-utf8", "zfpy", "zlib", "zstd"}
)  # fmt: skip


class ZarrScanner(Scanner):
    """Reads the description of an array."""

    name = "zarr"
    formats = frozenset({"zarr"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Claim the chunks, and look at what their codecs do."""
        data = read_exactly(subject.stream, _MAX_DESCRIPTION + 1)
        try:
            described = json.loads(data) if len(data) <= _MAX_DESCRIPTION else None
        except (ValueError, RecursionError):
            described = None
        if not isinstance(described, dict):
            report.unread(subject, "a description of a Zarr array that can't be read")
            return
        for name in _codecs(described):
            if name not in _HARMLESS:
                report.found(
                    "ZARR-CODEC",
                    subject,
                    f"The array's chunks go through {shown(name)}, which is none of Zarr's plain"
                    " codecs and may unpickle them.",
                    detail=shown(name, 200),
                )
        if "shape" in described:
            _claim_chunks(described, subject, report)


def _codecs(described: dict[str, Any]) -> list[str]:
    """The names of all codecs, filters and compressors, those inside others included."""
    named: list[str] = []
    pending: list[Any] = [
        described.get(key) for key in ("filters", "compressor", "codecs", "storage_transformers")
    ]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, dict):
            name = value.get("id", value.get("name"))
            named.append(re.sub(r"^numcodecs\.", "", str(name)).lower())
            inner = value.get("configuration")
            if isinstance(inner, dict):
                pending.extend(inner.get(key) for key in ("codecs", "index_codecs"))
    return named


def _claim_chunks(described: dict[str, Any], subject: Subject, report: Report) -> None:
    names = _chunk_names(described)
    if names is None:
        report.unread(subject, "a Zarr array whose chunks can't be told")
        return
    for name in names:
        report.claim(subject, name, optional=True)


def _chunk_names(described: dict[str, Any]) -> list[str] | None:
    shape: Any = described.get("shape")
    prefix, separator = "", "."
    if described.get("zarr_format") == 3:
        grid = described.get("chunk_grid")
        chunks = _field(grid, "configuration", "chunk_shape")
        encoding = described.get("chunk_key_encoding")
        is_default = _field(encoding, "name") == "default"
        separator = _field(encoding, "configuration", "separator") or ("/" if is_default else ".")
        prefix = "c" if is_default else ""
    else:
        chunks = described.get("chunks")
        separator = described.get("dimension_separator", ".")
    if separator not in {".", "/"} or not (_are_sizes(shape) and _are_sizes(chunks)):
        return None
    if len(shape) != len(chunks) or 0 in chunks:
        return None
    counts = [-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True)]
    total = 1
    for count in counts:
        total *= count
    if total > _MAX_CHUNKS:
        return None
    if not counts:
        return [prefix or "0"]
    head = f"{prefix}{separator}" if prefix else ""
    return [
        head + separator.join(map(str, place))
        for place in itertools.product(*(range(count) for count in counts))
    ]


def _field(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _are_sizes(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 32
        and all(type(size) is int and 0 <= size < 1 << 62 for size in value)
    )
