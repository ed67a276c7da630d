"""Telling which message a text in protobuf's text format is, by the fields that it begins with."""

from __future__ import annotations

import re
from typing import BinaryIO

from tidegate.scanners.streams import read_exactly

_HEAD = 256 << 10
_STARTS = r"(?:^|[{};,\n]|\")[ \t]*"
_TELLING: tuple[tuple[str, str, str], ...] = (
    ("onnx", "ModelProto", r"ir_version\s*:|opset_import\s*[:{<]|op_type\s*:\s*[\"']"),
    ("tensorflow", "SavedModel", r"saved_model_schema_version\s*:|meta_graphs\s*:?\s*[{<\[]"),
    ("tensorflow", "MetaGraphDef", r"meta_info_def\s*:?\s*[{<]|graph_def\s*:?\s*[{<]"),
    ("tensorflow", "CheckpointState", r"model_checkpoint_path\s*:"),
    ("caffe", "NetParameter", r"layers?\s*:?\s*[{<]|python_param\s*:?\s*[{<]"),
    (
        "triton",
        "ModelConfig",
        r"(?:backend|platform)\s*:\s*[\"']|max_batch_size\s*:|ensemble_scheduling\s*:?\s*[{<]",
    ),
    (
        "tensorflow",
        "GraphDef",
        r"node\s*:?\s*[{<\[]|library\s*:?\s*[{<]|node_def\s*:?\s*[{<\[]",
    ),
)
_PATTERNS = tuple(
    (family, message, re.compile(_STARTS + f"(?:{pattern})", re.MULTILINE))
    for family, message, pattern in _TELLING
)
_COMMENT = re.compile(r"#[^\n]*")
_NODE = re.compile(r"\b(?:op|name|signature)\s*:?\s*[\"'{<]")


def text_message_of(stream: BinaryIO, size: int, name: str) -> tuple[str, str] | None:
    """The family and the message, or None. The name only adds a reading."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if base == "config.pbtxt":
        return "triton", "ModelConfig"
    text = read_exactly(stream, min(size, _HEAD)).decode("utf-8", "replace")
    if not re.search(r"[:{<]", text):
        return None
    text = _COMMENT.sub("", text)
    for family, message, pattern in _PATTERNS:
        if not pattern.search(text):
            continue
        braced = "{" in text or "<" in text
        if message == "CheckpointState":
            return family, message
        if message == "GraphDef" and not _NODE.search(text):
            continue
        if braced and (base.endswith((".pbtxt", ".prototxt", ".onnxtxt")) or _looks_proto(text)):
            return family, message
    return None


_BRACKETS = frozenset({"}", ">", "]", "{", "},", "};", "[", "],"})
_FIELD = re.compile(r"^\s*[A-Za-z_]\w*\s*(?::\s*(?:[\"'\[]|-?[\d.]|[A-Za-z_]\w*\s*$)|:?\s*[{<])")


def _looks_proto(text: str) -> bool:
    """Whether the first lines are fields of the text format and not some other language's."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    fitting = sum(
        _FIELD.match(line) is not None
        or line.strip() in {"}", ">", "]", "{", "},", "};", "[", "],"}
        for line in lines
    )
    return bool(lines) and fitting >= 0.8 * len(lines)
