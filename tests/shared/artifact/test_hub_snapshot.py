"""A snapshot in the hub's cache is read where its links lead, and only into its own blobs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tidegate.artifact import read_manifest
from tidegate.artifact.hub_snapshot import HubSnapshot, source_at
from tidegate.errors import ArtifactUnreadableError


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """As `huggingface_hub.snapshot_download` leaves it."""
    model = tmp_path / "models--acme--bert"
    folder = model / "snapshots" / "9c1d"
    (folder / "onnx").mkdir(parents=True)
    (model / "blobs").mkdir()
    for name, data in (("6f3a", b"{}"), ("77ab", b"weights")):
        (model / "blobs" / name).write_bytes(data)
    (folder / "config.json").symlink_to("../../blobs/6f3a")
    (folder / "onnx" / "model.onnx").symlink_to("../../../blobs/77ab")
    (folder / "copied.txt").write_text("a file of its own")
    return folder


def test_its_digest_is_that_of_the_same_folder_with_plain_files(
    snapshot: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(snapshot, plain)
    manifest = read_manifest(source_at(snapshot))
    assert manifest == read_manifest(plain)
    assert [file.path for file in manifest.files] == [
        "config.json",
        "copied.txt",
        "onnx/model.onnx",
    ]


@pytest.mark.parametrize(
    "target",
    [
        "/etc/hostname",
        "../../../secret",
        "../../blobs",
        "../../blobs/none",
        "../../blobs/pipe",
        "../../blobs/inner/x",
        "../../blobs/out",
        "loop",
        "onnx",
    ],
)
def test_a_link_to_anything_but_its_own_blobs_is_refused(snapshot: Path, target: str) -> None:
    blobs = snapshot.parent.parent / "blobs"
    (snapshot.parent.parent.parent / "secret").write_text("secret")
    (blobs / "inner").mkdir()
    (blobs / "inner" / "x").write_text("x")
    (blobs / "out").symlink_to("/etc/hostname")
    os.mkfifo(blobs / "pipe")
    (snapshot / "loop").symlink_to(target)
    with pytest.raises(ArtifactUnreadableError, match="loop"):
        read_manifest(source_at(snapshot))


def test_a_folder_of_another_form_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "x").write_text("x")
    folder = tmp_path / "revisions" / "1"
    folder.mkdir(parents=True)
    (folder / "x").symlink_to("../../blobs/x")
    assert not isinstance(source_at(folder), HubSnapshot)
    with pytest.raises(ArtifactUnreadableError):
        read_manifest(source_at(folder))


def test_a_name_that_is_no_text_is_refused(snapshot: Path) -> None:
    os.symlink(b"../../blobs/6f3a", os.fsencode(snapshot) + b"/\xff")
    with pytest.raises(ArtifactUnreadableError, match="no text"):
        read_manifest(source_at(snapshot))


def test_special_files_and_empty_ones_are_refused_as_elsewhere(snapshot: Path) -> None:
    os.mkfifo(snapshot / "pipe")
    with pytest.raises(ArtifactUnreadableError, match="pipe"):
        read_manifest(source_at(snapshot))
