"""Plain text: read to its end, so that nothing else hides behind a harmless start.

Text does nothing by itself. What may turn it into more is looked for here: bytes that are no
text after all, YAML tags that build Python objects, and JSON that makes a loader run code, under
whatever name the file goes.
"""

from __future__ import annotations

import codecs
import re

from tidegate.artifact.formats import is_text
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject, iter_stream
from tidegate.scanners.streams import read_exactly

MAX_TEXT = 16 << 20
"""The largest text that is read as a whole, for a dialect that needs it."""

_TAG_HINT = re.compile(rb"python/|%TAG|yaml\.org")
_OVERLAP = 16
_PIECE_OVERLAP = 4096
# White space, and the bytes of the marks that a text may begin with.
_BEFORE_JSON = b" \t\n\r\f\xef\xbb\xbf\xff\xfe"
# The marks of UTF-32 begin like those of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TextScanner(Scanner):
    """Reads text and JSON."""

    name = "text"
    formats = frozenset({"text", "json"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Check every byte, then look for YAML tags where something looks like one."""
        from tidegate.scanners.encoded import worth_a_look

        position, hinted, before, first, marked, loaded = 0, False, b"", b"", False, False
        wide = read_exactly(subject.stream, 4).startswith(tuple(mark for mark, _ in _MARKS))
        subject.stream.seek(0)
        if wide:
            _scan_wide(subject, report, dispatcher)
            return
        for chunk in iter_stream(subject.stream):
            if not is_text(chunk, whole=False):
                report.unread(
                    subject, f"begins as text, and is none somewhere after byte {position}"
                )
                return
            hinted = hinted or _TAG_HINT.search(before + chunk) is not None
            first = first or chunk.lstrip(_BEFORE_JSON)[:1]
            loaded = loaded or worth_a_look(chunk)
            marked = marked or b"{{" in chunk or b"{%" in chunk
            before = chunk[-_OVERLAP:]
            position += len(chunk)
        if hinted:
            from tidegate.scanners.yaml_text.scanner import report_tags

            report_tags(subject, report, named=False)
        plain_json = False
        if first in {b"{", b"["}:
            from tidegate.scanners.json_text import report_json

            plain_json = report_json(subject, report, dispatcher)
        if (marked or loaded) and not plain_json:
            _scan_pieces(subject, report, dispatcher)


def _scan_pieces(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Look at what stands in the text, piece by piece, each with the end of the one before."""
    from tidegate.scanners.encoded import report_encoded
    from tidegate.scanners.template.scanner import report_in_text

    subject.stream.seek(0)
    before = ""
    for chunk in iter_stream(subject.stream):
        text = before + chunk.decode("utf-8", errors="replace")
        report_in_text(text, subject, report)
        report_encoded(text, subject, report, dispatcher, where="the text")
        before = text[-_PIECE_OVERLAP:]


def _scan_wide(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    data = read_exactly(subject.stream, MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        report.unread(subject, f"a UTF-16 or UTF-32 text larger than {MAX_TEXT >> 20} MiB")
    elif not is_text(data, whole=True):
        report.unread(subject, "begins as text, and is none further on")
    else:
        narrow = data.replace(b"\0", b"")
        if _TAG_HINT.search(narrow):
            from tidegate.scanners.yaml_text.scanner import report_tags

            report_tags(subject, report, named=False)
        if narrow.lstrip(_BEFORE_JSON)[:1] in {b"{", b"["}:
            from tidegate.scanners.json_text import report_json

            report_json(subject, report, dispatcher)
        from tidegate.scanners.encoded import report_encoded
        from tidegate.scanners.template.scanner import report_in_text

        text = data.decode(encoding_of(data), errors="replace")
        report_in_text(text, subject, report)
        report_encoded(text, subject, report, dispatcher, where="the text")


def encoding_of(data: bytes) -> str:
    """The encoding that the mark at the start says; UTF-8 where there is none."""
    return next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8-sig")


def read_text(subject: Subject, report: Report, limit: int = MAX_TEXT) -> str | None:
    """The whole subject as text, or None after saying why it was not read.

    The text is UTF-8, or what its mark at the start says, as YAML and pip take it.
    """
    subject.stream.seek(0)
    data = read_exactly(subject.stream, limit + 1)
    if len(data) > limit:
        report.unread(subject, f"larger than the {limit} bytes that are read as one text")
        return None
    encoding = encoding_of(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        report.unread(subject, f"no {encoding} text: {error.reason} at byte {error.start}")
        return None
