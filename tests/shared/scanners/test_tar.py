"""Tar archives in which two readers could see different things, or one reader too much."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import zipfile

import pytest
from samples.archives import HARMFUL_PICKLE, RawMember, plain_zip, raw_zip
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned
from samples.tars import header, member, padded, pax, tar
from samples.tensors import torch_pickle, torch_zip

from tidegate.scanners.interface import Limits

TEXT = b"weights of the model, in words\n" * 20
PLAIN = member(b"a.txt", TEXT)
ZEROS = bytes(1024)
LENGTH = len(HARMFUL_PICKLE)


def written(mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    model = torch_zip(torch_pickle(), [bytes(16)])
    with tarfile.open(fileobj=target, mode=mode, format=form) as archive:
        folder = tarfile.TarInfo("model/")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in {
            "model/notes.txt": TEXT,
            f"model/{'long' * 40}.txt": TEXT,
            "model/ümlaut.txt": TEXT,
            "model/empty.txt": b"",
            "model/weights.pt": model,
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mtime = 1_700_000_000.5
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_python_writes_is_read_in_full(form):
    if form == tarfile.USTAR_FORMAT:
        data = tar(PLAIN, member(b"b.txt", TEXT, prefix=b"folder"))
    else:
        data = written(form=form)
    report = scanned(data, "model.tar")
    assert not grave_rules_of(report), report.findings
    assert not report.unread_parts, report.unread_parts


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_packed_archives_are_read_in_full(mode):
    report = scanned(written(mode), "model.tgz")
    assert not grave_rules_of(report), report.findings
    assert not report.unread_parts, report.unread_parts


def test_an_archive_without_an_end_mark_is_read_and_noted():
    report = scanned(tar(PLAIN, end=b""))
    assert rules_of(report) == {"ARCHIVE-UNUSUAL"}
    assert not report.unread_parts


@pytest.mark.parametrize("name", [b"model.pkl", b"notes.txt", b"picture.png", b"x"])
def test_a_harmful_pickle_in_a_member_is_found_under_any_name(name):
    report = scanned(tar(PLAIN, member(name, HARMFUL_PICKLE)))
    assert ("PICKLE-EXEC", name.decode()) in {(f.rule, f.member) for f in report.findings}


@pytest.mark.parametrize(
    "hostile",
    [
        tar(PLAIN) + HARMFUL_PICKLE,
        tar(PLAIN, end=bytes(512)) + member(b"hidden", HARMFUL_PICKLE) + ZEROS,
        tar(PLAIN) + tar(member(b"hidden", HARMFUL_PICKLE)),
        tar(header(b"a.txt", 3) + b"abc" + HARMFUL_PICKLE.ljust(509, b"\0")),
        tar(PLAIN, member(b"b", HARMFUL_PICKLE, b"7")),
        tar(PLAIN, member(b"b", HARMFUL_PICKLE, b"\0")),
        tar(PLAIN, member(b"b", HARMFUL_PICKLE, b"Z")),
        tar(PLAIN, member(b"b/", HARMFUL_PICKLE, b"5")),
        tar(PLAIN, member(b"b", HARMFUL_PICKLE, b"1", link=b"a.txt")),
        tar(PLAIN, pax({"size": str(LENGTH)}), header(b"b", 0), padded(HARMFUL_PICKLE)),
        tar(PLAIN, member(b"b", HARMFUL_PICKLE, size_field=b"\x80" + LENGTH.to_bytes(11))),
        tar(PLAIN, member(b"b", HARMFUL_PICKLE, magic=bytes(8))),
        tar(member(b"b", HARMFUL_PICKLE), PLAIN, end=b""),
        gzip.compress(tar(PLAIN, member(b"b", HARMFUL_PICKLE))),
        gzip.compress(tar(PLAIN)) + gzip.compress(tar(member(b"b", HARMFUL_PICKLE))),
        tar(member(b"inner.tar", tar(member(b"b", HARMFUL_PICKLE)))),
        tar(member(b"inner.zip", plain_zip({"b": HARMFUL_PICKLE}))),
    ],
    ids=range(17),
)  # fmt: skip
def test_a_harmful_pickle_at_any_place_is_found(hostile):
    assert "PICKLE-EXEC" in grave_rules_of(scanned(hostile, "model.tar"))


@pytest.mark.parametrize(
    "name", [b"../a.txt", b"/etc/a.txt", b"a/../../b", b"C:/a", b"C:\\a", b"..\\a", b"\\a"]
)
def test_names_that_lead_out_are_found(name):
    assert "ARCHIVE-PATH" in grave_rules_of(scanned(tar(member(name, TEXT))))


@pytest.mark.parametrize(
    "parts",
    [
        (pax({"path": "../../a.txt"}), PLAIN),
        (member(b"././@LongLink", b"../" * 60 + b"a.txt\0", b"L"), PLAIN),
        (member(b"a.txt", TEXT, prefix=b"../../.."),),
        (pax({"path": "/etc/passwd"}), member(b"a", TEXT)),
    ],
    ids=["pax", "gnu", "prefix", "absolute"],
)
def test_names_that_lead_out_by_an_extended_header_are_found(parts):
    assert "ARCHIVE-PATH" in grave_rules_of(scanned(tar(*parts)))


@pytest.mark.parametrize(
    ("kind", "link"),
    [(b"2", b"/etc/passwd"), (b"2", b"a.txt"), (b"1", b"../x"), (b"1", b"gone"), (b"3", b""),
     (b"4", b""), (b"6", b"")],
)  # fmt: skip
def test_links_and_devices_are_found(kind, link):
    data = tar(PLAIN, member(b"b", b"", kind, link=link))
    assert "ARCHIVE-PATH" in grave_rules_of(scanned(data))


def test_a_second_name_of_a_member_before_it_is_only_noted():
    report = scanned(tar(PLAIN, member(b"b.txt", b"", b"1", link=b"a.txt")))
    assert rules_of(report) == {"ARCHIVE-UNUSUAL"}


@pytest.mark.parametrize("twin", [b"a.txt", b"A.TXT", b"./a.txt", b"x//..", b"a.txt. "])
def test_names_that_some_readers_take_for_the_same_are_found(twin):
    rules = grave_rules_of(scanned(tar(PLAIN, member(twin, TEXT))))
    assert rules & {"ARCHIVE-DUPLICATE", "ARCHIVE-PATH"}


@pytest.mark.parametrize(
    "parts",
    [
        (header(b"a.txt", 3, checksum=b"000001\0 "), padded(b"abc")),
        (PLAIN, header(b"a.txt", 3, checksum=b"000001\0 "), padded(HARMFUL_PICKLE)),
        (member(b"a.txt", TEXT, size_field=b"99999999999\0"),),
        (member(b"a.txt", TEXT, size_field=b"\xff" * 12),),
        (member(b"a.txt", TEXT, size_field=b"\x80" + b"\xff" * 11),),
        (pax({"size": "5"}), PLAIN),
        (pax({"size": "-5"}), PLAIN),
        (pax({"size": "0x5"}), PLAIN),
        (pax(b"99 path=b\n"), PLAIN),
        (pax(b"x path=b\n"), PLAIN),
        (pax(b"10 path=b\n10 path=c\n"), PLAIN),
        (pax({"path": "b"}, b"g"), PLAIN),
        (pax({"path": "b"}), pax({"path": "c"}), PLAIN),
        (member(b"L", b"one\0", b"L"), member(b"L", b"two\0", b"L"), PLAIN),
        (member(b"L", b"one\0two\0", b"L"), PLAIN),
        (member(b"L", b"one\0", b"L"), pax({"path": "two"}), PLAIN),
        (member(b"a\x1b[2J.txt", TEXT),),
        (member("a\u202etxt.exe".encode(), TEXT),),
        (member(b"", TEXT),),
        (member(b"a.txt", TEXT, magic=b"ustar!!!"),),
        (member(b"a.txt", TEXT, size=10_000),),
        (member(b"M", b"", b"M"),),
    ],
    ids=range(22),
)
def test_headers_that_lie_or_contradict_each_other_are_held(parts):
    report = scanned(b"ustar"[:0] + PLAIN + tar(*parts), "model.tar")
    assert "ARCHIVE-MALFORMED" in grave_rules_of(report), report.findings


def test_members_behind_a_broken_header_are_read():
    broken = header(b"a.txt", 3, checksum=b"000001\0 ") + padded(b"abc")
    for data in (
        tar(PLAIN, broken, member(b"m", HARMFUL_PICKLE)),
        tar(broken, PLAIN, member(b"m", HARMFUL_PICKLE)),
        tar(PLAIN, header(b"m", LENGTH, checksum=b"000001\0 "), padded(HARMFUL_PICKLE), PLAIN),
    ):
        report = scanned(data, "model.tar")
        assert {"PICKLE-EXEC", "ARCHIVE-MALFORMED"} <= grave_rules_of(report)


def test_a_sparse_member_is_unread():
    assert scanned(tar(PLAIN, member(b"b", TEXT, b"S"))).unread_parts
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "b"}
    assert scanned(tar(pax(sparse), PLAIN)).unread_parts


def test_members_past_the_limit_are_unread():
    data = tar(*[member(b"%d.txt" % number, b"text") for number in range(20)])
    assert scanned(data, limits=Limits(max_members=10)).unread_parts


def test_a_zip_archive_behind_the_end_is_read_as_one_too():
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    assert "PICKLE-EXEC" in grave_rules_of(scanned(tar(PLAIN) + inner, "model.tar"))


def test_a_member_that_is_a_zip_archive_does_not_make_the_whole_one():
    report = scanned(tar(PLAIN, member(b"b.zip", plain_zip({"c.txt": TEXT}))), "model.tar")
    assert_clean(report)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_zip_archive_in_an_extended_header_is_found(kind):
    """A reader that looks for the end record of a zip archive would open the file as one."""
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    raw = b"%d comment=" % (len(inner) + 13) + inner + b"\n"
    data = tar(member(b"h", raw if kind in b"xg" else inner, kind), PLAIN)
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert "ARCHIVE-MALFORMED" in grave_rules_of(scanned(data, "model.keras"))


def test_a_zip_archive_that_ends_in_a_members_header_is_found():
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    at = inner.rindex(b"PK\1\2")
    data = tar(member(b"a.txt", TEXT + inner[:at], link=inner[at:]), PLAIN)
    assert "ARCHIVE-MALFORMED" in grave_rules_of(scanned(data, "model.keras"))


def test_a_tar_whose_first_name_is_a_pickle_is_read_as_both():
    report = scanned(tar(member(HARMFUL_PICKLE, TEXT)), "model.tar")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_any_change_to_an_archive_is_read_without_an_error():
    chance = random.Random(7)
    whole = bytearray(tar(pax({"path": "b.txt"}), PLAIN, member(b"L", b"n\0", b"L"), PLAIN))
    for _ in range(400):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        scanned(bytes(changed[: chance.randint(1, len(changed))]), "model.tar")
