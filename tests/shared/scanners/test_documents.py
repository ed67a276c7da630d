"""PDF and Microsoft's documents: what acts is found; plain ones pass or are unread."""

from __future__ import annotations

import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, grave_rules_of, scanned

HARMFUL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


def pdf(*objects: bytes, behind: bytes = b"", trailer: bytes = b"") -> bytes:
    """A document of those objects."""
    out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    for number, one in enumerate(objects, 3):
        out += b"%d 0 obj\n" % number + one + b"\nendobj\n"
    return out + b"trailer << /Root 1 0 R " + trailer + b">>\nstartxref\n0\n%%EOF\n" + behind


def object_stream(content: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    packed = zlib.compress(content)
    return (
        b"<< /Type /ObjStm /N 1 /First 4 /Filter " + filters
        + b" /Length %d >>\nstream\n" % len(packed) + packed + b"\nendstream"
    )  # fmt: skip


def test_plain_documents_have_no_finding():
    assert_clean(scanned(pdf(b"<< /Type /Page >>"), "x.pdf"))
    assert_clean(scanned(pdf(object_stream(b"3 0 << /Type /Page >>")), "x.pdf"))
    assert_clean(scanned(pdf(b"<< /A << /S /URI /URI (https://example.com) >> >>"), "x.pdf"))
    assert_clean(scanned(b"{\\rtf1\\ansi Some {\\b bold} words.}", "x.rtf"))


def test_what_matplotlib_writes_has_no_finding():
    figures = pytest.importorskip("matplotlib.figure", reason="matplotlib draws")
    figure = figures.Figure()
    figure.subplots().imshow([[1, 2], [3, 4]])
    target = io.BytesIO()
    figure.savefig(target, format="pdf")
    assert_clean(scanned(target.getvalue(), "plot.pdf"))


SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
HOSTILE = {
    "script": pdf(SCRIPT),
    "script under an escaped name": pdf(b"<< /S /J#61vaScript /J#53 (1) >>"),
    "script in an object stream": pdf(object_stream(b"3 0 " + SCRIPT)),
    "script in a list of filters": pdf(object_stream(SCRIPT, b"[ /FlateDecode ]")),
    "escaped name in an object stream": pdf(object_stream(b"<< /#4Aav#61Script 1 >>")),
    "program": pdf(b"<< /S /Launch /F (cmd.exe) >>"),
    "action on opening a page": pdf(b"<< /AA << /O 3 0 R >> >>"),
    "embedded file": pdf(b"<< /Type /EmbeddedFile >>"),
    "embedded files": pdf(b"<< /Names << /EmbeddedFiles 3 0 R >> >>"),
    "form with scripts": pdf(b"<< /XFA 3 0 R >>"),
    "other document": pdf(b"<< /S /GoToR /F (\\\\host\\x) >>"),
    "form that is sent": pdf(b"<< /S /SubmitForm >>"),
    "bytes before": b"junk\n" + pdf(SCRIPT),
    "rtf with an object": b"{\\rtf1{\\object\\objemb{\\*\\objdata 0105}}}",
    "rtf with a template": b"{\\rtf1{\\*\\template http://host.example/x}}",
    "macros": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "_VBA_PROJECT".encode("utf-16-le"),
    "embedded program": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "\1Ole10Native".encode("utf-16-le"),
}


@pytest.mark.parametrize("name", ["x.pdf", "card", "notes.txt"])
@pytest.mark.parametrize("sample", HOSTILE)
def test_a_document_that_acts_is_found(sample, name):
    assert "DOCUMENT-ACTIVE" in grave_rules_of(scanned(HOSTILE[sample], name))


def test_what_lies_behind_a_document_is_found():
    assert "DOCUMENT-TRAILING" in grave_rules_of(scanned(pdf(behind=b"x" * 2000), "x.pdf"))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(pdf(behind=HARMFUL), "x.pdf"))
    archive = plain_zip({"a": HARMFUL_PICKLE})
    assert "PICKLE-EXEC" in grave_rules_of(scanned(pdf(behind=archive), "x.pdf"))


@pytest.mark.parametrize(
    "data",
    [
        pdf(trailer=b"/Encrypt 5 0 R "),
        pdf(object_stream(b"x", b"/ASCIIHexDecode")),
        pdf(object_stream(b"x", b"[/ASCII85Decode /FlateDecode]")),
        pdf(b"<< /Type /ObjStm /Filter /FlateDecode >>\nstream\nnot packed\nendstream"),
        b"%PDF-1.7\n\x00",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    ],
)
def test_a_document_that_cannot_be_searched_is_unread(data):
    assert scanned(data, "x").unread_parts


def test_an_installer_is_found():
    data = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
        + b"\x84\x10\x0c\0\0\0\0\0\xc0\0\0\0\0\0\0F"
    )  # fmt: skip
    assert "CODE-NATIVE" in grave_rules_of(scanned(data, "x"))


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F" + bytes(60), "CODE-NATIVE"),
        (b"ITSF\3\0\0\0" + bytes(60), "CODE-NATIVE"),
        (b"\xed\xab\xee\xdb\3" + bytes(60), "CODE-NATIVE"),
        (b"\x1bLua\x53" + bytes(60), "CODE-NATIVE"),
        (b"\xca\xfe\xba\xbe\0\0\0\x3d" + bytes(60), "CODE-NATIVE"),
        (b"\0asm\1\0\0\0", "CODE-NATIVE"),
        (b"dex\n035\0" + bytes(60), "CODE-NATIVE"),
        (b"[InternetShortcut]\r\nURL=file://host.example/x.exe\r\n", "CODE-SCRIPT"),
        (b"[Desktop Entry]\nExec=true\n", "CODE-SCRIPT"),
        (b"[AutoRun]\nopen=x.exe\n", "CODE-SCRIPT"),
        (b"Windows Registry Editor Version 5.00\r\n", "CODE-SCRIPT"),
    ],
)
@pytest.mark.parametrize("name", ["model.bin", "notes.txt", "config.json"])
def test_what_starts_a_program_is_found_under_any_name(data, rule, name):
    assert rule in grave_rules_of(scanned(data, name))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=4))
def test_a_changed_document_is_read_without_an_error(at, new):
    data = pdf(object_stream(SCRIPT))
    scanned(data[:at] + new + data[at + len(new) :], "x")
