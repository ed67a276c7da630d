"""Notebooks: their code, their magics and shell lines, and what their outputs would show or run.

A notebook runs when a person runs it, cell after cell, so its cells are judged as one source that
is called. Outputs count as what a browser would do with them.

Always holds: a cell that could not be read is unread; a kernel of another language is a script.
"""

from __future__ import annotations

import bisect
import html
import json
import re
from collections.abc import Iterator
from typing import Any

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Severity, Subject
from tidegate.scanners.notebook_lines import CellReader
from tidegate.scanners.python_source import SourceError, When, judge_source, report_unreadable
from tidegate.scanners.streams import read_exactly, shown
from tidegate.scanners.text import encoding_of

MAX_NOTEBOOK = 32 << 20
_MAX_CELLS = 10_000
_NO_CODE = ("markdown", "heading", "html", "raw")
_PYTHON = frozenset({"", "python", "ipython", "python2", "python3"})
_RUNS = re.compile(
    r"<\s*(?:script|object|embed|applet|base|form|meta|portal)\b|\bon[a-z]{3,20}\s*=\s*[\"'(\w]"
    r"|javascript\s*:|srcdoc\s*=|<\s*link\b[^>]*\bimport\b",
    re.IGNORECASE,
)
_FRAME = re.compile(r"<\s*(?:iframe|frame)\b", re.IGNORECASE)
_PLOTS = re.compile(r"Plotly|BokehJS|Bokeh|vegaEmbed|mpld3|pyLDAvis|require\.undef|SHAP JS|_anim")
_GRAVE_SCRIPT = re.compile(
    r"kernel\s*\.\s*execute|document\s*\.\s*cookie|sendBeacon|IPython\.notebook\.kernel"
    r"|Jupyter\.notebook\.kernel|requestExecute|/api/(?:contents|kernels|terminals)"
)
_HTML = frozenset({"text/html", "image/svg+xml", "text/markdown", "application/xhtml+xml"})
_SCRIPTS = frozenset(
    {"application/javascript", "text/javascript", "application/ecmascript", "text/ecmascript",
     "application/x-javascript"}
)  # fmt: skip
_LINKED_SCRIPT = re.compile(r"\{\s*javascript\s*:", re.IGNORECASE)
# The keys under which a widget names the package whose script a browser loads for it.
_WIDGET_MODULES = frozenset({"model_module", "view_module", "_model_module", "_view_module"})
_NO_PACKAGE = re.compile(r"://|^//|^data:|^[./\\]")


