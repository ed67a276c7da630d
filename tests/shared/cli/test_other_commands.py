"""policy, rules, sbom, db and the help pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidegate.policy import parse_policy, profile
from tidegate.scanners.rules import rules


def test_a_valid_policy_is_0(tidegate):
    Path("p.yaml").write_text("schema: 1\nprofile: strict\ncontact: ml@example.com\n")
    result = tidegate("policy", "check", "p.yaml")
    assert result.code == 0
    assert "valid" in result.out


def test_each_error_of_a_policy_is_said_with_its_line(tidegate):
    Path("p.yaml").write_text("schema: 1\nprofil: strict\nhold_at: never\n")
    result = tidegate("policy", "check", "p.yaml")
    assert result.code == 2
    assert "line 2" in result.err
    assert "line 3" in result.err


def test_a_policy_file_that_is_not_there_is_2(tidegate):
    assert tidegate("policy", "check", "none.yaml").code == 2


@pytest.mark.parametrize("name", ["standard", "strict", "audit"])
def test_what_policy_show_prints_is_a_policy_file_for_the_same_policy(tidegate, name):
    result = tidegate("policy", "show", name)
    assert result.code == 0
    assert parse_policy(result.out).digest == profile(name).digest


def test_a_policy_of_ones_own_is_shown_as_it_is(tidegate):
    text = (
        "schema: 1\nprofile: strict\ncontact: ml@example.com\nreview_url: https://e.com/r\n"
        "trusted_modules: [b.c, a]\nhold_at: low\ndeny_at: never\n"
        "waivers: {max_days: 5, ceiling: high}\nseverity: {PICKLE-TRAILING: high}\n"
    )
    Path("p.yaml").write_text(text)
    shown = tidegate("policy", "show", "p.yaml").out
    assert parse_policy(shown) == parse_policy(text)
    data = json.loads(tidegate("policy", "show", "p.yaml", "-f", "json").out)
    assert data["digest"] == parse_policy(text).digest


def test_all_rules_are_listed(tidegate):
    out = tidegate("rules", "list").out
    assert all(rule in out for rule in rules())
    assert len(json.loads(tidegate("rules", "list", "-f", "json").out)) == len(rules())


def test_a_rule_is_shown_with_its_remedy_whatever_the_case(tidegate):
    result = tidegate("rules", "show", "pickle-exec")
    assert result.code == 0
    assert "Don't load this file." in result.out
    assert json.loads(tidegate("rules", "show", "PICKLE-EXEC", "-f", "json").out)["cwe"] == [
        "CWE-502"
    ]


def test_a_rule_that_is_not_there_is_2(tidegate):
    assert tidegate("rules", "show", "NO-SUCH").code == 2


def test_the_sbom_on_record_is_printed_and_written(tidegate, good, ledger_url):
    from tidegate.ledger import Ledger

    tidegate("scan", "--record", "--subject", "fraud/1", good)
    digest = json.loads(tidegate("review", "show", "fraud/1", "-f", "json").out)["digest"]
    with Ledger.open(ledger_url) as ledger:
        ledger.add_sbom(
            digest=digest,
            subject="fraud/1",
            body='{"bomFormat": "CycloneDX"}',
            now=datetime.now(UTC),
        )
    assert json.loads(tidegate("sbom", "fraud/1").out) == {"bomFormat": "CycloneDX"}
    assert tidegate("sbom", "fraud/1", "-o", "bom.json").out == ""
    assert json.loads(Path("bom.json").read_text()) == {"bomFormat": "CycloneDX"}


def test_an_sbom_that_is_not_on_record_is_2(tidegate):
    assert tidegate("db", "upgrade").code == 0
    assert tidegate("sbom", "fraud/1").code == 2


def test_db_upgrade_makes_the_tables_and_can_be_run_again(tidegate):
    assert tidegate("db", "current").code == 3
    first, second = tidegate("db", "upgrade"), tidegate("db", "upgrade")
    assert first.code == second.code == 0
    assert tidegate("db", "current").out == first.out == second.out


def test_the_url_that_mlflow_is_given_names_the_same_ledger(tidegate, ledger_url):
    tidegate("db", "upgrade")
    assert tidegate("db", "current", "--ledger", f"tidegate+{ledger_url}").code == 0


def test_a_password_is_never_repeated(tidegate):
    result = tidegate("db", "current", "--ledger", "postgresql://u:hunter2@127.0.0.1:1/x")
    assert result.code == 3
    assert "hunter2" not in result.out + result.err


COMMANDS = [
    (),
    ("scan",),
    ("verify",),
    ("review",),
    *(("review", each) for each in ("list", "show", "approve", "reject", "waive")),
    ("policy",),
    *(("policy", each) for each in ("check", "show")),
    ("rules",),
    *(("rules", each) for each in ("list", "show")),
    ("sbom",),
    ("db",),
    *(("db", each) for each in ("upgrade", "current")),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_each_of_its_options(tidegate, command):
    result = tidegate(*command, "--help")
    assert result.code == 0
    assert result.out.startswith("Usage: tidegate")
    assert tidegate(*command, "-h").out == result.out
    options = result.out.split("Options:")[1].split("Commands:")[0]
    for line in options.splitlines():
        if line.strip().startswith("-"):
            assert len(line.split("  ")) > 1 or line.strip().endswith("]")


def test_the_list_of_commands_is_whole(tidegate):
    listed = tidegate("--help").out
    for command in {each[0] for each in COMMANDS if each}:
        assert f"\n  {command} " in listed


def test_the_rules_page_has_each_rule_with_its_text_and_its_catalogues(tidegate):
    from tidegate.scanners.rules import rules

    page = tidegate("rules", "list", "--format", "markdown").out
    for rule in rules().values():
        assert f"\n## {rule.id}\n\n**{rule.title}** ({rule.severity.label})" in page
        assert rule.remediation in page
        assert all(f"[{name}](https://" in page for name in (*rule.cwe, *rule.attack))
