"""HDF5 files: whatever leads out of one, hides in one or breaks one is found."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import struct
import tarfile
import time

import pytest

pytest.importorskip("h5py", reason="h5py writes the samples")

import h5py
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE
from samples.hdf5 import hdf5_file, with_attribute, with_dataset
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

VERSIONS = ["earliest", "v108", "v110", "latest"]
LAMBDA = json.dumps({"class_name": "Lambda", "config": {"function": ["4wE="]}})
OLD_PICKLE = b"cos\nsystem\n(S'true'\ntR."


def of_every_kind(file: h5py.File) -> None:
    """One object of each kind that h5py writes."""
    file.attrs["text"] = "hello"
    file.attrs["bytes"] = b"bytes"
    file.attrs["names"] = ["a", "bcd", "é"]
    file.attrs["numbers"] = np.arange(5)
    file.attrs["empty"] = h5py.Empty("f")
    many = file.create_group("many")
    for number in range(300):
        many.attrs[f"attribute {number}"] = f"value {number}"
    many.attrs["large"] = "y" * 20_000
    big = file.create_group("big")
    for number in range(1200):
        big.create_group(f"group {number}")
    tracked = file.create_group("tracked", track_order=True)
    for number in range(30):
        tracked.create_group(f"group {number}")
        tracked.attrs[f"attribute {number}"] = number
    file["soft"] = h5py.SoftLink("/big")
    file["hard"] = file["big"]
    file["type"] = np.dtype([("a", "i4"), ("b", "S5"), ("c", "f8", (3,))])
    file.create_dataset("committed", (10,), dtype=file["type"])
    file.attrs["reference"] = big.ref
    file.create_dataset("references", data=np.array([big.ref], dtype=h5py.ref_dtype))
    file.create_dataset("region", data=np.array([1.0])).attrs["of"] = many.ref
    mixed = np.dtype(
        [("a", "i4"), ("b", h5py.string_dtype()), ("e", h5py.enum_dtype({"A": 1, "B": 2}))]
    )
    file.create_dataset("mixed", (10,), dtype=mixed, chunks=(5,))
    file.create_dataset("null", data=h5py.Empty("f"))
    file.create_dataset("compact", data=np.array([True, False]))
    file.create_dataset("complex", data=np.array([1j]))
    file.create_dataset("strings", data=["one", "two"] * 500, dtype=h5py.string_dtype())
    file.create_dataset("fixed", data=np.array([b"one", b"twooooooooo"] * 500))
    file.create_dataset("opaque", data=np.void(b"\0\1binary" * 10))
    runs = file.create_dataset("runs", (10,), dtype=h5py.vlen_dtype(np.uint8))
    for number in range(10):
        runs[number] = np.arange(number * 10, dtype="u1")
    for name, options in CHUNKED.items():
        file.create_dataset(name, data=PIXELS, **options)


PIXELS = np.random.default_rng(0).integers(0, 255, (1000, 10), dtype="u1")
CHUNKED = {
    "gzip": {"chunks": (10, 10), "compression": "gzip", "shuffle": True, "fletcher32": True},
    "lzf": {"chunks": (10, 10), "compression": "lzf"},
    "grows": {"chunks": (2, 10), "maxshape": (None, 10), "compression": "gzip"},
    "grows both ways": {"chunks": (10, 10), "maxshape": (None, None)},
    "single": {"chunks": (1000, 10), "compression": "gzip"},
    "plain": {"chunks": (1, 5)},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_honest_file_has_no_finding(version):
    assert_clean(scanned(hdf5_file(of_every_kind, libver=version), "x.h5"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CHUNKED)
def test_every_chunk_is_found_and_unfolded_as_h5py_wrote_it(version, name):
    from tidegate.scanners.hdf5 import filters, headers, layout, links, superblock, types
    from tidegate.scanners.hdf5.space import Cursor

    data = hdf5_file(lambda f: f.create_dataset("x", data=PIXELS, **CHUNKED[name]), libver=version)
    block = superblock.read_superblock(io.BytesIO(data), len(data), 0)
    space = block.space
    (link,) = links.links_of(space, headers.read_messages(space, block.root))
    messages = headers.read_messages(space, link.address)

    def first(kind):
        return next((Cursor(m.data, space) for m in messages if m.kind == kind), None)

    datatype = types.read_datatype(first(headers.Message.DATATYPE))
    count = types.read_count(first(headers.Message.DATASPACE))
    assert (datatype.size, count) == (1, PIXELS.size)
    shape = layout.read_layout(first(headers.Message.LAYOUT))
    pipeline = first(headers.Message.FILTERS)
    steps = filters.read_filters(pipeline) if pipeline else []
    total = 0
    for chunk in layout.chunks_of(space, shape, count, 1):
        raw = space.at(chunk.address, chunk.size)
        total += sum(filters.undone(raw, steps, chunk.mask, shape.chunk))
    assert total == int(PIXELS.astype(int).sum())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_and_text_is_read_as_h5py_reads_it(version):
    from tidegate.scanners.hdf5 import attributes, headers, links, superblock

    data = hdf5_file(of_every_kind, libver=version)
    block = superblock.read_superblock(io.BytesIO(data), len(data), 0)
    space = block.space
    root = headers.read_messages(space, block.root)
    groups = {link.name: link.address for link in links.links_of(space, root)}
    with h5py.File(io.BytesIO(data)) as file:
        assert set(groups) == set(file.keys())
        for name in ("many", "big", "tracked"):
            messages = headers.read_messages(space, groups[name])
            assert {link.name for link in links.links_of(space, messages)} == set(file[name])
            read = {each.name: each for each in attributes.attributes_of(space, messages)}
            assert set(read) == set(file[name].attrs)
        for key, value in file["many"].attrs.items():
            each = attributes.attributes_of(space, headers.read_messages(space, groups["many"]))
            wanted = next(one for one in each if one.name == key) if key == "large" else None
            if wanted is not None:
                ((is_text, text),) = attributes.values_of(space, wanted.datatype, 1, wanted.data)
                assert is_text
                assert text.decode() == value


def external_storage(file: h5py.File) -> None:
    file.create_dataset("x", (4,), dtype="i4", external=[("/etc/passwd", 0, 16)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="i4")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "x", shape=(4,))
    file.create_virtual_dataset("v", layout)


def link_in(count: int):
    def fill(file: h5py.File) -> None:
        group = file.create_group("deep/er")
        for number in range(count):
            group.create_group(f"group {number}")
        group["out"] = h5py.ExternalLink("../other.h5", "/secret")

    return fill


OUTWARD = {
    "external link": link_in(0),
    "external link among many": link_in(500),
    "external storage": external_storage,
    "virtual dataset": virtual,
    "external link at the root": lambda f: f.__setitem__("a", h5py.ExternalLink("x.h5", "/")),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OUTWARD)
def test_whatever_leads_out_of_the_file_is_found(version, name):
    report = scanned(hdf5_file(OUTWARD[name], libver=version), "model.weights.h5")
    assert "HDF5-EXTERNAL" in grave_rules_of(report)


PAYLOADS = {
    "a Lambda in an attribute": with_attribute(LAMBDA),
    "a Lambda in bytes": with_attribute(np.bytes_(LAMBDA)),
    "a Lambda in a list of texts": with_attribute(["x", LAMBDA]),
    "a Lambda in a dense attribute": hdf5_file(
        lambda f: [f.attrs.__setitem__(f"a{n}", LAMBDA if n == 17 else "x") for n in range(40)],
        libver="latest",
    ),
    "a Lambda too large for a header": with_attribute(LAMBDA + " " * 70_000, libver="latest"),
    "a Lambda in a dataset": with_dataset([LAMBDA], dtype=h5py.string_dtype()),
    "a Lambda in one text": with_dataset(LAMBDA),
    "a pickle in an attribute": with_attribute(np.void(HARMFUL_PICKLE), "CLASS"),
    "an old pickle in a text": with_attribute(np.bytes_(OLD_PICKLE), "info"),
    "an old pickle in a variable text": with_attribute(OLD_PICKLE.decode(), "info"),
    "a pickle in numbers": with_attribute(np.frombuffer(HARMFUL_PICKLE, "u1"), "x"),
    "a pickle in a dataset of bytes": with_dataset(np.frombuffer(HARMFUL_PICKLE, "u1")),
    "a pickle in signed bytes": with_dataset(np.frombuffer(HARMFUL_PICKLE, "i1")),
    "a pickle in an opaque dataset": with_dataset(np.void(HARMFUL_PICKLE)),
    "a pickle in chunks": with_dataset(
        np.frombuffer(HARMFUL_PICKLE, "u1"), chunks=(8,), compression="gzip", shuffle=True
    ),
    "a pickle in lzf": with_dataset(
        np.frombuffer(HARMFUL_PICKLE, "u1"), chunks=(8,), compression="lzf", fletcher32=True
    ),
    "a pickle further on": with_dataset(np.frombuffer(bytes(100) + HARMFUL_PICKLE, "u1")),
    "a pickle among floats": with_dataset(np.frombuffer(HARMFUL_PICKLE.ljust(80, b"\0"), "f8")),
    "an archive in bytes": with_dataset(np.frombuffer(b"\x7fELF" + bytes(60), "u1")),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_in_a_value_is_found(name):
    assert grave_rules_of(scanned(PAYLOADS[name], "x.h5")), name


def test_a_pickled_row_of_pytables_is_read_as_a_pickle():
    def fill(file, payload):
        rows = file.create_dataset("rows", (3,), dtype=h5py.vlen_dtype(np.uint8))
        rows[1] = np.frombuffer(payload, "u1")

    harmful = hdf5_file(lambda f: fill(f, HARMFUL_PICKLE))
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(scanned(harmful)))
    assert_clean(scanned(hdf5_file(lambda f: fill(f, pickle.dumps({"a": [1, 2]})))))


def test_the_heap_behind_a_filter_that_is_not_undone_is_read_all_the_same():
    def fill(file):
        rows = file.create_dataset(
            "rows", (300,), dtype=h5py.vlen_dtype(np.uint8), chunks=(300,), compression="gzip"
        )
        rows[1] = np.frombuffer(HARMFUL_PICKLE, "u1")

    data = hdf5_file(fill)
    # A pipeline whose only filter is gzip: make it blosc, which nothing here undoes.
    header = struct.pack("<HHH", 1, 8, 1)
    assert data.count(header) == 1
    report = scanned(data.replace(header, struct.pack("<HHH", 32001, 8, 1)))
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(report))


def test_a_filter_registered_to_nobody_is_found():
    data = with_dataset(PIXELS, chunks=(10, 10), compression="gzip")
    header = struct.pack("<HHH", 1, 8, 1)
    report = scanned(data.replace(header, struct.pack("<HHH", 64999, 8, 1)))
    assert "HDF5-FILTER" in grave_rules_of(report)


def test_a_dataset_far_larger_than_its_file_is_found():
    data = hdf5_file(lambda f: f.create_dataset("x", (1 << 40,), dtype="f8", chunks=(1024,)))
    assert grave_rules_of(scanned(data)) == {"HDF5-BOMB"}


@pytest.mark.parametrize("size", [512, 2048, 1 << 17])
def test_a_user_block_is_read_as_what_it_is(size):
    data = hdf5_file(lambda f: f.attrs.__setitem__("a", 1), userblock_size=size)
    assert_clean(scanned(data, "x.h5"))
    hidden = HARMFUL_PICKLE + data[len(HARMFUL_PICKLE) :]
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(scanned(hidden, "x.h5")))
    lambda_file = with_attribute(LAMBDA, userblock_size=size)
    with_text = b"just notes".ljust(size, b"\n") + lambda_file[size:]
    assert "KERAS-CODE" in grave_rules_of(scanned(with_text, "notes.txt"))


def test_bytes_behind_the_end_are_read_as_what_they_are():
    data = with_attribute("x")
    assert "HDF5-HIDDEN-DATA" in rules_of(scanned(data + b"#!/bin/sh\necho hi\n"))
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(scanned(data + HARMFUL_PICKLE)))
    assert_clean(scanned(data + bytes(4096)))


def test_the_block_of_a_matlab_file_is_no_hidden_data():
    data = hdf5_file(lambda f: f.create_dataset("x", data=np.arange(3.0)), userblock_size=512)
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024"
    block = text.ljust(116) + bytes(8) + b"\0\2IM"
    assert_clean(scanned(block.ljust(512, b"\0") + data[512:], "x.mat"))
    script = block + b"#!/bin/sh\necho hi\n"
    assert rules_of(scanned(script.ljust(512, b"\0") + data[512:], "x.mat"))


def test_a_file_in_an_honest_tar_is_not_called_hidden():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        data = with_attribute("x")
        entry = tarfile.TarInfo("model.h5")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    assert "HDF5-HIDDEN-DATA" not in rules_of(scanned(stream.getvalue(), "x.tar"))


def test_a_file_that_only_a_driver_reads_is_held():
    data = hdf5_file(lambda f: f.attrs.__setitem__("a", 1))
    undefined = bytes([0xFF]) * 8
    assert data[48:56] == undefined
    report = scanned(data[:48] + struct.pack("<Q", 96) + data[56:])
    assert "HDF5-EXTERNAL" in grave_rules_of(report)


def test_a_large_file_that_is_compressed_is_read_in_time():
    def fill(file):
        for number in range(300):
            file.create_dataset(f"layer {number}/x", data=np.zeros(20_000, "f4"))
        file["out"] = h5py.ExternalLink("x.h5", "/")

    data = gzip.compress(hdf5_file(fill), 1)
    began = time.monotonic()
    assert "HDF5-EXTERNAL" in grave_rules_of(scanned(data, "x.h5.gz"))
    assert time.monotonic() - began < 15


def broken(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old)
    return data.replace(old, new)


OLD = hdf5_file(link_in(20), libver="earliest")
NEW = hdf5_file(link_in(20), libver="latest")
MALFORMED = {
    "no such version": OLD[:8] + b"\x09" + OLD[9:],
    "addresses of five bytes": OLD[:13] + b"\x05" + OLD[14:],
    "cut off": OLD[: len(OLD) // 2],
    "only a signature": OLD[:8],
    "no root": NEW[:36] + struct.pack("<Q", 1 << 40) + NEW[44:],
    "names without a heap": broken(OLD, b"HEAP", b"PAEH"),
    "tree without signature": broken(OLD, b"TREE", b"EERT"),
    "symbols without signature": broken(OLD, b"SNOD", b"DONS"),
    "objects without signature": broken(NEW, b"OHDR", b"RDHO"),
    "links without a heap": broken(NEW, b"FRHP", b"PHRF"),
    "links without a tree": broken(NEW, b"BTHD", b"DHTB"),
    "blocks without signature": broken(NEW, b"FHDB", b"BDHF"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_file_that_breaks_the_format_is_held(name):
    report = scanned(MALFORMED[name], "x.h5")
    assert "HDF5-MALFORMED" in grave_rules_of(report)


@pytest.mark.parametrize("data", [OLD, NEW], ids=["old", "new"])
def test_a_cycle_of_groups_ends(data):
    def fill(file):
        group = file.create_group("a")
        group["again"] = file["/"]
        group["self"] = group

    assert_clean(scanned(hdf5_file(fill)))


def test_any_damage_is_read_without_an_error_and_in_time():
    chance = random.Random(7)
    originals = [
        hdf5_file(of_every_kind, libver=version)[:60_000] for version in ("earliest", "latest")
    ] + [OLD, NEW]
    until = time.monotonic() + 6
    while time.monotonic() < until:
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(min(len(data), chance.choice([200, 4000, 60_000])))
            data[at] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        scanned(bytes(data[: chance.choice([len(data), chance.randrange(1, len(data))])]), "x.h5")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_behind_a_signature_are_read_without_an_error(data):
    scanned(b"\x89HDF\r\n\x1a\n" + data, "x.h5")
    scanned(OLD[:24] + data, "x.h5")
    scanned(NEW[:12] + data, "x.h5")


@pytest.mark.parametrize("identity", [b"", b"\x20"])
def test_a_heap_id_that_is_cut_off_is_broken_and_no_error(identity):
    from tidegate.scanners.hdf5 import heaps
    from tidegate.scanners.hdf5.space import BrokenError

    heap = object.__new__(heaps.FractalHeap)
    with pytest.raises(BrokenError):
        heaps.FractalHeap.object(heap, identity)


def test_a_chunked_layout_of_the_first_versions_ends_with_its_dimensions():
    """As files of the 1990s have it, which no library writes any more (H5Olayout.c)."""
    from tidegate.scanners.hdf5.layout import read_layout
    from tidegate.scanners.hdf5.space import Cursor, Space

    space = Space(io.BytesIO(b""), 0)
    message = struct.pack("<BBB5xQ3I", 1, 3, 2, 4096, 10, 20, 4)
    layout = read_layout(Cursor(message, space))
    assert (layout.address, layout.rank, layout.chunk) == (4096, 3, 800)
