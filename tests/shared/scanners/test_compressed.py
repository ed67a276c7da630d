"""Compressed files are judged by what they unfold to, whatever the codec, all of it."""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import io
import lzma
import pickle
import random
import struct
import zipfile
import zlib

import pytest
from samples.archives import HARMFUL_PICKLE, HARMLESS_PICKLE, RawMember, raw_zip
from samples.scanned import assert_clean, grave_rules_of, scanned
from samples.tensors import torch_pickle, torch_zip

from tidegate.scanners.codecs.lz4 import Lz4Decompressor, expand_block
from tidegate.scanners.codecs.zstd import ZstdDecompressor
from tidegate.scanners.interface import Limits

TEXT = b"weights of the model, in words\n" * 2000


def stored_lz4(data: bytes, flags: int = 0x60) -> bytes:
    """An LZ4 frame of one block that is not compressed, written by hand."""
    frame = struct.pack("<I", 0x184D2204) + bytes([flags, 0x70, 0])
    return frame + struct.pack("<I", len(data) | 1 << 31) + data + bytes(4)


def stored_zstd(data: bytes) -> bytes:
    """A Zstandard frame of blocks that are not compressed, written by hand."""
    parts = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
    blocks = [
        (len(part) << 3 | (number == len(parts) - 1)).to_bytes(3, "little") + part
        for number, part in enumerate(parts)
    ]
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(blocks)


PACKERS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "lzma with other settings": lambda data: lzma.compress(
        data, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "lc": 1, "lp": 1, "pb": 1}]
    ),
    "zlib": zlib.compress,
    "zlib without compression": lambda data: zlib.compress(data, 0),
    "lz4": stored_lz4,
    "zstd": stored_zstd,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_harmless_content_has_no_finding(packer):
    assert_clean(scanned(PACKERS[packer](TEXT)))


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "notes.txt", "x"])
def test_a_harmful_pickle_is_found_under_any_codec_and_name(packer, name):
    for payload in (HARMFUL_PICKLE, b"\x80\x02" + HARMFUL_PICKLE, HARMFUL_PICKLE + TEXT):
        report = scanned(PACKERS[packer](payload), name)
        assert "PICKLE-EXEC" in grave_rules_of(report), payload


@pytest.mark.parametrize("packer", PACKERS)
def test_a_harmful_pickle_before_damage_is_found(packer):
    packed = PACKERS[packer](HARMFUL_PICKLE + random.Random(1).randbytes(300_000))
    report = scanned(packed[: len(packed) // 2], "model.pkl")
    if packer not in {"bz2", "lz4"}:  # nothing of those unfolds before a whole block is there
        assert "PICKLE-EXEC" in grave_rules_of(report)
    assert "ARCHIVE-MALFORMED" in grave_rules_of(report)
    assert report.unread_parts


@pytest.mark.parametrize("first", PACKERS)
@pytest.mark.parametrize("second", PACKERS)
def test_a_harmful_pickle_in_a_stream_behind_a_harmless_one_is_found(first, second):
    data = PACKERS[first](HARMLESS_PICKLE) + PACKERS[second](HARMFUL_PICKLE)
    report = scanned(data, "model.pkl")
    assert "PICKLE-EXEC" in grave_rules_of(report) or report.unread_parts
    if first == second and first not in {"lzma", "lzma with other settings"}:
        assert "PICKLE-EXEC" in grave_rules_of(report)


@pytest.mark.parametrize("packer", PACKERS)
def test_a_harmful_pickle_behind_the_stream_is_found(packer):
    report = scanned(PACKERS[packer](TEXT) + HARMFUL_PICKLE, "model.pkl")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_streams_inside_streams_are_followed_to_the_limit():
    data = HARMFUL_PICKLE
    for pack in [*PACKERS.values()][-8:]:
        data = pack(data)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data))
    assert scanned(data, limits=Limits(max_depth=3)).unread_parts


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bomb_is_found_and_unread(packer, monkeypatch):
    from tidegate.scanners import expanding

    monkeypatch.setattr(expanding, "BOMB_SIZE", 1 << 20)
    if packer in {"lz4", "zstd", "zlib without compression"}:
        pytest.skip("does not compress")
    report = scanned(PACKERS[packer](bytes(4 << 20)))
    assert "ARCHIVE-BOMB" in grave_rules_of(report)
    assert report.unread_parts


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_zip_members_of_other_methods_are_read(method):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("a.txt", TEXT)
        archive.writestr("b.txt", b"")
    assert_clean(scanned(target.getvalue()))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("a.txt", HARMFUL_PICKLE)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(target.getvalue()))


