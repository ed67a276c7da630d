"""What scans found, written down: for a terminal, a program, a code-scanning page, a reader.

    report = ScanReport(ruleset, (ArtifactReport.of("model/", evidence=e, decision=d), …))
    text = report_format("sarif").render(report)

`interface.py` says what a report holds and what a format is; each format is a file of its own.

Always holds: an artifact that could not be examined is in every format, as inconclusive and
with the reason; a part that was not read is never left out; and no string that came from an
artifact can move a cursor, forge a line, start a link or call a person in what is printed.
"""

from __future__ import annotations

import importlib

from tidegate.errors import UsageError
from tidegate.reports.interface import ArtifactReport, ReportFormat, ScanReport

# The formats are loaded when they are asked for: one is used, and start-up time matters.
_HOME = {
    "text": ("tidegate.reports.text", "TextFormat"),
    "json": ("tidegate.reports.json", "JsonFormat"),
    "sarif": ("tidegate.reports.sarif", "SarifFormat"),
    "markdown": ("tidegate.reports.markdown", "MarkdownFormat"),
}
FORMATS = tuple(_HOME)

__all__ = ["FORMATS", "ArtifactReport", "ReportFormat", "ScanReport", "report_format"]


def report_format(name: str, *, colour: bool = False) -> ReportFormat:
    """The format of that name.

    Args:
        name: one of `FORMATS`.
        colour: for text, whether the reader is a terminal that shows colours.

    Raises:
        UsageError: there is no such format.
    """
    if name not in _HOME:
        raise UsageError(
            f"there is no report format {name!r}", remedy=f"take one of {', '.join(FORMATS)}"
        )
    module, kind = _HOME[name]
    made = getattr(importlib.import_module(module), kind)
    found = made(colour=colour) if name == "text" else made()
    assert isinstance(found, ReportFormat)
    return found
