"""Plain text: read to its end, so that nothing else hides behind a harmless start.

Text does nothing by itself. What may turn it into more is looked for here: bytes that are no
text after all, YAML tags that build Python objects, configurations that make a loader run code,
templates, files encoded in it, and git's settings, under whatever name the file goes.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from tidegate.artifact.formats import Format, is_text
from tidegate.artifact.formats.names import by_name
from tidegate.scanners.encodings import worth_a_look
from tidegate.scanners.gin_config import is_gin, report_gin
from tidegate.scanners.git_files import (
    is_pointer,
    may_be_settings,
    report_pointer,
    report_settings,
)
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject, iter_stream
from tidegate.scanners.spacy_config import may_be_pipeline
from tidegate.scanners.streams import read_exactly

MAX_TEXT = 16 << 20
"""The largest text that is read as a whole, for a dialect that needs it."""

_TAG_HINT = re.compile(
    rb"!\S{0,64}py|%TAG|yaml\.org,2002|!\S{0,64}%\d|: &\w+ [\[{]"
    rb"|(?:^|[\s\[{,-])!!?(?:java|ruby|js/|perl|php|new:|name:|apply:|call:|obj|eval\b|exec\b|pickle\b"
    rb"|lambda\b|fn\b|import\b|shell\b)",
    re.MULTILINE,
)
# What each of the shapes has in it: a plain word is found a hundred times as fast as a pattern.
_TAG_WORDS = (b"!", b"%TAG", b"yaml.org,2002", b": &")
_TARGET_WORDS = (b"_target_", b"class_path", b"auto_map", b"class_name")
_TARGET_HINT = re.compile(rb"\b(?:_target_|class_path|auto_map|class_name)\b\W{0,3}:")
_RECIPE = re.compile(
    r"(?:.+\.)?(?:dockerfile|containerfile|makefile|gnumakefile|procfile|jenkinsfile|snakefile"
    r"|justfile|vagrantfile)(?:\..+)?|tox\.ini|.+\.(?:mk|service|timer|desktop|smk)"
)
_OVERLAP = 96
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


def _has(text: bytes, words: tuple[bytes, ...], shape: re.Pattern[bytes]) -> bool:
    return any(word in text for word in words) and shape.search(text) is not None


class _Look:
    """What one pass over the text has seen that is worth another."""

    def __init__(self) -> None:
        self.tags = self.template = self.encoded = self.targets = self.settings = False
        self.refers = False
        self.first = b""
        self._before = b""

    def see(self, chunk: bytes) -> None:
        """Look at the next piece of the text."""
        joined = self._before + chunk
        self.tags = self.tags or _has(joined, _TAG_WORDS, _TAG_HINT)
        self.targets = self.targets or _has(joined, _TARGET_WORDS, _TARGET_HINT)
        self.encoded = self.encoded or worth_a_look(chunk)
        self.template = self.template or b"{{" in chunk or b"{%" in chunk
        self.settings = self.settings or may_be_settings(joined)
        self.refers = self.refers or may_be_pipeline(joined)
        self.first = self.first or chunk.lstrip(_BEFORE_JSON)[:1]
        self._before = chunk[-_OVERLAP:]


class TextScanner(Scanner):
    """Reads text and JSON."""

    name = "text"
    formats = frozenset({"text", "json"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Check every byte, then read the text as each kind that it looks like."""
        head = read_exactly(subject.stream, 1024)
        subject.stream.seek(0)
        if head.startswith(tuple(mark for mark, _ in _MARKS)):
            _scan_wide(subject, report, dispatcher)
            return
        if is_pointer(head):
            report_pointer(subject, report)
        look, position = _Look(), 0
        for chunk in iter_stream(subject.stream):
            if not is_text(chunk, whole=False):
                report.unread(
                    subject, f"begins as text, and is none somewhere after byte {position}"
                )
                return
            look.see(chunk)
            position += len(chunk)
        _read_on(look, subject, report, dispatcher)


def _read_on(look: _Look, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the text as what it looked like."""
    if look.refers:
        from tidegate.scanners.spacy_config import report_config

        report_config(subject, report)
    if look.first in {b"{", b"["}:
        from tidegate.scanners.json_text import report_json

        if report_json(subject, report, dispatcher):
            # Nothing of it stands outside of JSON's own strings.
            return
    if look.tags or (look.targets and not subject.name.lower().endswith(".md")):
        from tidegate.scanners.yaml_text.scanner import report_yaml

        report_yaml(subject, report, dispatcher)
    if look.template or look.encoded:
        _scan_pieces(subject, report, dispatcher)
    if is_gin(subject.name) and (text := read_text(subject, report)) is not None:
        report_gin(text, subject, report)
    if _RECIPE.fullmatch(subject.name.lower()):
        _judge_recipe(subject, report)
    if look.settings and (text := read_text(subject, report)) is not None:
        report_settings(text, subject, report)


def _judge_recipe(subject: Subject, report: Report) -> None:
    """Look at each line of a file whose lines a program runs as commands."""
    from tidegate.scanners.hub_config import judge_text

    text = read_text(subject, report)
    for line in (text or "").splitlines():
        judge_text(line, (), subject, report)


def _scan_pieces(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Look at what stands in the text, piece by piece, each with the end of the one before."""
    from tidegate.scanners.encoded import report_encoded
    from tidegate.scanners.template.scanner import report_in_text

    is_template = Format.TEMPLATE in by_name(subject.name, [Format.TEXT])
    before = ""
    for chunk in pieces_of(subject):
        text = before + chunk.decode("utf-8", errors="replace")
        if not is_template:
            # Such a file is read as one template as a whole.
            report_in_text(text, subject, report)
        report_encoded(text, subject, report, dispatcher, where="the text")
        before = text[-_PIECE_OVERLAP:]


def pieces_of(subject: Subject) -> Iterator[bytes]:
    """The text in pieces, as UTF-8 without a mark. A byte that is no UTF-8 is some character."""
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


def _scan_wide(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    data = read_exactly(subject.stream, MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        report.unread(subject, f"a UTF-16 or UTF-32 text larger than {MAX_TEXT >> 20} MiB")
    elif not is_text(data, whole=True):
        report.unread(subject, "begins as text, and is none further on")
    else:
        look = _Look()
        look.see(data.decode(encoding_of(data), errors="replace").encode())
        _read_on(look, subject, report, dispatcher)


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
