"""JSON: the configurations whose loaders import or run what they name.

transformers runs Python files that `auto_map` names, sentence-transformers imports the types of
modules.json, diffusers the libraries of model_index.json, PEFT the library that an adapter
names, and Keras the modules and byte code of its layers. What an object looks like
decides, not the name of its file.

Always holds: every object is judged as it is read, with all its keys (of a key that stands
twice some readers take the first, some the last), and is not kept, so that memory stays small
for texts of any size. What nests too deep is unread; what is no JSON is a text and no more.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import Any

from tidegate.scanners.encoded import report_encoded
from tidegate.scanners.interface import Dispatcher, Report, Subject, iter_stream
from tidegate.scanners.json_stream import MAX_STRING, JsonReader, JsonUnreadError, Pairs
from tidegate.scanners.keras.judge import WATCHED, KerasPart, judge_object, keras_part
from tidegate.scanners.streams import read_exactly, shown
from tidegate.scanners.text import encoding_of

_MAX_REPEATED = 16
_LONG_TEXT = 32
_RUNS_CODE = frozenset({"auto_map", "custom_pipeline", "custom_pipelines", "trust_remote_code"})
_CHAT_TEMPLATE = re.compile(r"chat_?templates?\b|^(?:jinja|prompt)_template$", re.IGNORECASE)
_SENTENCE_MODULE = re.compile(r"sentence_transformers\.models\.[A-Z]\w{0,80}", re.ASCII)
_PIPELINE_LIBRARIES = frozenset({"diffusers", "transformers"})
_ADAPTED_LIBRARIES = _PIPELINE_LIBRARIES | {"peft"}

_WATCHED = _RUNS_CODE | WATCHED | {
    "idx", "name", "parent_library", "path", "type", "_class_name", "_diffusers_version",
}  # fmt: skip


def report_json(subject: Subject, report: Report, dispatcher: Dispatcher) -> bool:
    """Judge the subject, a text that begins like JSON, as documents or as one on each line.

    The answer is whether all of it was plain JSON.
    """
    judge = _Judge(subject, report, dispatcher)
    reader = JsonReader(judge)
    try:
        reader.read(_pieces(subject))
        if reader.irregular:
            # What is no JSON as a whole may be some, line by line.
            for line in _lines(subject):
                if line.lstrip().startswith((b"{", b"[")):
                    JsonReader(judge).read(iter((line,)))
    except JsonUnreadError as reason:
        report.unread(subject, str(reason))
    return not reader.irregular


def _pieces(subject: Subject) -> Iterator[bytes]:
    """The text as UTF-8, without a mark. A byte that is no UTF-8 is some character."""
    subject.stream.seek(0)
    head = read_exactly(subject.stream, 4)
    subject.stream.seek(0)
    encoding = encoding_of(head)
    if encoding == "utf-8-sig":
        subject.stream.seek(3 if head.startswith(codecs.BOM_UTF8) else 0)
        yield from iter_stream(subject.stream)
        return
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for chunk in iter_stream(subject.stream):
        yield decoder.decode(chunk).encode("utf-8", errors="replace")


def _lines(subject: Subject) -> Iterator[bytes]:
    """Each line of the text that is short enough to be read as one."""
    kept = b""
    for piece in _pieces(subject):
        first, *rest = piece.split(b"\n")
        if len(kept) <= MAX_STRING:
            kept += first
        for line in rest:
            yield kept
            kept = line
    yield kept


class _Judge:
    """Judges each object of one text, and hands on the texts in it that may be more than texts."""

    watched = _WATCHED

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._is_index = subject.name.lower() == "model_index.json"

    def text(self, text: str, keys: Callable[[], tuple[str, ...]]) -> None:
        """A text means nothing by itself, unless it is a template or a file in disguise."""
        if "{{" in text or "{%" in text:
            from tidegate.scanners.template.scanner import report_template

            path = keys()
            strict = any(_CHAT_TEMPLATE.search(key) for key in path)
            where = f"The text under {shown(path[-1])}" if path else "A text"
            report_template(text, self._subject, self._report, where, strict=strict)
        if len(text) >= _LONG_TEXT:
            path = keys()
            where = shown(path[-1]) if path else "a text"
            report_encoded(text, self._subject, self._report, self._dispatcher, where=where)

    def object(self, pairs: Pairs, complete: bool) -> KerasPart | None:
        """Report what the object asks for; what the object around it must know of it."""
        keys = {key for key, _ in pairs}
        if sum(key in _WATCHED for key, _ in pairs) - len(keys & _WATCHED) > _MAX_REPEATED:
            self._report.unread(self._subject, "a JSON object has the same keys many times over")
            return None
        if keys & _RUNS_CODE:
            self._judge_code(pairs)
        if {"type", "path"} <= keys and keys & {"name", "idx"}:
            self._judge_sentence_module(pairs)
        if "parent_library" in keys:
            self._judge_adapter(pairs)
        if {"class_name", "config"} <= keys:
            judge_object(pairs, self._subject, self._report)
        if self._is_index or keys & {"_class_name", "_diffusers_version"}:
            if not complete:
                self._report.unread(self._subject, "a pipeline with too many parts")
            self._judge_pipeline(pairs)
        return keras_part(pairs)

    def _judge_code(self, pairs: Pairs) -> None:
        for key, value in pairs:
            if key in _RUNS_CODE and value:
                self._report.found(
                    "CONFIG-REMOTE-CODE",
                    self._subject,
                    f"The configuration's {key} makes the loader run code that is not its own.",
                    detail=key,
                )

    def _judge_sentence_module(self, pairs: Pairs) -> None:
        for kind in _values(pairs, "type"):
            if isinstance(kind, str) and "." in kind and not _SENTENCE_MODULE.fullmatch(kind):
                self._import(f"The module list names {shown(kind)}, which is imported.", kind)

    def _judge_adapter(self, pairs: Pairs) -> None:
        """PEFT imports the library of the model that an adapter belongs to."""
        for library in _values(pairs, "parent_library"):
            if isinstance(library, str) and library.split(".", 1)[0] not in _ADAPTED_LIBRARIES:
                self._import(f"The adapter's library {shown(library)} is imported.", library)

    def _judge_pipeline(self, pairs: Pairs) -> None:
        named = [
            (key, value)
            for key, value in pairs
            if isinstance(value, list)
            and len(value) == 2
            and all(part is None or isinstance(part, str) for part in value)
        ]
        # The parts' own configurations have lists of two texts as well, but no library.
        is_index = self._is_index or any(
            value[0] in _PIPELINE_LIBRARIES or key == "_class_name" or value == [None, None]
            for key, value in named
        )
        for key, (library, name) in named if is_index else ():
            known = library in _PIPELINE_LIBRARIES and str(name).isidentifier()
            if key == "_class_name" or (library is not None and not known):
                what = f"{library}.{name}"
                self._import(f"The pipeline's {shown(key)} is {shown(what)}, from outside.", what)

    def _import(self, message: str, detail: str) -> None:
        self._report.found("CONFIG-IMPORT", self._subject, message, detail=shown(detail, 200))


def _values(pairs: Pairs, wanted: str) -> list[Any]:
    return [value for key, value in pairs if key == wanted]
