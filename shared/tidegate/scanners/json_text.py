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

import re
from collections.abc import Callable, Iterator
from typing import Any

from tidegate.scanners import spark
from tidegate.scanners.encoded import report_encoded
from tidegate.scanners.hub_config import WATCHED as HUB_KEYS
from tidegate.scanners.hub_config import (
    is_pipeline_module,
    judge_module_list,
    judge_names,
    judge_text,
)
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.json_stream import MAX_STRING, JsonReader, JsonUnreadError, Pairs
from tidegate.scanners.keras.judge import WATCHED, KerasPart, judge_object, keras_part
from tidegate.scanners.streams import shown
from tidegate.scanners.text import pieces_of

_MAX_REPEATED = 16
_LONG_TEXT = 32
_RUNS_CODE = frozenset(
    {"auto_map", "custom_generate", "custom_pipeline", "custom_pipelines", "trust_remote_code"}
)
_CHAT_TEMPLATE = re.compile(r"chat_?template|^(?:jinja|prompt)_template$", re.IGNORECASE)
_PIPELINE_LIBRARIES = frozenset({"diffusers", "transformers"})
_ADAPTED_LIBRARIES = _PIPELINE_LIBRARIES | {"peft"}

_WATCHED = HUB_KEYS | _RUNS_CODE | WATCHED | spark.KEYS | {
    "idx", "name", "parent_library", "path", "type", "_class_name", "_diffusers_version",
}  # fmt: skip


def report_json(subject: Subject, report: Report, dispatcher: Dispatcher) -> bool:
    """Judge the subject, a text that begins like JSON, as documents or as one on each line.

    The answer is whether all of it was plain JSON.
    """
    judge = ConfigJudge(subject, report, dispatcher)
    reader = JsonReader(judge)
    try:
        reader.read(pieces_of(subject))
        if reader.irregular:
            # What is no JSON as a whole may be some, line by line.
            for line in _lines(subject):
                if line.lstrip().startswith((b"{", b"[")):
                    JsonReader(judge).read(iter((line,)))
    except JsonUnreadError as reason:
        report.unread(subject, str(reason))
    return not reader.irregular


def _lines(subject: Subject) -> Iterator[bytes]:
    """Each line of the text that is short enough to be read as one."""
    kept = b""
    for piece in pieces_of(subject):
        first, *rest = piece.split(b"\n")
        if len(kept) <= MAX_STRING:
            kept += first
        for line in rest:
            yield kept
            kept = line
    yield kept


class ConfigJudge:
    """Judges each object of one text, and hands on the texts in it that may be more than texts."""

    watched = _WATCHED

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._is_index = subject.name.lower() == "model_index.json"

    def text(self, text: str, keys: Callable[[], tuple[str, ...]]) -> None:
        """A text means nothing by itself, unless it is a template or a file in disguise."""
        path = keys()
        judge_text(text, path, self._subject, self._report)
        if "{{" in text or "{%" in text:
            strict = any(_CHAT_TEMPLATE.search(key) for key in path)
            where = f"The text under {shown(path[-1])}" if path else "A text"
            self._template(text, where, strict=strict)
        if len(text) >= _LONG_TEXT:
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
        if keys & {"class", "statement", "pythonClass"}:
            spark.judge_spark(pairs, self._subject, self._report)
        if {"type", "path"} <= keys and keys & {"name", "idx"}:
            judge_module_list(pairs, self._subject, self._report)
        if keys & HUB_KEYS:
            judge_names(pairs, self._subject, self._report)
            self._judge_prompt(pairs)
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

    def _judge_prompt(self, pairs: Pairs) -> None:
        """LangChain renders the template of a prompt by the engine that its format names."""
        if "jinja2" in _values(pairs, "template_format"):
            for text in _values(pairs, "template"):
                if isinstance(text, str):
                    self._template(text, "The prompt's template", strict=True)

    def _template(self, text: str, where: str, *, strict: bool) -> None:
        from tidegate.scanners.template.scanner import report_template

        report_template(text, self._subject, self._report, where, strict=strict)

    def _judge_adapter(self, pairs: Pairs) -> None:
        """PEFT imports the library of the model that an adapter belongs to."""
        for library in _values(pairs, "parent_library"):
            if isinstance(library, str) and library.split(".", 1)[0] not in _ADAPTED_LIBRARIES:
                self._import(f"The adapter's library {shown(library)} is imported.", library)

    def _judge_pipeline(self, pairs: Pairs) -> None:
        # The lists of modular pipelines have a third item, which says where the part lies.
        named = [
            (key, value[:2])
            for key, value in pairs
            if isinstance(value, list)
            and len(value) in {2, 3}
            and all(part is None or isinstance(part, str) for part in value[:2])
            and not (len(value) == 3 and isinstance(value[2], str))
        ]
        # The parts' own configurations have lists of two texts as well, but no library.
        is_index = self._is_index or any(
            value[0] in _PIPELINE_LIBRARIES or key == "_class_name" or value == [None, None]
            for key, value in named
        )
        for key, (library, name) in named if is_index else ():
            is_known = library in _PIPELINE_LIBRARIES or is_pipeline_module(str(library))
            known = is_known and str(name).isidentifier()
            if key == "_class_name" or (library is not None and not known):
                what = f"{library}.{name}"
                self._import(f"The pipeline's {shown(key)} is {shown(what)}, from outside.", what)

    def _import(self, message: str, detail: str) -> None:
        self._report.found("CONFIG-IMPORT", self._subject, message, detail=shown(detail, 200))


def _values(pairs: Pairs, wanted: str) -> list[Any]:
    return [value for key, value in pairs if key == wanted]
