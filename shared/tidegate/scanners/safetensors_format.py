"""safetensors: the header read strictly, the tensors' bytes left alone.

A file is an 8-byte length, a JSON header of that length, and the tensors' bytes, which must lie
one after another from the first byte to the last (the format's specification, in the README of
github.com/huggingface/safetensors). So nothing can be hidden between them, and reading a file of
any size costs no more than reading its header.

The official library's own parser is asked beside ours, for files of a size that it can be handed
in memory: what it refuses is malformed, whatever we think of it. Our reading is the stricter one
(a property test holds it to that), so the verdict on larger files does not hang on asking.
"""

from __future__ import annotations

import json
from typing import Any

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, shown

MAX_HEADER = 100_000_000
_READ_HEADER = 32 << 20
_LONG_TEXT = 64 << 10
_ENCODED = 32
_SHORTEST = 12
_ASK_LIBRARY = 64 << 20

_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "U16": 16, "I32": 32, "U32": 32, "I64": 64, "U64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip


class _MalformedError(Exception):
    """The header breaks the format; the message says how."""


class SafetensorsScanner(Scanner):
    """Reads safetensors files."""

    name = "safetensors"
    formats = frozenset({"safetensors"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Check the header against the format and the file's length."""
        prefix = read_exactly(subject.stream, 8)
        length = int.from_bytes(prefix, "little")
        try:
            if len(prefix) < 8:
                raise _MalformedError("The file is shorter than the header's length.")
            if length > MAX_HEADER:
                raise _MalformedError(
                    f"The header claims {length} bytes; {MAX_HEADER} are allowed."
                )
            if 8 + length > subject.size:
                raise _MalformedError("The header claims more bytes than the file has.")
            if length > _READ_HEADER:
                report.unread(subject, f"the header is larger than {_READ_HEADER >> 20} MiB")
                return
            header = _parse(read_exactly(subject.stream, length))
            _check_metadata(header.pop("__metadata__", None), subject, report, dispatcher)
            _check_tensors(header, subject.size - 8 - length)
            _ask_library(subject)
        except _MalformedError as problem:
            report.found("SAFETENSORS-MALFORMED", subject, str(problem))


def _ask_library(subject: Subject) -> None:
    if subject.size > _ASK_LIBRARY:
        return
    from safetensors import SafetensorError, deserialize

    subject.stream.seek(0)
    try:
        deserialize(read_exactly(subject.stream, subject.size))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _MalformedError(f"The safetensors library refuses it: {shown(str(error))}") from None


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw.startswith(b"{"):
        raise _MalformedError("The header does not begin with '{'.")
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise _MalformedError("The header is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise _MalformedError("The header is not JSON.") from None
    if not isinstance(header, dict):
        raise _MalformedError("The header is no JSON object.")
    if raw.rstrip(b" ")[-1:] != b"}":
        raise _MalformedError("The header is padded with something else than spaces.")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _MalformedError("The header names something twice, and readers choose differently.")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _check_metadata(
    metadata: Any, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _MalformedError("__metadata__ is more than texts under names.")
    for key, text in metadata.items():
        _judge_text(key, text, subject, report, dispatcher)
        if len(text) > _LONG_TEXT or any(c < " " and c not in "\t\n\r" for c in key + text):
            report.found(
                "SAFETENSORS-METADATA",
                subject,
                f"The metadata entry {shown(key)} is very long or holds control characters.",
                detail=shown(key),
            )


def _judge_text(
    key: str, text: str, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Trainers keep whole configurations here, and a loader may render or decode what it finds."""
    if len(text) >= _SHORTEST:
        from tidegate.scanners.embedded import judge_text

        data = text.encode("utf-8", "surrogatepass")
        judge_text(data, f"metadata {shown(key, 40)}", 0, subject, report, dispatcher)
    if "{{" in text or "{%" in text:
        from tidegate.scanners.template.scanner import report_template

        where = f"The metadata entry {shown(key)}"
        report_template(text, subject, report, where, strict="chat_template" in key)
    if len(text) >= _ENCODED:
        from tidegate.scanners.encoded import report_encoded

        report_encoded(text, subject, report, dispatcher, where=shown(key))


def _check_tensors(tensors: dict[str, Any], room: int) -> None:
    places = sorted((*_place(name, entry), name) for name, entry in tensors.items())
    reached = 0
    for start, end, name in places:
        if start != reached:
            what = "overlap" if start < reached else "leave a gap"
            raise _MalformedError(f"The tensors {what} before {shown(name)}.")
        reached = end
    if reached != room:
        raise _MalformedError(
            f"The tensors take {reached} bytes, and the file has {room} for them."
        )


def _place(name: str, entry: Any) -> tuple[int, int]:
    """Where one tensor's bytes lie, once its entry holds together."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _MalformedError(f"The entry of tensor {shown(name)} does not have its three fields.")
    offsets, shape = entry["data_offsets"], entry["shape"]
    if not (_are_counts(offsets) and len(offsets) == 2 and _are_counts(shape)):
        raise _MalformedError(f"The shape or place of tensor {shown(name)} is not made of counts.")
    start, end = offsets
    bits = _BITS.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if bits is None:
        raise _MalformedError(f"The dtype of tensor {shown(name)} is not known.")
    for count in shape:
        bits *= count
        if bits >= 1 << 67:
            raise _MalformedError(
                f"The shape of tensor {shown(name)} is larger than can be counted."
            )
    if bits % 8 or end - start != bits // 8:
        raise _MalformedError(
            f"The bytes of tensor {shown(name)} are not as many as its shape needs."
        )
    return start, end


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 1 << 64 for value in values
    )
