"""`tidegate rescan` says what would fail today by name and by exit code."""

from __future__ import annotations

import json

from tidegate.scanners import registry


def test_a_ledger_without_anything_older_is_0(tidegate, good):
    assert tidegate("scan", "--record", good).code == 0
    result = tidegate("rescan")
    assert result.code == 0
    assert "current" in result.out
    assert "0 fail under today's rules" in result.out


def test_what_passes_only_by_a_name_that_was_rejected_later_is_1(tidegate, hostile, ledger_url):
    assert tidegate("scan", "--record", "--subject", "fraud/1", hostile).code == 1
    assert tidegate("review", "approve", "fraud/1", "--reason", "known").code == 0
    assert tidegate("review", "reject", "fraud/1", "--reason", "not any more").code == 0
    result = tidegate("rescan", "fraud/1", "--format", "json")
    assert result.code == 1
    (row,) = json.loads(result.out)["artifacts"]
    assert row["state"] == "current"
    assert row["decision"]["outcome"] == "deny"


def test_what_is_out_of_reach_is_3_and_says_where_it_lay(tidegate, good, monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(registry, "ruleset_version", lambda: "2020.01-older")
        assert tidegate("scan", "--record", good).code == 0
    good.unlink()
    result = tidegate("rescan")
    assert result.code == 3
    assert "good.json" in result.out
