"""HTML and markup that is no well-formed XML: searched, since browsers read whatever comes.

A script in a page is told as such; what reaches from it for the system, for other places or for
what a browser keeps of its reader makes it graver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tidegate.scanners.interface import Report, Severity, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.text import encoding_of

_CHUNK = 1 << 20
_OVERLAP = 512
_FLAGS = re.IGNORECASE | re.ASCII

_PATTERNS: tuple[tuple[str, Severity | None, str, re.Pattern[str]], ...] = (
    ("XML-ENTITY", None, "declares an entity", re.compile(r"<!ENTITY\s", _FLAGS)),
    ("HTML-SCRIPT", None, "has a script", re.compile(r"<\s*(?:script|hta:)", _FLAGS)),
    (
        "HTML-SCRIPT",
        None,
        "runs an attribute's value",
        re.compile(r"<[a-z][^<>]{0,400}?[\s/\"']on[a-z]{3,20}\s*=\s*[\"'a-z]", _FLAGS),
    ),
    (
        "HTML-SCRIPT",
        None,
        "embeds another page or program",
        re.compile(
            r"<\s*(?:iframe|object|embed|applet|frame|meta[^>]{0,100}refresh|base\s)", _FLAGS
        ),
    ),
    (
        "HTML-SCRIPT",
        None,
        "has an address that runs",
        re.compile(r"(?:href|src|action)\s*=\s*[\"']?\s*(?:java|vb)script\s*:", _FLAGS),
    ),
    (
        "HTML-ACTIVE",
        None,
        "reaches for the system",
        re.compile(
            r"ActiveXObject|WScript\.|<\s*hta:|vbscript\s*:|language\s*=\s*[\"']?vbs|classid\s*="
            r"|Shell\.Application|mshta|ms-msdt:|search-ms:|powershell|cmd\.exe|child_process"
            r"|require\s*\(\s*[\"'](?:fs|os|net|electron)",
            _FLAGS,
        ),
    ),
    (
        "HTML-ACTIVE",
        None,
        "reads or sends what the browser keeps",
        re.compile(
            r"document\s*\.\s*cookie|\bfetch\s*\(|XMLHttpRequest|sendBeacon|new\s+WebSocket"
            r"|\beval\s*\(|new\s+Function\s*\(|\batob\s*\(|importScripts"
            r"|(?:window|document|top|parent)\s*\.\s*location(?:\.href)?\s*=[^=]",
            _FLAGS,
        ),
    ),
)


def search_html(subject: Subject, report: Report) -> None:
    """Report what the page would make a browser do."""
    has_script = False
    for piece in _pieces(subject.stream):
        for rule, severity, what, pattern in _PATTERNS:
            matched = pattern.search(piece)
            # Words about a shell are no script; a page about Windows has many.
            if matched is None or (rule == "HTML-ACTIVE" and not has_script):
                continue
            has_script = has_script or rule == "HTML-SCRIPT"
            report.found(
                rule,
                subject,
                f"The page {what}: {shown(matched[0][-60:])}.",
                severity=severity,
                detail=what,
            )


def _pieces(stream: BinaryIO) -> Iterator[str]:
    stream.seek(0)
    encoding = encoding_of(stream.read(4))
    stream.seek(0)
    before = b""
    while chunk := stream.read(_CHUNK):
        data = before + chunk
        if encoding.startswith("utf-8"):
            yield data.decode("latin-1")
        else:
            yield data.replace(b"\0", b"").decode("latin-1")
        before = data[-_OVERLAP:]
