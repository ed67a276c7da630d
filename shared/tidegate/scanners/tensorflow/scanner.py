"""The scanner of TensorFlow's binary messages: SavedModel, MetaGraphDef, GraphDef and their kin."""

from __future__ import annotations

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.protobuf.probe import roots_of
from tidegate.scanners.protobuf.schema import family
from tidegate.scanners.protobuf.wire import walk
from tidegate.scanners.tensorflow.graphs import GraphJudge

_ROOTS = {"SavedMetadata": "Keras.SavedMetadata"}


class TensorFlowScanner(Scanner):
    """Reads graphs, whatever message they are wrapped in."""

    name = "tensorflow"
    formats = frozenset({"tensorflow"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk the message, then judge what its graphs use."""
        for root in roots_of(subject.stream, subject.size, "tensorflow") or ("GraphDef",):
            judge = GraphJudge(subject, report, dispatcher)
            message = family("tensorflow")[_ROOTS.get(root, root)]
            walk(subject.stream, 0, subject.size, message, judge)
            judge.finish()
