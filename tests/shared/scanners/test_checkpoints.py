"""Orbax, TensorStore and Zarr: arrays in files of their own pass by what describes them."""

from __future__ import annotations

import io
import json
import os
import random
import shutil

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.scanned import assert_clean, grave_rules_of, scanned, scanned_folder

from tidegate.scanners.codecs.zstd import TooLargeError, frame

zstandard = pytest.importorskip("zstandard", reason="zstandard writes the samples")

CONTENTS = {
    "nothing": b"",
    "a letter": b"a",
    "one letter many times": b"a" * 300_000,
    "words": b"the quick brown fox " * 500 + b"jumps over the lazy dog " * 300,
    "four letters": bytes(random.Random(1).choice(b"abcd") for _ in range(60_000)),
    "noise": os.urandom(5000),
    "source": open(io.__file__, "rb").read() + open(os.__file__, "rb").read(),  # noqa: SIM115
    "numbers": b"".join(number.to_bytes(4, "little") for number in range(20_000)),
}


@pytest.mark.parametrize("level", [-5, 1, 3, 9, 19])
@pytest.mark.parametrize("name", CONTENTS)
def test_every_zstd_frame_unfolds_to_what_was_folded(name, level):
    for checksum in (False, True):
        codec = zstandard.ZstdCompressor(level=level, write_checksum=checksum)
        data = codec.compress(CONTENTS[name])
        assert frame(data, 1 << 20) == (CONTENTS[name], len(data))
        assert frame(data + b"more", 1 << 20)[1] == len(data)


def test_a_frame_never_unfolds_past_the_limit():
    bomb = zstandard.ZstdCompressor().compress(bytes(100 << 20))
    with pytest.raises(TooLargeError) as caught:
        frame(bomb, 1 << 20)
    assert len(caught.value.begin) <= (1 << 20) + (128 << 10)
    assert scanned(bomb, "x.zst").unread_parts


def test_a_damaged_frame_is_a_value_error_and_no_other():
    chance = random.Random(3)
    codec = zstandard.ZstdCompressor()
    frames = [codec.compress(content[:3000]) for content in CONTENTS.values()]
    for _ in range(3000):
        data = bytearray(chance.choice(frames))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            frame(bytes(data[: chance.randint(1, len(data))]), 1 << 20)
        except ValueError:
            continue


@pytest.mark.parametrize("name", ["model.pkl.zst", "model.bin", "x"])
def test_a_pickle_in_a_zstd_file_is_found(name):
    codec = zstandard.ZstdCompressor()
    data = codec.compress(HARMFUL_PICKLE)
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(scanned(data, name)))
    harmless = codec.compress(b"just some text to read\n")
    assert_clean(scanned(harmless, name))
    for hidden in (harmless + data, harmless + HARMFUL_PICKLE):
        assert grave_rules_of(scanned(hidden, name)), hidden


ZARRAY = {
    "zarr_format": 2, "shape": [4, 6], "chunks": [2, 3], "dtype": "<f4", "order": "C",
    "compressor": {"id": "zstd", "level": 1}, "filters": None, "fill_value": None,
}  # fmt: skip
ZARR_JSON = {
    "zarr_format": 3, "node_type": "array", "shape": [4, 6], "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 3]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "codecs": [{"name": "bytes"}, {"name": "zstd"}], "fill_value": 0,
}  # fmt: skip


def array(folder, description, name, chunks):
    (folder / name).write_text(json.dumps(description))
    for chunk in chunks:
        place = folder / chunk
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(zstandard.ZstdCompressor().compress(b"\xff\x01\xc1\xf7" * 6))


def test_chunks_pass_by_the_description_beside_them(tmp_path):
    two = [f"{i}.{j}" for i in range(2) for j in range(2)]
    three = [f"c/{i}/{j}" for i in range(2) for j in range(2)]
    for version, description, name, chunks in (
        ("two", ZARRAY, ".zarray", two),
        ("three", ZARR_JSON, "zarr.json", three),
    ):
        folder = tmp_path / version
        folder.mkdir()
        array(folder, description, name, chunks)
        assert_clean(scanned_folder(folder))
        (folder / "9.9").write_bytes(b"\xff\x01\xc1\xf7" * 6)
        assert scanned_folder(folder).unread_parts
        (folder / "9.9").unlink()
        (folder / chunks[0]).write_bytes(zstandard.ZstdCompressor().compress(HARMFUL_PICKLE))
        assert grave_rules_of(scanned_folder(folder))


@pytest.mark.parametrize(
    "change",
    [
        {"filters": [{"id": "pickle", "protocol": 5}]},
        {"compressor": {"id": "evil"}},
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"codecs": [{"name": "sharding_indexed",
                     "configuration": {"codecs": [{"name": "numcodecs.Pickle"}]}}]},
        {"filters": {"id": ["pickle"]}},
    ],
)  # fmt: skip
def test_a_codec_that_unpickles_is_found(change):
    for name, description in ((".zarray", ZARRAY), ("zarr.json", ZARR_JSON)):
        report = scanned(json.dumps({**description, **change}).encode(), name)
        assert "ZARR-CODEC" in grave_rules_of(report)