@pytest.mark.parametrize("compressor", ["zlib", "gzip", "bz2", "lzma", "xz", "lz4"])
def test_what_joblib_packs_is_judged_by_its_content(compressor, tmp_path):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    import numpy as np

    if compressor == "lz4":
        pytest.importorskip("lz4", reason="lz4 is not installed")
    path = tmp_path / "model.joblib"
    joblib.dump({"weights": np.arange(5000.0)}, path, compress=(compressor, 3))
    assert_clean(scanned(path.read_bytes(), "model.joblib"))

    class Harm:
        def __reduce__(self):
            import os

            return os.system, ("echo tidegate",)

    joblib.dump([np.arange(50), Harm()], path, compress=(compressor, 3))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(path.read_bytes(), "model.joblib"))


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("block_size", [4, 5, 6, 7])
@pytest.mark.parametrize("checksums", [True, False])
def test_lz4_frames_unfold_to_what_was_packed(linked, block_size, checksums):
    frame = pytest.importorskip("lz4.frame", reason="lz4 is not installed")
    chance = random.Random(block_size)
    words = [chance.randbytes(chance.randint(1, 40)) for _ in range(50)]
    data = b"".join(chance.choice(words) for _ in range(40_000)) + bytes(70_000)
    packed = frame.compress(
        data, block_linked=linked, block_size=block_size, content_checksum=checksums,
        block_checksum=checksums, store_size=checksums,
    )  # fmt: skip
    unfolded = b""
    decoder = Lz4Decompressor()
    fed = iter(packed[at : at + 777] for at in range(0, len(packed), 777))
    while not decoder.eof:
        unfolded += decoder.decompress(next(fed) if decoder.needs_input else b"", 1000)
    assert unfolded == data


def test_an_lz4_pickle_in_the_legacy_frame_is_found():
    block = pytest.importorskip("lz4.block", reason="lz4 is not installed")
    packed = block.compress(HARMFUL_PICKLE * 3, store_size=False)
    data = struct.pack("<II", 0x184C2102, len(packed)) + packed
    assert {"PICKLE-EXEC"} <= grave_rules_of(scanned(data, "model.pkl"))


def test_broken_lz4_blocks_raise_and_never_grow_past_their_limit():
    chance = random.Random(3)
    for _ in range(2000):
        block = chance.randbytes(chance.randint(1, 60))
        try:
            assert len(expand_block(block, b"history", 1000)) <= 1000
        except ValueError:
            continue


def test_any_change_to_a_stream_is_read_without_an_error():
    chance = random.Random(5)
    plain = pickle.dumps({"a": [1, 2, 3]}) * 5
    for pack in PACKERS.values():
        whole = pack(plain)
        for _ in range(60):
            changed = bytearray(whole)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            scanned(bytes(changed[: chance.randint(1, len(changed))]), "model.pkl")


@pytest.mark.parametrize(
    "data",
    [
        b"Rar!\x1a\x07\x01\0" + bytes(60),
        b"MSCF\0\0\0\0" + bytes(60),
        b"070701" + b"0" * 104 + b"name\0",
        b"\xc7\x71" + bytes(18) + b"\5\0" + bytes(4) + b"name\0\0",
        b"\xed\xab\xee\xdb" + bytes(60),
        b"hsqs" + bytes(60),
        bytes(32769) + b"CD001" + bytes(600),
        b"xar!" + bytes(60),
        b"LZIP\1" + bytes(60),
        b"\xff\x06\0\0sNaPpY" + bytes(60),
        b"!<arch>\ndebian-binary" + bytes(60),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        b"  -lh5-" + bytes(60),
        b"\x1f\x9d\x90" + bytes(60),
    ],
    ids=range(14),
)
def test_containers_without_a_reader_are_held(data):
    report = scanned(data, "model.bin")
    assert report.unread_parts or grave_rules_of(report)


def uuencoded(data: bytes) -> bytes:
    lines = (binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))
    return b"begin 644 m.pkl\n" + b"".join(lines) + b"`\nend\n"


