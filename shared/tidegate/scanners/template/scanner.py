"""Reading templates: files of them, those in other formats, and fragments in any text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.template.fragments import (
    fragments,
    may_hold_template,
    names_internals,
)
from tidegate.scanners.text import read_text

if TYPE_CHECKING:
    from jinja2 import nodes

_MAX_FRAGMENTS = 2000


class TemplateScanner(Scanner):
    """Reads files that are named as Jinja templates."""

    name = "template"
    formats = frozenset({"template"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Judge the whole text as one template."""
        text = read_text(subject, report)
        if text is not None:
            report_template(text, subject, report, "The template")


def is_marked(text: str) -> bool:
    """Whether the text holds anything that Jinja acts on."""
    return "{{" in text or "{%" in text


def report_template(
    text: str, subject: Subject, report: Report, where: str, *, strict: bool = True
) -> None:
    """Judge a text that a loader renders (`strict`), or that somebody may render.

    `where` begins the messages: "The template", "The chat template under …".
    """
    if not is_marked(text):
        return
    if not strict:
        if may_hold_template(text):
            _report_lax(text, subject, report, where)
        return
    from tidegate.scanners.template.parse import TemplateError, parse_template

    try:
        tree = parse_template(text)
    except TemplateError as problem:
        report.found(
            "TEMPLATE-MALFORMED", subject, f"{where} can't be read: {problem}.", detail=where
        )
        _report_fragments(text, subject, report, where)
        return
    _judge(tree, subject, report, where, strict=True)


def report_in_text(text: str, subject: Subject, report: Report) -> None:
    """Judge the fragments of templates in a text of any kind."""
    if may_hold_template(text):
        _report_fragments(text, subject, report, "The text")


def _report_lax(text: str, subject: Subject, report: Report, where: str) -> None:
    from tidegate.scanners.template.parse import TemplateError, parse_template

    try:
        tree = parse_template(text)
    except TemplateError:
        _report_fragments(text, subject, report, where)
        return
    _judge(tree, subject, report, where, strict=False)


def _report_fragments(text: str, subject: Subject, report: Report, where: str) -> None:
    from tidegate.scanners.template.parse import TemplateError, parse_template

    for count, (at, readings) in enumerate(fragments(text)):
        if count >= _MAX_FRAGMENTS:
            report.unread(subject, f"more than {_MAX_FRAGMENTS} odd templates in one text")
            return
        parsed = False
        for expression in readings:
            try:
                tree = parse_template("{{ " + expression + " }}")
            except TemplateError:
                continue
            parsed = True
            _judge(tree, subject, report, where, strict=False)
        if not parsed and text.startswith("{%", at) and names_internals(readings[0]):
            report.found(
                "TEMPLATE-CODE",
                subject,
                f"{where} has a template that names Python's internals: {shown(readings[0])}",
                offset=at,
                detail=shown(readings[0], 200),
            )


def _judge(
    tree: nodes.Template, subject: Subject, report: Report, where: str, *, strict: bool
) -> None:
    from tidegate.scanners.template.judge import TemplateJudge

    def found(rule: str, what: str, line: int) -> None:
        report.found(
            rule,
            subject,
            f"{where} uses {what} (line {line}).",
            detail=f"{where}: {what}"[:300],
            severity=Severity.CRITICAL if rule == "TEMPLATE-CODE" else None,
        )

    try:
        TemplateJudge(tree, found, strict=strict).run()
    except RecursionError:
        report.unread(subject, f"{where.lower()} nests too deep to be judged")
