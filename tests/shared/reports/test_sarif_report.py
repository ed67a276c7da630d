"""The SARIF report is valid, and never looks clean when something was not read."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tidegate.errors import ArtifactMissingError
from tidegate.reports import ScanReport, report_format
from tidegate.scanners import Finding, Severity, Unread

MESSAGE = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "additionalProperties": False,
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "additionalProperties": False,
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": False,
                    "properties": {
                        "uri": {"type": "string", "pattern": r"^[A-Za-z0-9._~/%:!$&'()*+,;=@-]+$"}
                    },
                },
                "region": {
                    "type": "object",
                    "required": ["byteOffset"],
                    "additionalProperties": False,
                    "properties": {"byteOffset": {"type": "integer", "minimum": 0}},
                },
            },
        },
        "logicalLocations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["fullyQualifiedName"],
                "additionalProperties": False,
                "properties": {
                    "fullyQualifiedName": {"type": "string"},
                    "kind": {"type": "string"},
                },
            },
        },
        "properties": {"type": "object"},
    },
}
# What the standard asks of the objects that this report uses (sections 3.13 to 3.58), closed
# where the standard's own schema is closed.
SCHEMA = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "properties": {"type": "object"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id"],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"type": "string"},
                                                "shortDescription": MESSAGE,
                                                "fullDescription": MESSAGE,
                                                "help": MESSAGE,
                                                "defaultConfiguration": {
                                                    "type": "object",
                                                    "additionalProperties": False,
                                                    "properties": {"level": LEVEL},
                                                },
                                                "properties": {
                                                    "type": "object",
                                                    "properties": {
                                                        "tags": {
                                                            "type": "array",
                                                            "uniqueItems": True,
                                                        }
                                                    },
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "invocations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["executionSuccessful"],
                            "additionalProperties": False,
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "required": ["message"],
                                        "additionalProperties": False,
                                        "properties": {
                                            "message": MESSAGE,
                                            "level": LEVEL,
                                            "locations": {"type": "array", "items": LOCATION},
                                        },
                                    },
                                },
                                "properties": {"type": "object"},
                            },
                        },
                    },
                    "artifacts": {
                        "type": "array",
                        "uniqueItems": True,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "location": {
                                    "type": "object",
                                    "properties": {"uri": {"type": "string"}},
                                },
                                "properties": {"type": "object"},
                            },
                        },
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message"],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": LEVEL,
                                "message": MESSAGE,
                                "locations": {"type": "array", "items": LOCATION},
                                "partialFingerprints": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "properties": {"type": "object"},
                            },
                        },
                    },
                },
            },
        },
    },
}


def run_of(report):
    log = json.loads(report_format("sarif").render(report))
    jsonschema.validate(log, SCHEMA)
    return log["runs"][0]


def uris(run):
    return [
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
    ]


def test_results_point_to_their_rule_by_id_and_by_index(report):
    run = run_of(report)
    table = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in table}) == len(table)
    assert len(run["results"]) == 5
    for result in run["results"]:
        assert table[result["ruleIndex"]]["id"] == result["ruleId"]


def test_an_artifact_that_is_named_twice_is_listed_once(entry):
    run = run_of(ScanReport("r", (entry("same"), entry("same"))))
    assert len(run["artifacts"]) == 1


def test_an_unread_part_is_a_result_and_the_run_was_not_successful(entry):
    run = run_of(ScanReport("r", (entry(unread=(Unread("blob", "unknown format"),)),)))
    assert [(each["ruleId"], each["level"]) for each in run["results"]] == [("UNREAD", "error")]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1


def test_an_artifact_in_error_is_a_result_too(entry):
    run = run_of(ScanReport("r", (entry("gone", error=ArtifactMissingError("not there")),)))
    assert "not there" in run["results"][0]["message"]["text"]
    assert uris(run) == ["gone"]


def test_a_clean_scan_has_no_result_and_was_successful(entry):
    run = run_of(ScanReport("r", (entry(),)))
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is True


def test_an_offset_is_a_region_of_the_file_only_when_it_is_one(report):
    results = run_of(report)["results"]
    direct, nested = results[1], results[2]
    assert direct["locations"][0]["physicalLocation"]["region"] == {"byteOffset": 11}
    assert "region" not in nested["locations"][0]["physicalLocation"]
    assert nested["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "a/data.pkl"


def test_fingerprints_tell_findings_apart_and_stay_the_same(report):
    prints = [each["partialFingerprints"]["tidegate/v1"] for each in run_of(report)["results"]]
    assert len(set(prints)) == len(prints)
    assert prints == [
        each["partialFingerprints"]["tidegate/v1"] for each in run_of(report)["results"]
    ]


@pytest.mark.parametrize(
    ("path", "inside", "uri"),
    [
        ("model", "a b.pkl", "model/a%20b.pkl"),
        ("/abs/model/", "x.pkl", "file:///abs/model/x.pkl"),
        ("javascript:alert(1)", "", "javascript%3Aalert%281%29"),
        ("m", "\x1b\n#?.pkl", "m/%1B%0A%23%3F.pkl"),
        ("m", "\udcff.pkl", "m/%FF.pkl"),
        ("m", "\ud800.pkl", "m/%5Cud800.pkl"),
    ],
)
def test_paths_become_uris_that_are_nothing_else(entry, path, inside, uri):
    finding = Finding("PICKLE-EXEC", Severity.CRITICAL, inside, "m")
    run = run_of(ScanReport("r", (entry(path, findings=(finding,)),)))
    assert uris(run) == [uri]


def test_a_message_can_hold_neither_a_link_nor_a_placeholder(entry):
    finding = Finding("PICKLE-EXEC", Severity.CRITICAL, "m", "[see](http://evil) {0} \\[x")
    run = run_of(ScanReport("r", (entry(findings=(finding,)),)))
    assert run["results"][0]["message"]["text"] == "\\[see\\](http://evil) {{0}} \\\\\\[x"


PUBLISHED = Path(__file__).parents[3] / ".tools" / "sarif-2.1.0.json"


@pytest.mark.skipif(not PUBLISHED.exists(), reason="`make test` fetches SARIF's schema, with npm")
def test_the_published_schema_of_sarif_accepts_every_kind_of_report(report, audited, entry):
    schema = json.loads(PUBLISHED.read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(
        schema, format_checker=jsonschema.FormatChecker()
    )
    for each in (report, audited, ScanReport("r", (entry(),)), ScanReport("r", ())):
        log = json.loads(report_format("sarif").render(each))
        assert [error.message for error in validator.iter_errors(log)] == []
        log["version"] = "9"
        assert list(validator.iter_errors(log))
