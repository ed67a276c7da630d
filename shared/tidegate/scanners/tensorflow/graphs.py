"""Judges the messages of TensorFlow: nodes, functions, constants, assets, collections, objects.

Always holds: every node of every graph and function is judged, and every attribute, in whatever
order and however often they stand.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any, BinaryIO

from tidegate.scanners.embedded import judge_text, scan_bytes
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject, iter_stream
from tidegate.scanners.keras import report_config
from tidegate.scanners.onnx.tensors import place_problem
from tidegate.scanners.protobuf.schema import Field
from tidegate.scanners.protobuf.tree import Blob, Frame, Judge
from tidegate.scanners.streams import shown, window
from tidegate.scanners.tensorflow.operators import Refusal, judged, refused
from tidegate.scanners.tensorflow.saver import Body, Node, matters, problems

_MAX_NODES = 150_000
_MAX_TEXTS = 64
_LONGEST_PATH = 4096
_CALLBACK = re.compile(rb"python_\w*callback|host_callback|py_callback")
_STRING = 7
_PACKED = b"packed://text"
_STREAMS = frozenset({b"stderr", b"stdout", b"log(info)", b"log(warning)", b"log(error)"})
_FILE_ATTRIBUTES = {
    "PrintV2": ("output_stream", "prints into a file"),
    "DecodeProtoV2": ("descriptor_source", "reads a file of message types"),
    "EncodeProtoV2": ("descriptor_source", "reads a file of message types"),
    "FixedUnigramCandidateSampler": ("vocab_file", "reads a file of words"),
}
_HARMLESS_SOURCES = (b"", b"local://")
_BITS = {
    1: 32, 2: 64, 3: 32, 4: 8, 5: 16, 6: 8, 8: 64, 9: 64, 10: 8, 11: 8, 12: 8, 13: 32, 14: 16,
    15: 16, 16: 16, 17: 16, 18: 128, 19: 16, 22: 32, 23: 64,
}  # fmt: skip
"""Bits of one element by DataType, where it has a fixed size."""


def _calls_back(stream: BinaryIO) -> bool:
    before = b""
    for chunk in iter_stream(stream):
        if _CALLBACK.search(before + chunk):
            return True
        before = chunk[-64:]
    return False


@dataclass(slots=True)
class _Attribute:
    texts: list[bytes]
    functions: list[str]
    constants: list[bytes]


class GraphJudge(Judge):
    """Reads one message of TensorFlow, from a SavedModel down to a list of words."""

    kept = frozenset({
        "NodeDef.name", "NodeDef.op", "NodeDef.input", "AttrValue.s", "AttrValue.ListValue.s",
        "NameAttrList.name", "TensorProto.dtype", "TensorProto.string_val",
        "TensorShapeProto.Dim.size", "OpDef.name", "AssetFileDef.filename", "TensorInfo.name",
        "CollectionDef.BytesList.value", "CollectionDef.NodeList.value", "NodeDef.AttrEntry.key",
        "MetaGraphDef.CollectionDefEntry.key",
        "CheckpointState.model_checkpoint_path", "CheckpointState.all_model_checkpoint_paths",
        "BytesList.value", "Summary.Value.tag", "SummaryMetadata.PluginData.content",
    })  # fmt: skip
    blobs = frozenset({
        "TensorProto.tensor_content", "Keras.SavedObject.metadata", "SavedUserObject.metadata",
        "Event.graph_def", "Event.meta_graph_def", "Any.value",
    })  # fmt: skip

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        super().__init__(subject, report, "PROTOBUF-MALFORMED", "TensorFlow message")
        self._dispatcher = dispatcher
        self._used: dict[str, int] = {}
        self._functions: set[str] = set()
        self._assets: set[str] = set()
        self._bodies: list[Body] = []
        self._nodes = 0

    def done(self, frame: Frame) -> Any:
        """Judge a complete message."""
        handler = _HANDLERS.get(frame.message.name)
        return None if handler is None else handler(self, frame)

    def oversized(self, field: Field, blob: Blob) -> None:
        """A long text is looked at as raw bytes."""
        if _calls_back(window(self.subject.stream, blob.offset, blob.size)):
            reason = "its program calls back into Python"
            self._operator("XlaCallModule", Refusal(reason, Severity.CRITICAL), blob.offset)
        scan_bytes(blob, field.name, self.subject, self.report, self._dispatcher)

    def tensor(self, frame: Frame) -> list[bytes]:
        """A constant: its texts, and its bytes as many as its shape makes."""
        texts = frame.all("string_val")
        for text in texts:
            self._text(text, "a constant", frame.offset)
        kind = (frame.all("dtype") or [0])[-1]
        bits = _BITS.get(kind)
        for blob in frame.all("tensor_content"):
            scan_bytes(blob, "", self.subject, self.report, self._dispatcher)
            for count in frame.all("tensor_shape"):
                if bits is not None and blob.size not in {0, (count * bits + 7) // 8}:
                    self.report.found(
                        "TF-MALFORMED",
                        self.subject,
                        f"A constant has {blob.size} bytes, and its shape and type make"
                        f" {(count * bits + 7) // 8}.",
                        offset=frame.offset,
                    )
        if kind == _STRING and frame.all("tensor_content"):
            # Texts packed into bytes: whatever they are, no honest path.
            return [_PACKED]
        return [text if len(text) <= _LONGEST_PATH else b"" for text in texts[:_MAX_TEXTS]]

    def shape(self, frame: Frame) -> int:
        """The number of elements."""
        count = 1
        for size in frame.all("dim"):
            count = min(count * size, 1 << 62)
        return count

    def dimension(self, frame: Frame) -> int:
        """One dimension; zero where it is left out, or unknown."""
        size: int = (frame.all("size") or [0])[-1]
        return 0 if size >> 63 else size

    def attribute(self, frame: Frame) -> _Attribute:
        """The value of an attribute: its texts, functions and constants."""
        lists: list[_Attribute] = frame.all("list")
        found = _Attribute(
            [*frame.all("s"), *(text for one in lists for text in one.texts)],
            [*frame.all("func"), *(name for one in lists for name in one.functions)],
            [text for tensor in frame.all("tensor") for text in tensor],
        )
        for text in frame.all("s"):
            self._text(text, "an attribute", frame.offset)
        for name in frame.all("func"):
            # A function of that name, or an operator where there is none.
            if refused(name) is not None:
                self._used.setdefault(name, frame.offset)
        return found

    def named_function(self, frame: Frame) -> str:
        """The function that an attribute names."""
        return frame.text("name")

    def entry(self, frame: Frame) -> tuple[str, list[_Attribute]]:
        """One attribute of a node."""
        return frame.text("key"), frame.all("value")

    def node(self, frame: Frame) -> tuple[str, Node] | None:
        """A node: its operator, and what it is given."""
        attributes: list[tuple[str, _Attribute]] = [
            (key, value) for key, values in frame.all("attr") for value in values
        ]
        texts: list[bytes] = []
        functions: list[str] = []
        for key, value in attributes:
            functions += value.functions
            if key == "value":
                texts += value.constants
        operators = frame.texts("op")
        for each in operators:
            self._used.setdefault(each, frame.offset)
            self._check_attributes(each, attributes, frame.offset)
        named, wanted = tuple(functions), tuple(texts)
        op = next((each for each in operators if matters(each, named, wanted)), None)
        if op is None:
            return None
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            self.too_much(f"has more than {_MAX_NODES} nodes that name functions or texts")
            return None
        inputs = tuple(frame.texts("input"))
        return frame.text("name"), Node(op, inputs, wanted, named, frame.offset)

    def _check_attributes(
        self, op: str, attributes: list[tuple[str, _Attribute]], offset: int
    ) -> None:
        if op in _FILE_ATTRIBUTES:
            wanted, what = _FILE_ATTRIBUTES[op]
            for key, value in attributes:
                bad = [
                    text
                    for text in value.texts
                    if key == wanted
                    and text not in (_STREAMS if op == "PrintV2" else _HARMLESS_SOURCES)
                    and not text.startswith(b"bytes://")
                ]
                if bad:
                    place = shown(bad[0].decode("utf-8", "backslashreplace"))
                    self._operator(
                        op, Refusal(f"it {what} ({place})", Severity.CRITICAL), offset, place
                    )
        if op == "XlaCallModule":
            for key, value in attributes:
                if key == "module" and any(_CALLBACK.search(text) for text in value.texts):
                    reason = "its program calls back into Python"
                    self._operator(op, Refusal(reason, Severity.CRITICAL), offset, "callback")

    def function(self, frame: Frame) -> None:
        """A function of the graph's library."""
        for name in frame.all("signature"):
            self._functions.add(name)
            self._bodies.append(Body(name, dict(frame.all("node_def"))))

    def signature(self, frame: Frame) -> str | None:
        """The name of a function; an operator's own description says nothing."""
        in_function = frame.field is not None and frame.field.path == "FunctionDef.signature"
        return frame.text("name") if in_function else None

    def graph(self, frame: Frame) -> None:
        """A graph: its own nodes are a body without a name."""
        self._bodies.append(Body("", dict(frame.all("node"))))

    def asset(self, frame: Frame) -> None:
        """A file of the model's folder of assets."""
        self._assets.update(name.split(":", 1)[0] for name in frame.all("tensor_info"))
        for name in frame.texts("filename"):
            problem = place_problem(name)
            if problem is not None:
                self.report.found(
                    "TF-FILE-PATH",
                    self.subject,
                    f"The asset {shown(name)!r} {problem}.",
                    offset=frame.offset,
                    detail=shown(name, 200),
                )

    def tensor_info(self, frame: Frame) -> str:
        """The name of a tensor."""
        return frame.text("name")

    def texts(self, frame: Frame) -> list[bytes]:
        """Byte strings of a collection or a record."""
        for text in frame.all("value"):
            self._text(text, "a list of texts", frame.offset)
        return frame.all("value")[:_MAX_TEXTS]

    def metadata(self, frame: Frame) -> None:
        """What Keras keeps of a layer, as JSON."""
        for blob in frame.all("metadata"):
            stream = (
                window(self.subject.stream, blob.offset, blob.size)
                if blob.data is None
                else io.BytesIO(blob.data)
            )
            part = self.subject.inside(stream, blob.size, f"metadata@{blob.offset}")
            if stream.read(1) == b"{":
                # For a class that nobody knows, Keras builds a stand-in from the graph.
                stream.seek(0)
                report_config(part, self.report, revived=True)
            elif blob.size:
                stream.seek(0)
                self._dispatcher.dispatch(part, self.report)

    def checkpoint_state(self, frame: Frame) -> None:
        """The list of a folder's checkpoints."""
        names = ("model_checkpoint_path", "all_model_checkpoint_paths")
        for path in (path for name in names for path in frame.texts(name)):
            problem = place_problem(path)
            if problem is not None:
                absolute = problem == "is an absolute path"
                self.report.found(
                    "TF-FILE-PATH",
                    self.subject,
                    f"The checkpoint {shown(path)!r} {problem}.",
                    severity=Severity.LOW if absolute else None,
                    detail=shown(path, 200),
                )

    def event(self, frame: Frame) -> None:
        """A log's record: graphs in it are shown, and never run; bytes are looked at."""
        for blob in [*frame.all("graph_def"), *frame.all("meta_graph_def")]:
            scan_bytes(blob, "graph", self.subject, self.report, self._dispatcher)

    def anything(self, frame: Frame) -> None:
        """A message of a type that it names."""
        for blob in frame.all("value"):
            scan_bytes(blob, "any", self.subject, self.report, self._dispatcher)

    def _text(self, text: bytes, where: str, offset: int) -> None:
        judge_text(text, where, offset, self.subject, self.report, self._dispatcher)

    def _operator(self, name: str, refusal: Refusal, offset: int, detail: str = "") -> None:
        self.report.found(
            "TF-OPERATOR",
            self.subject,
            f"The graph uses {shown(name)}: {refusal.reason}.",
            severity=refusal.severity,
            offset=offset,
            detail=shown(f"{name}:{detail}" if detail else name, 200),
        )

    def finish(self) -> None:
        """Judge what needed the whole graph."""
        found = []
        for name, offset in self._used.items():
            refusal = refused(name) if name in self._functions else judged(name)
            if refusal is not None:
                found.append((name, refusal, offset))
        for name, refusal, offset in sorted(found, key=lambda each: -each[1].severity):
            self._operator(name, refusal, offset)
        assets = frozenset(self._assets)
        for node, problem in problems(self._bodies, assets):
            self.report.found(
                "TF-FILE-PATH",
                self.subject,
                f"The graph opens files with {shown(node.op)}, and {shown(problem, 160)}.",
                offset=node.offset,
                detail=shown(f"{node.op}: {problem}", 200),
            )


_HANDLERS = {
    "TensorProto": GraphJudge.tensor,
    "TensorShapeProto": GraphJudge.shape,
    "TensorShapeProto.Dim": GraphJudge.dimension,
    "AttrValue": GraphJudge.attribute,
    "AttrValue.ListValue": GraphJudge.attribute,
    "NameAttrList": GraphJudge.named_function,
    "NodeDef.AttrEntry": GraphJudge.entry,
    "NodeDef": GraphJudge.node,
    "FunctionDef": GraphJudge.function,
    "OpDef": GraphJudge.signature,
    "GraphDef": GraphJudge.graph,
    "AssetFileDef": GraphJudge.asset,
    "TensorInfo": GraphJudge.tensor_info,
    "CollectionDef.BytesList": GraphJudge.texts,
    "CollectionDef.NodeList": GraphJudge.texts,
    "BytesList": GraphJudge.texts,
    "Keras.SavedObject": GraphJudge.metadata,
    "SavedUserObject": GraphJudge.metadata,
    "CheckpointState": GraphJudge.checkpoint_state,
    "Event": GraphJudge.event,
    "Any": GraphJudge.anything,
}
