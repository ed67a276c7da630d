"""`tidegate scan`: its exit codes, its formats, and what it may write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tidegate.artifact import read_manifest


def test_what_passes_is_0(tidegate, good):
    result = tidegate("scan", good)
    assert result.code == 0
    assert "passes" in result.out


def test_what_the_policy_holds_is_1_and_says_rule_file_and_remedy(tidegate, hostile):
    result = tidegate("scan", hostile)
    assert result.code == 1
    for said in ("PICKLE-EXEC", "hostile.pkl", "system", "To mend it"):
        assert said in result.out


def test_what_is_held_only_because_it_is_unread_is_3(tidegate, unreadable):
    assert tidegate("scan", unreadable).code == 3


def test_what_is_not_there_is_2_and_the_others_are_scanned_all_the_same(tidegate, good, hostile):
    assert tidegate("scan", "nowhere").code == 2
    assert tidegate("scan", "nowhere", good).code == 2
    result = tidegate("scan", "nowhere", hostile, good, "--format", "json")
    assert result.code == 1
    artifacts = json.loads(result.out)["artifacts"]
    assert [each["path"] for each in artifacts] == ["nowhere", "hostile.pkl", "good.json"]
    assert [each["decision"] for each in artifacts] == ["quarantine", "quarantine", "allow"]
    assert artifacts[0]["digest"] is None


@pytest.mark.parametrize("how", [(), ("--record",)])
def test_a_link_is_a_finding_and_what_lies_beside_it_is_scanned(tidegate, hostile, how):
    folder = Path("model")
    folder.mkdir()
    hostile.rename(folder / "weights.bin")
    (folder / "link.bin").symlink_to("/etc/hostname")
    result = tidegate("scan", *how, "model", "-f", "json")
    assert result.code == 1
    (artifact,) = json.loads(result.out)["artifacts"]
    found = {(each["rule"], each["path"]) for each in artifact["findings"]}
    assert {("ARTIFACT-LINK", "link.bin"), ("PICKLE-EXEC", "weights.bin")} <= found
    assert artifact["digest"] is None
    assert artifact["decision"] != "allow"


def test_a_folder_with_a_link_is_held_whatever_the_policy_says(tidegate, good):
    folder = Path("model")
    folder.mkdir()
    good.rename(folder / "good.json")
    (folder / "link").symlink_to("good.json")
    for policy in ("standard", "audit"):
        result = tidegate("scan", "model", "--policy", policy, "-f", "json")
        assert result.code == 1
        assert json.loads(result.out)["artifacts"][0]["decision"] == "quarantine"


def test_an_empty_file_is_said_to_be_empty(tidegate):
    Path("empty.bin").touch()
    result = tidegate("scan", "empty.bin")
    assert result.code == 0
    assert "FILE-EMPTY" in result.out


def test_a_very_long_path_is_shown_without_its_middle(tidegate):
    folder = Path(*(["x" * 200] * 4))
    folder.mkdir(parents=True)
    (folder / "a.pkl").write_bytes(b"cos\nsystem\n(S'id'\ntR.")
    result = tidegate("scan", "x" * 200)
    assert "more …]" in result.out
    assert max(map(len, result.out.splitlines())) < 400


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_every_report_says_where_to_ask(tidegate, hostile, form):
    out = " ".join(tidegate("scan", hostile, "-f", form).out.split())
    assert "registry admin" in out
    assert "tidegate scan --record" in out


def test_a_folder_is_one_artifact(tidegate, hostile):
    folder = Path("model")
    folder.mkdir()
    hostile.rename(folder / "weights.bin")
    (folder / "notes.json").write_text("{}")
    result = tidegate("scan", "model", "-f", "json")
    assert result.code == 1
    (artifact,) = json.loads(result.out)["artifacts"]
    assert {each["path"] for each in artifact["findings"]} == {"weights.bin"}


@pytest.mark.parametrize("form", ["text", "json", "sarif", "markdown"])
def test_the_exit_code_is_the_same_in_every_format(tidegate, hostile, good, form):
    assert tidegate("scan", hostile, "--format", form).code == 1
    assert tidegate("scan", good, "--format", form).code == 0


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_audit_mode_is_0_with_a_clear_word_on_some_stream(tidegate, hostile, form):
    result = tidegate("scan", hostile, "--policy", "audit", "-f", form)
    assert result.code == 0
    assert "AUDIT MODE" in (result.out if form == "text" else result.err)


def test_a_policy_file_decides(tidegate, hostile):
    Path("p.yaml").write_text("schema: 1\nprofile: strict\n")
    result = tidegate("scan", hostile, "--policy", "p.yaml", "-f", "json")
    assert json.loads(result.out)["artifacts"][0]["decision"] == "deny"


def test_the_policy_of_the_environment_decides_where_none_is_given(tidegate, hostile, monkeypatch):
    monkeypatch.setenv("TIDEGATE_POLICY", "audit")
    assert tidegate("scan", hostile).code == 0
    assert tidegate("scan", hostile, "--policy", "standard").code == 1


@pytest.mark.parametrize("text", ["schema: 1\nprofil: strict\n", "{", "schema: 2\n"])
def test_a_policy_with_an_error_is_2_with_its_line_and_nothing_is_scanned(tidegate, good, text):
    Path("p.yaml").write_text(text)
    result = tidegate("scan", good, "--policy", "p.yaml")
    assert result.code == 2
    assert "line " in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("x", "--format", "pdf"),
        ("x", "--action", "fly"),
        ("x", "--ledger", "sqlite:///l.db"),
        ("x", "--bogus"),
        ("x", "y", "--record", "--subject", "one-name-for-two"),
    ],
)
def test_wrong_usage_is_2(tidegate, arguments):
    assert tidegate("scan", *arguments).code == 2


def test_a_setting_that_can_not_be_used_is_2_and_is_named(tidegate, good, monkeypatch):
    monkeypatch.setenv("TIDEGATE_SCAN_SECONDS", "soon")
    result = tidegate("scan", good)
    assert result.code == 2
    assert "TIDEGATE_SCAN_SECONDS" in result.err


def test_the_report_can_go_to_a_file(tidegate, hostile):
    result = tidegate("scan", hostile, "-f", "json", "-o", "report.json")
    assert (result.code, result.out) == (1, "")
    assert json.loads(Path("report.json").read_text())["artifacts"][0]["verdict"] == "fail"


def test_no_report_overwrites_what_is_scanned(tidegate, hostile):
    before = hostile.read_bytes()
    Path("folder").mkdir()
    Path("folder", "a.json").write_text("{}")
    Path("link.txt").symlink_to(hostile)
    for output, scanned in (
        ("hostile.pkl", "hostile.pkl"),
        ("./folder/../hostile.pkl", "hostile.pkl"),
        ("link.txt", "hostile.pkl"),
        ("folder/a.json", "folder"),
        ("folder/new.txt", "folder"),
    ):
        assert tidegate("scan", scanned, "-o", output).code == 2
    assert hostile.read_bytes() == before
    assert not Path("folder", "new.txt").exists()


def test_a_report_that_can_not_be_written_is_2(tidegate, good):
    result = tidegate("scan", good, "-o", "no/such/folder/report.txt")
    assert result.code == 2
    assert "no/such/folder" in result.err


def test_a_plain_scan_keeps_nothing(tidegate, hostile, ledger_url):
    tidegate("scan", hostile)
    assert not Path(ledger_url.removeprefix("sqlite:///")).exists()


def test_a_recorded_scan_is_held_in_the_ledger_under_its_subject(tidegate, hostile):
    assert tidegate("scan", "--record", "--subject", "fraud/3", hostile).code == 1
    held = json.loads(tidegate("review", "list", "-f", "json").out)["held"]
    assert [each["decision"]["subject"] for each in held] == ["fraud/3"]
    assert held[0]["decision"]["actor"] == "ada"


def test_a_recorded_scan_goes_on_past_what_can_not_be_read(tidegate, good, hostile):
    result = tidegate("scan", "--record", "nowhere", hostile, good, "-f", "json")
    assert result.code == 1
    assert len(json.loads(result.out)["artifacts"]) == 3


def test_a_ledger_out_of_reach_is_3_and_lets_nothing_pass(tidegate, good):
    Path("l.db").write_text("this is no database, though it is long enough for a header" * 20)
    result = tidegate("scan", "--record", good, "--ledger", "sqlite:///l.db")
    assert result.code == 3
    assert "passes" not in result.out


def test_a_waiver_on_record_counts_in_a_recorded_scan_only(tidegate, hostile):
    tidegate("scan", "--record", "--subject", "fraud/3", hostile)
    tidegate("review", "approve", "fraud/3", "--reason", "seen")
    assert tidegate("scan", "--record", hostile).code == 0
    assert tidegate("scan", hostile).code == 1


def test_a_large_file_that_is_hashed_ahead_has_the_same_digest_and_findings(tidegate, hostile):
    large = Path("large.pkl")
    large.write_bytes(hostile.read_bytes() + bytes(17 << 20))
    digests = set()
    for arguments in (("large.pkl",), ("./large.pkl", "large.pkl"), ("--", "large.pkl")):
        result = tidegate("scan", "-f", "json", *arguments)
        assert result.code == 1
        for each in json.loads(result.out)["artifacts"]:
            digests.add(each["digest"])
            assert "PICKLE-EXEC" in {finding["rule"] for finding in each["findings"]}
    assert digests == {read_manifest(large).digest}
