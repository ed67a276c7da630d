"""`tidegate verify`: exactly the bytes that passed, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def recorded(tidegate, good):
    assert tidegate("scan", "--record", "--subject", "fraud/1", good).code == 0
    return good


def test_bytes_that_passed_are_0(tidegate, recorded):
    assert tidegate("verify", recorded).code == 0


def test_the_same_file_elsewhere_is_0_and_under_another_name_is_another(tidegate, recorded):
    Path("elsewhere").mkdir()
    moved = recorded.rename(Path("elsewhere") / recorded.name)
    assert tidegate("verify", moved).code == 0
    assert tidegate("verify", moved.rename("copy.txt")).code == 3


def test_one_changed_byte_is_3_since_nobody_has_scanned_it(tidegate, recorded):
    recorded.write_text(recorded.read_text() + " ")
    result = tidegate("verify", recorded)
    assert result.code == 3
    assert "not been scanned" in result.out


def test_a_held_artifact_is_1_and_says_why(tidegate, hostile):
    tidegate("scan", "--record", hostile)
    result = tidegate("verify", hostile)
    assert result.code == 1
    assert "PICKLE-EXEC" in result.out


def test_a_digest_a_number_and_a_name_are_looked_up(tidegate, recorded):
    shown = json.loads(tidegate("review", "show", "fraud/1", "-f", "json").out)
    for reference in (shown["digest"], shown["digest"][:20], "1", "#1", "fraud/1"):
        assert tidegate("verify", reference).code == 0


@pytest.mark.parametrize("reference", ["nowhere", "sha256:" + "0" * 64, "999", "fraud/99"])
def test_what_nobody_knows_is_3_in_both_formats(tidegate, recorded, reference):
    assert tidegate("verify", reference).code == 3
    result = tidegate("verify", reference, "-f", "json")
    assert result.code == 3
    assert json.loads(result.out)["artifacts"][0]["allowed"] is False


def test_a_file_named_like_a_record_is_hashed_instead_of_looked_up(tidegate, recorded, hostile):
    hostile.rename("1")
    assert tidegate("verify", "1").code == 3


def test_a_broken_link_is_no_reference(tidegate, recorded):
    Path("1").symlink_to("nowhere")
    assert tidegate("verify", "1").code == 3


def test_one_that_is_held_outweighs_those_that_pass_or_are_unknown(tidegate, recorded, hostile):
    tidegate("scan", "--record", hostile)
    assert tidegate("verify", "nowhere", hostile, recorded).code == 1
    assert tidegate("verify", hostile, "nowhere").code == 1
    Path("new.json").write_text("[]")
    assert tidegate("verify", hostile, "new.json").code == 1
    assert tidegate("verify", recorded, "nowhere").code == 3


def test_verifying_scans_nothing(tidegate, good):
    tidegate("db", "upgrade")
    assert tidegate("verify", good).code == 3
    # Nothing was looked at, so there is nothing to review either.
    assert json.loads(tidegate("review", "list", "-f", "json").out)["held"] == []
