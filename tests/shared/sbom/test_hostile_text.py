"""Names chosen by others can neither break the document, nor collide, nor leak a secret."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.artifact import FileEntry, Manifest
from tidegate.sbom import BaseModel, DataSet, build_bom
from tidegate.sbom.wording import printable, web_address, without_credentials

HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J",
    "a\nb\r\nc\x00",
    "\u202egpj.exe",
    "\ud800 lone surrogate",
    "x" * 100_000,
    "<script>alert(1)</script>",
    "urn:cdx:f08a6ccd-4dce-4759-bd84-c626675d60a7/1#model",
    " ",
]


def texts(thing):
    if isinstance(thing, dict):
        for value in thing.values():
            yield from texts(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from texts(value)
    elif isinstance(thing, str):
        yield thing


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_text_in_every_place_still_gives_a_valid_clean_document(described, text):
    everywhere = replace(
        described,
        name=text,
        version=text,
        description=text,
        task=text,
        architecture=text,
        manifest=Manifest("folder", (FileEntry(text, 1, "a" * 64), FileEntry("b", 1, "b" * 64))),
        requirements=f"numpy==2.0\n{text}\n",
        datasets=(DataSet(text, text, text, text, text), DataSet(text)),
        base_model=BaseModel(text, text, text, text),
        metrics=((text, float("nan")),),
        properties=((text, text),),
    )
    built = build_bom(everywhere)
    assert built.isascii()
    for found in texts(json.loads(built)):
        assert not {unicodedata.category(char) for char in found} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert len(found) <= 4096


def test_names_that_read_the_same_are_different_components(described):
    twins = Manifest("folder", (FileEntry("a\x1b", 1, "a" * 64), FileEntry("a\\x1b", 1, "b" * 64)))
    twice = replace(described, manifest=twins, datasets=(DataSet("d"),) * 2)
    # Where two references are the same, the library puts random ones in their place.
    assert build_bom(twice) == build_bom(twice)
    built = json.loads(build_bom(twice))
    parts = built["metadata"]["component"]["components"]
    assert [part["name"] for part in parts] == ["a\\x1b", "a\\x1b"]
    assert len({part["bom-ref"] for part in parts}) == 2
    assert len([each for each in built["components"] if each["type"] == "data"]) == 2


def test_a_package_from_an_address_does_not_pass_for_pypis_of_that_name(described):
    built = json.loads(
        build_bom(replace(described, requirements="numpy @ https://u:pw@example.com/n.whl?sig=pw"))
    )
    package = next(each for each in built["components"] if each["type"] == "library")
    assert "purl" not in package
    assert {"name": "tidegate:url", "value": "https://example.com/n.whl"} in package["properties"]


@pytest.mark.parametrize(
    "source",
    [
        "https://user:hunter2@example.com/data.csv",
        "https://example.com/data.csv?X-Amz-Signature=hunter2",
        "https://example.com/data.csv#hunter2",
        "postgresql://user:hunter2@db/claims",
        "s3://key:hunter2@bucket/claims",
        "https://user:hunter2@[broken/data",
    ],
)
def test_no_secret_of_a_source_gets_into_the_document(described, source):
    named = replace(
        described,
        description=f"see {source.partition('?')[0].partition('#')[0]} for more",
        datasets=(DataSet("d", source=source), DataSet(source, digest=source)),
        base_model=BaseModel(source, source=source),
        properties=(("source", source),),
    )
    assert "hunter2" not in build_bom(named)


def test_a_web_address_is_linked_and_nothing_else_is():
    assert web_address("https://example.com/a%20b?x#y") == "https://example.com/a%20b"
    for other in (
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://e.com/\x00",
        "https://e/%zz",
    ):
        assert web_address(other) is None


@given(st.text(max_size=200), st.integers(1, 50))
def test_printable_text_is_short_and_has_no_unprintable_character(text, limit):
    shown = printable(text, limit)
    assert len(shown) <= limit
    shown.encode()
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(max_size=200))
def test_any_address_can_be_stripped(text):
    assert "?" not in without_credentials(f"https://h/{text}")


names = st.text(min_size=1, max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(names, names, st.lists(names, max_size=3), st.text(max_size=120))
def test_whatever_the_names_the_document_is_valid(name, version, datasets, requirements):
    from datetime import UTC, datetime

    from tidegate.sbom import BomInput

    build_bom(
        BomInput(
            name,
            version,
            Manifest("file", (FileEntry("", 1, "a" * 64),)),
            datetime(2026, 1, 1, tzinfo=UTC),
            requirements=requirements,
            datasets=tuple(DataSet(each, source=each) for each in datasets),
        )
    )
