"""An audit says what is known and from where, and never that something is safe."""

import json
from datetime import UTC, datetime

import pytest
from samples.advisory_feeds import record, zipped

from tidegate.cli import main

HIGH = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"
MEDIUM = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H"
RECORDS = [
    record("PYSEC-1", "torch", "2.6.0", aliases=["CVE-2025-1"]),
    record("GHSA-1", "torch", "2.6.0", aliases=["CVE-2025-1"], score=HIGH),
    record("PYSEC-2", "torch", "2.7.0", score=MEDIUM),
    record("PYSEC-3", "requests", "2.31.0", score=MEDIUM),
    record("PYSEC-4", "unsaid", "1.0", score=None),
    record("PYSEC-5", "odd", "one-point-oh"),
    record("PYSEC-6", "gone", "1.0", withdrawn="2024-05-02T00:00:00Z"),
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEGATE_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.delenv("TIDEGATE_POLICY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def feed(here):
    path = zipped(here / "all.zip", *RECORDS)
    assert main(["feeds", "add", "osv", str(path), "--max-age", "36500"]) == 0
    return path


@pytest.fixture
def audit(here, capsys):
    """Audit a requirements.txt; the exit code and the one artifact of the report."""

    def run(*lines, **options):
        (here / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
        return audited("requirements.txt", **options)

    def audited(path, *, policy="standard"):
        capsys.readouterr()
        code = main(["audit", path, "--format", "json", "--policy", policy])
        report = json.loads(capsys.readouterr().out)
        return code, report["artifacts"][0]

    run.path = audited
    return run


def rules(artifact):
    return {(each["rule"], each["severity"]) for each in artifact["findings"]}


HASH = f"--hash=sha256:{'a' * 64}"


@pytest.mark.usefixtures("feed")
def test_two_advisories_of_one_thing_are_one_finding_with_the_smallest_safe_upgrade(audit):
    code, found = audit(f"torch==2.0.0+cu118 {HASH}")
    assert code == 1
    assert rules(found) == {
        ("DEPENDENCY-VULNERABLE", "critical"),
        ("DEPENDENCY-VULNERABLE", "medium"),
    }
    gravest = next(each for each in found["findings"] if each["severity"] == "critical")
    assert "CVE-2025-1 (GHSA-1, PYSEC-1)" in gravest["message"]
    assert "The smallest version with no known advisory is 2.7.0." in gravest["message"]
    assert "Told by osv." in gravest["message"]


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize(
    ("line", "policy", "code"),
    [
        (f"torch==2.7.0 {HASH}", "strict", 0),
        (f"gone==0.1 {HASH}", "strict", 0),
        (f"requests==2.30.0 {HASH}", "standard", 0),
        (f"requests==2.30.0 {HASH}", "strict", 1),
        (f"unsaid==0.1 {HASH}", "standard", 1),
        (f"unsaid==0.1 {HASH}", "audit", 0),
        (f"odd==0.1 {HASH}", "standard", 3),
        (f"torch {HASH}", "standard", 3),
        ("./folder", "standard", 1),
        ("torch @ git+https://example.com/torch.git", "standard", 1),
        ("-i https://evil.example/", "standard", 1),
        (f"reqeusts==1.0 {HASH}", "standard", 1),
    ],
)
def test_the_policy_says_what_holds(audit, line, policy, code):
    assert audit(line, policy=policy)[0] == code


@pytest.mark.usefixtures("here")
def test_without_a_feed_nothing_is_known_and_so_nothing_passes(audit):
    code, found = audit(f"torch==9.0 {HASH}")
    assert (code, found["verdict"]) == (3, "inconclusive")
    assert "no feed of advisories" in found["unread"][0]["reason"]


def test_a_feed_about_something_else_lets_nothing_pass(here, audit):
    drivers = zipped(here / "own.zip", record("CUDA-1", "driver", "550", ecosystem="npm"))
    main(["feeds", "add", "own", str(drivers), "--max-age", "36500"])
    code, found = audit(f"torch==9.0 {HASH}")
    assert (code, found["verdict"]) == (3, "inconclusive")
    assert "about packages of PyPI's" in found["unread"][0]["reason"]


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("make", [lambda at: at.mkdir(), lambda at: at.symlink_to("nowhere")])
def test_a_list_that_is_no_file_is_not_passed_over(here, audit, make):
    (here / "model").mkdir()
    make(here / "model" / "requirements.txt")
    assert audit.path("model")[0] == 3


def test_with_a_stale_feed_nothing_passes(here, audit):
    main(["feeds", "add", "osv", str(zipped(here / "all.zip", *RECORDS))])
    code, found = audit(f"torch==9.0 {HASH}")
    assert code == 3
    assert "days old, and may be 7" in found["unread"][0]["reason"]


@pytest.mark.usefixtures("feed")
def test_a_models_folder_is_read_by_all_that_it_asks_for(here, audit):
    model = here / "model"
    model.mkdir()
    (model / "requirements.txt").write_text("requests==2.32.0\n")
    (model / "conda.yaml").write_text(
        "name: e\nchannels: [c]\ndependencies: [python=3.11, {pip: ['torch==2.0.0']}]\n"
    )
    code, found = audit.path("model")
    assert code == 1
    places = {each["path"] for each in found["findings"] if each["severity"] == "critical"}
    assert places == {"conda.yaml"}


@pytest.mark.usefixtures("feed")
def test_every_answer_says_which_feeds_and_that_none_known_is_not_none(here, capsys):
    (here / "requirements.txt").write_text(f"torch==2.7.0 {HASH}\n")
    for form in ("text", "markdown"):
        assert main(["audit", "requirements.txt", "--format", form]) == 0
        out = capsys.readouterr().out
        assert "osv: 7 advisories up to 2024-05-01" in out
        assert "does not mean that there is none" in out
        assert "safe" not in out.replace("safetensors", "")
    assert main(["audit", "requirements.txt", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["feeds"]
    age = datetime.now(UTC) - datetime(2024, 5, 1, tzinfo=UTC)
    assert (row["name"], round(row["age_days"])) == ("osv", round(age.total_seconds() / 86400))
    assert main(["audit", "requirements.txt", "--format", "sarif"]) == 0
    assert "osv: 7 advisories" in capsys.readouterr().out


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("path", ["nothing.txt", "all.zip"])
def test_what_is_no_list_is_the_callers_mistake(path):
    assert main(["audit", path]) == 2


@pytest.mark.usefixtures("feed")
def test_hostile_names_reach_no_terminal_raw(here, capsys):
    (here / "uv.lock").write_text('[[package]]\nname = "a\\u001b[2J"\nversion = "1\\u202e"\n')
    main(["audit", "uv.lock"])
    assert "\x1b" not in capsys.readouterr().out
