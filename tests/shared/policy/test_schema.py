"""A policy file is taken whole or not at all, and its errors are named by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.errors import PolicyError
from tidegate.policy import Mode, load_policy, parse_policy, profile
from tidegate.scanners.interface import Severity

FULL = """\
schema: 1
profile: strict
contact: ml-security@example.com
review_url: https://mlflow.example.com/tidegate
trusted_modules: [churn_features, company.models]
hold_at: high
deny_at: never
waivers:
  max_days: 14
  ceiling: medium
severity:
  PICKLE-TRAILING: high
"""


def test_a_file_changes_what_it_names_and_keeps_the_rest_of_its_profile() -> None:
    policy = parse_policy(FULL)
    assert policy.profile == "strict"
    assert policy.hold_at is Severity.HIGH
    assert policy.deny_at is None
    assert policy.waiver_days == 14
    assert policy.waiver_ceiling is Severity.MEDIUM
    assert policy.trusted_modules == ("churn_features", "company.models")
    assert policy.severity_overrides == (("PICKLE-TRAILING", Severity.HIGH),)
    assert policy.mode is Mode.ENFORCE


def test_a_file_that_changes_nothing_is_its_profile() -> None:
    assert parse_policy("schema: 1\n") == profile("standard")
    assert parse_policy("schema: 1\nprofile: audit\n").mode is Mode.AUDIT


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("schema: 1\nhold_att: low\n", 2, "no such key"),
        ("schema: 1\n\nhold_at: severe\n", 3, "hold_at"),
        ("schema: 2\n", 1, "schema"),
        ("profile: standard\n", 1, "schema"),
        ("schema: 1\nseverity:\n  NO-SUCH-RULE: low\n", 2, "NO-SUCH-RULE"),
        ("schema: 1\ntrusted_modules:\n  - fine\n  - 'not a module'\n", 4, "trusted_modules"),
        ("schema: 1\ntrusted_modules: ['*']\n", 2, "trusted_modules"),
        ("schema: 1\ntrusted_modules: [__main__]\n", 2, "whatever script"),
        ("schema: 1\nwaivers:\n  max_days: 0\n", 3, "max_days"),
        ("schema: 1\nprofile: strict\nprofile: audit\n", 3, "twice"),
        ("schema: 1\nwaivers: {max_days: 1, max_days: 900}\n", 2, "twice"),
        ("schema: 1\nhold_at: [\n", 3, ""),
        ("- a\n", 1, "mapping"),
        ("schema: 1\nreview_url: javascript:alert(1)\n", 2, "review_url"),
        ("schema: 1\ncontact: !!python/object:os.system x\n", 2, ""),
    ],
)
def test_an_error_is_named_by_its_line(text: str, line: int, word: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, name="tidegate.yaml")
    told = [problem for problem in caught.value.problems if problem.startswith(f"line {line}:")]
    assert any(word in problem for problem in told), caught.value.problems
    assert "tidegate.yaml" in caught.value.explain()


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy("schema: 1\nhold_at: x\ndeny_at: y\nother: 1\n")
    assert len(caught.value.problems) == 3


def test_an_empty_file_is_no_policy(tmp_path: Path) -> None:
    (tmp_path / "tidegate.yaml").touch()
    with pytest.raises(PolicyError, match="1 error"):
        load_policy(tmp_path / "tidegate.yaml")


def test_a_missing_file_and_a_file_that_is_no_text_say_so(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="can't be read"):
        load_policy(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="UTF-8"):
        load_policy(tmp_path / "binary.yaml")


def test_an_unknown_profile_names_those_that_there_are() -> None:
    with pytest.raises(PolicyError, match="lenient") as caught:
        profile("lenient")
    assert "strict" in str(caught.value.remedy)


def test_two_policies_share_a_digest_only_when_they_are_the_same() -> None:
    assert profile("standard").digest != profile("strict").digest
    assert parse_policy(FULL).digest == parse_policy(FULL).digest
