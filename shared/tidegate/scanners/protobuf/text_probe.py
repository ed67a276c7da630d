"""Telling which message a text in protobuf's text format is, by the fields that it begins with."""

from __future__ import annotations

import re
from typing import BinaryIO

_HEAD = 256 << 10
_STARTS = r"(?<![\w.])"
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
_COMMENT = re.compile(rb"#[^\n]*")
_NODE = re.compile(r"\b(?:op|name|signature|attr|input|device)\s*:?\s*[\"'{<]")
_SUFFIXES = (".pbtxt", ".prototxt", ".onnxtxt", ".pb", ".textproto", ".txtpb")
_ALL = 32 << 20
_LONGEST_LINE = 1 << 20


def text_message_of(stream: BinaryIO, name: str) -> tuple[str, str] | None:
    """The family and the message, or None. The name only adds a reading."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if base == "config.pbtxt":
        return "triton", "ModelConfig"
    is_named = base.endswith(_SUFFIXES)
    text = _significant(stream, _ALL if is_named else _HEAD)
    if not re.search(r"[:{<]", text):
        return None
    for family, message, pattern in _PATTERNS:
        if not pattern.search(text):
            continue
        braced = "{" in text or "<" in text
        if message == "CheckpointState":
            return family, message
        if message == "GraphDef" and not _NODE.search(text):
            continue
        if braced and (is_named or _looks_proto(text)):
            return family, message
    return None


def _without_comments(text: bytes) -> bytes:
    lines = _COMMENT.sub(b"", text).splitlines(keepends=True)
    return b"".join(line for line in lines if not line.isspace())


def _significant(stream: BinaryIO, limit: int) -> str:
    """The first `limit` bytes of the text that are no comment."""
    parts, kept, rest = [], 0, b""
    while kept < limit and (data := stream.read(_HEAD)):
        head, newline, rest = (rest + data).rpartition(b"\n")
        if rest.lstrip().startswith(b"#"):
            rest = b"#"
        elif len(rest) > _LONGEST_LINE:
            head, newline, rest = head + newline + rest, b"", b""
        parts.append(_without_comments(head + newline))
        kept += len(parts[-1])
    parts.append(_without_comments(rest))
    return b"".join(parts)[: limit + _HEAD].decode("utf-8-sig", "replace")


_BRACKETS = frozenset({"}", ">", "]", "{", "},", "};", "[", "],"})
_FIELD = re.compile(r"^\s*[A-Za-z_]\w*\s*(?::\s*(?:[\"'\[]|-?[\d.]|[A-Za-z_]\w*\s*$)|:?\s*[{<\[])")


def _looks_proto(text: str) -> bool:
    """Whether the first lines are fields of the text format and not some other language's."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    fitting = sum(
        _FIELD.match(line) is not None
        or line.strip() in {"}", ">", "]", "{", "},", "};", "[", "],"}
        for line in lines
    )
    return bool(lines) and fitting >= 0.8 * len(lines)
