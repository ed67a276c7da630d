"""Telling which message a file is, by its structure: protobuf has no magic number.

A file is told as a format when the fields that make a loader act are there in their places: a
graph with a node that has an operator, a list of sentence pieces. Fields around them that fit
nothing do not take the format away, or a payload would only need to stand beside one. Weaker
signs (a lone tensor, a record of numbers) count only where every byte fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from tidegate.scanners.protobuf.schema import FIXED32, FIXED64, LENGTH, VARINT, Message, family
from tidegate.scanners.protobuf.wire import MalformedError, Source

_MAX_FIELDS = 4096
_MAX_CHILDREN = 64
_IDENTIFIER = re.compile(rb"[A-Za-z_.>][A-Za-z0-9_.>\-/:]{0,200}")
_Span = tuple[int, int]


class _Part:
    """The fields of one message, each by number, wire type, and the place of its content."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self._source = source
        self.fields: list[tuple[int, int, int, int]] = []
        self.whole = False
        at = start
        try:
            while at < end and len(self.fields) < _MAX_FIELDS:
                tag, then = source.varint(at)
                number, wire = tag >> 3, tag & 7
                if not 0 < number < 1 << 29:
                    return
                if wire == VARINT:
                    value, beyond = source.varint(then)
                    size = value
                elif wire == LENGTH:
                    size, then = source.varint(then)
                    beyond = then + size
                elif wire in {FIXED32, FIXED64}:
                    size = 4 if wire == FIXED32 else 8
                    beyond = then + size
                else:
                    return
                if beyond > end:
                    return
                self.fields.append((number, wire, then, size))
                at = beyond
        except MalformedError:
            return
        self.whole = at == end

    def children(self, number: int) -> Iterator[_Part]:
        """The messages that stand in that field, the first of them."""
        found = 0
        for one, wire, start, size in self.fields:
            if one == number and wire == LENGTH:
                yield _Part(self._source, start, start + size)
                found += 1
                if found >= _MAX_CHILDREN:
                    return

    def texts(self, number: int) -> Iterator[bytes]:
        """The byte strings of that field, their beginnings."""
        for one, wire, start, size in self.fields:
            if one == number and wire == LENGTH:
                yield self._source.bytes_at(start, min(size, 256))

    def has(self, number: int, wire: int = LENGTH) -> bool:
        """Whether such a field is there."""
        return any(one == number and kind == wire for one, kind, _, _ in self.fields)

    def names(self, number: int) -> bool:
        """Whether the field is there, and a name each time."""
        texts = list(self.texts(number))
        return bool(texts) and all(_IDENTIFIER.fullmatch(text) for text in texts)

    def fits(self, message: Message) -> bool:
        """Whether all fields are the message's own, to the end."""
        return self.whole and all(
            (field := message.by_number.get(number)) is not None
            and (wire == field.wire or (wire == LENGTH and field.packs))
            for number, wire, _, _ in self.fields
        )


def _is_onnx_node(node: _Part) -> bool:
    return node.names(4) and (node.has(1) or node.has(2))


def _is_onnx_graph(graph: _Part) -> bool:
    if any(_is_onnx_node(node) for node in graph.children(1)):
        return True
    values = [*graph.children(11), *graph.children(12)]
    return graph.whole and any(value.has(1) and value.has(2) for value in values)


def _is_onnx(root: _Part) -> bool:
    graphs = list(root.children(7))
    if any(_is_onnx_graph(graph) for graph in graphs):
        return True
    for function in root.children(25):
        if function.names(1) and any(_is_onnx_node(node) for node in function.children(7)):
            return True
    if not graphs:
        return False
    return root.has(1, VARINT) and root.fits(family("onnx")["ModelProto"])


def _is_node(node: _Part) -> bool:
    return node.has(1) and node.names(2)


def _is_graph(graph: _Part) -> bool:
    if any(_is_node(node) for node in graph.children(1)):
        return True
    for library in graph.children(2):
        for function in library.children(1):
            if any(_is_node(node) for node in function.children(3)):
                return True
    return False


def _is_meta_graph(root: _Part) -> bool:
    return any(_is_graph(graph) for graph in root.children(2))


def _is_meta_graph_without_nodes(root: _Part) -> bool:
    messages = family("tensorflow")
    return root.fits(messages["MetaGraphDef"]) and any(
        info.fits(messages["MetaGraphDef.MetaInfoDef"]) and (info.has(4) or info.has(5))
        for info in root.children(1)
    )


def _is_saved_model(root: _Part) -> bool:
    return any(
        _is_meta_graph(graph)
        or (root.has(1, VARINT) and graph.has(1) and _is_meta_graph_without_nodes(graph))
        for graph in root.children(2)
    )


