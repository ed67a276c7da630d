"""Other files inside texts: base64 and hexadecimal that unfold to a pickle, an archive, a program.

Somebody who loads a configuration may decode and load what stands in it. A text is decoded where
its beginning decodes to the beginning of such a file, and handed on like a member of an archive.
Random numbers begin like a pickle now and then, so a pickle found here counts only where it does
something grave; a broken one does not.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator

from tidegate.artifact.formats import ZIP_FORMATS, Format, detect_formats
from tidegate.scanners.expanding import expand
from tidegate.scanners.interface import Dispatcher, Report, Severity, Subject
from tidegate.scanners.streams import CODECS, read_exactly

_LEAST = 32
# A run may be wrapped into lines, and those be escaped; the words of a text are shorter.
_RUN = re.compile(r"[A-Za-z0-9+/_-]{32,}+(?:(?:\\[nrt]|\s){1,8}[A-Za-z0-9+/_-]{16,}+)*+={0,2}")
_ANY_RUN = re.compile(rb"[A-Za-z0-9+/_-]{32}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{64,}")
_SPACES = re.compile(r"(?:\\[nrt]|\s)+")
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
_PICKLE_HEADS = (b"(", b"}q", b"]q", b")q", b"cq", b"U", b"X")
_MAX_DECODED = 64 << 20


def worth_a_look(chunk: bytes) -> bool:
    """Whether the bytes of a text have a run long enough to hide a file."""
    return _ANY_RUN.search(chunk) is not None


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
    if part.size >= _LEAST and part.depth < dispatcher.budget.limits.max_depth:
        inner = read_exactly(part.stream, min(part.size, _MAX_DECODED))
        part.stream.seek(0)
        if _RUN.fullmatch(run := inner.decode("latin-1").strip()):
            report_encoded(run, part, report, dispatcher, where="it")
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
    """What the long runs of the text decode to, where their beginning promises a file."""
    for found in _RUN.finditer(text):
        run = _SPACES.sub("", found[0])
        for kind, decode in (("hexadecimal", _from_hex), ("base64", _from_base64)):
            head = decode(run[:512])
            if head is not None and _promises(head):
                data = decode(run[:_MAX_DECODED])
                if data:
                    yield kind, data


def _promises(head: bytes) -> bool:
    """Whether bytes that begin so may be a file of a kind that matters."""
    if head.startswith(_MAGIC) or head[2:4] == b"\r\n" or head[257:262] == b"ustar":
        return True
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return True
    if head[:1] in {b"\x78", b"\x58", b"\x68"} and int.from_bytes(head[:2], "big") % 31 == 0:
        return True
    # Pickles of the first protocols begin with lines of text, or with an empty container.
    first, newline, _ = head.partition(b"\n")
    is_encoded = len(head) >= _LEAST and _RUN.fullmatch(head.decode("latin-1").strip())
    is_line = newline and all(32 <= byte < 127 for byte in first)
    return bool(is_line) or is_encoded is not None or head.startswith(_PICKLE_HEADS)


def _from_hex(run: str) -> bytes | None:
    if _HEX.fullmatch(run) is None:
        return None
    digits = run.removeprefix("0x")
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _from_base64(run: str) -> bytes | None:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(run[: len(run) // 4 * 4] + _tail(run), validate=True)
    except binascii.Error:
        return None


def _tail(run: str) -> str:
    rest = run[len(run) // 4 * 4 :]
    return rest + "=" * (4 - len(rest)) if len(rest) > 1 else ""
