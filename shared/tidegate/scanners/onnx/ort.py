"""ONNX Runtime's own files (`.ort`): an ONNX model as a flatbuffer.

`ort.fbs` of onnxruntime. Always holds: every operator of every graph is judged as in an ONNX model,
every tensor's bytes and every text are looked at, and nothing lies behind the last part.
"""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.embedded import judge_text, scan_bytes
from tidegate.scanners.flatbuffer import Buffer, Table
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.onnx.operators import domain_of, known_operators, refused_operators
from tidegate.scanners.protobuf.tree import Blob
from tidegate.scanners.streams import shown

_MAX_ITEMS = 1_000_000
_MAX_DEPTH = 30
_SLACK = 64


class OrtScanner(Scanner):
    """Reads ONNX Runtime's flatbuffers."""

    name = "ort"
    formats = frozenset({"ort"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Judge the graphs, then every tensor."""
        try:
            _Model(subject, report, dispatcher).read()
        except (BrokenError, OverflowError) as error:
            reason = str(error) or "an offset of the flatbuffer is none"
            report.found("ONNX-MALFORMED", subject, f"The ORT model contradicts itself: {reason}")


class _Model:
    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject, self._report, self._dispatcher = subject, report, dispatcher
        self._items = self._end = 0

    def read(self) -> None:
        session = Buffer(self._subject.stream, 0, self._subject.size).root()
        model = session.table(1)
        if model is None:
            raise BrokenError("It has no model.")
        for field in (2, 3, 4, 6, 8):
            self._text(model, field)
        for entry in self._tables(model, 9):
            for field in (0, 1):
                self._text(entry, field)
        if (graph := model.table(7)) is not None:
            self._graph(graph, 0)
        rest = self._subject.size - self._end
        if rest > _SLACK:
            self._resolvers(session)
            rest = self._subject.size - self._end
        if rest > _SLACK:
            self._report.found(
                "EXTERNAL-DATA-HIDDEN",
                self._subject,
                f"The last {rest} bytes of the file belong to no part of the model.",
                offset=self._end,
            )

    def _resolvers(self, session: Table) -> None:
        """The names of types behind the model, which say which kernel goes with which operator."""
        resolver = session.table(3)
        for entry in [] if resolver is None else self._tables(resolver, 0):
            self._text(entry, 0)
            for kernel in self._tables(entry, 1):
                self._text(kernel, 0)
                for argument in self._tables(kernel, 1):
                    self._reach(argument.at, 16)

    def _graph(self, graph: Table, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise BrokenError("Its graphs nest too deep.")
        for tensor in self._tables(graph, 0):
            self._tensor(tensor)
        for argument in self._tables(graph, 1):
            for field in (0, 1):
                self._text(argument, field)
        for node in self._tables(graph, 2):
            self._node(node, depth)
        for sparse in self._tables(graph, 7):
            for field in (0, 1):
                if (part := sparse.table(field)) is not None:
                    self._tensor(part)

    def _node(self, node: Table, depth: int) -> None:
        for field in (0, 1, 7):
            self._text(node, field)
        domain = self._text(node, 2).decode("utf-8", "backslashreplace")
        operator = self._text(node, 5).decode("utf-8", "backslashreplace")
        self._operator(domain_of(domain), operator, node.at)
        for attribute in self._tables(node, 10):
            for field in (0, 1, 5):
                self._text(attribute, field)
            for text in attribute.texts(12):
                self._look(text, attribute.at)
            if (tensor := attribute.table(6)) is not None:
                self._tensor(tensor)
            for tensor in self._tables(attribute, 11):
                self._tensor(tensor)
            if (graph := attribute.table(7)) is not None:
                self._graph(graph, depth + 1)
            for graph in self._tables(attribute, 13):
                self._graph(graph, depth + 1)

    def _operator(self, domain: str, operator: str, offset: int) -> None:
        full = f"{domain}::{operator}" if domain else operator
        if (reason := refused_operators().get(operator)) is None:
            if (domain, operator) in known_operators():
                return
            reason = "neither onnx nor onnxruntime has it; it runs only with a library of its own"
        self._report.found(
            "ONNX-OPERATOR",
            self._subject,
            f"The model uses the operator {shown(full)}: {reason}.",
            offset=offset,
            detail=shown(full, 200),
        )

    def _tensor(self, tensor: Table) -> None:
        for field in (0, 1):
            self._text(tensor, field)
        for text in tensor.texts(5):
            self._look(text, tensor.at)
        start, count = tensor.vector(4, 1)
        self._reach(start, count)
        if count:
            name = f"tensor@{start}"
            scan_bytes(Blob(start, count), name, self._subject, self._report, self._dispatcher)
        if tensor.number(6, "q", -1) >= 0:
            self._report.unread(self._subject, "a tensor of the ORT model lies in another file")

    def _tables(self, table: Table, field: int) -> list[Table]:
        start, count = table.vector(field, 4)
        self._items += count
        if self._items > _MAX_ITEMS:
            raise BrokenError(f"The model has more than {_MAX_ITEMS} parts.")
        self._reach(start, 4 * count)
        return table.tables(field)

    def _text(self, table: Table, field: int) -> bytes:
        text = table.text(field)
        if text is None:
            return b""
        start, count = table.vector(field, 1)
        self._reach(start, count)
        self._look(text, start)
        return text

    def _look(self, text: bytes, at: int) -> None:
        self._reach(at, 0)
        judge_text(text, "a text", at, self._subject, self._report, self._dispatcher)

    def _reach(self, start: int, count: int) -> None:
        self._end = max(self._end, start + count)
