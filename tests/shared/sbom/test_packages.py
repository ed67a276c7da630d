"""Whether a version of a package is among others, however it is spelt."""

from __future__ import annotations

import json

import pytest

from tidegate.errors import UsageError
from tidegate.sbom.packages import (
    Pin,
    Presence,
    packages_in_bom,
    packages_in_environment,
    parse_pin,
)

THERE, NOT_THERE, UNDETERMINED = Presence.THERE, Presence.NOT_THERE, Presence.UNDETERMINED


def bom(*components: object) -> str:
    return json.dumps({"bomFormat": "CycloneDX", "components": components})


def library(name: str, version: str | None = None, **more: object) -> dict[str, object]:
    return {"type": "library", "name": name, "version": version, **more}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Torch_Vision==0.15.1", "torch-vision==0.15.1"),
        ("zope.interface == 5.0", "zope-interface==5.0"),
        ("a==1.0-alpha1", "a==1.0a1"),
        ("a==weird-version!x", "a==weird-version!x"),
    ],
)
def test_a_pin_is_normalised(text: str, told: str) -> None:
    assert str(parse_pin(text)) == told


@pytest.mark.parametrize("text", ["torch", "torch==", "==2", "a===1", "a==1.*", "a b==1", "a==1 2"])
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no version of a package"):
        parse_pin(text)


@pytest.mark.parametrize(
    ("pin", "version", "presence"),
    [
        ("torch==2.0.0", "2.0.0", THERE),
        ("torch==2.0", "2.0.0", THERE),
        ("torch==2.0.0", "2.0.0+cu118", THERE),
        ("torch==2.0.0+cu118", "2.0.0", NOT_THERE),
        ("torch==2.0.0+cu118", "2.0.0+cu118", THERE),
        ("torch==2.0.0", "2.0.0.post1", NOT_THERE),
        ("torch==2.0.0", "2.0.1", NOT_THERE),
        ("torch==2.0.0", None, UNDETERMINED),
        ("torch==odd", "ODD", THERE),
    ],
)
def test_versions_are_compared_as_pip_compares_them(
    pin: str, version: str | None, presence: Presence
) -> None:
    packages = packages_in_bom(bom(library("Torch", version), library("numpy", "1")))
    assert parse_pin(pin).among(packages) is presence


def test_a_package_is_found_however_it_is_written_and_however_deep() -> None:
    nested = {"type": "application", "name": "x", "components": [library("Foo__Bar", "1.0")]}
    assert Pin("foo-bar", "1.0").among(packages_in_bom(bom(nested))) is THERE
    by_purl = {"type": "library", "name": "other", "purl": "pkg:pypi/foo%5Fbar@1.0?x=y#z"}
    assert Pin("foo-bar", "1.0").among(packages_in_bom(bom(by_purl))) is THERE
    escaped = bom(library("foo", "1.0")).replace("foo", "\\u0066oo")
    assert Pin("foo", "1.0").among(packages_in_bom(escaped)) is THERE


def test_what_is_of_another_kind_by_that_name_is_not_found() -> None:
    others = bom(
        library("foo", "1.0", purl="pkg:npm/foo@1.0"),
        {"type": "file", "name": "foo", "version": "1.0"},
        {"type": "machine-learning-model", "name": "foo", "version": "1.0"},
    )
    assert Pin("foo", "1.0").among(packages_in_bom(others)) is NOT_THERE


@pytest.mark.parametrize("body", ["", "[]", "{", "null", "[" * 100_000])
def test_a_document_that_can_not_be_read_is_undetermined(body: str) -> None:
    assert packages_in_bom(body) is None
    assert Pin("foo", "1").among(packages_in_bom(body)) is UNDETERMINED


def test_an_environment_says_what_was_installed_or_nothing() -> None:
    packages = packages_in_environment({"distributions": ["torch==2.0.0+cu118", "x", 3]})
    assert Pin("torch", "2.0.0").among(packages) is THERE
    assert Pin("x", "1").among(packages) is UNDETERMINED
    for other in (None, [], {}, {"distributions": "torch==2.0.0"}):
        assert packages_in_environment(other) is None
