"""Zip archives in which two readers could see different things, or one reader too much."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from samples.archives import (
    HARMFUL_PICKLE,
    RawMember,
    plain_zip,
    raw_zip,
    streamed_zip,
)
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

from tidegate.scanners.interface import Limits

TEXT = b"weights of the model, in words\n" * 20


def test_honest_archives_have_no_finding():
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        assert_clean(scanned(plain_zip({"a.txt": TEXT, "b/c.json": b"{}"}, compression)))


def test_an_empty_archive_has_no_finding():
    assert_clean(scanned(plain_zip({})))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_data_descriptors_of_honest_writers_have_no_finding(compression):
    assert_clean(scanned(streamed_zip({"a.txt": TEXT, "b.txt": b""}, compression)))


def test_zip64_fields_of_honest_writers_have_no_finding():
    target = io.BytesIO()
    with (
        zipfile.ZipFile(target, "w") as archive,
        archive.open("a.txt", "w", force_zip64=True) as member,
    ):
        member.write(TEXT)
    assert_clean(scanned(target.getvalue()))


def test_an_archive_with_a_folder_entry_and_a_comment_has_no_finding():
    data = raw_zip([RawMember(b"folder/"), RawMember(b"folder/a.txt", TEXT)], comment=b"a comment")
    assert_clean(scanned(data))


def test_padding_in_the_local_extra_field_has_no_finding():
    padded = RawMember(b"a.txt", TEXT, local_extra=struct.pack("<HH", 0x4246, 40) + b"Z" * 40)
    assert_clean(scanned(raw_zip([padded])))


def test_a_harmful_pickle_in_a_member_is_found_under_any_name():
    report = scanned(plain_zip({"notes.txt": HARMFUL_PICKLE}))
    assert [(f.rule, f.member) for f in report.findings] == [("PICKLE-EXEC", "notes.txt")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", b"b.txt"),
        ("method", 8),
        ("crc", 7),
        ("size", 3),
        ("compressed", 3),
        ("flags", 0x800),
    ],
)
def test_a_local_header_that_disagrees_is_found(field, value):
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT, local={field: value})]))
    assert "ZIP-MALFORMED" in grave_rules_of(report)


def test_a_wrong_checksum_in_both_headers_is_found():
    wrong = {"crc": 1}
    for method in (0, 8):
        report = scanned(raw_zip([RawMember(b"a.txt", TEXT, method, local=wrong, central=wrong)]))
        assert grave_rules_of(report) == {"ZIP-MALFORMED"}


def test_a_member_with_a_wrong_checksum_is_scanned_all_the_same():
    wrong = {"crc": 1}
    report = scanned(raw_zip([RawMember(b"m", HARMFUL_PICKLE, 8, local=wrong, central=wrong)]))
    assert grave_rules_of(report) == {"ZIP-MALFORMED", "PICKLE-EXEC"}


def test_a_wrong_size_in_both_headers_is_found_and_all_is_scanned():
    short = {"size": 2}
    report = scanned(raw_zip([RawMember(b"m", HARMFUL_PICKLE, 8, local=short, central=short)]))
    assert grave_rules_of(report) == {"ZIP-MALFORMED", "PICKLE-EXEC"}


def test_a_data_descriptor_that_disagrees_is_found():
    descriptor = b"PK\7\x08" + struct.pack("<III", zlib.crc32(TEXT), len(TEXT), len(TEXT) - 1)
    zero = {"crc": 0, "size": 0, "compressed": 0}
    member = RawMember(b"a.txt", TEXT, flags=8, descriptor=descriptor, local=zero)
    assert "ZIP-MALFORMED" in grave_rules_of(scanned(raw_zip([member])))


def test_two_members_of_one_name_are_found_and_both_scanned():
    report = scanned(raw_zip([RawMember(b"m", HARMFUL_PICKLE), RawMember(b"m", TEXT)]))
    assert grave_rules_of(report) == {"ZIP-DUPLICATE", "PICKLE-EXEC"}


@pytest.mark.parametrize("twin", [b"A/data.PKL", b"a//data.pkl", b"./a/data.pkl", b"a\\data.pkl"])
def test_names_that_some_readers_take_for_the_same_are_found(twin):
    report = scanned(raw_zip([RawMember(b"a/data.pkl", TEXT), RawMember(twin, TEXT)]))
    assert "ZIP-DUPLICATE" in grave_rules_of(report)


def test_a_member_that_the_directory_does_not_list_is_found_and_scanned():
    hidden = RawMember(b"hidden.pkl", HARMFUL_PICKLE, hidden=True)
    for members in ([hidden, RawMember(b"a.txt", TEXT)], [RawMember(b"a.txt", TEXT), hidden]):
        assert "ZIP-MALFORMED" in grave_rules_of(scanned(raw_zip(members)))


def test_bytes_between_the_members_are_found_and_scanned():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)], gap=HARMFUL_PICKLE))
    assert {"ZIP-HIDDEN-DATA", "PICKLE-EXEC"} <= rules_of(report)


def test_bytes_before_the_directory_are_found_and_scanned():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)], before_directory=HARMFUL_PICKLE))
    assert {"ZIP-HIDDEN-DATA", "PICKLE-EXEC"} <= rules_of(report)


def test_a_comment_that_is_a_payload_is_scanned():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)], comment=HARMFUL_PICKLE))
    assert "PICKLE-EXEC" in rules_of(report)


@pytest.mark.parametrize("shift_offsets", [True, False])
def test_a_pickle_before_an_archive_is_read_as_both(shift_offsets):
    data = raw_zip(
        [RawMember(b"m", HARMFUL_PICKLE)], prefix=HARMFUL_PICKLE, shift_offsets=shift_offsets
    )
    report = scanned(data)
    assert "ZIP-HIDDEN-DATA" in rules_of(report)
    assert {f.member for f in report.findings if f.rule == "PICKLE-EXEC"} >= {None, "m"}


def test_bytes_after_the_end_record_are_found():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)], trailing=b"more"))
    assert "ZIP-MALFORMED" in grave_rules_of(report)


def test_a_second_end_record_in_the_comment_is_found():
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)], comment=inner))
    assert "ZIP-MALFORMED" in grave_rules_of(report)


def test_an_archive_without_end_record_is_found_and_unread():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)])[:-22])
    assert "ZIP-MALFORMED" in grave_rules_of(report)
    assert report.unread_parts


def test_a_wrong_count_of_members_is_found():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT)], count=2))
    assert "ZIP-MALFORMED" in grave_rules_of(report)


@pytest.mark.parametrize(
    "name",
    [b"../a.txt", b"/etc/a.txt", b"a/../../b.txt", b"C:/a.txt", b"C:\\a.txt", b"..\\a.txt", b"\\a"],
)
def test_names_that_lead_out_are_found(name):
    assert "ZIP-PATH" in grave_rules_of(scanned(raw_zip([RawMember(name, TEXT)])))


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o060644])
def test_links_and_special_files_are_found(mode):
    report = scanned(raw_zip([RawMember(b"a.txt", b"/etc/passwd", mode=mode)]))
    assert "ZIP-PATH" in grave_rules_of(report)


@pytest.mark.parametrize("name", [b"a.txt\0.pkl", b"a\n.txt", b""])
def test_names_with_control_characters_are_found(name):
    assert "ZIP-MALFORMED" in grave_rules_of(scanned(raw_zip([RawMember(name, TEXT)])))


def test_a_long_name_keeps_its_ending_and_what_that_says():
    name = b"folder/" * 60 + b"loader.py"
    source = b"import os; os.abort()"
    assert "CODE-INTERPRETER" in grave_rules_of(scanned(raw_zip([RawMember(name, source)])))


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2000])
def test_an_encrypted_member_is_found_and_unread(flags):
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT, flags=flags)]))
    assert "ZIP-ENCRYPTED" in grave_rules_of(report)
    assert report.unread_parts


def test_an_unknown_compression_is_unread():
    report = scanned(raw_zip([RawMember(b"a.txt", TEXT, 97)]))
    assert [part.member for part in report.unread_parts] == ["a.txt"]


def test_members_that_share_bytes_are_found():
    first = RawMember(b"a.txt", TEXT)
    second = RawMember(b"b.txt", TEXT, central={"offset": 0})
    assert "ZIP-MALFORMED" in grave_rules_of(scanned(raw_zip([first, second])))


def test_a_bomb_is_found_and_unread(monkeypatch):
    from tidegate.scanners import expanding

    monkeypatch.setattr(expanding, "BOMB_SIZE", 1 << 20)
    report = scanned(raw_zip([RawMember(b"zeros", bytes(4 << 20), 8)]))
    assert "ZIP-BOMB" in grave_rules_of(report)
    assert report.unread_parts


def test_zeros_of_an_honest_size_are_no_bomb():
    import numpy as np

    target = io.BytesIO()
    np.savez_compressed(target, zeros=np.zeros(2_000_000))
    assert_clean(scanned(target.getvalue(), "zeros.npz"))


def test_what_unfolds_past_the_limit_is_unread():
    report = scanned(raw_zip([RawMember(b"a", TEXT * 900, 8)]), limits=Limits(max_expanded=1000))
    assert report.unread_parts


def test_members_past_the_limit_are_unread():
    data = plain_zip({f"{number}.txt": b"text" for number in range(20)})
    assert scanned(data, limits=Limits(max_members=10)).unread_parts


def test_archives_nested_past_the_limit_are_unread_and_before_it_are_read():
    data = HARMFUL_PICKLE
    for _ in range(3):
        data = plain_zip({"inner": data})
    assert "PICKLE-EXEC" in rules_of(scanned(data))
    deep = scanned(data, limits=Limits(max_depth=2))
    assert deep.unread_parts
    assert "PICKLE-EXEC" not in rules_of(deep)


def test_a_large_compressed_member_is_read_to_its_end(monkeypatch):
    from tidegate.scanners import expanding

    monkeypatch.setattr(expanding, "_KEPT", 1000)
    pickle = b"\x80\x04\x8e" + struct.pack("<Q", 300_000) + bytes(300_000) + b"0" + HARMFUL_PICKLE
    report = scanned(raw_zip([RawMember(b"m", pickle, 8)]))
    assert grave_rules_of(report) == {"PICKLE-EXEC"}


def test_what_unfolds_before_damage_is_scanned():
    whole = RawMember(b"m", HARMFUL_PICKLE + b"#" * 10, 8)
    broken = RawMember(b"m", whole.data, 8, packed=whole.body()[:-3])
    assert {"ZIP-MALFORMED", "PICKLE-EXEC"} <= grave_rules_of(scanned(raw_zip([broken])))
