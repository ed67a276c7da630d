"""The report for programs: one JSON object, whose form is a contract.

    {"schema": 1, "ruleset": "…", "artifacts": [
      {"path", "digest", "verdict", "decision",
       "findings": [{"rule", "severity", "path", "member", "offset", "message", "remediation"}],
       "unread": [{"path", "reason"}], "grounds", "ask"}]}

One entry for each argument, in order. `ask`, which only what is held has, says where to ask for a
review. `grounds` is there only where something else holds it than what was found and left unread: a
recall, say; each has rule, severity, path, message and remediation. Under a policy in audit mode
the object has `"mode": "audit"` as well, since nothing is held then whatever `decision` says.
"""

from __future__ import annotations

import json
from typing import Any

from tidegate.policy.model import Reason
from tidegate.reports.interface import ArtifactReport, ReportFormat, ScanReport
from tidegate.scanners.interface import Finding, Unread
from tidegate.scanners.rules import rule_of


class JsonFormat(ReportFormat):
    """Exact strings; everything outside ASCII is escaped, so a terminal shows it harmlessly."""

    name = "json"

    def render(self, report: ScanReport) -> str:
        """One indented object."""
        data: dict[str, Any] = {"schema": 1, "ruleset": report.ruleset}
        if any(not entry.enforced for entry in report.artifacts):
            data["mode"] = "audit"
        data["artifacts"] = [_artifact(entry) for entry in report.artifacts]
        return json.dumps(data, indent=2) + "\n"


def _artifact(entry: ArtifactReport) -> dict[str, Any]:
    return {
        "path": entry.path,
        "digest": entry.digest,
        "verdict": entry.verdict,
        "decision": entry.outcome.value,
        "findings": [_finding(finding) for finding in entry.findings],
        "unread": [_unread(part) for part in entry.unread],
        **({"grounds": [_ground(each) for each in entry.grounds]} if entry.grounds else {}),
        **({} if (where := entry.where_to_ask) is None else {"ask": where}),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.label,
        "path": finding.path,
        "member": finding.member,
        "offset": finding.offset,
        "message": finding.message,
        "remediation": rule_of(finding.rule).remediation,
    }


def _ground(reason: Reason) -> dict[str, Any]:
    return {
        "rule": reason.rule,
        "severity": reason.severity,
        "path": reason.path,
        "message": reason.message,
        "remediation": reason.remedy,
    }


def _unread(part: Unread) -> dict[str, Any]:
    reason = f"{part.member}: {part.reason}" if part.member else part.reason
    return {"path": part.path, "reason": reason}
