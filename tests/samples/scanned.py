"""Scanning samples in the test's own process, without the engine around it."""

from __future__ import annotations

import io
from pathlib import Path

from tidegate.scanners.claims import FileResult, settle
from tidegate.scanners.dispatch import scan_file
from tidegate.scanners.interface import Limits, Report, Severity


def scanned(data: bytes, name: str = "sample.bin", limits: Limits | None = None) -> Report:
    """The report on a file of those bytes and that name."""
    limits = limits or Limits()
    report = Report(limits)
    scan_file(io.BytesIO(data), len(data), name, report, limits)
    return report


def scanned_folder(folder: Path) -> Report:
    """One report on all files below the folder, with what they say of each other."""
    sizes: dict[str, int] = {}
    results: dict[str, FileResult] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        each = Report(Limits())
        relative = path.relative_to(folder).as_posix()
        sizes[relative] = path.stat().st_size
        with path.open("rb") as stream:
            formats = scan_file(stream, sizes[relative], relative, each, each.limits)
        results[relative] = FileResult(formats, each.findings, each.unread_parts, each.claims)
    settle(sizes, results)
    report = Report(Limits())
    for result in results.values():
        report.findings.extend(result.findings)
        report.unread_parts.extend(result.unread)
    return report


def rules_of(report: Report) -> set[str]:
    """The rules of the findings above INFO."""
    return {finding.rule for finding in report.findings if finding.severity > Severity.INFO}


def grave_rules_of(report: Report) -> set[str]:
    """The rules of the findings that make evidence fail."""
    return {finding.rule for finding in report.findings if finding.severity >= Severity.HIGH}


def assert_clean(report: Report) -> None:
    """No finding above INFO, and nothing unread."""
    grave = [finding for finding in report.findings if finding.severity > Severity.INFO]
    assert not grave, grave
    assert not report.unread_parts, report.unread_parts