class NotebookScanner(Scanner):
    """Reads Jupyter notebooks."""

    name = "notebook"
    formats = frozenset({"notebook"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:  # noqa: ARG002
        """Judge every cell and every output."""
        report.found("CODE-PYTHON", subject, "A notebook is part of the artifact.")
        content = _read(subject, report)
        if content is None:
            return
        cells = _cells(content)
        if cells is None or len(cells) > _MAX_CELLS:
            report.unread(subject, "a notebook without a list of cells, or with too many")
            return
        language = _language(content)
        reader = CellReader(subject, report)
        sources = []
        for number, cell in enumerate(cells, 1):
            reader.cell = number
            if not isinstance(cell, dict):
                report.unread(subject, "a cell that is no object")
                continue
            # Version 3 has the code of a cell under another key.
            text = "\n".join(_text(cell[key]) for key in ("source", "input") if key in cell)
            kind = cell.get("cell_type")
            if kind not in _NO_CODE:
                sources.append((number, reader.python_of(text) if language in _PYTHON else text))
                for media, value in _outputs(cell.get("outputs")):
                    what = f"Cell {number}: an output of type {media}"
                    _judge_output(media, value, what, subject, report)
            elif kind != "raw" or "html" in str(cell.get("metadata")):
                _judge_html(text, f"Cell {number}, a text,", subject, report)
            for media, value in _attachments(cell.get("attachments")):
                what = f"Cell {number}: an attachment of type {media}"
                _judge_output(media, value, what, subject, report)
        _judge_widgets(content.get("metadata"), subject, report)
        if language not in _PYTHON:
            if any(source.strip() for _, source in sources):
                message = f"The notebook's code is for {shown(language)}, which is not read here."
                report.found("CODE-SCRIPT", subject, message, detail=shown(language))
            return
        _judge_cells(sources, subject, report)


def _read(subject: Subject, report: Report) -> dict[str, Any] | None:
    data = read_exactly(subject.stream, MAX_NOTEBOOK + 1)
    if len(data) > MAX_NOTEBOOK:
        report.unread(subject, f"a notebook larger than {MAX_NOTEBOOK >> 20} MiB")
        return None
    try:
        content = json.loads(
            data.decode(encoding_of(data)), object_pairs_hook=_object, parse_int=len,
            parse_float=len,
        )  # fmt: skip
    except (ValueError, RecursionError) as error:
        report.unread(subject, f"named as a notebook, and is none: {type(error).__name__}")
        return None
    if not isinstance(content, dict):
        report.unread(subject, "named as a notebook, and is no JSON object")
        return None
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice")
    return content


def _cells(content: dict[str, Any]) -> list[Any] | None:
    """The cells, also of version 3, which keeps them in worksheets."""
    cells = content.get("cells")
    sheets = content.get("worksheets")
    if isinstance(sheets, list):
        found = [s.get("cells", []) for s in sheets if isinstance(s, dict)]
        more = [cell for part in found if isinstance(part, list) for cell in part]
        return (cells if isinstance(cells, list) else []) + more
    return cells if isinstance(cells, list) else None


def _language(content: dict[str, Any]) -> str:
    metadata = content.get("metadata")
    names = []
    for key, inner in (("kernelspec", "language"), ("language_info", "name")):
        part = metadata.get(key) if isinstance(metadata, dict) else None
        if isinstance(part, dict) and isinstance(part.get(inner), str):
            names.append(part[inner].lower())
    return next((name for name in names if name not in _PYTHON), names[0] if names else "")


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _outputs(outputs: object) -> Iterator[tuple[str, str]]:
    """Each part of each output, with its media type."""
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        for kind, value in data.items() if isinstance(data, dict) else ():
            yield kind.lower().split(";")[0].strip(), _text(value)
        # Version 3 has the types as keys of the output itself.
        for key, kind in (("html", "text/html"), ("javascript", "text/javascript"),
                          ("svg", "image/svg+xml")):  # fmt: skip
            if key in output:
                yield kind, _text(output[key])


def _attachments(attachments: object) -> Iterator[tuple[str, str]]:
    """Each file that is attached to a cell, with its media type."""
    for file in attachments.values() if isinstance(attachments, dict) else ():
        for kind, value in file.items() if isinstance(file, dict) else ():
            yield kind.lower().split(";")[0].strip(), _text(value)


def _judge_widgets(metadata: object, subject: Subject, report: Report) -> None:
    """What the state of widgets makes a browser load: other modules, scripts, and HTML."""
    pending: list[object] = [metadata.get("widgets") if isinstance(metadata, dict) else None]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(value)
        if not isinstance(value, dict):
            continue
        pending.extend(value.values())
        for key, text in value.items():
            if not isinstance(text, str):
                continue
            script = key in {"_esm", "esm"} and text.strip()
            if script or (key in _WIDGET_MODULES and _NO_PACKAGE.search(text)):
                _report_script(text, "The state of a widget", subject, report)
            elif "<" in text:
                _judge_html(text, "The state of a widget", subject, report)


def _judge_output(kind: str, text: str, what: str, subject: Subject, report: Report) -> None:
    if kind in _SCRIPTS or kind.startswith("application/vnd.bokehjs"):
        if text.strip():
            _report_script(text, what, subject, report)
    elif kind in _HTML or _LINKED_SCRIPT.search(text):
        _judge_html(text, what, subject, report)


def _judge_html(text: str, what: str, subject: Subject, report: Report) -> None:
    if _RUNS.search(text) or _RUNS.search(html.unescape(text)):
        _report_script(text, what, subject, report)
    elif _FRAME.search(text):
        message = f"{what} shows another page in a frame."
        report.found("NOTEBOOK-OUTPUT", subject, message, severity=Severity.MEDIUM, detail="frame")


def _report_script(text: str, what: str, subject: Subject, report: Report) -> None:
    """A script: of a plotting library by all looks, or of nobody known."""
    plot = _PLOTS.search(text) is not None and _GRAVE_SCRIPT.search(text) is None
    report.found(
        "NOTEBOOK-OUTPUT",
        subject,
        f"{what} runs a script in the reader's browser"
        + (", of a plotting library by its looks." if plot else "."),
        severity=Severity.MEDIUM if plot else None,
        detail="plot" if plot else "script",
    )


def _judge_cells(cells: list[tuple[int, str]], subject: Subject, report: Report) -> None:
    """Judge all code cells as one source, and say of each finding in which cell it is."""
    try:
        found = judge_source("\n".join(source for _, source in cells), at=When.CALLED)
    except SourceError:
        readable = []
        for number, source in cells:
            try:
                judge_source(source, at=When.CALLED)
                readable.append((number, source))
            except SourceError as error:
                report.unread(subject, f"cell {number}: {error}")
        cells = readable
        try:
            found = judge_source("\n".join(source for _, source in cells), at=When.CALLED)
        except SourceError as error:
            report_unreadable(error, subject, report)
            return
    starts, line = [], 1
    for _, source in cells:
        starts.append(line)
        line += source.count("\n") + 1
    for one in found:
        at = max(0, bisect.bisect_right(starts, one.line) - 1)
        place = f"Cell {cells[at][0]}, line {one.line - starts[at] + 1}" if cells else "It"
        message = one.message.replace(f"Line {one.line}", place, 1)
        report.found(one.rule, subject, message, severity=one.severity, detail=one.detail)