def _is_graph_def(root: _Part) -> bool:
    return _is_graph(root)


def _is_saved_metadata(root: _Part) -> bool:
    return any(node.names(4) and node.has(5) and node.has(3) for node in root.children(1))


def _is_sentencepiece(root: _Part) -> bool:
    return any(trainer.whole and trainer.fields for trainer in root.children(2)) and any(
        piece.has(1) and piece.has(2, FIXED32) for piece in root.children(1)
    )


def _is_coreml(root: _Part) -> bool:
    # The kinds of model begin at 200.
    if not root.has(1, VARINT) or not any(number >= 200 for number, *_ in root.fields):
        return False
    known = family("coreml")["CoreML.Specification.Model"].by_number
    return any(inner.has(1) or inner.has(10) for inner in root.children(2)) and any(
        number >= 200 and number in known for number, *_ in root.fields
    )


def _is_caffe(root: _Part) -> bool:
    for number in (100, 2):
        for layer in root.children(number):
            if layer.names(2 if number == 100 else 4) and layer.has(1 if number == 100 else 3):
                return True
    return False


def _is_paddle(root: _Part) -> bool:
    for block in root.children(1):
        if not (block.has(1, VARINT) and block.has(2, VARINT)):
            continue
        if any(op.names(3) for op in block.children(4)) or any(
            variable.has(1) and variable.has(2) for variable in block.children(3)
        ):
            return True
    return False


_TELLING: tuple[tuple[str, str, Callable[[_Part], bool]], ...] = (
    ("onnx", "ModelProto", _is_onnx),
    ("tensorflow", "SavedModel", _is_saved_model),
    ("tensorflow", "MetaGraphDef", _is_meta_graph),
    ("tensorflow", "GraphDef", _is_graph_def),
    ("tensorflow", "SavedMetadata", _is_saved_metadata),
    ("sentencepiece", "ModelProto", _is_sentencepiece),
    ("coreml", "Model", _is_coreml),
    ("caffe", "NetParameter", _is_caffe),
    ("paddle", "ProgramDesc", _is_paddle),
)


def _is_tensor(root: _Part) -> bool:
    if not root.fits(family("onnx")["TensorProto"]):
        return False
    data = any(root.has(number) for number in (4, 5, 6, 7, 9, 10, 11, 13))
    return root.has(2, VARINT) and (data or root.has(1) or root.has(1, VARINT) or root.has(8))


def _is_sequence(root: _Part) -> bool:
    return root.fits(family("onnx")["SequenceProto"]) and root.has(2, VARINT)


def _is_optional(root: _Part) -> bool:
    return root.fits(family("onnx")["OptionalProto"]) and root.has(2, VARINT)


def _is_fingerprint(root: _Part) -> bool:
    return (
        root.fits(family("tensorflow")["FingerprintDef"])
        and root.has(1, VARINT)
        and root.has(2, VARINT)
        and root.has(6)
    )


def _is_module_of_hub(root: _Part) -> bool:
    """`tfhub_module.pb` is one small number: the version of its format."""
    return len(root.fields) == 1 and root.has(1, VARINT) and 1 <= root.fields[0][3] <= 9


_WHOLE: tuple[tuple[str, str, Callable[[_Part], bool]], ...] = (
    ("tensorflow", "FingerprintDef", _is_fingerprint),
    ("tensorflow", "FingerprintDef", _is_module_of_hub),
    ("tensorflow", "MetaGraphDef", _is_meta_graph_without_nodes),
    ("onnx", "TensorProto", _is_tensor),
    ("onnx", "SequenceProto", _is_sequence),
    ("onnx", "OptionalProto", _is_optional),
)


def messages_of(stream: BinaryIO, size: int) -> tuple[tuple[str, str], ...]:
    """Each family and message that the file may be taken for; none where we know none.

    The same bytes may be messages of several kinds, each with what the others pass over.
    """
    root = _Part(Source(stream, size), 0, size)
    told: list[tuple[str, str]] = []
    if root.fields:
        told = [(name, message) for name, message, tells in _TELLING if tells(root)]
    if root.fields and root.whole and not told:
        told = [(name, message) for name, message, tells in _WHOLE if tells(root)][:1]
    stream.seek(0)
    return tuple(told)


def roots_of(stream: BinaryIO, size: int, name: str) -> tuple[str, ...]:
    """The messages of one family that the file may be taken for."""
    return tuple(message for each, message in messages_of(stream, size) if each == name)


def fits_whole(stream: BinaryIO, size: int, name: str, messages: tuple[str, ...]) -> str | None:
    """The first of those messages whose fields all are there and no other; None for none."""
    root = _Part(Source(stream, size), 0, size)
    for message in messages if root.fields else ():
        if root.fits(family(name)[message]):
            return message
    return None
