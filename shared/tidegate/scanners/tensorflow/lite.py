"""TFLite models: the operators that they need, the bytes that they keep, and what lies behind.

A model's built-in operators are the interpreter's own. A custom one must be brought by whoever
loads the model; one that begins with "Flex" is TensorFlow's, and is judged as in a graph.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.embedded import judge_text, scan_bytes
from tidegate.scanners.flatbuffer import Buffer, Table
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.protobuf.tree import Blob
from tidegate.scanners.streams import read_exactly, shown, window
from tidegate.scanners.tensorflow.operators import judged, refused, refused_pattern

_CUSTOM = 32
_MAX_ITEMS = 1_000_000
_SLACK = 64
_FLEX = "Flex"


@cache
def _known_custom() -> frozenset[str]:
    path = files("tidegate.scanners").joinpath("data/graphs/tflite_custom.json")
    return frozenset(json.loads(path.read_text("utf-8"))["operators"])


class LiteScanner(Scanner):
    """Reads TFLite's flatbuffers."""

    name = "tflite"
    formats = frozenset({"tflite"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Judge the operators, then look at every buffer."""
        try:
            _Model(subject, report, dispatcher).read()
        except BrokenError as error:
            report.found("TF-MALFORMED", subject, str(error))
        except OverflowError:
            report.found("TF-MALFORMED", subject, "The flatbuffer has an offset that is none.")


class _Model:
    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject, self._report, self._dispatcher = subject, report, dispatcher
        self._buffer = Buffer(subject.stream, 0, subject.size)
        self._end = 0
        self._items = 0

    def read(self) -> None:
        """Follow the model's tables."""
        model = self._buffer.root()
        for code in self._tables(model, 1):
            self._operator(code)
        self._text(model, 3)
        for buffer in self._tables(model, 4):
            self._data(buffer)
        for entry in self._tables(model, 6):
            self._text(entry, 0)
        for graph in self._tables(model, 2):
            self._text(graph, 4)
            for tensor in self._tables(graph, 0):
                self._text(tensor, 3)
                self._reach(*tensor.vector(0, 4), 4)
            for operator in self._tables(graph, 3):
                self._options(operator)
                self._reach(*operator.vector(1, 4), 4)
                self._reach(*operator.vector(2, 4), 4)
        for signature in self._tables(model, 7):
            self._text(signature, 2)
            for field in (0, 1):
                for pair in self._tables(signature, field):
                    self._text(pair, 0)
        self._check_end()

    def _tables(self, table: Table, field: int) -> list[Table]:
        start, count = table.vector(field, 4)
        self._items += count
        if self._items > _MAX_ITEMS:
            raise BrokenError(f"The model has more than {_MAX_ITEMS} parts.")
        self._reach(start, count, 4)
        tables = table.tables(field)
        for each in tables:
            self._reach(each.at, 1, 4)
        return tables

    def _reach(self, start: int, count: int, width: int) -> None:
        self._end = max(self._end, start + count * width)

    def _text(self, table: Table, field: int) -> bytes:
        text = table.text(field)
        if text is None:
            return b""
        start, count = table.vector(field, 1)
        self._reach(start, count, 1)
        judge_text(text, "a name", start, self._subject, self._report, self._dispatcher)
        return text

    def _operator(self, code: Table) -> None:
        name = self._text(code, 1).decode("utf-8", "backslashreplace")
        is_custom = _CUSTOM in {code.number(0, "b"), code.number(3, "i")}
        if not name and not is_custom:
            return
        if name.startswith(_FLEX):
            refusal = judged(name[len(_FLEX) :])
            if refusal is not None:
                self._found(name, refusal.reason, code.at, refusal.severity)
        elif name not in _known_custom():
            reason = (
                "its interpreter does not have it, so that native code must be loaded to run it"
            )
            self._found(name, reason, code.at)

    def _found(self, name: str, reason: str, offset: int, severity: Severity | None = None) -> None:
        self._report.found(
            "TFLITE-OPERATOR",
            self._subject,
            f"The model uses {shown(name)!r}: {reason}.",
            severity=severity,
            offset=offset,
            detail=shown(name, 200),
        )

    def _options(self, operator: Table) -> None:
        start, count = operator.vector(5, 1)
        self._reach(start, count, 1)
        if 0 < count <= 1 << 20:
            text = self._buffer.bytes_at(start, count)
            # The options of an operator of TensorFlow hold the node that is really run.
            if (named := refused_pattern().search(text)) is not None:
                found = named[0].decode()
                refusal = refused(found)
                reason = "it reads or writes files" if refusal is None else refusal.reason
                self._found(found, reason, start, None if refusal is None else refusal.severity)
            judge_text(text, "options", start, self._subject, self._report, self._dispatcher)
        elif count:
            self._scan(start, count, "options")

    def _data(self, buffer: Table) -> None:
        start, count = buffer.vector(0, 1)
        self._reach(start, count, 1)
        if count:
            self._scan(start, count, "buffer")
        # Of models over 2 GB, the bytes lie behind the flatbuffer.
        offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
        if offset > 1 and size:
            if offset + size > self._subject.size:
                raise BrokenError("A buffer lies outside of the file.")
            self._reach(offset, size, 1)
            self._scan(offset, size, "buffer")

    def _scan(self, start: int, count: int, what: str) -> None:
        scan_bytes(
            Blob(start, count), f"{what}@{start}", self._subject, self._report, self._dispatcher
        )

    def _check_end(self) -> None:
        """Behind the last part lies nothing but a zip archive of metadata, which is read as one."""
        rest = self._subject.size - self._end
        if rest <= _SLACK:
            return
        head = read_exactly(window(self._subject.stream, self._end, rest), _SLACK)
        if b"PK\x03\x04" in head:
            return
        self._report.found(
            "EXTERNAL-DATA-HIDDEN",
            self._subject,
            f"The last {rest} bytes of the file belong to no part of the model.",
            offset=self._end,
        )
