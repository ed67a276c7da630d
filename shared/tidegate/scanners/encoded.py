"""Other files inside texts: what decodes to a pickle, an archive, a program (see `encodings`).

Somebody who loads a configuration may decode and load what stands in it. A text is decoded where
its beginning decodes to the beginning of such a file, and handed on like a member of an archive.
Random numbers begin like a pickle now and then, so a pickle found here counts only where it does
something grave; a broken one does not.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator

from tidegate.artifact.formats import ZIP_FORMATS, Format, detect_formats
from tidegate.scanners.encodings import (
    END,
    Stretch,
    is_backwards,
    is_deflated,
    is_one_stretch,
    stretches,
)
from tidegate.scanners.expanding import expand
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import CODECS, read_exactly

_LEAST = 32
_FILES = ZIP_FORMATS | {Format.NATIVE, Format.TORCH_LEGACY, Format.HDF5, Format.SEVENZIP,
                        Format.BYTECODE, Format.TAR, Format.SCRIPT, Format.JAVA_OBJECT}  # fmt: skip
_COMPRESSED = frozenset({Format.GZIP, Format.BZ2, Format.XZ, Format.ZLIB, Format.LZMA})
# What random bytes come to by chance.
_BY_CHANCE = frozenset(
    {"PICKLE-MALFORMED", "PICKLE-TRAILING", "PICKLE-SECOND-OPINION", "PICKLE-EXTENSION-CODE"}
)
# A cheap look, since texts hold very many runs; what begins so is then told like any file.
_MAGIC = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x5d\0\0", b"\x7fELF",
    b"MZ", b"\xfe\xed\xfa", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe",
    b"\0asm", b"dex\n", b"!<arch>\n", b"7z\xbc\xaf\x27\x1c", b"\x89HDF", b"#!", b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18", b"\x93NUMPY", b"Rar!", b"\x8a\x0al\xfc",
    b"\xac\xed\0\x05",
)  # fmt: skip
_SHORT_MAGIC = (b"MZ", b"#!", b"BZh", b"\x5d\0\0")
_IMPORTS = re.compile(rb"[ci][A-Za-z_][\w.]*")
_PICKLE_HEADS = (b"(", b"}q", b"]q", b")q", b"cq", b"U", b"X")
_MAX_DECODED = 64 << 20
_SMALL = 1 << 16
TOO_DEEP = "encoded more often than this version decodes"


def report_encoded(
    text: str, subject: Subject, report: Report, dispatcher: Dispatcher, *, where: str
) -> None:
    """Look for files in the text of one value; `where` names it."""
    if len(text) < _LEAST:
        return
    for kind, data in _decoded(text):
        name = f"{kind} in {where}"
        report_file_in(subject.inside(io.BytesIO(data), len(data), name), report, dispatcher)


def report_file_in(part: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Look at bytes that stand in a text or a field: whether they are a file after all."""
    told = set(detect_formats(part.stream, part.size, ""))
    part.stream.seek(0)
    if told & _COMPRESSED:
        codec = CODECS[next(iter(told & _COMPRESSED)).value]
        content = expand(part.stream, part.size, codec, dispatcher.budget, several=True)
        if content.size and not content.broken:
            dispatcher.dispatch(part.inside(content.stream, content.size, "unfolded"), report)
            return
        part.stream.seek(0)
    if told & _FILES:
        dispatcher.dispatch(part, report)
        return
    if part.size >= _LEAST:
        inner = read_exactly(part.stream, min(part.size, _MAX_DECODED))
        part.stream.seek(0)
        if is_one_stretch(run := inner.decode("latin-1").strip()):
            if part.depth < dispatcher.budget.limits.max_depth:
                report_encoded(run, part, report, dispatcher, where="it")
            else:
                report.unread(part, TOO_DEEP)
            return
    _look_for_pickle(part, report, dispatcher, told)


def _look_for_pickle(
    part: Subject, report: Report, dispatcher: Dispatcher, told: set[Format]
) -> None:
    from tidegate.scanners.pickle.probe import probe
    from tidegate.scanners.registry import scanner_named

    if Format.PICKLE not in told and not probe(part.stream, part.size):
        return
    part.stream.seek(0)
    seen = Report(report.limits)
    scanner_named("pickle").scan(part, seen, dispatcher)
    grave = [f for f in seen.findings if f.severity >= Severity.HIGH and f.rule not in _BY_CHANCE]
    for finding in seen.findings if grave else ():
        report.found(
            finding.rule,
            part,
            finding.message,
            severity=finding.severity,
            offset=finding.offset,
            detail=finding.detail,
        )


def _decoded(text: str) -> Iterator[tuple[str, bytes]]:
    """What the stretches of the text decode to, where their beginning promises a file."""
    tried: set[bytes] = set()
    for stretch in stretches(text):
        promising = _promises_surely if stretch.doubtful else _promises
        if stretch.head in tried:
            continue
        tried.add(stretch.head)
        if promising(stretch.head):
            if data := stretch.whole():
                yield stretch.kind, data
        elif not stretch.doubtful and len(stretch.text) <= _SMALL:
            yield from _disguised(stretch)


def _disguised(stretch: Stretch) -> Iterator[tuple[str, bytes]]:
    """What a small stretch decodes to, where that only shows when it is worked on further."""
    data = stretch.head if len(stretch.text) <= len(stretch.head) * 2 else stretch.whole() or b""
    if is_backwards(data[-END:]):
        yield f"{stretch.kind} turned around", data[::-1]
    if is_deflated(data[:512]):
        yield f"deflated {stretch.kind}", _inflated(data)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(-15).decompress(data, _MAX_DECODED)
    except zlib.error:
        return b""


def _promises_surely(head: bytes) -> bool:
    """The same for an encoding that any run of letters could be: by more than a byte or two."""
    if head.startswith(_MAGIC) and not head.startswith(_SHORT_MAGIC):
        return True
    if head[:1] == b"\x80" and head[1:2] in {b"\2", b"\3", b"\4", b"\5"}:
        return True
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return True
    first, newline, _ = head.partition(b"\n")
    is_name = newline and _IMPORTS.fullmatch(first) is not None
    return bool(is_name) or _is_zlib(head) or _is_encoded(head)


def _is_zlib(head: bytes) -> bool:
    return head[:1] in {b"\x78", b"\x58", b"\x68"} and int.from_bytes(head[:2], "big") % 31 == 0


def _is_encoded(head: bytes) -> bool:
    return len(head) >= _LEAST and head.isascii() and is_one_stretch(head.decode("ascii").strip())


def _promises(head: bytes) -> bool:
    """Whether bytes that begin so may be a file of a kind that matters."""
    if head.startswith(_MAGIC) or head[2:4] == b"\r\n" or head[257:262] == b"ustar":
        return True
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return True
    if _is_zlib(head) or _is_encoded(head) or head.startswith(_PICKLE_HEADS):
        return True
    # Pickles of the first protocols begin with lines of text, or with an empty container.
    first, newline, _ = head.partition(b"\n")
    return bool(newline) and all(32 <= byte < 127 for byte in first)
