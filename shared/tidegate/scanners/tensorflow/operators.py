"""What an operator of TensorFlow does, from data.

An operator passes when TensorFlow registers it and it is not among those that reach files, the
network, other processes or Python. Those that save and restore variables are looked at with
what they are given (`saver`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tidegate.scanners.interface import Severity


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an operator is held."""

    reason: str
    severity: Severity


_TELLING_LENGTH = 6
_UNKNOWN = Refusal(
    "TensorFlow does not have it, so that a library of native code must be loaded to run it",
    Severity.HIGH,
)


def _data(name: str) -> dict[str, Any]:
    path = files("tidegate.scanners").joinpath(f"data/graphs/{name}.json")
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return data


@cache
def _known() -> frozenset[str]:
    return frozenset(_data("tensorflow_operators")["operators"].split())


@cache
def _refused() -> dict[str, Refusal]:
    return {
        name: Refusal(group["reason"], Severity.from_label(group["severity"]))
        for group in _data("tensorflow_refused")["groups"]
        for name in group["operators"]
    }


@cache
def saver_operators() -> frozenset[str]:
    """Those that read or write the files of a checkpoint."""
    return frozenset(_data("tensorflow_refused")["saver"])


def refused(name: str) -> Refusal | None:
    """Why the operator is held, whoever defines it; None where it is not."""
    return _refused().get(name)


@cache
def refused_pattern() -> re.Pattern[bytes]:
    """Finds the name of an operator that is held, in bytes in which a node may stand."""
    names = sorted({*_refused(), *saver_operators()}, key=len, reverse=True)
    longer = [re.escape(name) for name in names if len(name) >= _TELLING_LENGTH]
    return re.compile(rb"(?<![A-Za-z0-9_])(?:" + "|".join(longer).encode() + rb")")


def judged(name: str) -> Refusal | None:
    """The same, and for operators that TensorFlow does not register."""
    found = _refused().get(name)
    if found is None and name not in _known() and name not in saver_operators():
        return _UNKNOWN
    return found
