"""The gate's own copies: whole, hashed where they lie, and of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidegate.artifact import read_manifest
from tidegate.errors import ArtifactChangedError
from tidegate_mlflow import kept


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights").write_bytes(bytes(range(256)) * 100)
    return folder


def test_a_copy_has_the_same_digest_and_no_file_in_common(model: Path, tmp_path: Path) -> None:
    manifest, target = read_manifest(model), tmp_path / "0" / "tidegate-kept" / "digest"
    assert kept.keep(model, manifest, target, cloned_only=False)
    assert read_manifest(target).digest == manifest.digest
    with (model / "data" / "weights").open("r+b") as file:
        file.write(b"written in place")
    assert read_manifest(target).digest == manifest.digest
    assert all(path.stat().st_nlink == 1 for path in target.rglob("*") if path.is_file())
    assert [path.name for path in target.parent.iterdir()] == ["digest"]


def test_what_was_changed_since_it_was_read_is_not_kept(model: Path, tmp_path: Path) -> None:
    manifest, target = read_manifest(model), tmp_path / "kept"
    (model / "MLmodel").write_text("flavors: {evil: {}}\n")
    with pytest.raises(ArtifactChangedError):
        kept.keep(model, manifest, target, cloned_only=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_a_link_put_in_a_files_place_is_not_followed(model: Path, tmp_path: Path) -> None:
    manifest = read_manifest(model)
    (tmp_path / "secret").write_text("flavors: {}\n")
    (model / "MLmodel").unlink()
    (model / "MLmodel").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="MLmodel"):
        kept.keep(model, manifest, tmp_path / "kept", cloned_only=False)
    assert not (tmp_path / "kept").exists()


def test_a_copy_that_is_there_is_used_and_one_that_was_changed_is_put_aside(
    model: Path, tmp_path: Path
) -> None:
    manifest, target = read_manifest(model), tmp_path / "kept"
    kept.keep(model, manifest, target, cloned_only=False)
    first = (target / "MLmodel").stat().st_ino
    kept.keep(model, manifest, target, cloned_only=False)
    assert (target / "MLmodel").stat().st_ino == first
    (target / "MLmodel").unlink()
    (target / "MLmodel").write_text("evil")
    kept.keep(model, manifest, target, cloned_only=False)
    assert read_manifest(target).digest == manifest.digest
    (aside,) = tmp_path.glob(".kept.changed-*")
    assert (aside / "MLmodel").read_text() == "evil"


def test_no_copy_that_takes_up_room_is_made_where_none_is_wanted(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_clone", lambda source, target: False)
    assert not kept.keep(model, read_manifest(model), tmp_path / "kept", cloned_only=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_two_that_keep_the_same_at_once_both_end_with_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, target = read_manifest(model), tmp_path / "kept"
    real = os.rename

    def second(source: Path, destination: Path) -> None:
        monkeypatch.setattr(os, "rename", real)
        assert kept.keep(model, manifest, target, cloned_only=False)
        real(source, destination)

    monkeypatch.setattr(os, "rename", second)
    assert kept.keep(model, manifest, target, cloned_only=False)
    assert read_manifest(target).digest == manifest.digest
