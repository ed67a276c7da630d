"""The document says what there is, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tidegate.artifact import FileEntry, Manifest
from tidegate.errors import UsageError
from tidegate.sbom import BaseModel, build_bom
from tidegate.sbom import build as build_module


def properties(thing):
    return {(each["name"], each["value"]) for each in thing.get("properties", ())}


def named(components, name):
    return next(each for each in components if each["name"] == name)


def test_the_document_is_valid_for_the_strict_validator(described):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(build_bom(described)) is None


def test_the_subject_is_the_model_with_name_version_and_manifest_digest(described, document):
    subject = document()["metadata"]["component"]
    assert subject["type"] == "machine-learning-model"
    assert (subject["name"], subject["version"]) == ("fraud", "3")
    assert ("tidegate:manifest-digest", described.manifest.digest) in properties(subject)


def test_the_manifest_digest_is_never_given_out_as_a_hash_of_content(document):
    assert "hashes" not in document()["metadata"]["component"]


def test_every_file_is_a_part_with_its_own_hash(described, document):
    parts = document()["metadata"]["component"]["components"]
    assert {(p["type"], p["name"], p["hashes"][0]["content"]) for p in parts} == {
        ("file", file.path, file.sha256) for file in described.manifest.files
    }


def test_a_model_of_one_file_carries_the_files_hash_itself(document):
    subject = document(manifest=Manifest("file", (FileEntry("", 9, "d" * 64),)))["metadata"][
        "component"
    ]
    assert subject["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]
    assert "components" not in subject


def test_packages_have_a_purl_and_a_version_only_where_one_is_pinned(document):
    components = document()["components"]
    pinned, ranged = named(components, "scikit-learn"), named(components, "numpy")
    assert pinned["purl"] == "pkg:pypi/scikit-learn@1.9.1"
    assert pinned["version"] == "1.9.1"
    assert ranged["purl"] == "pkg:pypi/numpy"
    assert "version" not in ranged
    assert ("tidegate:specifier", "<3,>=1.26") in properties(ranged)


def test_data_sets_are_data_components_that_the_model_card_names(document):
    built = document()
    data = [each for each in built["components"] if each["type"] == "data"]
    card = built["metadata"]["component"]["modelCard"]
    assert [each["name"] for each in data] == ["claims-2026", "holdout"]
    assert [each["ref"] for each in card["modelParameters"]["datasets"]] == [
        each["bom-ref"] for each in data
    ]
    assert data[0]["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]


def test_a_claimed_digest_is_a_claim_and_no_hash(document):
    built = document()
    claimed = named(built["components"], "claims-2026")
    assert ("tidegate:claimed-digest", "1f2e3d4c") in properties(claimed)
    assert "hashes" not in named(built["components"], "holdout")


def test_the_base_model_is_an_ancestor(document):
    ancestors = document()["metadata"]["component"]["pedigree"]["ancestors"]
    assert [(each["type"], each["name"], each["version"]) for each in ancestors] == [
        ("machine-learning-model", "tabular-base", "2")
    ]


def test_a_hash_that_is_none_is_not_passed_on(document):
    built = document(base_model=BaseModel("base", sha256="not a hash"))
    assert "hashes" not in built["metadata"]["component"]["pedigree"]["ancestors"][0]


def test_the_model_depends_on_all_its_packages_and_data(document):
    built = document()
    graph = {each["ref"]: set(each.get("dependsOn", ())) for each in built["dependencies"]}
    assert graph["model"] == {each["bom-ref"] for each in built["components"]}


def test_metrics_and_task_stand_in_the_model_card(document):
    card = document()["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["task"] == "classification"
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accuracy", "value": "0.97"}
    ]


def test_tidegate_names_itself_as_the_tool_and_the_callers_time(document):
    metadata = document()["metadata"]
    assert [each["name"] for each in metadata["tools"]["components"]] == ["tidegate"]
    assert datetime.fromisoformat(metadata["timestamp"]) == datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_the_same_input_gives_the_same_text(described):
    assert build_bom(described) == build_bom(described)


def test_the_serial_number_follows_bytes_name_and_version_but_not_time(described, document):
    serial = document()["serialNumber"]
    other = Manifest("folder", described.manifest.files[:1])
    later = described.created_at + timedelta(days=1)
    assert document(created_at=later, revision=2)["serialNumber"] == serial
    assert document(created_at=later, revision=2)["version"] == 2
    assert (
        len(
            {
                serial,
                *(
                    document(**c)["serialNumber"]
                    for c in ({"manifest": other}, {"version": "4"}, {"name": "risk"})
                ),
            }
        )
        == 4
    )


def test_dependencies_count_as_incomplete_or_unknown_never_as_complete(document):
    def aggregates(built):
        return {
            (key, each["aggregate"])
            for each in built["compositions"]
            for key in ("assemblies", "dependencies")
            if key in each
        }

    assert aggregates(document()) == {("assemblies", "complete"), ("dependencies", "incomplete")}
    assert ("dependencies", "unknown") in aggregates(document(requirements=None))


def test_what_could_not_be_read_is_named(document):
    built = document(requirements="numpy==2.0\n-r more.txt\n", datasets=())
    unknown = [value for _, value in sorted(properties(built["metadata"]))]
    assert unknown[0] == "the run names no data set"
    assert unknown[1].startswith("line 2: ")
    assert "-r more.txt" in unknown[1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"created_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - no zone is the point
        {"revision": 0},
    ],
)
def test_input_that_can_make_no_document_is_refused(described, wrong):
    with pytest.raises(UsageError):
        build_bom(replace(described, **wrong))


def test_files_beyond_the_limit_are_counted_as_unlisted(document, monkeypatch):
    monkeypatch.setattr(build_module, "MAX_FILES", 1)
    built = document()
    assert len(built["metadata"]["component"]["components"]) == 1
    assert ("tidegate:files-unlisted", "1 files of the manifest") in properties(built["metadata"])
    assert {"aggregate": "incomplete", "assemblies": ["model"]} in built["compositions"]


def test_a_large_model_is_described_and_checked_in_full(document):
    many = Manifest(
        "folder", tuple(FileEntry(f"shard-{n:04}.bin", n, f"{n:064x}") for n in range(350))
    )
    parts = document(manifest=many)["metadata"]["component"]["components"]
    assert len({part["name"] for part in parts}) == 350
