"""The GGUF scanner: the file's own order, its chat templates, what else its metadata carries."""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError
from tidegate.scanners.embedded import judge_text
from tidegate.scanners.encoded import report_encoded, report_file_in
from tidegate.scanners.gguf.reader import Blob, GgufReader, HiddenError, Text
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import shown, window
from tidegate.scanners.template.scanner import is_marked, report_template

_SHORT = 24


class GgufScanner(Scanner):
    """Reads GGUF files."""

    name = "gguf"
    formats = frozenset({"gguf"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk the metadata, then the tensors' places; their bytes are left alone."""
        blobs: list[Blob] = []
        try:
            reader = GgufReader(subject.stream, subject.size)
            for value in reader.values():
                if isinstance(value, Text):
                    _judge_text(value, subject, report, dispatcher)
                else:
                    blobs.append(value)
            reader.check_tensors()
        except BrokenError as problem:
            report.found("GGUF-MALFORMED", subject, str(problem))
        except HiddenError as problem:
            report.found("GGUF-HIDDEN-DATA", subject, f"The file has {problem}.")
        for blob in blobs:
            part = window(subject.stream, blob.at, blob.size)
            report_file_in(subject.inside(part, blob.size, shown(blob.key)), report, dispatcher)


def _judge_text(value: Text, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    data = value.data
    if value.in_array and len(data) < _SHORT and b"{" not in data:
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        if not value.key.startswith("tokenizer."):
            raise BrokenError(f"The text under {shown(value.key)} is not UTF-8.") from None
        text = data.decode("utf-8", errors="replace")
    where = f"The text under {shown(value.key)}"
    if not value.in_array and not value.key.startswith("tokenizer."):
        judge_text(data, value.key, 0, subject, report, dispatcher)
    if is_marked(text):
        strict = "chat_template" in value.key and not value.key.endswith("templates")
        report_template(text, subject, report, where, strict=strict)
    report_encoded(text, subject, report, dispatcher, where=shown(value.key))


class OldGgmlScanner(Scanner):
    """Names the formats before GGUF, which no reader checks."""

    name = "ggml-old"
    formats = frozenset({"ggml-old"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Say why the file is not read, and what to do."""
        report.unread(
            subject, "a ggml file from before GGUF, which nobody maintains: convert it to GGUF"
        )
