"""Walking through XML with expat, which hands on each element as it comes.

Always holds: an entity that a document declares ends the reading before it could be expanded;
no external entity and no DTD is fetched; only encodings that expat reads the same way as other
parsers are allowed; a token that never ends is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import BinaryIO, Protocol
from xml.parsers import expat

from tidegate.scanners.markup.tables import markup_table

_CHUNK = 256 << 10
_LONGEST_TOKEN = 16 << 20
_MAX_DEPTH = 5_000
_DECLARED = re.compile(
    rb"""^<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([^"']{0,100})["']""", re.DOTALL
)
_ONE_BYTE = re.compile(r"iso-8859-\d{1,2}|(?:windows-|cp)125\d|koi8-[ru]|tis-620")


class XmlStoppedError(Exception):
    """Reading ended before the document's end; the message says why."""


class Handler(Protocol):
    """What is told of a document as it is read."""

    def doctype(self, name: str, system: str | None, public: str | None, *, has_own: bool) -> None:
        """A document type declaration."""

    def entity(self, name: str, value: str | None, system: str | None, *, parameter: bool) -> None:
        """An entity is declared; reading ends after this."""

    def begin(self, name: str, attributes: dict[str, str], depth: int) -> None:
        """An element begins; the outermost has the depth 1."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """A piece of text or of CDATA."""

    def comment(self, text: str) -> None:
        """A comment."""

    def instruction(self, target: str, text: str) -> None:
        """A processing instruction."""


def declared_encoding(head: bytes) -> str | None:
    """The encoding in the XML declaration, in lower case, or None where none stands there."""
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"))
    narrow = head[:1000].replace(b"\0", b"") if wide else head[:1000]
    matched = _DECLARED.match(narrow.lstrip(b"\xef\xbb\xbf\xff\xfe").lstrip())
    return matched[1].decode("latin-1").lower() if matched else None


def walk(stream: BinaryIO, handler: Handler) -> None:
    """Tell the handler of all that stands in the stream; XmlStoppedError where it ends early."""
    stream.seek(0)
    first = stream.read(_CHUNK)
    encoding = declared_encoding(first)
    known = markup_table().encodings
    if encoding is not None and encoding not in known and not _ONE_BYTE.fullmatch(encoding):
        raise XmlStoppedError("its encoding is one that readers take differently")
    parser = expat.ParserCreate()
    _Walk(parser, handler).attach()
    fed, chunk = 0, first
    try:
        while chunk:
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - max(0, parser.CurrentByteIndex) > _LONGEST_TOKEN:
                raise XmlStoppedError(f"one token is longer than {_LONGEST_TOKEN >> 20} MiB")
            chunk = stream.read(_CHUNK)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        where = f"line {error.lineno}"
        raise XmlStoppedError(
            f"no well-formed XML: {expat.ErrorString(error.code)} ({where})"
        ) from None
    except (LookupError, ValueError) as error:
        raise XmlStoppedError(f"no readable XML: {type(error).__name__}") from None


class _Walk:
    """Joins expat's callbacks to the handler."""

    def __init__(self, parser: expat.XMLParserType, handler: Handler) -> None:
        self._parser, self._handler, self._depth = parser, handler, 0

    def attach(self) -> None:
        """Set every callback. None expands anything."""
        parser, handler = self._parser, self._handler
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._external
        parser.SkippedEntityHandler = self._skipped
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = handler.text
        parser.CommentHandler = handler.comment
        told: Callable[[str, str], None] = handler.instruction
        parser.ProcessingInstructionHandler = told

    def _doctype(self, name: str, system: str | None, public: str | None, has_own: bool) -> None:
        self._handler.doctype(name, system, public, has_own=bool(has_own))

    def _entity(
        self, name: str, parameter: bool, value: str | None, _base: str | None,
        system: str | None, _public: str | None, _notation: str | None,
    ) -> None:  # fmt: skip
        self._handler.entity(name, value, system, parameter=bool(parameter))
        raise XmlStoppedError("it declares entities, which are not expanded here")

    def _external(self, *_: object) -> int:
        raise XmlStoppedError("it refers to an entity outside of the file")

    def _skipped(self, _name: str, _parameter: bool) -> None:
        raise XmlStoppedError("it refers to an entity that it does not declare")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise XmlStoppedError(f"it nests deeper than {_MAX_DEPTH} elements")
        self._handler.begin(name, attributes, self._depth)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._handler.end(name)
