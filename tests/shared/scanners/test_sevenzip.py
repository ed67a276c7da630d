"""7z archives: honest ones are read whatever their coder, and no header is believed."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest
from samples.archives import HARMFUL_PICKLE, RawMember, plain_zip, raw_zip
from samples.scanned import assert_clean, grave_rules_of, scanned

from tidegate.scanners.interface import Limits

py7zr = pytest.importorskip("py7zr", reason="py7zr writes the samples")

TEXT = b"weights of the model, in words\n" * 2000


def written(members: dict[str, bytes], filters=None, **how) -> bytes:
    target = io.BytesIO()
    with py7zr.SevenZipFile(target, "w", filters=filters, **how) as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return target.getvalue()


FILTERS = {
    "lzma2": None,
    "lzma": [{"id": py7zr.FILTER_LZMA}],
    "bzip2": [{"id": py7zr.FILTER_BZIP2}],
    "deflate": [{"id": py7zr.FILTER_DEFLATE}],
    "copy": [{"id": py7zr.FILTER_COPY}],
    "delta": [{"id": py7zr.FILTER_DELTA, "dist": 4}, {"id": py7zr.FILTER_LZMA2, "preset": 7}],
    "zstd": [{"id": py7zr.FILTER_ZSTD, "level": 3}],
    "x86": [{"id": py7zr.FILTER_X86}, {"id": py7zr.FILTER_LZMA2, "preset": 7}],
}


@pytest.mark.parametrize("coder", FILTERS)
def test_honest_archives_are_read_in_full(coder):
    members = {"m/a.txt": TEXT, "m/empty.txt": b"", "m/b.json": b"{}", "m/c.zip": plain_zip({})}
    assert_clean(scanned(written(members, FILTERS[coder]), "model.7z"))


@pytest.mark.parametrize("coder", FILTERS)
@pytest.mark.parametrize("place", [0, 1])
def test_a_harmful_pickle_is_found_whatever_the_coder(coder, place):
    names = ["a.txt", "b.txt"]
    members = dict.fromkeys(names, TEXT)
    members[names[place]] = HARMFUL_PICKLE
    report = scanned(written(members, FILTERS[coder]), "model.7z")
    assert {f.member for f in report.findings if f.rule == "PICKLE-EXEC"} == {names[place]}


def test_a_harmful_pickle_behind_a_large_member_is_found(monkeypatch):
    from tidegate.scanners.sevenzip import scanner

    monkeypatch.setattr(scanner, "_KEPT", 1000)
    pickle = b"\x80\x04\x8e" + struct.pack("<Q", 300_000) + bytes(300_000) + b"0" + HARMFUL_PICKLE
    report = scanned(written({"a.txt": TEXT, "b": pickle}), "model.7z")
    assert {f.member for f in report.findings if f.rule == "PICKLE-EXEC"} == {"b"}


@pytest.mark.parametrize("coder", ["ppmd", "brotli"])
def test_a_coder_without_a_reader_is_unread(coder):
    filters = {"ppmd": py7zr.FILTER_PPMD, "brotli": py7zr.FILTER_BROTLI}
    options = {"ppmd": {"order": 6, "mem": 20}, "brotli": {"level": 3}}.get(coder, {})
    data = written({"a.txt": TEXT}, [{"id": filters[coder], **options}])
    assert [part.member for part in scanned(data).unread_parts] == ["a.txt"]


@pytest.mark.parametrize("hide_names", [False, True])
def test_an_encrypted_archive_is_found_and_unread(hide_names):
    data = written({"a.txt": TEXT}, password="tide", header_encryption=hide_names)
    report = scanned(data, "model.7z")
    assert "ARCHIVE-ENCRYPTED" in grave_rules_of(report)
    assert report.unread_parts


@pytest.mark.parametrize("name", ["../a.txt", "..\\a.txt", "C:/a.txt"])
def test_names_that_lead_out_are_found(name):
    data = plain_header([name], [b"text"])
    assert "ARCHIVE-PATH" in grave_rules_of(scanned(data))


def plain_header(names: list[str], contents: list[bytes], attributes: int | None = None) -> bytes:
    """An archive of stored files, written by hand: one folder, header not packed."""
    packed = b"".join(contents)
    number = lambda value: b"\xc0" + struct.pack("<H", value)  # noqa: E731
    sizes = b"".join(number(len(data)) for data in contents[:-1])
    streams = (
        b"\x04\x06\x00\x01\x09" + number(len(packed)) + b"\x00"
        + b"\x07\x0b\x01\x00\x01\x01\x00\x0c" + number(len(packed)) + b"\x00"
        + b"\x08\x0d" + number(len(contents)) + (b"\x09" + sizes if sizes else b"") + b"\x00\x00"
    )  # fmt: skip
    text = b"\0" + "".join(f"{name}\0" for name in names).encode("utf-16-le")
    files = b"\x05" + number(len(names)) + b"\x11" + number(len(text)) + text
    if attributes is not None:
        raw = b"\1\0" + struct.pack("<I", attributes) * len(names)
        files += b"\x15" + number(len(raw)) + raw
    return sealed(packed, b"\x01" + streams + files + b"\x00\x00")


def sealed(packed: bytes, header: bytes) -> bytes:
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return (
        b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + packed + header
    )


def test_a_stored_archive_written_by_hand_is_read_in_full():
    assert_clean(scanned(plain_header(["a.txt", "b.txt"], [TEXT[:99], TEXT[:60]])))


@pytest.mark.parametrize("attributes", [0x8000 | 0o120777 << 16, 0x400, 0x8000 | 0o010644 << 16])
def test_links_and_special_files_are_found(attributes):
    report = scanned(plain_header(["a.txt"], [b"/etc/passwd"], attributes))
    assert "ARCHIVE-PATH" in grave_rules_of(report)


def test_two_files_of_one_name_are_found_and_both_scanned():
    report = scanned(plain_header(["a.txt", "A.txt"], [HARMFUL_PICKLE, TEXT[:90]]))
    assert grave_rules_of(report) == {"ARCHIVE-DUPLICATE", "PICKLE-EXEC"}


def test_bytes_behind_the_archive_are_found_and_scanned():
    report = scanned(plain_header(["a.txt"], [TEXT[:90]]) + HARMFUL_PICKLE)
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_zip_archive_in_the_header_is_found():
    inner = raw_zip([RawMember(b"m", HARMFUL_PICKLE)])
    whole = plain_header(["a.txt"], [TEXT[:90]])
    times = b"\x12" + b"\xc0" + struct.pack("<H", len(inner)) + inner
    data = sealed(whole[32:122], whole[122:-2] + times + b"\x00\x00")
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert "ARCHIVE-MALFORMED" in grave_rules_of(scanned(data, "model.keras"))


def test_bytes_between_the_parts_are_found_and_scanned():
    whole = plain_header(["a.txt"], [TEXT[:90]])
    report = scanned(sealed(whole[32:122] + HARMFUL_PICKLE, whole[122:]))
    assert {"ARCHIVE-HIDDEN-DATA", "PICKLE-EXEC"} <= {f.rule for f in report.findings}


@pytest.mark.parametrize(
    "data",
    [
        plain_header(["a.txt"], [TEXT[:90]])[:-3],
        plain_header(["a.txt"], [TEXT[:90]])[:20],
        b"7z\xbc\xaf\x27\x1c",
        plain_header(["a.txt"], [TEXT[:90]]).replace(b"\x27\x1c\0\4", b"\x27\x1c\0\4\1"),
        plain_header(["a.txt", "b.txt"], [TEXT[:90]]),
        plain_header(["a.txt"], [TEXT[:90], TEXT[:9]]),
        sealed(b"", b"\x01\x04\x06\x00\xff" + b"\xff" * 8),
        sealed(b"", b"\x17" * 40),
        sealed(b"", b"\x01\x05\xff" + b"\xff" * 8),
        sealed(HARMFUL_PICKLE, b"\x02"),
    ],
    ids=range(10),
)  # fmt: skip
def test_headers_that_are_cut_off_or_lie_are_held(data):
    report = scanned(data, "model.7z")
    assert "ARCHIVE-MALFORMED" in grave_rules_of(report)


def test_what_unfolds_past_the_limits_is_unread(monkeypatch):
    data = written({"a.txt": TEXT, "b.txt": TEXT})
    assert scanned(data, limits=Limits(max_expanded=1000)).unread_parts
    assert scanned(data, limits=Limits(max_members=1)).unread_parts
    from tidegate.scanners.sevenzip import scanner

    monkeypatch.setattr(scanner, "BOMB_SIZE", 1 << 20)
    assert "ARCHIVE-BOMB" in grave_rules_of(scanned(written({"zeros": bytes(4 << 20)})))


def test_any_change_to_an_archive_is_read_without_an_error():
    chance = random.Random(7)
    for whole in (plain_header(["a.txt", "b"], [TEXT[:99], b"x"]), written({"a.txt": TEXT})):
        header_at = 32 + int.from_bytes(whole[12:20], "little")
        packed, header = whole[32:header_at], whole[header_at:]
        for _ in range(300):
            changed = bytearray(header)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            scanned(sealed(packed, bytes(changed)), "model.7z")
