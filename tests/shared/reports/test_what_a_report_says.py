"""Held, passed, inconclusive, in error: the same in every format, and in the exit code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidegate.errors import UsageError
from tidegate.policy import profile
from tidegate.reports import FORMATS, ArtifactReport, ScanReport, report_format
from tidegate.scanners import Finding, Severity, Unread

HIGH = Finding("PICKLE-UNLISTED-GLOBAL", Severity.HIGH, "m.pkl", "needs something", detail="a.b")
UNREAD = Unread("blob", "unknown format")


def code(*entries: ArtifactReport) -> int:
    return ScanReport("r", entries).exit_code


def test_nothing_held_is_0(entry):
    assert code(entry(), entry()) == 0


def test_a_finding_that_holds_is_1_also_beside_an_unread_part(entry):
    assert code(entry(findings=(HIGH,))) == 1
    assert code(entry(findings=(HIGH,), unread=(UNREAD,))) == 1


def test_an_unread_part_alone_is_3(entry):
    assert code(entry(unread=(UNREAD,))) == 3


def test_an_error_alone_is_3(entry):
    assert code(entry(error=UsageError("no"))) == 3


def test_one_that_is_held_outweighs_one_that_is_inconclusive(entry):
    assert code(entry(unread=(UNREAD,)), entry(findings=(HIGH,)), entry()) == 1


def test_a_policy_that_holds_from_medium_gives_1_for_a_medium_finding(entry):
    medium = replace(HIGH, rule="PICKLE-TRAILING", severity=Severity.MEDIUM)
    assert code(entry(findings=(medium,))) == 0
    assert code(entry(findings=(medium,), policy=profile("strict"))) == 1


def test_audit_mode_is_0_but_an_error_in_it_is_still_3(entry):
    held = entry(findings=(HIGH,), policy=profile("audit"))
    assert code(held) == 0
    assert code(held, entry(error=UsageError("no"))) == 3


def test_without_evidence_or_decision_nothing_passes(entry):
    good = entry()
    for broken in (
        ArtifactReport.of("x"),
        ArtifactReport.of("x", decision=good.decision),
        ArtifactReport.of("x", decision=good.decision, error=UsageError("no")),
    ):
        assert not broken.allowed
        assert broken.verdict == "inconclusive"
        assert broken.unread


def test_a_decision_about_other_bytes_than_the_evidence_does_not_pass(entry):
    from tidegate.scanners import Evidence

    other = Evidence("sha256:" + "cd" * 32, "r")
    assert not ArtifactReport.of("x", evidence=other, decision=entry().decision).allowed


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_shows_every_artifact_finding_and_unread_part(report, name):
    text = report_format(name).render(report)
    for said in ("good", "bad", "odd", "gone", "PICKLE-EXEC", "blob.bin", "unknown format"):
        assert said in text
    assert "there is no 'gone'" in text
    assert text.endswith("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_that_the_policy_only_audits(report, audited, name):
    assert "audit" in report_format(name).render(audited).lower()
    assert "audit" not in report_format(name).render(report).lower()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_how_to_mend_what_was_found(report, name):
    assert "Don't load this file." in report_format(name).render(report)


def test_an_unknown_format_is_the_callers_mistake():
    with pytest.raises(UsageError, match="pdf"):
        report_format("pdf")


@pytest.mark.parametrize("name", ["text", "markdown"])
def test_a_person_is_told_how_to_mend_what_could_not_be_read(entry, name):
    text = report_format(name).render(ScanReport("r", (entry(unread=(UNREAD,)),)))
    assert "To mend it: save the part in a form that can be read" in text


def test_the_terminal_says_where_to_ask_for_what_is_on_no_record_yet(entry):
    ask = "To ask for a review: your registry admin; put it on record first"
    assert ask in report_format("text").render(ScanReport("r", (entry(findings=(HIGH,)),)))
    for quiet in (entry(), entry(findings=(HIGH,), policy=profile("audit"))):
        assert "To ask" not in report_format("text").render(ScanReport("r", (quiet,)))
