"""Secrets in texts: keys, tokens and passwords that somebody left behind.

The rules stand in `data/secrets.json`. Most secrets are one long run of letters and digits: all of
their patterns are tried where such a run begins, which one search finds whatever their number. The
others have an anchor that the secret can't be without, and are tried only where it stands. So one
pass over a text costs little more than reading it.

Always holds: a secret is never shown; what stands in a report is its first four characters. An
example key of a manual, a placeholder and a vocabulary's word are no secrets.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from tidegate.scanners.interface import Report, Severity, Subject, iter_stream
from tidegate.scanners.streams import shown

_OVERLAP = 4096
_SHORTEST_RUN = 20
# Letters, digits, "_" and "-" as one letter, all else as another: a run is then a plain word.
_FLAT = bytes(
    0x61 if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "_-") else 0x20
    for code in range(256)
)
_RUN = re.compile(b"a" * _SHORTEST_RUN + b"a*+")
# Most runs are names in a source: a key has a digit or a capital letter.
_MORE_THAN_A_NAME = re.compile(rb"[a-z_-]*+[0-9A-Z]")
# What would make the run the rest of something longer: base64, a path.
_CONTINUES = frozenset(b"+/")
_BACKSLASH = 0x5C
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One kind of secret. The pattern's group 1, where it has one, is the secret itself."""

    name: str
    title: str
    pattern: re.Pattern[bytes]
    severity: Severity
    entropy: float
    """The least bits a character of it must carry; 0 where its form alone tells."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where rules are tried; `folded`: it is sought in the text in lower case."""

    pattern: re.Pattern[bytes]
    folded: bool
    rules: tuple[SecretRule, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """All rules, and what is none of their secrets."""

    runs: re.Pattern[bytes]
    """All of `run_rules` in one: whether it is worth trying them."""
    run_rules: tuple[SecretRule, ...]
    anchors: tuple[_Anchor, ...]
    placeholders: re.Pattern[bytes]
    examples: frozenset[bytes]


@cache
def _table() -> _Table:
    source = files("tidegate.scanners").joinpath("data/secrets.json")
    table = json.loads(source.read_text("utf-8"))
    grouped: dict[tuple[str, bool], list[SecretRule]] = {}
    runs: list[SecretRule] = []
    for row in table["rules"]:
        rule = SecretRule(
            name=row["name"],
            title=row["title"],
            pattern=re.compile(row["pattern"].encode()),
            severity=Severity.from_label(row["severity"]),
            entropy=float(row.get("entropy", 0)),
        )
        if row.get("run"):
            runs.append(rule)
        for anchor in row.get("anchors", ()):
            grouped.setdefault((anchor, bool(row.get("folded", False))), []).append(rule)
    anchors = tuple(
        _Anchor(re.compile(anchor.encode()), folded, tuple(rules))
        for (anchor, folded), rules in grouped.items()
    )
    return _Table(
        runs=re.compile(b"|".join(b"(?:%s)" % rule.pattern.pattern for rule in runs)),
        run_rules=tuple(runs),
        anchors=anchors,
        placeholders=re.compile(table["placeholders"].encode(), re.IGNORECASE),
        examples=frozenset(text.encode() for text in table["examples"]),
    )


def find_secrets(data: bytes) -> Iterator[tuple[SecretRule, int, bytes]]:
    """Each secret in the bytes, with its rule and where it stands."""
    for rule, at, secret in (*_in_runs(data), *_at_anchors(data)):
        if _is_secret(secret, rule):
            yield rule, at, secret


def _in_runs(data: bytes) -> Iterator[tuple[SecretRule, int, bytes]]:
    table = _table()
    for run in _RUN.finditer(data.translate(_FLAT)):
        start = run.start()
        if start and data[start - 1] in _CONTINUES:
            continue
        # An escaped end of line before it looks like one letter more.
        if start and data[start - 1] == _BACKSLASH and data[start] in b"nrt":
            start += 1
        if not _MORE_THAN_A_NAME.match(data, start) or not table.runs.match(data, start):
            continue
        for rule in table.run_rules:
            if (match := rule.pattern.match(data, start)) is not None:
                yield rule, start, match[1] if match.re.groups else match[0]


def _at_anchors(data: bytes) -> Iterator[tuple[SecretRule, int, bytes]]:
    lowered = data.lower()
    for anchor in _table().anchors:
        for place in anchor.pattern.finditer(lowered if anchor.folded else data):
            for rule in anchor.rules:
                if (match := rule.pattern.match(data, place.start())) is not None:
                    yield rule, match.start(), match[1] if match.re.groups else match[0]


def _is_secret(secret: bytes, rule: SecretRule) -> bool:
    table = _table()
    return (
        secret not in table.examples
        and not table.placeholders.search(secret)
        and (not rule.entropy or _bits(secret) >= rule.entropy)
    )


def _bits(secret: bytes) -> float:
    """Shannon entropy in bits a character."""
    counts = Counter(secret)
    return -sum(n / len(secret) * math.log2(n / len(secret)) for n in counts.values())


def report_secrets(subject: Subject, report: Report) -> None:
    """Report each kind of secret that stands in the subject, a text, once for each value."""
    subject.stream.seek(0)
    before, position = b"", 0
    wide = False
    for chunk in iter_stream(subject.stream):
        if position == 0 and chunk.startswith(_WIDE):
            wide = True
        data = before + (chunk.replace(b"\0", b"") if wide else chunk)
        for rule, at, secret in find_secrets(data):
            preview = shown(secret[:4].decode("latin-1"))
            report.found(
                f"SECRET-{rule.name}",
                subject,
                f"{rule.title} stands in the file ({preview}...).",
                severity=rule.severity,
                offset=None if wide else position - len(before) + at,
                detail=f"{rule.name.lower()}:{preview}",
            )
        before = data[-_OVERLAP:]
        position += len(chunk)
    subject.stream.seek(0)


def report_secrets_in(text: str, subject: Subject, report: Report) -> None:
    """The same for a text that stands in some other file."""
    import io

    data = text.encode("utf-8", errors="replace")
    report_secrets(replace(subject, stream=io.BytesIO(data), size=len(data)), report)
