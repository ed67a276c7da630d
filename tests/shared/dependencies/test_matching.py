"""Facts: versions just inside and just outside of well-known advisories' ranges."""

import pytest

from tidegate.dependencies import (
    Certainty,
    Component,
    match,
    read_advisory,
    smallest_safe_upgrade,
)
from tidegate.dependencies.versions import among, same


def advisory(package, *events, ecosystem="PyPI", versions=(), kind="ECOSYSTEM", **more):
    """A record about one package with one range."""
    affected = {"package": {"ecosystem": ecosystem, "name": package}, "versions": list(versions)}
    if events:
        pairs = [dict([event]) for event in events]
        affected["ranges"] = [{"type": kind, "events": pairs}]
    record = {"id": "TEST-1", "modified": "2024-05-01T00:00:00Z", "affected": [affected], **more}
    return read_advisory(record)


def certainty(ecosystem, name, version, *advisories):
    found = match(Component(ecosystem, name, version), advisories)
    return found[0].certainty.value if found else None


INTRODUCED, FIXED, LAST = "introduced", "fixed", "last_affected"
FACTS = [
    # CVE-2025-32434: torch.load with weights_only.
    ("torch", ["0", "2.6.0"], {"2.5.1": 1, "2.5.1+cu124": 1, "2.6.0": 0, "2.6.0+cu124": 0}),
    ("torch", ["0", "2.6.0"], {"2.6.0rc1": 1, "2.6.0.dev20241101": 1, "2.6.0.post1": 0}),
    # CVE-2023-25668 and its siblings of that release.
    ("tensorflow", ["0", "2.11.1", "2.12.0rc0", "2.12.0"], {"2.11.0": 1, "2.11.1": 0, "2.12.0": 0}),
    ("tensorflow", ["0", "2.11.1", "2.12.0rc0", "2.12.0"], {"2.12.0rc1": 1, "2.12.0rc0": 1}),
    # CVE-2023-50447: Pillow's ImageMath.
    ("pillow", ["0", "10.2.0"], {"10.1.0": 1, "10.2.0": 0, "10.2": 0, "9.5.0.post1": 1}),
    # CVE-2023-6977: a file of the server's host, through MLflow's registry.
    ("mlflow", ["0", "2.9.2"], {"2.9.1": 1, "2.9.2": 0, "2.10.0": 0}),
    # CVE-2023-32681: requests and its Proxy-Authorization header.
    ("requests", ["2.3.0", "2.31.0"], {"2.2.1": 0, "2.3.0": 1, "2.30.0": 1, "2.31.0": 0}),
    # CVE-2020-14343: PyYAML's full_load.
    ("pyyaml", ["5.1b7", "5.4"], {"5.1b5": 0, "5.1": 1, "5.3.1": 1, "5.4b1": 1, "5.4": 0}),
    # An epoch is before everything else.
    ("epochal", ["0", "1!1.0"], {"2024.1": 1, "1!0.9": 1, "1!1.0": 0, "1!1.0.post1": 0}),
]


@pytest.mark.parametrize(
    ("package", "bounds", "version", "inside"),
    [(name, bounds, v, bool(i)) for name, bounds, facts in FACTS for v, i in facts.items()],
)
def test_pypi(package, bounds, version, inside):
    events = zip([INTRODUCED, FIXED] * 2, bounds, strict=False)
    known = advisory(package, *events)
    assert certainty("PyPI", package, version, known) == ("affected" if inside else None)


@pytest.mark.parametrize(
    ("ecosystem", "package", "fixed", "inside", "outside"),
    [
        # DSA-5020 and 5024: log4j in Debian.
        ("Debian:11", "apache-log4j2", "2.17.0-1~deb11u1", "2.16.0-1~deb11u1", "2.17.0-1~deb11u1"),
        ("Debian:12", "openssl", "3.0.9-1", "3.0.9-1~rc1", "3.0.9-1+deb12u1"),
        ("Debian:12", "bind9", "1:9.18.19-1~deb12u1", "1:9.18.16-1~deb12u1", "1:9.18.19-1"),
        ("Debian:12", "zlib", "1:1.2.13", "9.9.9", "1:1.2.13.dfsg-1"),
        ("Ubuntu:22.04:LTS", "curl", "7.81.0-1ubuntu1.14", "7.81.0-1ubuntu1.9", "7.81.0-2"),
        ("Alpine:v3.18", "openssl", "3.1.1-r0", "3.1.0-r4", "3.1.1-r1"),
        ("Alpine:v3.18", "busybox", "1.36.1-r2", "1.36.1_rc1-r9", "1.36.1-r10"),
        ("Red Hat:baseos:9", "openssl", "1:3.0.7-18.el9_2", "1:3.0.7-17.el9_2", "1:3.0.7-24.el9"),
        ("Rocky Linux:9", "glibc", "0:2.34-60.el9", "0:2.34-60.el9~1", "2.34-60.el9"),
        ("npm", "lodash", "4.17.21", "4.17.21-beta.2", "4.17.21"),
        ("npm", "minimist", "1.2.6", "1.2.5", "1.10.0"),
    ],
)  # fmt: skip
def test_other_ecosystems(ecosystem, package, fixed, inside, outside):
    known = advisory(package, (INTRODUCED, "0"), (FIXED, fixed), ecosystem=ecosystem)
    assert certainty(ecosystem, package, inside, known) == "affected"
    assert certainty(ecosystem, package, outside, known) is None


