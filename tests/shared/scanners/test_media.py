"""Pictures, sound and film: honest ones pass, and nothing hides behind or inside one."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.pictures import bmp, gif, jpeg, mp4, ogg, png, png_chunk, tiff, wav
from samples.scanned import assert_clean, grave_rules_of, scanned

HARMFUL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."
PAGE = b"<html><script>fetch('x')</script></html>"

SMALL = {
    "png": png(),
    "jpeg": jpeg(),
    "gif": gif(),
    "bmp": bmp(),
    "tiff": tiff(),
    "wav": wav(),
    "mp4": mp4(),
    "ogg": ogg(),
}


@pytest.mark.parametrize("kind", SMALL)
def test_small_media_have_no_finding(kind):
    assert_clean(scanned(SMALL[kind], f"x.{kind}"))
    assert_clean(scanned(SMALL[kind] + bytes(64), f"x.{kind}"))


@pytest.mark.parametrize("payload", [HARMFUL, HARMFUL_PICKLE, PAGE, b"\x01\x02anything"])
@pytest.mark.parametrize("kind", SMALL)
def test_bytes_behind_the_end_are_found(kind, payload):
    assert {"MEDIA-TRAILING", "MEDIA-MALFORMED"} & grave_rules_of(scanned(SMALL[kind] + payload))


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "tiff", "ogg"])
def test_what_lies_behind_is_read_as_what_it_is(kind):
    assert "PICKLE-EXEC" in grave_rules_of(scanned(SMALL[kind] + HARMFUL, f"x.{kind}"))
    archive = plain_zip({"a": HARMFUL_PICKLE})
    assert "PICKLE-EXEC" in grave_rules_of(scanned(SMALL[kind] + archive, f"x.{kind}"))


@pytest.mark.parametrize("kind", ["png", "gif", "bmp", "tiff", "wav", "mp4", "ogg", "jpeg"])
def test_media_that_break_off_are_found(kind):
    assert "MEDIA-MALFORMED" in grave_rules_of(scanned(SMALL[kind][:-3], f"x.{kind}"))


@pytest.mark.parametrize("payload", [HARMFUL, HARMFUL_PICKLE, b"\x7fELF" + bytes(60)])
def test_a_payload_in_a_part_for_words_is_found(payload):
    for data in (
        png((b"tEXt", payload)),
        png((b"xxXx", payload)),
        jpeg(payload),
        gif(payload),
        mp4((b"free", payload)),
        mp4((b"uuid", payload)),
        tiff(payload + b"." * 20),
    ):
        report = scanned(data, "picture")
        assert {"PICKLE-EXEC", "CODE-NATIVE", "MEDIA-TRAILING"} & grave_rules_of(report)


BROKEN = {
    "png: wrong checksum": png()[:-14] + b"\0" + png()[-13:],
    "png: chunk of gigabytes": png()[:8] + struct.pack(">I", 1 << 31) + b"IHDR",
    "png: other chunk first": png()[:8] + png_chunk(b"IDAT", b""),
    "png: last chunk has data": png()[:-12] + png_chunk(b"IEND", HARMFUL),
    "jpeg: nothing but a start": b"\xff\xd8\xff" + HARMFUL,
    "jpeg: ends at once": b"\xff\xd8\xff\xd9" + HARMFUL,
    "jpeg: segment of no length": b"\xff\xd8\xff\xe0\0\0" + bytes(20),
    "gif: no blocks": b"GIF89a" + bytes(7) + HARMFUL,
    "bmp: pixels past the end": struct.pack("<2sIII", b"BM", 58, 0, 1 << 20) + bmp()[14:],
    "riff: more than the file": wav().replace(b"data\x08", b"data\xff"),
    "mp4: box past the end": mp4()[:-24] + struct.pack(">I", 1 << 30) + mp4()[-20:],
    "tiff: directory past the end": b"II*\0" + struct.pack("<I", 1 << 30),
    "tiff: endless directories": b"II*\0" + struct.pack("<IHI", 8, 60000, 8),
}


@pytest.mark.parametrize("sample", BROKEN)
def test_media_that_break_their_format_are_found(sample):
    assert "MEDIA-MALFORMED" in grave_rules_of(scanned(BROKEN[sample], "picture"))


def test_a_gap_between_a_pictures_header_and_its_pixels_is_looked_at():
    pixels = bmp()[54:]
    payload = HARMFUL + bytes(4096)
    data = struct.pack("<2sIII", b"BM", 58 + len(payload), 0, 54 + len(payload))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data + bmp()[14:54] + payload + pixels))


def test_kinds_that_are_not_followed_are_unread():
    assert scanned(b"fLaC" + bytes(40), "x.flac").unread_parts
    assert scanned(b"ID3\3" + bytes(40), "x.mp3").unread_parts


def test_texts_that_begin_alike_stay_texts():
    for text in (b"P5 is a kind of picture\n", b"RIFF is a form of Microsoft's\n", b"BM words\n"):
        assert_clean(scanned(text, "notes.txt"))


def test_what_pillow_writes_has_no_finding():
    images = pytest.importorskip("PIL.Image", reason="Pillow writes the pictures")
    numpy = pytest.importorskip("numpy", reason="numpy makes the pixels")
    rng = numpy.random.RandomState(0)
    pictures = [
        images.fromarray(rng.randint(0, 255, (30, 31, 3), dtype=numpy.uint8)) for _ in range(3)
    ]
    exif = images.Exif()
    exif[0x010E] = "a description"
    for mode in ("RGB", "L", "P", "RGBA", "1", "CMYK", "F"):
        for kind in ("png", "jpeg", "gif", "webp", "bmp", "tiff", "ico", "ppm", "mpo"):
            target = io.BytesIO()
            more = {"exif": exif} if kind in {"png", "jpeg", "webp"} else {}
            try:
                pictures[0].convert(mode).save(target, kind, **more)
            except (OSError, KeyError, ValueError):
                continue
            if target.getvalue()[:2] != b"Pf":
                assert_clean(scanned(target.getvalue(), f"x.{kind}"))
    for kind in ("gif", "webp", "png", "tiff", "mpo"):
        target = io.BytesIO()
        pictures[0].save(target, kind, save_all=True, append_images=pictures[1:])
        assert_clean(scanned(target.getvalue(), f"x.{kind}"))


def test_what_matplotlib_and_scipy_write_has_no_finding():
    figures = pytest.importorskip("matplotlib.figure", reason="matplotlib draws")
    wavfile = pytest.importorskip("scipy.io.wavfile", reason="scipy writes the sound")
    numpy = pytest.importorskip("numpy", reason="numpy makes the sound")
    figure = figures.Figure()
    figure.subplots().plot([1, 2], [3, 4])
    for kind in ("png", "jpg", "tif", "webp"):
        target = io.BytesIO()
        figure.savefig(target, format=kind)
        assert_clean(scanned(target.getvalue(), f"x.{kind}"))
    for dtype in ("int16", "float32", "uint8"):
        target = io.BytesIO()
        wavfile.write(target, 8000, numpy.zeros(101, dtype))
        assert_clean(scanned(target.getvalue(), "x.wav"))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(SMALL)), st.integers(0, 120), st.binary(min_size=1, max_size=4))
def test_changed_media_are_read_without_an_error(kind, at, new):
    data = SMALL[kind]
    scanned(data[:at] + new + data[at + len(new) :], "x")


def test_a_payload_in_a_value_of_a_picture_is_found():
    tag = struct.pack("<HHII", 700, 7, len(HARMFUL), 0)
    start = 8 + 2 + 12 + 4
    data = b"II*\0" + struct.pack("<IH", 8, 1) + tag[:8] + struct.pack("<I", start) + bytes(4)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data + HARMFUL, "x.tif"))
    icon = struct.pack("<HHH4BHHII", 0, 1, 1, 1, 1, 0, 0, 1, 32, len(HARMFUL), 22) + HARMFUL
    assert "PICKLE-EXEC" in grave_rules_of(scanned(icon, "x.ico"))


def test_sound_that_a_stream_left_without_its_size_has_no_finding():
    data = wav()
    assert_clean(scanned(data[:4] + b"\xff\xff\xff\xff" + data[8:], "x.wav"))


def test_an_icon_that_is_cut_off_anywhere_is_broken_and_no_error():
    image = pytest.importorskip("PIL.Image", reason="Pillow writes icons")
    target = io.BytesIO()
    image.new("RGB", (64, 64), "red").save(target, "ico", sizes=[(16, 16), (32, 32), (48, 48)])
    icon = target.getvalue()
    for cut in range(60, len(icon)):
        report = scanned(icon[:cut], "x.ico")
        assert report.findings or report.unread_parts, cut
