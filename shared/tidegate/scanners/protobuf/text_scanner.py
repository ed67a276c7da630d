"""The scanner of messages in protobuf's text format, each by the judge of its family."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.onnx.scanner import OnnxJudge
from tidegate.scanners.protobuf.schema import family
from tidegate.scanners.protobuf.text import walk_text
from tidegate.scanners.protobuf.text_probe import text_message_of
from tidegate.scanners.protobuf.tree import Judge
from tidegate.scanners.tensorflow.graphs import GraphJudge
from tidegate.scanners.text import read_text
from tidegate.scanners.triton import TritonJudge

_LONGEST = 32 << 20


_JUDGES: dict[str, Callable[[Subject, Report, Dispatcher], Judge]] = {
    "onnx": OnnxJudge,
    "tensorflow": GraphJudge,
    "triton": TritonJudge,
}


class ProtobufTextScanner(Scanner):
    """Reads graphs and configurations in the text format."""

    name = "protobuf-text"
    formats = frozenset({"protobuf-text"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk the text as the message that it begins like."""
        told = text_message_of(subject.stream, subject.name)
        if told is None:
            report.unread(subject, "it is no message that this version knows")
            return
        name, root = told
        if name not in _JUDGES:
            report.unread(subject, f"this version has no reader for the text of a {root}")
            return
        text = read_text(subject, report, _LONGEST)
        if text is None:
            return
        judge = _JUDGES[name](subject, report, dispatcher)
        walk_text(text, family(name)[root], judge)
        judge.finish()
