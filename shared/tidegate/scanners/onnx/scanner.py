"""The ONNX scanner: every operator of every graph, function and nested graph by default deny.

Always holds: an operator passes because onnx or onnxruntime define it and it computes only, or
because the model has it as a function whose own operators pass. All occurrences of a field are
judged, so that it does not matter which of them a parser believes.
"""

from __future__ import annotations

from typing import Any

from tidegate.scanners.embedded import judge_text, scan_bytes
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.onnx.operators import domain_of, known_operators, refused_operators
from tidegate.scanners.onnx.tensors import Tensors
from tidegate.scanners.protobuf.probe import roots_of
from tidegate.scanners.protobuf.schema import family
from tidegate.scanners.protobuf.tree import Frame, Judge
from tidegate.scanners.protobuf.wire import walk
from tidegate.scanners.streams import shown

_NEWEST = 64
_MAX_NAMES = 100_000


_TEXTS = frozenset({
    "ModelProto.doc_string", "ModelProto.producer_name", "ModelProto.producer_version",
    "ModelProto.domain", "GraphProto.doc_string", "GraphProto.name", "NodeProto.doc_string",
    "TensorProto.doc_string", "ValueInfoProto.doc_string", "AttributeProto.doc_string",
    "FunctionProto.doc_string",
})  # fmt: skip
"""Texts that nothing reads but people."""


class OnnxScanner(Scanner):
    """Reads ONNX models, and tensors that stand in files of their own."""

    name = "onnx"
    formats = frozenset({"onnx"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk the message, then judge what its graphs use."""
        for root in roots_of(subject.stream, subject.size, "onnx") or ("ModelProto",):
            judge = OnnxJudge(subject, report, dispatcher)
            walk(subject.stream, 0, subject.size, family("onnx")[root], judge)
            judge.finish()


class OnnxJudge(Judge):
    """Collects the operators of one model, and judges its parts as they end."""

    kept = frozenset({
        "ModelProto.ir_version", "NodeProto.op_type", "NodeProto.domain", "NodeProto.name",
        "OperatorSetIdProto.domain", "FunctionProto.name", "FunctionProto.domain",
        "StringStringEntryProto.key", "StringStringEntryProto.value", "TensorProto.dims",
        "TensorProto.data_type", "TensorProto.data_location", "TensorProto.name",
        "TensorProto.string_data", "AttributeProto.s", "AttributeProto.strings",
        *_TEXTS,
    })  # fmt: skip
    packed = frozenset({"TensorProto.dims"})
    blobs = frozenset({"TensorProto.raw_data"})

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        super().__init__(subject, report, "PROTOBUF-MALFORMED", "ONNX model")
        self._dispatcher = dispatcher
        self._tensors = Tensors(subject, report)
        self._used: dict[tuple[str, str], int] = {}
        self._functions: set[tuple[str, str]] = set()

    def done(self, frame: Frame) -> Any:
        """Judge a complete message."""
        name = frame.message.name
        if name == "NodeProto":
            self._node(frame)
        elif name == "TensorProto":
            self._tensor(frame)
        elif name == "FunctionProto":
            domains = frame.texts("domain") or [""]
            for label in frame.texts("name"):
                self._functions.update((domain_of(domain), label) for domain in domains)
        elif name == "StringStringEntryProto":
            return self._entry(frame)
        elif name == "AttributeProto":
            for text in [*frame.all("s"), *frame.all("strings")]:
                self._text(text, "an attribute", frame.offset)
        for label in ("doc_string", "producer_name", "producer_version"):
            for text in frame.all(label):
                self._text(text, "a description", frame.offset)
        if name in {"ModelProto", "GraphProto"}:
            for text in [*frame.all("domain"), *frame.all("name")]:
                self._text(text, "a name", frame.offset)
        if name == "ModelProto":
            self._model(frame)
        return None

    def _model(self, frame: Frame) -> None:
        versions = frame.all("ir_version")
        if any(not 0 < version <= _NEWEST for version in versions):
            self.report.found(
                "ONNX-MALFORMED",
                self.subject,
                f"The model says to be of version {max(versions)}, which there is not.",
            )

    def _node(self, frame: Frame) -> None:
        domains = frame.texts("domain") or [""]
        for operator in frame.texts("op_type"):
            for domain in domains:
                key = (domain_of(domain), operator)
                if key not in self._used and len(self._used) < _MAX_NAMES:
                    self._used[key] = frame.offset

    def _tensor(self, frame: Frame) -> None:
        self._tensors.add(frame)
        for text in frame.all("string_data"):
            self._text(text, "a tensor of strings", frame.offset)
        for blob in frame.all("raw_data"):
            scan_bytes(blob, frame.text("name"), self.subject, self.report, self._dispatcher)

    def _entry(self, frame: Frame) -> tuple[str, str]:
        for text in frame.all("value"):
            if frame.field is None or frame.field.name != "external_data":
                what = f"the metadata {shown(frame.text('key'), 40)}"
                self._text(text, what, frame.offset)
        return frame.text("key"), frame.text("value")

    def _text(self, text: bytes, where: str, offset: int) -> None:
        judge_text(text, where, offset, self.subject, self.report, self._dispatcher)

    def finish(self) -> None:
        """Judge what needed the whole model."""
        self._tensors.claim()
        known, refused = known_operators(), refused_operators()
        for (domain, operator), offset in self._used.items():
            full = f"{domain}::{operator}" if domain else operator
            if (reason := refused.get(operator)) is not None and (
                (domain, operator) not in self._functions
            ):
                self._found(full, f"uses {shown(full)}: {reason}", offset, Severity.CRITICAL)
            elif (domain, operator) not in known and (domain, operator) not in self._functions:
                self._found(
                    full,
                    f"uses the operator {shown(full)}, which neither onnx nor onnxruntime has;"
                    " to run it, a library of native or Python code must be loaded",
                    offset,
                )

    def _found(self, detail: str, what: str, offset: int, severity: Severity | None = None) -> None:
        self.report.found(
            "ONNX-OPERATOR",
            self.subject,
            f"The model {what}.",
            severity=severity,
            offset=offset,
            detail=shown(detail, 200),
        )
