"""Two ways to write a place compare equal, and none leads past the guard's rules."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_mlflow import kept, places
from tidegate_mlflow.guarded_places import GuardedPlaces, Registered, Use

HEX = "ab" * 32


@pytest.mark.parametrize(
    "spelled",
    [
        "1/models/m-x",
        "1//models/m-x",
        "1/./models/m-x/",
        "/1/models/m-x",
        "1/%6dodels/m-x",
        "1%2fmodels%2Fm-x",
        "1%252fmodels/m-x",
        "1/%2e/models/m-x",
        "1/%252e/models//m-x/.",
        "1\\models\\m-x",
        "1%5cmodels/m-x",
    ],
)
def test_each_spelling_of_a_path_is_one_place(tmp_path: Path, spelled: str) -> None:
    assert places.remote("s3://bucket", spelled) == "s3://bucket/1/models/m-x"
    assert f"file:{tmp_path}/1/models/m-x" in places.local(str(tmp_path), spelled)


@pytest.mark.parametrize(
    "spelled",
    [
        "../x",
        "a/../../x",
        "a/%2e%2e/x",
        "a/..%2fx",
        "a\\..\\x",
        "%00",
        "a%2500",
        "%" + "25" * 99 + "41",
    ],
)
def test_a_path_that_leads_out_or_nowhere_has_no_place(tmp_path: Path, spelled: str) -> None:
    with pytest.raises(places.ClimbingError):
        places.remote("s3://bucket/root", spelled)
    with pytest.raises(places.ClimbingError):
        places.local(str(tmp_path), spelled)


NAMES = st.lists(st.sampled_from(["a", "A", "b c", "ü", "m-1", "100%"]), min_size=1, max_size=4)
SPELLINGS = st.sampled_from(
    [
        lambda name: name,
        lambda name: f"./{name}",
        lambda name: f"/{name}/",
        lambda name: quote(name, safe=""),
        lambda name: quote(quote(name, safe=""), safe=""),
        lambda name: "".join(f"%{byte:02x}" for byte in name.encode()),
    ]
)


@given(NAMES, st.lists(SPELLINGS, min_size=4, max_size=4), NAMES)
def test_what_lies_in_a_folder_is_within_its_place_however_it_is_written(
    names: list[str], spellings: list, below: list[str]
) -> None:
    plain = places.remote("s3://bucket", "/".join(quote(name) for name in names))
    spelled = "/".join(spell(quote(name)) for spell, name in zip(spellings, names, strict=False))
    deeper = "/".join(quote(name) for name in below)
    assert places.is_within(places.remote("s3://bucket", f"{spelled}/{deeper}"), plain)


def test_a_link_on_the_disk_is_followed_to_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert places.local(str(tmp_path), "link/x") == places.local(str(tmp_path), "real/x")


def test_names_are_folded_as_a_disk_does_that_tells_no_cases_apart() -> None:
    assert places.folded("MODELS/Ünix") == places.folded("models/U\u0308NIX")


def _registered(number: int = 1, digest: str | None = f"sha256:{HEX}") -> Registered:
    return Registered(number, "default", f"m{number}", "1", 1000 + number, digest)


def _judge(
    known: GuardedPlaces,
    use: Use,
    place: str,
    *,
    held: Collection[int] = (),
    alive: bool = True,
) -> object:
    return known.judge(
        use,
        [place],
        held=lambda each: each.number in held,
        alive=lambda found: alive,
    )


def test_held_bytes_are_not_read_and_others_are() -> None:
    known = GuardedPlaces()
    known.add("s3://b/1/m", _registered(1))
    known.add("s3://b/2/m", _registered(2))
    assert _judge(known, Use.READ, "s3://b/1/m/model.pkl", held={1})
    assert not _judge(known, Use.READ, "s3://b/2/m/model.pkl", held={1})
    assert not _judge(known, Use.READ, "s3://b/1/mm", held={1})
    assert not _judge(known, Use.READ, "s3://b/1", held={1})


def test_the_nearest_registration_counts_for_reading() -> None:
    known = GuardedPlaces()
    known.add("s3://b/run", _registered(1))
    known.add("s3://b/run/model", _registered(2))
    assert not _judge(known, Use.READ, "s3://b/run/model/x", held={1})
    assert _judge(known, Use.READ, "s3://b/run/other", held={1})
    assert _judge(known, Use.READ, "s3://b/run/model/x", held={2})


@pytest.mark.parametrize("use", [Use.WRITE, Use.SWEEP])
def test_registered_bytes_are_not_written_while_their_version_stands(use: Use) -> None:
    known = GuardedPlaces()
    known.add("s3://b/1/m", _registered(1))
    assert _judge(known, use, "s3://b/1/m/model.pkl")
    assert _judge(known, use, "s3://b/1/m")
    assert not _judge(known, use, "s3://b/1/m/model.pkl", alive=False)
    assert _judge(known, use, "s3://b/1/m/model.pkl", alive=False, held={1})
    assert not _judge(known, use, "s3://b/1/other")


def test_only_a_sweep_reaches_down() -> None:
    known = GuardedPlaces()
    known.add("s3://b/1/m", _registered(1))
    assert _judge(known, Use.SWEEP, "s3://b/1")
    assert _judge(known, Use.SWEEP, "s3://b")
    assert not _judge(known, Use.WRITE, "s3://b/1")
    assert not _judge(known, Use.SWEEP, "s3://b/1/mm")


@pytest.mark.parametrize("use", [Use.WRITE, Use.SWEEP])
def test_the_gates_own_copies_are_written_by_nobody_else(use: Use) -> None:
    known = GuardedPlaces()
    assert _judge(known, use, f"file:/srv/1/tidegate-kept/{HEX}/model.pkl", alive=False)
    assert _judge(known, use, "file:/srv/1/TIDEGATE-kept", alive=False)
    assert not _judge(known, Use.READ, f"file:/srv/1/tidegate-kept/{HEX}/model.pkl")


def test_a_copy_lies_in_its_own_experiment_and_workspace() -> None:
    digest = f"sha256:{HEX}"
    for location, own in (
        ("mlflow-artifacts:/7/models/m-1/artifacts", f"mlflow-artifacts:/7/tidegate-kept/{HEX}"),
        ("mlflow-artifacts://h:1/7/r/artifacts/m", f"mlflow-artifacts://h:1/7/tidegate-kept/{HEX}"),
        (
            "mlflow-artifacts:/workspaces/w/7/models/m-1/artifacts",
            f"mlflow-artifacts:/workspaces/w/7/tidegate-kept/{HEX}",
        ),
        (f"mlflow-artifacts:/7/tidegate-kept/{HEX}", f"mlflow-artifacts:/7/tidegate-kept/{HEX}"),
        ("mlflow-artifacts:/7", None),
        ("mlflow-artifacts:/%37/models/m-1/artifacts", None),
        ("mlflow-artifacts:/7/./models/m-1", None),
        ("s3://bucket/7/models/m-1", None),
        ("/srv/models/m-1", None),
    ):
        assert kept.location_for(location, digest) == own
        assert kept.locations_of(location, digest)[0] == location
