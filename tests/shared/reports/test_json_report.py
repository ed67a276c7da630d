"""The JSON report keeps to its contract."""

from __future__ import annotations

import json

from tidegate.reports import ScanReport, report_format
from tidegate.scanners import Finding, Severity
from tidegate.scanners.rules import rule_of


def loaded(report):
    return json.loads(report_format("json").render(report))


def test_one_entry_for_each_argument_in_order(report):
    data = loaded(report)
    assert list(data) == ["schema", "ruleset", "artifacts"]
    assert (data["schema"], data["ruleset"]) == (1, "2026.11-test")
    assert [each["path"] for each in data["artifacts"]] == ["good", "bad", "odd", "gone"]
    for each in data["artifacts"]:
        keys = ["path", "digest", "verdict", "decision", "findings", "unread"]
        assert [key for key in each if key != "ask"] == keys
        assert ("ask" in each) == (each["decision"] != "allow" and each["digest"] is not None)


def test_verdicts_and_decisions_are_in_the_designs_words(report):
    said = [(each["verdict"], each["decision"]) for each in loaded(report)["artifacts"]]
    assert said == [
        ("pass", "allow"),
        ("fail", "quarantine"),
        ("inconclusive", "quarantine"),
        ("inconclusive", "quarantine"),
    ]


def test_a_finding_has_rule_place_message_and_remedy(report):
    finding = loaded(report)["artifacts"][1]["findings"][1]
    assert finding == {
        "rule": "PICKLE-EXEC",
        "severity": "critical",
        "path": "model.zip",
        "member": "a/data.pkl",
        "offset": 5,
        "message": "eval is called",
        "remediation": rule_of("PICKLE-EXEC").remediation,
    }


def test_an_unread_part_has_its_path_and_the_member_in_its_reason(report):
    assert loaded(report)["artifacts"][2]["unread"] == [
        {"path": "blob.bin", "reason": "inner.bin: unknown format"}
    ]


def test_an_error_is_an_unread_part_of_an_artifact_without_digest(report):
    gone = loaded(report)["artifacts"][3]
    assert gone["digest"] is None
    assert gone["unread"] == [{"path": "", "reason": "there is no 'gone'"}]


def test_audit_mode_is_said_at_the_top(audited):
    assert loaded(audited)["mode"] == "audit"


def test_strings_come_back_exactly_as_they_were(entry):
    odd = "a\x1b\u202e\x7f\ud800\n"
    finding = Finding("PICKLE-PLAIN", Severity.INFO, odd, odd)
    data = loaded(ScanReport("r", (entry(odd, findings=(finding,)),)))
    assert data["artifacts"][0]["path"] == odd
    assert data["artifacts"][0]["findings"][0]["message"] == odd