def test_a_harmful_pickle_in_uuencode_is_found():
    assert "PICKLE-EXEC" in grave_rules_of(scanned(uuencoded(HARMFUL_PICKLE * 5), "m.txt"))
    packed = gzip.compress(HARMFUL_PICKLE * 9)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(uuencoded(packed), "m.txt"))
    mime = b"begin-base64 644 m.pkl\n" + base64.encodebytes(HARMFUL_PICKLE * 5) + b"====\n"
    assert "PICKLE-EXEC" in grave_rules_of(scanned(mime, "m.txt"))
    assert scanned(b"begin 644 m.pkl\n~~~~\n", "m.txt").unread_parts
    assert_clean(scanned(b"begin with this: 644 words\n", "m.txt"))


def unfolded(packed: bytes) -> bytes:
    """What the Zstandard reader makes of a frame that is fed in small pieces."""
    decoder, out, at = ZstdDecompressor(), b"", 0
    while not decoder.eof:
        piece = b""
        if decoder.needs_input:
            piece, at = packed[at : at + 777], at + 777
            if not piece:
                raise EOFError
        out += decoder.decompress(piece, 5000)
    return out


@pytest.mark.parametrize("level", [-5, 1, 3, 9, 19])
def test_zstandard_frames_unfold_to_what_was_packed(level):
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    chance = random.Random(level)
    words = [chance.randbytes(chance.randint(1, 30)) for _ in range(40)]
    for data in (
        b"",
        b"a",
        TEXT * 5,
        bytes(200_000),
        chance.randbytes(200_000),
        bytes(chance.choices(b"abcd", k=60_000)),
        b"".join(chance.choices(words, k=10_000)),
        struct.pack("<20000f", *(chance.random() for _ in range(20_000))),
    ):
        for options in ({}, {"write_checksum": True, "write_content_size": False}):
            packed = zstandard.ZstdCompressor(level=level, **options).compress(data)
            assert unfolded(packed) == data


def test_a_zstandard_pickle_in_a_zip_member_is_found():
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    for payload, clean in ((HARMFUL_PICKLE * 4, False), (TEXT, True)):
        packed = zstandard.compress(payload)
        report = scanned(raw_zip([RawMember(b"m", payload, 93, packed=packed)]))
        if clean:
            assert_clean(report)
        else:
            assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_skipped_frame_does_not_hide_the_next_one():
    skipped = struct.pack("<II", 0x184D2A53, 5) + b"hello"
    for pack in (stored_zstd, stored_lz4):
        assert "PICKLE-EXEC" in grave_rules_of(scanned(skipped + pack(HARMFUL_PICKLE), "m.pkl"))


def test_any_change_to_a_zstandard_frame_ends_in_an_error_or_in_bytes():
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    chance = random.Random(29)
    for whole in (
        zstandard.compress(TEXT),
        zstandard.compress(bytes(chance.choices(b"abc", k=3000))),
    ):
        for _ in range(1500):
            changed = bytearray(whole)
            for _ in range(chance.randint(1, 3)):
                changed[chance.randrange(4, len(changed))] = chance.randrange(256)
            try:
                unfolded(bytes(changed))
            except (ValueError, EOFError):
                continue


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("count", [100, 5000, 60_000])
def test_a_packed_archive_that_could_not_be_compressed_has_no_finding(packer, count):
    """Such bytes are stored as they are, and a zip reader would find the archive's end there."""
    numbers = random.Random(count).randbytes(4 * count)
    data = PACKERS[packer](torch_zip(torch_pickle(elements=count), [numbers]))
    report = scanned(data, "model.pt.x")
    assert not grave_rules_of(report), report.findings
    assert not report.unread_parts, report.unread_parts


@pytest.mark.parametrize("packer", PACKERS)
def test_an_archive_behind_or_inside_a_stream_is_read(packer):
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    for data in (PACKERS[packer](TEXT) + inner, PACKERS[packer](TEXT + inner)):
        assert "PICKLE-EXEC" in grave_rules_of(scanned(data, "model.keras"))


def test_an_archive_in_a_header_of_a_stream_is_read():
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    packed = gzip.compress(TEXT)
    field = struct.pack("<H", len(inner)) + inner
    data = packed[:3] + bytes([packed[3] | 4]) + packed[4:10] + field + packed[10:]
    assert gzip.decompress(data) == TEXT
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data, "model.keras"))
    skipped = struct.pack("<II", 0x184D2A53, len(inner)) + inner
    for pack in (stored_zstd, stored_lz4):
        assert "PICKLE-EXEC" in grave_rules_of(scanned(skipped + pack(b"text"), "model.keras"))
