"""Models that are nothing but data: SentencePiece tokenizers, and Core ML's models.

Every text and byte string of such a message is looked at for code and payloads, whatever field
it stands in. Of Core ML, what asks the app for code of its own is held: custom layers, custom
models, and models linked from elsewhere; weights beside the model are claimed for it.
"""

from __future__ import annotations

from typing import Any

from tidegate.scanners.embedded import judge_text, scan_bytes
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.onnx.tensors import place_problem
from tidegate.scanners.protobuf.schema import Field, Message, family
from tidegate.scanners.protobuf.tree import Blob, Frame, Judge
from tidegate.scanners.protobuf.wire import walk
from tidegate.scanners.streams import shown

_ROOTS = {
    "sentencepiece": ("sentencepiece", "ModelProto", "SentencePiece model"),
    "coreml": ("coreml", "CoreML.Specification.Model", "Core ML model"),
}
_BROUGHT = {
    "CustomModel": "a custom model",
    "CustomLayerParams": "a custom layer",
    "LinkedModel": "a model from another file",
}
_MODEL_FOLDER = "@model_path/"
_OWN_OPERATIONS = "custom"
_SELF_TEST = 4


class PlainScanner(Scanner):
    """Reads messages in which nothing is to run."""

    name = "protobuf-plain"
    formats = frozenset(_ROOTS)

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk the message to its end."""
        name, root, what = _ROOTS[subject.format]
        judge = PlainJudge(subject, report, dispatcher, name, what)
        walk(subject.stream, 0, subject.size, family(name)[root], judge)
        judge.finish()


class PlainJudge(Judge):
    """Looks at the texts and bytes of all fields."""

    def __init__(
        self, subject: Subject, report: Report, dispatcher: Dispatcher, name: str, what: str
    ) -> None:
        super().__init__(subject, report, "PROTOBUF-MALFORMED", what)
        fields = [each for message in family(name).values() for each in message.by_number.values()]
        self.kept = frozenset(each.path for each in fields if each.kind == "string")
        self.blobs = frozenset(each.path for each in fields if each.kind == "bytes")
        self._dispatcher = dispatcher
        self._weights: set[str] = set()

    def done(self, frame: Frame) -> Any:
        """Judge a complete message."""
        for value in (value for values in frame.values.values() for value in values):
            if isinstance(value, Blob):
                scan_bytes(value, "", self.subject, self.report, self._dispatcher)
            elif isinstance(value, bytes):
                where = f"a {frame.message.name.rsplit('.', 1)[-1]}"
                judge_text(value, where, frame.offset, self.subject, self.report, self._dispatcher)
        last = frame.message.name.rsplit(".", 1)[-1]
        if last in _BROUGHT:
            self._found(f"asks the app for {_BROUGHT[last]}", frame.text("className"), frame)
        elif last == "BlobFileValue":
            self._weights.update(frame.texts("fileName"))
        elif last == "Operation":
            for kind in frame.texts("type"):
                if kind.startswith(_OWN_OPERATIONS):
                    self._found(f"has the operation {shown(kind)}", kind, frame)

    def unknown(self, message: Message, number: object, offset: int, size: int) -> None:
        """Old tokenizers hold their self-test in a field that the schema has no more."""
        if (message.name, number) == ("ModelProto", _SELF_TEST):
            scan_bytes(Blob(offset, size), "self-test", self.subject, self.report, self._dispatcher)
            return
        super().unknown(message, number, offset, size)

    def oversized(self, field: Field, blob: Blob) -> None:
        """A long text is looked at as raw bytes."""
        scan_bytes(blob, field.name, self.subject, self.report, self._dispatcher)

    def _found(self, what: str, detail: str, frame: Frame) -> None:
        self.report.found(
            "COREML-CUSTOM",
            self.subject,
            f"The model {what} ({shown(detail, 60)}).",
            offset=frame.offset,
            detail=shown(detail, 200) or what,
        )

    def finish(self) -> None:
        """Claim the files of weights."""
        for name in sorted(self._weights):
            place = name.removeprefix(_MODEL_FOLDER)
            problem = place_problem(place)
            if problem is not None:
                self.report.found(
                    "EXTERNAL-DATA-RANGE",
                    self.subject,
                    f"The model's weights lie in {shown(name)!r}, which {problem}.",
                    detail=shown(name, 200),
                )
            else:
                self.report.claim(self.subject, place)
