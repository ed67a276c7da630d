"""A policy file is taken whole or not at all, and its errors are named by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.errors import PolicyError
from tidegate.ledger.records import policy_from_dict
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


def test_errors_are_told_in_the_order_of_their_lines() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy("schema: 1\nother: 1\nhold_at: x\nwaivers: {days: 1}\n")
    assert [each.partition(":")[0] for each in caught.value.problems] == [
        "line 2", "line 3", "line 4",
    ]  # fmt: skip


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


CHAIN = """\
schema: 1
chain:
  actions: [deploy, alias]
  roles: [data]
  sources:
    origins: [https://huggingface.co/acme/]
    known_good:
      - acme.yaml
      - {publisher: Other, checksums: [{name: b, sha256: "%s"}]}
"""
LIST = "schema: 1\npublisher: Acme\nchecksums:\n  - {name: a, sha256: '%s'}\n"


def test_a_chain_takes_its_checksums_into_the_policy(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text(CHAIN % ("b" * 64))
    (tmp_path / "acme.yaml").write_text(LIST % f"sha256:{'a' * 64}")
    policy = load_policy(file)
    assert policy.chain is not None
    assert policy.chain.actions == ("alias", "deploy")
    assert policy.chain.signed
    assert [(k.publisher, k.name, k.sha256) for k in policy.chain.known_good] == [
        ("Acme", "a", "a" * 64),
        ("Other", "b", "b" * 64),
    ]
    (tmp_path / "acme.yaml").write_text(LIST % ("c" * 64))
    assert load_policy(file).digest != policy.digest


def test_no_profile_demands_a_chain_and_none_changes_its_digest_by_that() -> None:
    for name in ("standard", "strict", "audit"):
        assert profile(name).chain is None
        assert "chain" not in profile(name).to_dict()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("schema: 1\nchain:\n  unsigned: true\n", 3, "known: actions, unbroken, signed"),
        ("schema: 1\nchain:\n  roles: [Data]\n", 3, "chain.roles.0"),
        ("schema: 1\nchain:\n  actions: []\n", 3, "chain.actions"),
        ("schema: 1\nchain:\n  actions: [use]\n", 3, "chain.actions.0"),
        ("schema: 1\nchain:\n  sources:\n    origins: [acme]\n", 4, "is no origin"),
        ("schema: 1\nchain:\n  sources:\n    known_good:\n      - gone.yaml\n", 5, "gone.yaml"),
        ("schema: 1\nchain:\n  sources:\n    known_good: [{publisher: a}]\n", 4, "publisher with"),
        ("schema: 1\nwaivers: {days: 1}\n", 2, "known: max_days, ceiling"),
    ],
)
def test_an_error_of_the_chain_is_named_by_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    (tmp_path / "tidegate.yaml").write_text(text)
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path / "tidegate.yaml")
    told = [problem for problem in caught.value.problems if problem.startswith(f"line {line}:")]
    assert any(words in problem for problem in told), caught.value.problems


def test_an_error_in_a_list_of_checksums_is_named_by_both_lines(tmp_path: Path) -> None:
    (tmp_path / "tidegate.yaml").write_text(CHAIN % ("b" * 64))
    (tmp_path / "acme.yaml").write_text(LIST % "short")
    with pytest.raises(PolicyError) as caught:
        load_policy(tmp_path / "tidegate.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith("line 8: chain.sources.known_good.0: acme.yaml: line 4:")


def test_a_policy_that_is_no_file_names_no_files() -> None:
    with pytest.raises(PolicyError, match="1 error") as caught:
        parse_policy("schema: 1\nchain: {sources: {known_good: [a.yaml]}}\n")
    assert "no files beside it" in caught.value.explain()


def test_what_policy_show_prints_of_a_chain_is_the_same_policy(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from tidegate.cli.app import app

    file = tmp_path / "tidegate.yaml"
    file.write_text(CHAIN % ("b" * 64))
    (tmp_path / "acme.yaml").write_text(LIST % ("a" * 64))
    shown = CliRunner().invoke(app, ["policy", "show", str(file)], catch_exceptions=False)
    assert parse_policy(shown.output).digest == load_policy(file).digest


def test_protected_aliases_are_names_whatever_their_case() -> None:
    policy = parse_policy("schema: 1\nprotected_aliases: {Champion: admin, live: passing}\n")
    assert policy.protected_aliases == (("champion", "admin"), ("live", "passing"))
    assert policy.protection_of("CHAMPION") == "admin"
    assert policy.protection_of("live") == "passing"
    assert policy.protection_of("other") is None
    assert policy_from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


def test_a_policy_without_protected_aliases_keeps_the_digest_that_it_had() -> None:
    assert "protected_aliases" not in parse_policy("schema: 1\n").to_dict()


@pytest.mark.parametrize("who", ["nobody", "ADMIN", "[admin]"])
def test_an_alias_is_protected_in_no_unknown_way(who: str) -> None:
    with pytest.raises(PolicyError, match="error"):
        parse_policy(f"schema: 1\nprotected_aliases: {{champion: {who}}}\n")
