"""`tidegate lineage` shows where things came from, and says so where nothing is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from samples.graphs import draw, node

from tidegate.ledger import Ledger


@pytest.fixture(autouse=True)
def drawn(environment: None, ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        draw(ledger, "raw.csv -> clean -> tidy.csv", "tidy.csv + base -> train -> model.bin")


def test_both_directions_by_default_and_one_when_asked(tidegate) -> None:
    result = tidegate("lineage", "tidy.csv")
    assert result.code == 0
    assert "made by clean" in result.out
    assert "data of train" in result.out
    assert "data of train" not in tidegate("lineage", "tidy.csv", "--up").out
    assert "made by clean" not in tidegate("lineage", "tidy.csv", "--down").out
    assert "raw.csv" not in tidegate("lineage", "model.bin", "--up", "--depth", "1").out
    assert "Nothing on record came of it." in tidegate("lineage", "model.bin", "--down").out


def test_the_ways_between_two_things_are_shown_in_either_order(tidegate) -> None:
    for first, second in (("raw.csv", "model.bin"), ("model.bin", "raw.csv")):
        result = tidegate("lineage", first, "--to", second)
        assert result.code == 0
        assert all(name in result.out for name in ("raw.csv", "clean", "train", "model.bin"))
        assert "base" not in result.out
    result = tidegate("lineage", "base", "--to", "raw.csv")
    assert result.code == 2
    assert "nothing on record leads" in result.err


def test_why_it_is_here_is_told_from_its_origins(tidegate) -> None:
    found = json.loads(tidegate("lineage", "model.bin", "--why", "-f", "json").out)
    generations = {each["title"]: each["generation"] for each in found["nodes"]}
    assert generations == {
        "model.bin": 0, "train": -1, "tidy.csv": -1, "base": -1, "clean": -2, "raw.csv": -2,
    }  # fmt: skip
    assert {each["role"] for each in found["links"]} == {"data", "base", "output"}


@pytest.mark.parametrize("form", ["text", "json", "mermaid", "svg", "openlineage", "prov"])
def test_every_format_can_go_into_a_file(tidegate, form: str) -> None:
    assert tidegate("lineage", node("model.bin"), "-f", form, "-o", "out").code == 0
    assert "model.bin" in Path("out").read_text()


def test_what_is_not_on_record_is_a_matter_of_usage(tidegate) -> None:
    result = tidegate("lineage", "nothing")
    assert result.code == 2
    assert "no record of 'nothing'" in result.err
    assert tidegate("lineage", "tidy.csv", "--why", "--up").code == 2
    assert tidegate("lineage", "tidy.csv", "--depth", "-1").code == 2