@pytest.mark.parametrize(
    "change",
    [{"shape": [1 << 40, 6]}, {"chunks": [0, 3]}, {"shape": "x"}, {"dimension_separator": "../"},
     {"shape": [4]}],
)  # fmt: skip
def test_an_array_whose_chunks_can_not_be_told_is_unread(change):
    assert scanned(json.dumps({**ZARRAY, **change}).encode(), ".zarray").unread_parts


@pytest.fixture(scope="module")
def orbax(tmp_path_factory):
    """Folders of checkpoints as Orbax writes them."""
    checkpoint = pytest.importorskip("orbax.checkpoint")
    import numpy as np

    root = tmp_path_factory.mktemp("orbax")
    numbers = np.random.default_rng(0).random((300, 300), dtype="float32")
    tree = {"dense": {"kernel": numbers, "bias": np.zeros(8, "float32")}, "step": 3}
    checkpoint.PyTreeCheckpointer().save(root / "database", tree)
    plain = checkpoint.PyTreeCheckpointHandler(use_ocdbt=False)
    checkpoint.Checkpointer(plain).save(root / "plain", tree)
    return root


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_honest_checkpoints_of_orbax_have_no_finding(orbax):
    assert_clean(scanned_folder(orbax / "database"))
    assert_clean(scanned_folder(orbax / "plain"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_is_laid_into_a_checkpoint_is_held(orbax):
    folder = orbax / "database"
    data = next((folder / "d").iterdir())
    honest = data.read_bytes()
    for changed in (HARMFUL_PICKLE, honest + b"\x80\x04" + HARMFUL_PICKLE, honest[:-30]):
        data.write_bytes(changed)
        report = scanned_folder(folder)
        assert grave_rules_of(report) or report.unread_parts
    data.write_bytes(honest)
    for name in ("d/more", "x.bin"):
        (folder / name).write_bytes(b"\xff\x01\xc1\xf7" * 60)
        assert scanned_folder(folder).unread_parts
        (folder / name).unlink()


def manifest(*paths: bytes) -> bytes:
    """A manifest with a root of 240 bytes in each of those data files, without compression."""
    table = bytes([len(paths)]) + bytes(len(paths) - 1)
    table += bytes(map(len, paths)) + bytes(len(paths)) + b"".join(paths)
    count = len(paths)
    roots = bytes([count]) + bytes([1] * count) + bytes(count) + bytes(range(count))
    roots += bytes(count) + b"\xf0\x01" * count + bytes(3 * count) + bytes(8 * count)
    body = bytes(16) + b"\0\x80\x08\x80\xc2\xd7\x2f\x04\0" + table + roots + b"\0"
    size = 12 + 2 + len(body) + 4
    return b"\x0c\xdb\x3a\x2a" + size.to_bytes(8, "little") + b"\0\0" + body + bytes(4)


@pytest.mark.parametrize("more", [os.urandom(300), b"x" * 40, bytes(64)])
def test_bytes_of_a_data_file_to_which_nothing_refers_are_held(orbax, tmp_path, more):
    shutil.copytree(orbax, tmp_path / "checkpoint")
    for path in sorted((tmp_path / "checkpoint").rglob("d/*")):
        before = path.read_bytes()
        for data in (before + more, more + before):
            path.write_bytes(data)
            assert "EXTERNAL-DATA-HIDDEN" in grave_rules_of(scanned_folder(tmp_path))
        path.write_bytes(before)
    assert_clean(scanned_folder(tmp_path))


def test_a_manifest_lets_nothing_through_but_data_files(tmp_path):
    numbers = b"\xff\x01\xc1\xf7" * 60
    name = "0123456789abcdef" * 2
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / name).write_bytes(numbers)
    (tmp_path / "manifest.ocdbt").write_bytes(manifest(b"d/" + name.encode()))
    assert_clean(scanned_folder(tmp_path))
    (tmp_path / "weights.bin").write_bytes(numbers)
    assert scanned_folder(tmp_path).unread_parts
    for path in (
        b"weights.bin",
        b"../weights.bin",
        b"d/../weights.bin",
        b"/etc/d/" + name.encode(),
    ):
        (tmp_path / "manifest.ocdbt").write_bytes(manifest(path))
        report = scanned_folder(tmp_path)
        assert "OCDBT-MALFORMED" in grave_rules_of(report)
        assert report.unread_parts


def test_any_bytes_behind_the_mark_of_a_database_are_read_without_an_error():
    chance = random.Random(5)
    for mark in (b"\x0c\xdb\x3a\x2a", b"\x0c\xdb\x20\xde"):
        for _ in range(500):
            rest = chance.randbytes(chance.randrange(80))
            size = chance.choice([12 + len(rest), 0, (1 << 64) - 1]).to_bytes(8, "little")
            assert grave_rules_of(scanned(mark + size + rest, "manifest.ocdbt"))
