"""Honest files, written by the real libraries: what must never be held.

Each module is one family: `WRITERS` gives a name to a function that writes one artifact into an
empty folder. A library that is missing raises ImportError, which the tests turn into a skip.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

Writers = dict[str, Callable[[Path], None]]


@cache
def _engine():
    from tidegate.scanners.engine import ScanEngine

    return ScanEngine(keep_spare=True)


def assert_allowed(path: Path) -> None:
    """Through the whole engine and the policy `standard`: allowed, and nothing left unread."""
    from tidegate.examine import examine
    from tidegate.policy import resolve_policy
    from tidegate.scanners.interface import Severity

    examination = examine(path, resolve_policy("standard"), engine=_engine())
    assert examination.error is None, examination.error
    evidence, decision = examination.evidence, examination.decision
    assert evidence is not None
    assert decision is not None
    grave = [found for found in evidence.findings if found.severity >= Severity.HIGH]
    assert not grave, "\n".join(f"{f.path} {f.member or ''} {f.rule}: {f.message}" for f in grave)
    unread = [f"{part.path} {part.member or ''}: {part.reason}" for part in evidence.unread]
    assert not unread, unread
    assert decision.outcome.value == "allow", decision


def written(writers: Writers, name: str, folder: Path) -> Path:
    """The artifact of that name; a skip where the library that writes it is missing."""
    try:
        writers[name](folder)
    except ImportError as error:
        pytest.skip(f"{name} needs {error.name}")
    return folder