def test_a_local_version_is_affected_as_its_public_version_is():
    last = advisory("torch", (INTRODUCED, "0"), (LAST, "2.0.0"))
    listed = advisory("torch", versions=["2.0.0"])
    for known in (last, listed):
        assert certainty("PyPI", "torch", "2.0.0+cu118", known) == "affected"
        assert certainty("PyPI", "torch", "2.0.1+cu118", known) is None


def test_boundaries_may_stand_in_any_order():
    known = advisory(
        "a", (FIXED, "3.0"), (INTRODUCED, "2.0"), (FIXED, "1.5"), (INTRODUCED, "0"), (FIXED, "2.0")
    )
    inside = [
        v for v in ("1.0", "1.5", "1.9", "2.0", "2.9", "3.0") if certainty("PyPI", "a", v, known)
    ]
    assert inside == ["1.0", "2.0", "2.9"]


def test_a_limit_ends_what_nothing_fixes():
    known = advisory("a", (INTRODUCED, "0"), ("limit", "2.0"))
    assert certainty("PyPI", "a", "1.9", known) == "affected"
    assert certainty("PyPI", "a", "2.0", known) is None
    assert (
        certainty("PyPI", "a", "2.0", advisory("a", (INTRODUCED, "0"), ("limit", "*")))
        == "affected"
    )


def test_the_list_counts_beside_the_ranges():
    known = advisory("a", (INTRODUCED, "2.0"), (FIXED, "2.5"), versions=["1.0"])
    assert [certainty("PyPI", "a", v, known) for v in ("1.0.0", "1.1", "2.1")] == [
        "affected", None, "affected"]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "version"),
    [
        (advisory("a", (INTRODUCED, "0"), (FIXED, "2.0-patched-by-us")), "1.0"),
        (advisory("a", (INTRODUCED, "0"), (FIXED, "2.0")), "main-branch"),
        (advisory("a", (INTRODUCED, "0"), (FIXED, "2.0")), None),
        (advisory("a", (INTRODUCED, "0"), (FIXED, "0123456789abcdef"), kind="GIT"), "1.0"),
        (advisory("a", versions=["1.0"]), "main-branch"),
        (advisory("a"), "1.0"),
        (advisory("a", (INTRODUCED, "0"), (FIXED, "2.0")), "1" * 5000),
    ],
)
def test_what_cannot_be_compared_is_undetermined(known, version):
    (found,) = match(Component("PyPI", "a", version), [known])
    assert found.certainty is Certainty.UNDETERMINED
    assert found.why


def test_a_version_of_an_ecosystem_that_nobody_here_compares_is_undetermined():
    known = advisory("a", (INTRODUCED, "0"), (FIXED, "2.0"), ecosystem="Hackage")
    assert certainty("Hackage", "a", "1.0", known) == "undetermined"


@pytest.mark.parametrize(
    "version", ["1.0", "1.0.0", "V1.0+Local", "1.0+local", "2.0", "Main", "1!1"]
)
def test_a_list_is_looked_through_as_each_of_its_versions_is(version):
    listed = ("1.0.0", "main", "1.0+LOCAL", "1!1.0", "nightly")
    for count in range(len(listed) + 1):
        some = listed[:count]
        assert among("PyPI", version, some) == any(same("PyPI", version, each) for each in some)


def test_names_are_compared_as_pypi_does_and_no_other_package_matches():
    known = advisory("Scikit_Learn", (INTRODUCED, "0"))
    assert certainty("PyPI", "scikit.learn", "1.0", known) == "affected"
    assert certainty("PyPI", "scikit-learn-extra", "1.0", known) is None
    assert certainty("npm", "scikit-learn", "1.0.0", known) is None


def test_a_release_of_a_distribution_has_its_own_advisories():
    known = advisory("openssl", (INTRODUCED, "0"), (FIXED, "9"), ecosystem="Debian:12")
    assert certainty("Debian:12", "openssl", "3.0", known) == "affected"
    assert certainty("Debian:11", "openssl", "3.0", known) is None
    assert certainty("Debian", "openssl", "3.0", known) == "undetermined"


def test_a_withdrawn_advisory_matches_nothing():
    known = advisory("a", (INTRODUCED, "0"), withdrawn="2024-06-01T00:00:00Z")
    assert certainty("PyPI", "a", "1.0", known) is None


def test_the_smallest_safe_upgrade_passes_by_what_other_advisories_are_about():
    known = [
        advisory("a", (INTRODUCED, "0"), (FIXED, "1.5")),
        advisory("a", (INTRODUCED, "1.5"), (FIXED, "1.8rc1")),
        advisory("a", (INTRODUCED, "1.8rc1"), (FIXED, "1.10")),
        advisory("a", (INTRODUCED, "0"), (FIXED, "2.0"), withdrawn="2024-06-01T00:00:00Z"),
    ]
    assert smallest_safe_upgrade(Component("PyPI", "a", "1.0"), known) == "1.10"
    assert smallest_safe_upgrade(Component("PyPI", "a", "1.10"), known) is None
    (first, *_) = match(Component("PyPI", "a", "1.0"), known)
    assert first.fixed == ("1.5",)


def test_no_upgrade_is_named_that_an_undetermined_advisory_may_be_about():
    known = [
        advisory("a", (INTRODUCED, "0"), (FIXED, "1.5")),
        advisory("a", (INTRODUCED, "1.2"), (FIXED, "one-point-six")),
    ]
    assert smallest_safe_upgrade(Component("PyPI", "a", "1.0"), known) is None
