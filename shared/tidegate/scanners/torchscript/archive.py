"""The parts of an archive that carry TorchScript: its code, its pickles, its bytecode.

torch's own unpickler in C++ reads the pickles. In them `__torch__` names classes of the archive's
own code, which is judged here; no module of Python has that name, so elsewhere it imports nothing.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Iterator
from dataclasses import replace

from tidegate.scanners.interface import Dispatcher, Report, Subject, iter_stream
from tidegate.scanners.streams import read_exactly
from tidegate.scanners.torchscript.operators import judge_class, judge_operator
from tidegate.scanners.torchscript.source import Problem, judge_source

_MAX_SOURCE = 16 << 20
_MAX_BYTECODE = 32 << 20
_OPERATOR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)::([A-Za-z_][A-Za-z0-9_]*)")
_RAW_OPERATOR = re.compile(rb"([A-Za-z_][A-Za-z0-9_]{0,100})::([A-Za-z_][A-Za-z0-9_]{0,100})")
_RAW_CLASS = re.compile(rb"__torch__\.torch\.classes\.[A-Za-z0-9_.]{1,200}")
_OVERLAP = 256


def scan_source(part: Subject, report: Report) -> None:
    """Judge one file of code."""
    data = read_exactly(part.stream, _MAX_SOURCE + 1)
    if len(data) > _MAX_SOURCE:
        report.unread(part, f"TorchScript code of more than {_MAX_SOURCE >> 20} MiB")
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        report.found("TORCH-SCRIPT-UNKNOWN", part, "The TorchScript code is no UTF-8 text.")
        return
    _report(judge_source(text), part, report, "The TorchScript code")


def scan_script_pickle(part: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Scan a pickle of the archive; what it says of the archive's own classes is no finding."""
    seen = Report(report.limits)
    dispatcher.dispatch(replace(part, format="pickle"), seen)
    for finding in seen.findings:
        detail = finding.detail or ""
        about = replace(part, member=finding.member)
        if finding.rule == "PICKLE-UNREVIEWED-CODE" and detail.startswith("__torch__."):
            problem = judge_class(detail)
            _report([problem] if problem is not None else [], about, report, "The archive")
            continue
        report.found(
            finding.rule,
            about,
            finding.message,
            severity=finding.severity,
            offset=finding.offset,
            detail=finding.detail,
        )
    for unread in seen.unread_parts:
        report.unread(replace(part, member=unread.member), unread.reason)
    report.storages.update(seen.storages)


def scan_bytecode(part: Subject, report: Report) -> None:
    """Judge the operators that the bytecode of a mobile model names."""
    part.stream.seek(0)
    data = read_exactly(part.stream, _MAX_BYTECODE + 1)
    if len(data) > _MAX_BYTECODE:
        report.unread(part, f"bytecode of more than {_MAX_BYTECODE >> 20} MiB")
        return
    try:
        _report(_named(data), part, report, "The bytecode")
    except (ValueError, KeyError, IndexError, OverflowError, EOFError) as error:
        report.unread(part, f"the bytecode can't be read: {type(error).__name__}")


def _named(data: bytes) -> Iterator[Problem]:
    for _, argument, _ in pickletools.genops(data):
        if not isinstance(argument, str) or len(argument) > 300:
            continue
        matched = _OPERATOR.fullmatch(argument)
        if matched is not None and (problem := judge_operator(*matched.groups())) is not None:
            yield problem
        if argument.startswith("__torch__.") and (problem := judge_class(argument)) is not None:
            yield problem


def scan_operators(subject: Subject, report: Report) -> None:
    """Judge the operators that a flatbuffer names: its strings stand in it as they are."""
    before = b""
    problems: dict[Problem, None] = {}
    for chunk in iter_stream(subject.stream):
        text = before + chunk
        for matched in _RAW_OPERATOR.finditer(text):
            problem = judge_operator(matched[1].decode(), matched[2].decode())
            if problem is not None:
                problems[problem] = None
        for found in _RAW_CLASS.finditer(text):
            if (problem := judge_class(found[0].decode())) is not None:
                problems[problem] = None
        before = text[-_OVERLAP:]
    _report(problems, subject, report, "The model")


def _report(
    problems: Iterator[Problem] | list[Problem] | dict[Problem, None],
    part: Subject,
    report: Report,
    what: str,
) -> None:
    for rule, message in problems:
        report.found(rule, part, f"{what} {message}.", detail=message)
