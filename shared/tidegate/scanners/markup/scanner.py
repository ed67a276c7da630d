"""The markup scanner: every text check, then XML as XML and pages as pages."""

from __future__ import annotations

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.markup.html import search_html
from tidegate.scanners.markup.judging import Judge
from tidegate.scanners.markup.xml_events import XmlStoppedError, declared_encoding, walk
from tidegate.scanners.streams import read_exactly
from tidegate.scanners.text import encoding_of

_XML = (b"<?xml", b"<pmml", b"<svg", b"<net ", b"<!entity", b"<opencv_storage")
# Read from a page that breaks off as XML, these still say that somebody meant it to be XML.
_GRAVE_IN_ANY = frozenset({"XML-ENTITY", "XML-DOCTYPE", "XML-INCLUDE", "XML-RUNS"})


class MarkupScanner(Scanner):
    """Reads XML, PMML, SVG and HTML."""

    name = "markup"
    formats = frozenset({"markup"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk through it as XML; search it as a page where it is not meant to be XML."""
        from tidegate.scanners.registry import scanner_named

        head = read_exactly(subject.stream, 4096)
        narrow = head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").lower()
        is_page = narrow.startswith((b"<!doctype html", b"<html"))
        if not is_page and self._walk(subject, report, meant=narrow.startswith(_XML)):
            self._check_bytes(head, subject, report)
            return
        subject.stream.seek(0)
        scanner_named("text").scan(subject, report, dispatcher)
        search_html(subject, report)

    def _walk(self, subject: Subject, report: Report, *, meant: bool) -> bool:
        """Whether the subject is XML as far as its reader is concerned."""
        own = Report(report.limits)
        try:
            judge = Judge(subject, own)
            walk(subject.stream, judge)
        except XmlStoppedError as problem:
            told = str(problem)
            meant = meant or any(finding.rule in _GRAVE_IN_ANY for finding in own.findings)
            if "encoding" in told and declared_encoding(_head(subject)) is not None:
                own.found("XML-ENCODING", subject, f"The document is unusual: {told}.")
            if meant:
                own.unread(subject, f"the XML was not read to its end: {told}")
        else:
            meant = True
            if judge.stretches:
                # OpenVINO looks for a graph's constants in the file of the same name.
                name = subject.name.rsplit(".", 1)[0] + ".bin"
                report.claim(subject, name, judge.stretches, alignment=64, optional=True)
        if meant:
            for finding in own.findings:
                report.found(
                    finding.rule,
                    subject,
                    finding.message,
                    severity=finding.severity,
                    detail=finding.detail,
                )
            for part in own.unread_parts:
                report.unread(subject, part.reason)
        return meant

    def _check_bytes(self, head: bytes, subject: Subject, report: Report) -> None:
        """XML in one of the wide encodings must say so by its mark, as other readers need it."""
        if b"\0" in head[:64] and encoding_of(head) == "utf-8-sig":
            report.found(
                "XML-ENCODING",
                subject,
                "The document is UTF-16 without a mark, which readers take differently.",
            )


def _head(subject: Subject) -> bytes:
    subject.stream.seek(0)
    return read_exactly(subject.stream, 4096)
