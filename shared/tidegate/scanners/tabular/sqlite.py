"""SQLite databases: the size that the header says, statements that reach out, pickles in cells.

"Database File Format" of sqlite.org, section 1.3. The engine loads no library by itself, but a
view or trigger that calls such functions waits for a program that allows it; and programs that
keep their objects in a database (diskcache, APScheduler) unpickle what its cells hold.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import shown, window

_STATEMENT = re.compile(
    rb"\b(load_extension|fts3_tokenizer|writefile|readfile|edit|fsdir|lsmode)\s*\(", re.IGNORECASE
)
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95\x8ccXU\(\]\}K\)N\x8e]")
_CHUNK = 1 << 20
_OVERLAP = 64
_LONGEST_CELL = 64 << 10
# Random bytes come to these; a pickle that somebody put there names something as well.
_BY_CHANCE = frozenset(
    {"PICKLE-EXTENSION-CODE", "PICKLE-MALFORMED", "PICKLE-TRAILING", "PICKLE-SECOND-OPINION"}
)
_MOST_PICKLES = 2_000


def read_sqlite(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read the subject, or raise BrokenError."""
    cursor = Cursor(subject.stream, subject.size, order=">")
    cursor.skip(16)
    page = cursor.number("H")
    page = 65536 if page == 1 else page
    cursor.seek(24)
    changes, pages = cursor.unpack("II")
    cursor.seek(92)
    valid_for = cursor.number("I")
    if page < 512 or page & (page - 1):
        raise BrokenError(f"Its pages are of {page} bytes.")
    # Old versions leave the size out; the counters say whether it holds.
    told = pages if pages and changes == valid_for else subject.size // page
    if told * page > subject.size:
        raise BrokenError(f"{told} pages of {page} bytes are more than the file has.")
    if told * page < subject.size:
        report.found(
            "TABLE-HIDDEN",
            subject,
            f"{subject.size - told * page} bytes follow the last page.",
            offset=told * page,
            detail="trailing",
        )
    _search(subject, report, dispatcher)


def _search(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    at, before = 0, b""
    pickles: list[int] = []
    subject.stream.seek(0)
    while chunk := subject.stream.read(_CHUNK):
        data, start = before + chunk, at - len(before)
        for found in _STATEMENT.finditer(data):
            name = found[1].decode().lower()
            report.found(
                "TABLE-STATEMENT",
                subject,
                f"The database mentions {shown(name)}(), which reaches out of it.",
                severity=None if name != "edit" else Severity.LOW,
                offset=start + found.start(),
                detail=name,
            )
        pickles.extend(start + found.start() for found in _PICKLE.finditer(data))
        before, at = data[-_OVERLAP:], at + len(chunk)
    places = sorted(set(pickles))
    if len(places) > _MOST_PICKLES:
        report.unread(subject, f"more than {_MOST_PICKLES} cells look like pickles")
    for place in places[:_MOST_PICKLES]:
        _judge_pickle(place, subject, report, dispatcher)


def _judge_pickle(place: int, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    from tidegate.scanners.raw import scan_raw

    seen = Report(report.limits)
    size = min(_LONGEST_CELL, subject.size - place)
    part = subject.inside(window(subject.stream, place, size), size, f"cell@{place}")
    scan_raw(part, seen, dispatcher)
    grave = [one for one in seen.findings if one.severity >= Severity.HIGH]
    if not any(one.rule not in _BY_CHANCE and _is_name(one.detail) for one in grave):
        return
    for one in seen.findings:
        report.found(
            one.rule,
            replace(subject, member=one.member),
            one.message,
            severity=one.severity,
            offset=one.offset,
            detail=one.detail,
        )


def _is_name(detail: str | None) -> bool:
    return detail is None or all(part.isidentifier() for part in detail.split("."))
