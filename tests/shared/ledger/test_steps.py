"""A step comes back as it was recorded, once, covered by provenance that others can read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from samples.ledger_records import NOW, a_file, a_manifest, a_step, count
from samples.tampering import look, owner, rows

from tidegate.attestation.envelopes import statement_in
from tidegate.attestation.step import Material, StepOutcome, material, new_step_id
from tidegate.errors import RecordNotFoundError, UsageError
from tidegate.ledger import Ledger
from tidegate.ledger.said import MATERIAL, STEP
from tidegate.ledger.schema import content, edge, statement

SCHEMAS = Path(__file__).parents[3] / "docs" / "reference" / "predicates"


def said(url: str) -> list[dict[str, Any]]:
    with owner(url) as connection:
        found = [row["envelope"] for row in rows(connection, statement)]
    return [json.loads(statement_in(each.encode()).to_bytes()) for each in found]


def test_a_step_comes_back_as_it_was(ledger: Ledger) -> None:
    step = a_step(
        inputs=(material("a", "data", a_file("a")), Material("b", "base", f"sha256:{'b' * 64}"))
    )
    assert ledger.record_step(step)
    assert ledger.step(step.id) == step
    assert step.parameters["rate"] == "0.1", "fractions are texts from the start"
    assert ledger.manifest(step.inputs[0].digest) == a_file("a")
    with pytest.raises(RecordNotFoundError):
        ledger.step(new_step_id())


def test_the_same_step_twice_is_one_and_another_under_its_id_is_refused(
    ledger: Ledger, database_url: str
) -> None:
    assert ledger.record_step(a_step())
    assert not ledger.record_step(a_step())
    with pytest.raises(UsageError, match="another step"):
        ledger.record_step(a_step(outcome=StepOutcome.FAILED))
    assert count(database_url, "tidegate_statement") == 1
    assert count(database_url, "tidegate_edge") == 2
    assert look(database_url).problems == ()


def test_the_statement_is_slsa_provenance(ledger: Ledger, database_url: str) -> None:
    step = a_step(
        inputs=(
            material("train.csv", "data", a_file("train.csv"), uri="s3://bucket/train.csv"),
            Material("source", "code", f"gitCommit:{'c' * 40}", "git+https://git.example.com/f"),
        ),
        outputs=(
            material("model.skops", "output", a_file("model.skops")),
            material("model", "output", a_manifest()),
            material("log.txt", "byproduct", a_file("log.txt")),
        ),
    )
    ledger.record_step(step)
    (statement,) = said(database_url)
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    file, folder = statement["subject"]
    assert file["digest"] == {"sha256": a_file("model.skops").files[0].sha256}, (
        "what sha256sum says"
    )
    assert file["annotations"][MATERIAL]["root"] == a_file("model.skops").digest
    assert folder["digest"]["sha256"] == a_manifest().digest.removeprefix("sha256:")
    predicate = statement["predicate"]
    build, run = predicate["buildDefinition"], predicate["runDetails"]
    assert build["buildType"] == STEP
    assert build["externalParameters"] == {
        "name": "train-1", "parameters": {"epochs": 3, "rate": "0.1"},
    }  # fmt: skip
    data, code = build["resolvedDependencies"]
    assert data["uri"] == "s3://bucket/train.csv"
    assert data["digest"] == {"sha256": a_file("train.csv").files[0].sha256}
    assert code["digest"] == {"gitCommit": "c" * 40}
    assert code["annotations"][MATERIAL] == {
        "role": "code", "root": f"gitCommit:{'c' * 40}", "kind": None, "read": False,
    }  # fmt: skip
    assert run["builder"]["id"] == "https://ci.example.com/runner"
    assert run["metadata"] == {
        "invocationId": step.id,
        "startedOn": "2026-03-01T12:30:00.000125Z",
        "finishedOn": "2026-03-01T12:31:00.000125Z",
    }
    assert [each["name"] for each in run["byproducts"]] == ["log.txt"]
    assert predicate[STEP]["claims"] == ["host"]
    assert predicate[STEP]["metrics"] == {"accuracy": "0.93"}
    assert predicate[STEP]["parent"] == f"step:{'f' * 32}"
    assert predicate[STEP]["notes"] == ["the input train.csv changed while the step ran"]
    for descriptor in (file, folder, data, code, *run["byproducts"]):
        _validate("material", descriptor["annotations"][MATERIAL])
    _validate("step", predicate[STEP])


def _validate(kind: str, value: object) -> None:
    schema = json.loads((SCHEMAS / f"{kind}-v1.json").read_text())
    assert schema["$id"] == {"material": MATERIAL, "step": STEP}[kind]
    jsonschema.Draft202012Validator(schema).validate(value)


def test_a_step_that_made_nothing_is_about_its_own_record(
    ledger: Ledger, database_url: str
) -> None:
    ledger.record_step(
        a_step(outputs=(), outcome=StepOutcome.UNFINISHED, finished_at=None, exit_code=None)
    )
    (statement,) = said(database_url)
    covered = statement["predicate"]["https://tidegate.dev/attestation/records/v1"]["rows"]
    (row,) = [each for each in covered if each["table"] == "tidegate_step"]
    assert statement["subject"] == [{"name": "train-1", "digest": {"sha256": row["sha256"]}}]
    assert "finishedOn" not in statement["predicate"]["runDetails"]["metadata"]
    assert look(database_url).problems == ()


def test_the_edges_go_from_inputs_to_the_step_and_on_to_its_outputs(
    ledger: Ledger, database_url: str
) -> None:
    twice = material("train.csv", "data", a_file("train.csv"))
    step = a_step(inputs=(twice, twice))
    ledger.record_step(step)
    with owner(database_url) as connection:
        drawn = [
            (each["source"], each["target"], each["role"], each["name"])
            for each in rows(connection, edge)
        ]
    assert drawn == [
        (twice.digest, step.id, "data", "train.csv"),
        (step.id, step.outputs[0].digest, "output", "model"),
    ]


def test_the_index_of_content_holds_each_file_once_and_no_empty_one(
    ledger: Ledger, database_url: str
) -> None:
    ledger.record_step(a_step(inputs=(material("e", "data", a_file("e", "")),)))
    ledger.record_step(a_step(2))
    ledger.record_step(a_step(3, inputs=a_step(2).inputs, outputs=a_step(2).outputs))
    with owner(database_url) as connection:
        found = {(row["digest"], row["alone"]) for row in rows(connection, content)}
    assert found == {
        (a_step(1).outputs[0].digest, 0), (a_step(2).outputs[0].digest, 0),
        (a_step(2).inputs[0].digest, 1),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["evil\ud800.csv", "evil\x00.csv", "'; DROP TABLE x --"])
def test_a_hostile_name_keeps_no_step_from_being_recorded(
    ledger: Ledger, database_url: str, name: str
) -> None:
    step = a_step(inputs=(material(name, "data", a_file("x")),), parameters={name: [name]})
    ledger.record_step(step)
    assert ledger.step(step.id) == step
    assert look(database_url).problems == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "step:1"},
        {"name": " "},
        {"builder": ""},
        {"started_at": datetime(2026, 3, 1)},  # noqa: DTZ001 - what it is about
        {"exit_code": 2**40},
        {"parameters": {"x": object()}},
        {"parameters": {"x": "y" * (5 << 20)}},
        {"claims": ("",)},
        {"notes": ("",)},
        {"parent": "train"},
        {"metrics": {"x": object()}},
        {"inputs": (Material("x", "data", f"sha256:{'0' * 64}"),) * 10_001},
    ],
)
def test_what_is_no_step_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        a_step(**changes)


def test_a_value_nested_too_deep_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100):
        nested = [nested]
    with pytest.raises(UsageError, match="deeper"):
        a_step(parameters={"x": nested})


@pytest.mark.parametrize(
    "changes",
    [{"role": "Data"}, {"role": "x" * 40}, {"digest": "sha256:1"}, {"name": ""},
     {"digest": f"sha256:{'0' * 64}"}],
)  # fmt: skip
def test_what_is_no_material_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        replace(material("x", "data", a_file("x")), **changes)


def test_times_are_kept_in_utc() -> None:
    from datetime import timedelta, timezone

    step = a_step(started_at=NOW.astimezone(timezone(timedelta(hours=5))))
    assert step.to_dict()["started_at"] == "2026-03-01T12:30:00.000125+00:00"
