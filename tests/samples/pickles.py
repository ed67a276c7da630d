"""Pickles for tests: hostile ones written opcode by opcode, and a way to scan them.

Nothing here is ever loaded. Payloads are harmless all the same: they print a word.
"""

from __future__ import annotations

import io
import struct

from tidegate.scanners.interface import (
    Budget,
    Dispatcher,
    Finding,
    Limits,
    Report,
    Severity,
    Subject,
)
from tidegate.scanners.pickle import PickleScanner

COMMAND = "echo tidegate-test"


class ScanAll(Dispatcher):
    """Hands every part to the pickle scanner."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.budget = Budget(limits or Limits())

    def dispatch(self, subject: Subject, report: Report) -> None:
        PickleScanner().scan(subject, report, self)


def scan(data: bytes, limits: Limits | None = None) -> Report:
    """What the pickle scanner says of these bytes."""
    report = Report(limits or Limits())
    subject = Subject(io.BytesIO(data), len(data), "model.pkl", "pickle")
    ScanAll(limits).dispatch(subject, report)
    return report


def rules(report: Report) -> set[str]:
    """The ids of the rules that found something."""
    return {finding.rule for finding in report.findings}


def finding(report: Report, rule: str) -> Finding:
    """The one finding of that rule."""
    (found,) = [one for one in report.findings if one.rule == rule]
    return found


def details(report: Report, rule: str) -> set[str | None]:
    """What the findings of that rule are about."""
    return {one.detail for one in report.findings if one.rule == rule}


def grave(report: Report) -> list[Finding]:
    """The findings that are more than information."""
    return [one for one in report.findings if one.severity > Severity.INFO]


def text(value: str) -> bytes:
    """A string constant of protocol 4."""
    raw = value.encode("utf-8", "surrogatepass")
    if len(raw) < 256:
        return b"\x8c" + bytes([len(raw)]) + raw
    return b"X" + struct.pack("<I", len(raw)) + raw


def data(value: bytes) -> bytes:
    """A byte string constant."""
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, attribute: str, protocol: int = 4) -> bytes:
    """The opcodes that import something."""
    if protocol >= 4:
        return text(module) + text(attribute) + b"\x93"
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def tuple_of(*parts: bytes) -> bytes:
    """A tuple of the values that the parts leave on the stack."""
    return b"(" + b"".join(parts) + b"t"


def call(callee: bytes, *args: bytes) -> bytes:
    """The opcodes that call what `callee` leaves on the stack."""
    return callee + tuple_of(*args) + b"R"


def pickled(body: bytes, protocol: int = 4) -> bytes:
    """A whole stream."""
    head = bytes([0x80, protocol]) if protocol >= 2 else b""
    return head + body + b"."


def gadget(module: str, attribute: str, *args: bytes, protocol: int = 4) -> bytes:
    """A stream that calls one callable."""
    return pickled(call(name(module, attribute, protocol), *(args or (text(COMMAND),))), protocol)


SYSTEM = gadget("os", "system")
TEXT_SYSTEM = b"cos\nsystem\n(S'" + COMMAND.encode() + b"'\ntR."
