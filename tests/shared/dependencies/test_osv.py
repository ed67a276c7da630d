"""Records that are not of OSV's form are refused; those that are keep what they say."""

import json

import pytest

from tidegate.dependencies import MalformedAdvisoryError, read_advisory
from tidegate.dependencies.osv import parse_json, parse_yaml
from tidegate.scanners.interface import Severity

GOOD = {
    "schema_version": "1.6.0",
    "id": "PYSEC-2023-1",
    "modified": "2023-05-01T01:02:03.456789Z",
    "aliases": ["CVE-2023-1", "GHSA-aaaa-bbbb-cccc"],
    "details": "First line.\nSecond line.",
    "severity": [
        {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
        {"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"},
    ],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Some.Thing"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.10"}]}],
        }
    ],
}


def test_a_record_keeps_what_it_says():
    read = read_advisory(parse_json(json.dumps(GOOD).encode()), feed="osv")
    assert read.names == {"PYSEC-2023-1", "CVE-2023-1", "GHSA-aaaa-bbbb-cccc"}
    assert (read.severity, read.score, read.feed) == (Severity.CRITICAL, 9.8, "osv")
    assert read.affected[0].name == "some-thing"
    assert read.summary == "First line. Second line."
    assert read.modified.isoformat() == "2023-05-01T01:02:03.456789+00:00"


def test_yaml_versions_and_dates_stay_the_texts_that_they_are():
    text = b"""
id: PYSEC-2023-1
modified: 2023-05-01T01:02:03Z
affected:
- package: {ecosystem: PyPI, name: a}
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: 1.10
    - fixed: 2.0
  versions: [1.10, 1.20, 2023.01.01]
"""
    (affected,) = read_advisory(parse_yaml(text)).affected
    assert affected.versions == ("1.10", "1.20", "2023.01.01")
    assert [event.version for event in affected.ranges[0].events] == ["1.10", "2.0"]


def test_the_word_of_the_database_counts_where_there_is_no_vector():
    record = {**GOOD, "severity": [], "database_specific": {"severity": "MODERATE"}}
    assert read_advisory(record).severity is Severity.MEDIUM
    assert read_advisory({**GOOD, "severity": []}).severity is None


def _with(**changes):
    return {**GOOD, **changes}


def _events(*events):
    package = GOOD["affected"][0]["package"]
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    return _with(affected=[{"package": package, "ranges": ranges}])


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        _with(id="../../etc/passwd"),
        _with(id=7),
        _with(id="X" * 500),
        _with(modified=None),
        _with(modified="yesterday"),
        _with(withdrawn="soon"),
        _with(schema_version="2.0.0"),
        _with(affected={"package": 1}),
        _with(affected=[{"package": {"ecosystem": "PyPI"}}]),
        _with(affected=[{"package": {"ecosystem": "PyPI", "name": "a\x1b[2J"}}]),
        _events({"fixed": "1.0"}),
        _events({"introduced": 1.0}),
        _events({"introduced": "0"}, {"invented": "1"}),
        _events({}),
    ],
)
def test_what_is_not_of_the_form_is_refused(record):
    with pytest.raises(MalformedAdvisoryError):
        read_advisory(record)


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[" * 200_000, b" " * (9 << 20)])
def test_bytes_that_are_no_record_cost_little_and_are_refused(data):
    with pytest.raises(MalformedAdvisoryError):
        parse_json(data)


def test_yaml_with_aliases_is_refused():
    with pytest.raises(MalformedAdvisoryError, match=r"aliases"):
        parse_yaml(b"a: &x [1]\nb: [*x, *x]")


def test_a_record_of_countless_versions_is_refused():
    package = GOOD["affected"][0]["package"]
    many = [{"package": package, "versions": ["1.0"] * 150_000}] * 2
    with pytest.raises(MalformedAdvisoryError, match=r"more than"):
        read_advisory(_with(affected=many))
