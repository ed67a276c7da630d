"""The last check refuses what the schema forbids, and what the schema can't see."""

from __future__ import annotations

import json

import pytest

from tidegate.errors import TidegateError
from tidegate.sbom import SbomInvalidError, check_bom


@pytest.fixture
def built(document):
    return document()


def refuse(document, said):
    with pytest.raises(SbomInvalidError, match=said):
        check_bom(json.dumps(document))


def test_what_was_built_passes(built):
    check_bom(json.dumps(built))


def test_an_unknown_key_is_refused(built):
    built["metadata"]["component"]["bogus"] = 1
    refuse(built, "bogus")


def test_a_reference_to_nothing_is_refused(built):
    built["dependencies"][0].setdefault("dependsOn", []).append("package:99:ghost")
    refuse(built, "ghost")


def test_a_data_set_that_the_card_names_but_nobody_lists_is_refused(built):
    built["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"][0]["ref"] = "gone"
    refuse(built, "gone")


def test_a_reference_that_is_defined_twice_is_refused(built):
    built["components"][0]["bom-ref"] = built["components"][1]["bom-ref"]
    refuse(built, "twice")


def test_two_entries_of_the_graph_for_one_component_are_refused(built):
    built["dependencies"].append({"ref": "model"})
    refuse(built, "two entries")


def test_a_fault_in_the_last_of_many_components_is_found(built):
    built["components"] += [
        {"type": "library", "name": f"p{n}", "bom-ref": f"p{n}"} for n in range(300)
    ]
    check_bom(json.dumps(built))
    built["components"][-1]["bogus"] = 1
    refuse(built, "bogus")


def test_a_fault_in_the_last_of_many_files_is_found(built):
    built["metadata"]["component"]["components"] = [
        {"type": "file", "name": f"f{n}", "bom-ref": f"f{n}"} for n in range(300)
    ]
    check_bom(json.dumps(built))
    built["metadata"]["component"]["components"][-1]["type"] = "nonsense"
    refuse(built, "nonsense")


def test_what_is_no_object_is_refused():
    with pytest.raises(SbomInvalidError):
        check_bom("[]")


def test_the_error_is_one_of_tidegates_with_a_remedy():
    with pytest.raises(TidegateError) as caught:
        check_bom("{}")
    assert caught.value.remedy
