"""The manifest names exactly the bytes that were read, whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.artifact import FileEntry, HashMemory, LocalSource, Manifest, read_manifest
from tidegate.artifact.manifest import PendingManifest
from tidegate.errors import (
    ArtifactChangedError,
    ArtifactEmptyError,
    ArtifactMissingError,
    ArtifactUnreadableError,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights.bin").write_bytes(b"\x01" * 10_000)
    return folder


def test_each_file_stands_with_its_size_and_sha256(model: Path) -> None:
    manifest = read_manifest(model)
    assert manifest.kind == "folder"
    assert [(f.path, f.size) for f in manifest.files] == [
        ("MLmodel", 12),
        ("data/weights.bin", 10_000),
    ]
    assert manifest.files[1].sha256 == hashlib.sha256(b"\x01" * 10_000).hexdigest()
    assert manifest.total_size == 10_012


def test_the_digest_is_the_one_that_the_definition_gives(model: Path) -> None:
    manifest = read_manifest(model)
    text = "tidegate-manifest-v1 folder\n" + "".join(
        f"{f.sha256} {f.size} {json.dumps(f.path)}\n" for f in manifest.files
    )
    assert manifest.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_does_not_depend_on_where_the_folder_lies_or_how_many_read(
    model: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    model_digest = read_manifest(model, workers=1).digest
    os.rename(model, elsewhere)
    assert read_manifest(elsewhere, workers=8).digest == model_digest


@pytest.mark.parametrize("change", ["content", "name", "added", "emptied", "moved"])
def test_any_change_changes_the_digest(model: Path, change: str) -> None:
    before = read_manifest(model).digest
    weights = model / "data" / "weights.bin"
    if change == "content":
        weights.write_bytes(b"\x01" * 9_999 + b"\x02")
    elif change == "name":
        weights.rename(weights.with_name("weights.bin2"))
    elif change == "added":
        (model / "empty").touch()
    elif change == "emptied":
        weights.write_bytes(b"")
    else:
        weights.rename(model / "weights.bin")
    assert read_manifest(model).digest != before


def test_a_file_that_spells_out_a_folders_manifest_is_not_that_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    manifest = read_manifest(folder)
    entry = manifest.files[0]
    forged = tmp_path / "forged"
    forged.write_text(f'tidegate-manifest-v1 folder\n{entry.sha256} 1 "a"\n')
    assert hashlib.sha256(forged.read_bytes()).hexdigest() == manifest.digest.removeprefix(
        "sha256:"
    )
    assert read_manifest(forged).digest != manifest.digest


def test_the_same_bytes_under_another_name_are_another_artifact(tmp_path: Path) -> None:
    text, program = tmp_path / "notes.txt", tmp_path / "notes.py"
    for file in (text, program):
        file.write_text("import os\n")
    assert read_manifest(text).files[0].sha256 == read_manifest(program).files[0].sha256
    assert read_manifest(text).digest != read_manifest(program).digest


def test_a_name_with_a_line_break_can_not_pose_as_two_files() -> None:
    sha = "0" * 64
    one = Manifest("folder", (FileEntry(f'a"\n{sha} 1 "b', 1, sha),))
    two = Manifest("folder", (FileEntry("a", 1, sha), FileEntry("b", 1, sha)))
    assert one.digest != two.digest


@given(st.lists(st.tuples(st.text(min_size=1), st.binary()), unique_by=lambda pair: pair[0]))
def test_a_manifest_survives_json(files: list[tuple[str, bytes]]) -> None:
    entries = tuple(
        FileEntry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files
    )
    manifest = Manifest("folder", entries)
    assert Manifest.from_dict(json.loads(json.dumps(manifest.to_dict()))) == manifest


def test_a_stored_manifest_that_was_edited_is_refused(model: Path) -> None:
    stored = read_manifest(model).to_dict()
    stored["files"][0][1] += 1
    with pytest.raises(ValueError, match="digest"):
        Manifest.from_dict(stored)


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (9 << 20) + 7])
def test_every_length_is_hashed_to_its_end(tmp_path: Path, size: int) -> None:
    file = tmp_path / "weights"
    data = os.urandom(size)
    file.write_bytes(data)
    manifest = read_manifest(file, workers=4)
    assert manifest.files == (FileEntry("weights", size, hashlib.sha256(data).hexdigest()),)


def test_progress_adds_up_to_all_bytes(model: Path) -> None:
    seen: list[int] = []
    lock = threading.Lock()

    def note(count: int) -> None:
        with lock:
            seen.append(count)

    manifest = read_manifest(model, progress=note)
    assert sum(seen) == manifest.total_size


def test_a_missing_artifact_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError, match="no file or folder"):
        read_manifest(tmp_path / "nowhere")


def test_an_empty_folder_says_so_also_when_it_holds_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(ArtifactEmptyError, match="holds no file"):
        read_manifest(tmp_path / "a")


@pytest.mark.parametrize("target", ["MLmodel", "/etc/hostname", ".", "data", "nowhere", "loop"])
def test_links_are_refused_wherever_they_lead(model: Path, target: str) -> None:
    (model / "loop").symlink_to(target)
    with pytest.raises(ArtifactUnreadableError, match=r"'loop'.* is a symbolic link") as caught:
        read_manifest(model)
    assert caught.value.remedy is not None


def test_a_link_as_the_artifact_itself_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(model)
    with pytest.raises(ArtifactUnreadableError, match="is a symbolic link"):
        read_manifest(tmp_path / "latest")


def test_a_pipe_is_refused_and_not_waited_for(model: Path) -> None:
    os.mkfifo(model / "pipe")
    with pytest.raises(ArtifactUnreadableError, match="a pipe"):
        read_manifest(model)


def test_a_name_that_is_no_text_is_refused(model: Path) -> None:
    with open(os.fsencode(model) + b"/\xff\xfe", "wb"):
        pass
    with pytest.raises(ArtifactUnreadableError, match="not valid UTF-8"):
        read_manifest(model)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_is_an_error(model: Path) -> None:
    (model / "MLmodel").chmod(0)
    with pytest.raises(ArtifactUnreadableError, match="permission denied"):
        read_manifest(model)


@pytest.mark.parametrize("how", ["written", "replaced", "removed", "turned into a link", "a pipe"])
def test_a_file_exchanged_between_listing_and_hashing_is_noticed(model: Path, how: str) -> None:
    source = LocalSource(model)
    source.list_files()
    victim = model / "MLmodel"
    if how == "written":
        victim.write_text("flavors: []\n")
    else:
        other = model.parent / "other"
        other.write_text("flavors: {}\n")
        victim.unlink()
        if how == "replaced":
            other.rename(victim)
        elif how == "turned into a link":
            victim.symlink_to(other)
        elif how == "a pipe":
            os.mkfifo(victim)
    with pytest.raises((ArtifactChangedError, ArtifactUnreadableError)):
        read_manifest(source)


def test_a_remembered_hash_is_forgotten_when_the_file_is_written(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.artifact.remembered._SETTLED_NS", -(10**18))
    memory = HashMemory()
    before = read_manifest(model, memory=memory)
    assert read_manifest(model, memory=memory) == before
    weights = model / "data" / "weights.bin"
    status = weights.stat()
    weights.write_bytes(b"\x02" * 10_000)
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = read_manifest(model, memory=memory)
    assert after.files[1].sha256 == hashlib.sha256(b"\x02" * 10_000).hexdigest()


def test_a_file_written_just_now_is_not_remembered(model: Path) -> None:
    memory = HashMemory()
    read_manifest(model, memory=memory)
    _, files = LocalSource(model).list_files()
    assert [memory.recall(file) for file in files] == [None, None]


def test_remembered_hashes_are_used_for_files_left_alone(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.artifact.remembered._SETTLED_NS", -(10**18))
    memory = HashMemory()
    manifest = read_manifest(model, memory=memory)
    read: list[int] = []
    assert read_manifest(model, memory=memory, progress=read.append) == manifest
    assert read == []


def test_hashing_begun_early_gives_the_same_manifest(model: Path):
    assert PendingManifest(LocalSource(model)).result() == read_manifest(model)


def test_what_hashing_begun_early_raises_is_raised_where_it_is_asked_for(tmp_path: Path):
    pending = PendingManifest(LocalSource(tmp_path / "nowhere"))
    with pytest.raises(ArtifactMissingError):
        pending.result()
