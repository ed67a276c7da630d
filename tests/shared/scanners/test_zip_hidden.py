"""What stands in a zip archive where a reader would not look is found, and read for what it is."""

from __future__ import annotations

import random
import struct

import pytest
from samples.archives import HARMFUL_PICKLE, HARMLESS_PICKLE, RawMember, plain_zip, raw_zip
from samples.scanned import grave_rules_of, rules_of, scanned
from samples.tensors import npy_file, safetensors_file, tensor, torch_pickle, torch_zip

TEXT = b"weights of the model, in words\n" * 20
HARM = RawMember(b"m.pkl", HARMFUL_PICKLE)
INNER = raw_zip([HARM])
NOISE = random.Random(2).randbytes(5000)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.mark.parametrize(
    "before",
    [
        PNG,
        b"%PDF-1.4\n%%EOF\n",
        b"GIF89a" + bytes(40),
        HARMLESS_PICKLE,
        npy_file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", bytes(8)),
        safetensors_file({"a": tensor(0, 4, [1])}, bytes(4)),
        TEXT * 200,
        b"#!/bin/sh\nexec true\n",
        b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0" + bytes(90),
        bytes(1000),
    ],
    ids=range(10),
)
def test_an_archive_behind_another_file_is_read(before):
    assert "PICKLE-EXEC" in grave_rules_of(scanned(before + INNER, "x.bin"))


@pytest.mark.parametrize(
    "after",
    [b"PK\5\6", b"PK\5\6" + bytes(5), b"PK\5\6" + b"\xff" * 18, NOISE * 12, NOISE * 14,
     bytes(70_000)],
    ids=range(6),
)  # fmt: skip
@pytest.mark.parametrize("before", [b"", PNG], ids=["archive", "picture"])
def test_bytes_behind_an_archive_do_not_hide_it(after, before):
    report = scanned(before + INNER + after, "x.bin")
    assert grave_rules_of(report)
    if not (before and len(after) > 65_000):
        assert "PICKLE-EXEC" in grave_rules_of(report)


@pytest.mark.parametrize(
    "data",
    [
        INNER[:-22],
        INNER[:-40],
        raw_zip([HARM, RawMember(b"b", NOISE)])[:3000],
        raw_zip([RawMember(b"m.pkl", HARMFUL_PICKLE + TEXT, 8), RawMember(b"b", NOISE)])[:3000],
        raw_zip([RawMember(b"a", NOISE), HARM])[: 5000 + 30 + 30 + len(HARMFUL_PICKLE) + 10],
        raw_zip([RawMember(b"m.pkl", HARMFUL_PICKLE, hidden=True), RawMember(b"a.txt", TEXT)]),
        raw_zip([RawMember(b"a.txt", TEXT), RawMember(b"m.pkl", HARMFUL_PICKLE, hidden=True)]),
        raw_zip([RawMember(b"m.pkl", HARMFUL_PICKLE, 8, flags=8, hidden=True,
                           descriptor=b"PK\7\x08" + bytes(12),
                           local={"size": 0, "compressed": 0, "crc": 0}), RawMember(b"a", TEXT)]),
    ],
    ids=range(8),
)  # fmt: skip
def test_members_that_no_directory_lists_are_read(data):
    assert {"PICKLE-EXEC", "ZIP-MALFORMED"} <= grave_rules_of(scanned(data, "m.zip"))


def test_archives_one_after_another_are_all_read_and_noted():
    honest = plain_zip({"a.txt": TEXT})
    assert rules_of(scanned(honest * 50, "x.distcp")) == {"ARCHIVE-UNUSUAL"}
    assert not scanned(honest * 50).unread_parts
    for place in range(3):
        archives = [honest] * 3
        archives[place] = plain_zip({"m": HARMFUL_PICKLE})
        assert "PICKLE-EXEC" in grave_rules_of(scanned(b"".join(archives), "x.distcp"))


def test_bytes_between_archives_are_read():
    honest = plain_zip({"a.txt": TEXT})
    assert "PICKLE-EXEC" in grave_rules_of(scanned(honest + HARMFUL_PICKLE + honest, "x"))


@pytest.mark.parametrize(
    "member",
    [
        RawMember(b"a.txt", TEXT, flags=0x20),
        RawMember(b"a.txt", TEXT, flags=0x8000),
        RawMember(b"a.txt", TEXT, local_extra=struct.pack("<HH", 0x7075, 10) + b"\1\0\0\0\0b.txt"),
        RawMember(b"a.txt", TEXT, extra=struct.pack("<HH", 0x7075, 10) + b"\1\0\0\0\0b.txt"),
        RawMember("a\u202etxt.exe".encode(), TEXT, flags=0x800),
        RawMember("a\u200b.txt".encode(), TEXT, flags=0x800),
        RawMember(b"a\x7f.txt", TEXT),
        RawMember(b"a\xff.txt", TEXT, flags=0x800),
    ],
    ids=range(8),
)
def test_entries_that_readers_take_for_different_things_are_held(member):
    assert "ZIP-MALFORMED" in grave_rules_of(scanned(raw_zip([member])))


@pytest.mark.parametrize("creator", [0, 3, 10, 19])
def test_a_link_is_found_whatever_system_it_says_it_is_from(creator):
    data = raw_zip([RawMember(b"a", b"/etc/passwd", mode=0o120777, creator=creator)])
    assert "ZIP-PATH" in grave_rules_of(scanned(data))


@pytest.mark.parametrize(
    ("one", "other"),
    [("\ufb01.pkl", "fi.pkl"), ("e\u0301.txt", "\u00e9.txt"), ("a.txt", "a.txt."),
     ("a.txt", "A.TXT ")],
)  # fmt: skip
def test_names_that_file_systems_take_for_the_same_are_found(one, other):
    members = [RawMember(name.encode(), TEXT, flags=0x800) for name in (one, other)]
    assert "ZIP-DUPLICATE" in grave_rules_of(scanned(raw_zip(members)))


def test_any_change_to_an_archive_is_read_without_an_error():
    chance = random.Random(23)
    honest = torch_zip(torch_pickle(2), [bytes(16), bytes(16)])
    for whole in (honest, plain_zip({"a.txt": TEXT, "b": b"x"}), INNER * 2):
        for _ in range(150):
            changed = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            scanned(bytes(changed[: chance.randint(1, len(changed))]), "m.pt")
