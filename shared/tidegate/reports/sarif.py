"""The report as SARIF 2.1.0 (OASIS standard), for code-scanning pages.

Those pages show results and little else, and take a run without results for a clean one. So a
part that was not read is a result too, under a rule of its own, and besides a notification; a
run with one says that it was not successful.
"""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

import tidegate
from tidegate.policy.explain import printable
from tidegate.reports.interface import ArtifactReport, ReportFormat, ScanReport
from tidegate.scanners.evidence import finding_fingerprint, unread_fingerprint
from tidegate.scanners.interface import Finding, Severity, Unread
from tidegate.scanners.rules import Rule, rules

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVEL = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
# A number from 0 to 10 by which GitHub sorts; the middle of CVSS's band of that name.
_SCORE = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}
_UNREAD = Rule(
    id="UNREAD",
    title="A part could not be read",
    severity=Severity.MEDIUM,
    description="What was not looked at is not known to be harmless, so the artifact is held.",
    remediation="Save the part in a form that can be read, or ask for a review.",
)


class SarifFormat(ReportFormat):
    """One run of one tool, with a result for each finding and each unread part."""

    name = "sarif"

    def render(self, report: ScanReport) -> str:
        """The log as indented JSON, everything outside ASCII escaped."""
        table = [*rules().values(), _UNREAD]
        index = {rule.id: number for number, rule in enumerate(table)}
        read_all = not any(entry.unread for entry in report.artifacts)
        run = {
            "tool": {
                "driver": {
                    "name": "Tidegate",
                    "version": tidegate.__version__,
                    "rules": [_rule(rule) for rule in table],
                    "properties": {"ruleset": report.ruleset},
                }
            },
            "columnKind": "unicodeCodePoints",
            "invocations": [
                {
                    "executionSuccessful": read_all,
                    "toolExecutionNotifications": [
                        _notification(entry, part)
                        for entry in report.artifacts
                        for part in entry.unread
                    ],
                    "properties": {"mode": "audit" if report.audit else "enforce"},
                }
            ],
            # The standard wants each once, also where a caller names one twice.
            "artifacts": list({e.path: _artifact(e) for e in report.artifacts}.values()),
            "results": [result for entry in report.artifacts for result in _results(entry, index)],
        }
        log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
        return json.dumps(log, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    weaknesses = [f"external/cwe/{cwe.lower()}" for cwe in rule.cwe]
    return {
        "id": rule.id,
        "shortDescription": _message(rule.title),
        "fullDescription": _message(rule.description),
        "help": _message(rule.remediation),
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {
            "tags": [
                "security",
                *weaknesses,
                *rule.attack,
            ],
            "security-severity": _SCORE[rule.severity],
        },
    }


def _artifact(entry: ArtifactReport) -> dict[str, Any]:
    about: dict[str, Any] = {
        "location": {"uri": _uri(entry.path)},
        "properties": {"verdict": entry.verdict, "decision": entry.outcome.value},
    }
    if entry.digest is not None:
        # Not SARIF's `hashes`: for a folder this is the hash of a manifest, not of content.
        about["properties"]["manifestDigest"] = entry.digest
    return about


def _results(entry: ArtifactReport, index: dict[str, int]) -> list[dict[str, Any]]:
    found = [
        {
            "ruleId": finding.rule,
            "ruleIndex": index[finding.rule],
            "level": _LEVEL[finding.severity],
            "message": _message(finding.message),
            "locations": [_location(entry, finding.path, finding.member, finding)],
            "partialFingerprints": {"tidegate/v1": finding_fingerprint(finding)},
            "properties": {"severity": finding.severity.label},
        }
        for finding in entry.findings
    ]
    unread = [
        {
            "ruleId": _UNREAD.id,
            "ruleIndex": index[_UNREAD.id],
            "level": "warning" if entry.allowed else "error",
            "message": _message(f"not read: {part.reason}"),
            "locations": [_location(entry, part.path, part.member)],
            "partialFingerprints": {"tidegate/v1": unread_fingerprint(part)},
        }
        for part in entry.unread
    ]
    # Not of the scanner's rules: they come from the record, and so have no place in its table.
    grounds = [
        {
            "ruleId": reason.rule,
            "level": "warning" if entry.allowed else "error",
            "message": _message(reason.message),
            "locations": [_location(entry, reason.path, reason.member)],
            "properties": {"severity": reason.severity},
        }
        for reason in entry.grounds
    ]
    return [*found, *unread, *grounds]


def _notification(entry: ArtifactReport, part: Unread) -> dict[str, Any]:
    return {
        "level": "error",
        "message": _message(f"not read: {part.reason}"),
        "locations": [_location(entry, part.path, part.member)],
    }


def _location(
    entry: ArtifactReport, path: str, member: str | None, finding: Finding | None = None
) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(entry.location(path))}}
    place: dict[str, Any] = {"physicalLocation": physical}
    offset = finding.offset if finding is not None else None
    if member is not None:
        # The offset is into that member; as the file's region it would point elsewhere.
        place["logicalLocations"] = [{"fullyQualifiedName": printable(member), "kind": "member"}]
        if offset is not None:
            place["properties"] = {"memberOffset": offset}
    elif offset is not None and offset >= 0:
        physical["region"] = {"byteOffset": offset}
    return place


def _message(text: str) -> dict[str, str]:
    """Plain text, with what SARIF reads as a placeholder (3.11.5) or a link (3.11.6) escaped."""
    shown = printable(text).replace("{", "{{").replace("}", "}}")
    for special in ("\\", "[", "]"):
        shown = shown.replace(special, f"\\{special}")
    return {"text": shown}


def _uri(path: str) -> str:
    """A path as a URI reference; a relative one stays relative to where the scan was started."""
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError:
        raw = printable(path).encode()
    escaped = quote(raw, safe="/")
    return f"file://{escaped}" if path.startswith("/") else escaped
