"""Members that a format keeps as raw numbers or bytes: torch storages, skops byte strings.

They have no format, so they pass by their place in an archive that was recognised. Their loader
never interprets them; what somebody else might is looked for all the same. Random numbers begin
like a pickle now and then, so a pickle found here counts only with something grave in it.
"""

from __future__ import annotations

from dataclasses import replace

from tidegate.artifact.formats import ZIP_FORMATS, Format, binary_formats
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject

_TELLING = ZIP_FORMATS | {Format.NATIVE, Format.TORCH_LEGACY, Format.HDF5}


def scan_raw(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Look whether the raw bytes are a program, an archive or a harmful pickle after all."""
    told = binary_formats(subject.stream, subject.size)
    if told & _TELLING:
        subject.stream.seek(0)
        dispatcher.dispatch(replace(subject, format=""), report)
        return
    from tidegate.scanners.pickle.probe import probe
    from tidegate.scanners.registry import scanner_named

    subject.stream.seek(0)
    if Format.PICKLE not in told and not probe(subject.stream, subject.size):
        return
    subject.stream.seek(0)
    seen = Report(report.limits)
    scanner_named("pickle").scan(replace(subject, format="pickle"), seen, dispatcher)
    if any(finding.severity >= Severity.HIGH for finding in seen.findings):
        for finding in seen.findings:
            report.found(
                finding.rule,
                replace(subject, member=finding.member),
                finding.message,
                severity=finding.severity,
                offset=finding.offset,
                detail=finding.detail,
            )
