"""Telling graphs and other protobuf messages, which have no magic number, in binary and text."""

from __future__ import annotations

from typing import BinaryIO

from tidegate.artifact.formats import Format
from tidegate.scanners.protobuf.probe import messages_of
from tidegate.scanners.protobuf.text_probe import text_message_of
from tidegate.scanners.streams import read_exactly
from tidegate.scanners.tensorflow.framing import HEADER, begins_record

_FAMILIES = {
    "onnx": Format.ONNX,
    "tensorflow": Format.TENSORFLOW,
    "sentencepiece": Format.SENTENCEPIECE,
    "coreml": Format.COREML,
    "caffe": Format.CAFFE,
    "paddle": Format.PADDLE,
}
_TEXTS = frozenset({Format.TEXT, Format.SCRIPT, Format.REQUIREMENTS, Format.YAML})
# A name's guess, which the content answers better.
_GUESSES = frozenset({Format.UNKNOWN, Format.PROTOBUF, Format.ONNX})


def graph_formats(
    stream: BinaryIO, size: int, name: str, told: tuple[Format, ...]
) -> tuple[Format, ...]:
    """The formats told so far, and what the structure shows; the position is back at 0."""
    if _TEXTS.intersection(told):
        stream.seek(0)
        shown = text_message_of(stream, name)
        stream.seek(0)
        return told if shown is None else (Format.PROTOBUF_TEXT, *told)
    stream.seek(0)
    if begins_record(read_exactly(stream, HEADER)):
        stream.seek(0)
        return (Format.TF_RECORDS, *(fmt for fmt in told if fmt not in _GUESSES))
    found = dict.fromkeys(_FAMILIES[name] for name, _ in messages_of(stream, size))
    if not found:
        return told
    return (*found, *(fmt for fmt in told if fmt not in _GUESSES))
