"""Secrets in texts: keys, tokens and passwords that somebody left behind.

The rules stand in `data/secrets.json`. Each has an anchor that the secret can't be without, and a
pattern that is tried only where the anchor stands, so that one pass over a text costs little more
than reading it.

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


@cache
def _table() -> tuple[tuple[_Anchor, ...], re.Pattern[bytes], frozenset[bytes]]:
    source = files("tidegate.scanners").joinpath("data/secrets.json")
    table = json.loads(source.read_text("utf-8"))
    grouped: dict[tuple[str, bool], list[SecretRule]] = {}
    for row in table["rules"]:
        rule = SecretRule(
            name=row["name"],
            title=row["title"],
            pattern=re.compile(row["pattern"].encode()),
            severity=Severity.from_label(row["severity"]),
            entropy=float(row.get("entropy", 0)),
        )
        for anchor in row["anchors"]:
            grouped.setdefault((anchor, bool(row.get("folded", False))), []).append(rule)
    anchors = tuple(
        _Anchor(re.compile(anchor.encode()), folded, tuple(rules))
        for (anchor, folded), rules in grouped.items()
    )
    placeholders = re.compile(table["placeholders"].encode(), re.IGNORECASE)
    return anchors, placeholders, frozenset(text.encode() for text in table["examples"])


def find_secrets(data: bytes) -> Iterator[tuple[SecretRule, int, bytes]]:
    """Each secret in the bytes, with its rule and where it stands."""
    anchors, placeholders, examples = _table()
    lowered = data.lower()
    for anchor in anchors:
        for place in anchor.pattern.finditer(lowered if anchor.folded else data):
            for rule in anchor.rules:
                match = rule.pattern.match(data, place.start())
                if match is None:
                    continue
                secret = match[1] if match.re.groups else match[0]
                if (
                    secret not in examples
                    and not placeholders.search(secret)
                    and (not rule.entropy or _bits(secret) >= rule.entropy)
                ):
                    yield rule, match.start(), secret


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
