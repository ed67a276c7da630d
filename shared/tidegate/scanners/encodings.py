"""The ways in which bytes are written as text: where such a stretch stands, and what it decodes to.

Base64 and hexadecimal, base32, the bases of 85, percent and backslash escapes, lists of numbers,
uuencode, each also backwards where that is cheap to tell. Always holds: decoding the beginning of
a stretch costs the same whatever its length, so that the caller can look before it decodes all;
nothing that is decoded is larger than the text was.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_LEAST = 32
_HEAD = 512
_MAX_TEXT = 64 << 20
END = 24
"""How many bytes of a string's end `is_backwards` looks at."""

_PROTOCOLS = frozenset({b"\2", b"\3", b"\4", b"\5"})

_SPACES = re.compile(r"(?:\\[nrt]|\s)+")
# A run may be wrapped into lines, and those be escaped; the words of a text are shorter.
_RUN = re.compile(r"[A-Za-z0-9+/_-]{32,}+(?:(?:\\[nrt]|\s){1,8}[A-Za-z0-9+/_-]{16,}+)*+={0,2}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]{64,}+")
_BASE32 = re.compile(r"(?:[A-Z2-7]{40,}+|[a-z2-7]{40,}+|[0-9A-V]{40,}+|[0-9a-v]{40,}+)={0,6}")
_B85 = re.compile(r"[0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]{40,}+")
_Z85 = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40,}+")
_A85 = re.compile(r"(?:<~)?[!-uz]{40,}+(?:~>)?")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}|[\w.~-]){24,}+")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPES = re.compile(r"(?:(?:\\x|\\u00|\\)[0-9a-fA-F]{2}){24,}+")
_NUMBERS = re.compile(r"(?<![\d,])(?<!,\s)[\[(]?(?:\d{1,3}+,\s?){24,}+\d{0,3}[\])]?")
_BITS = re.compile(r"[01]{8}(?:[ ,]{0,2}[01]{8}){15,}+")
_UU = re.compile(r"begin [0-7]{3,4} [^\r\n]{1,200}\r?\n(?:[ -`]{1,80}\r?\n){1,}+(?:end)?")

# Any printable character as one letter, all else as another: a run is then a plain word.
_FLAT = bytes(0x61 if 0x21 <= code < 0x7F else 0x20 for code in range(256))
_LONG = re.compile(b"a" * 40 + b"a*+")
_SHORTER = re.compile(b"a" * 32)
_LISTED = re.compile(rb"(?:\d{1,3}, ?){16}")
_UU_BEGINS = re.compile(rb"begin [0-7]{3,4} \S")
# Digits alike, and bits alike: what a list of them is made of can then be found as a plain word,
# which is a hundred times as fast as a pattern.
_AS_NUMBERS = bytes(
    0x30 if 0x30 <= code <= 0x39 else code if code == 0x2C else 0x78 for code in range(256)
)
_AS_BITS = bytes(0x31 if code in b"01" else code if code == 0x20 else 0x78 for code in range(256))
_QUOTED = re.compile(r"[^'\"]{0,8}('''|\"\"\"|'|\")([!-~]{40,})\1[^'\"]{0,8}")
_BEYOND_64 = re.compile(r"[^A-Za-z0-9+/=_-]")
# A row of a table of numbers. Of the groups of five by which a base of 85 writes four bytes, one
# in six thousand is of these letters alone: no pickle can be written so.
_ROW = re.compile(r"[0-9.,;|eE+-]++")

_Z85_LETTERS = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
)
_B85_LETTERS = (
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
)
_FROM_Z85 = str.maketrans(_Z85_LETTERS, _B85_LETTERS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of text that may be encoded bytes.

    `head` is what its beginning decodes to, `whole()` all of it, None where it breaks.
    `doubtful`: plain words or numbers may have that shape as well, or it is read backwards.
    """

    kind: str
    head: bytes
    text: str
    decode: Callable[[str], bytes | None]
    doubtful: bool = False

    def whole(self) -> bytes | None:
        """What all of it decodes to."""
        return self.decode(self.text[:_MAX_TEXT])


def worth_a_look(chunk: bytes) -> bool:
    """Whether the bytes of a text have a run long enough to hide a file."""
    return _SHORTER.search(chunk.translate(_FLAT)) is not None or _may_be_spaced(chunk)


def _may_be_spaced(data: bytes) -> bool:
    """Whether there is a list of small numbers or of bits, or the head of uuencoded text."""
    if b"begin " in data and _UU_BEGINS.search(data) is not None:
        return True
    if b"11111111 " * 3 in data.translate(_AS_BITS):
        return True
    alike = data.translate(_AS_NUMBERS, b" ").replace(b"000", b"0").replace(b"00", b"0")
    return b"0," * 16 in alike and _LISTED.search(data) is not None


def is_one_stretch(text: str) -> bool:
    """Whether a text is nothing but one stretch of some encoding."""
    return len(text) >= _LEAST and any(shape.fullmatch(text) is not None for shape in _SHAPES)


def stretches(text: str) -> Iterator[Stretch]:
    """Every stretch of the text that some encoding could have made."""
    for found in _RUN.finditer(text):
        run = found[0]
        for kind, decode in (("hexadecimal", _hexadecimal), ("base64", _base64)):
            if (head := decode(run[:_HEAD])) is not None:
                yield Stretch(kind, head, run, decode)
        first = _base64(_backwards(run[-8:]))
        if first is not None and _may_begin(first):
            turned = _backwards(run)
            yield Stretch(
                "reversed base64", _base64(turned[:_HEAD]) or b"", turned, _base64, doubtful=True
            )
    data = text.encode("latin-1", "replace")
    for place in _LONG.finditer(data.translate(_FLAT)):
        yield from _in_run(text[place.start() : place.end()])
    if _may_be_spaced(data):
        yield from _of_forms(text, _WITH_SPACES)


def _in_run(run: str) -> Iterator[Stretch]:
    """The stretches in one run of printable characters."""
    quoted = _QUOTED.fullmatch(run)
    for part in (run,) if quoted is None else (run, quoted[2]):
        if (part.isupper() or part.islower()) and not _HEX.fullmatch(part):
            yield from _of_forms(part, _OF_ONE_CASE)
        if _BEYOND_64.search(part) is None:
            continue
        for kind, pattern, letters, decode in () if _ROW.fullmatch(part) else _OF_85:
            found = pattern.search(part)
            if found is not None and _may_begin(_first_bytes(found[0], letters)):
                yield from _of_forms(found[0], ((kind, pattern, decode),))
        for form, sign in _OF_SIGNS:
            if part.count(sign) >= _FEWEST:
                yield from _of_forms(part, (form,))


def _first_bytes(run: str, letters: str) -> bytes:
    """The four bytes that the first five letters stand for; decoding all of them is slow."""
    value = 0
    for letter in run.removeprefix("<~")[:5]:
        value = value * 85 + letters.find(letter)
    return value.to_bytes(5, "big")[-4:] if 0 <= value < 1 << 32 else b"\xff"


def _of_forms(text: str, forms: tuple[_Form, ...]) -> Iterator[Stretch]:
    for kind, pattern, decode in forms:
        for found in pattern.finditer(text):
            run = found[0]
            if (head := decode(run[:_HEAD])) is not None:
                yield Stretch(kind, head, run, decode, doubtful=kind not in _SURE)


def _may_begin(first: bytes) -> bool:
    """Whether a file that matters, or a text, may begin with these few bytes."""
    return (
        first.startswith(_BEGINNINGS)
        or (first[:1] == b"\x80" and first[1:2] in _PROTOCOLS)
        or (first[:1] in b"\x78\x58\x68" and int.from_bytes(first[:2], "big") % 31 == 0)
        or all(0x20 <= byte < 0x7F or byte in b"\n\r\t" for byte in first)
    )


def is_deflated(head: bytes) -> bool:
    """Whether the bytes unfold, without any header, to what begins like a pickle or an archive."""
    if len(head) < END:
        return False
    try:
        begins = zlib.decompressobj(-15).decompress(head, _HEAD)
    except zlib.error:
        return False
    return len(begins) >= END and (
        begins.startswith(b"PK\x03\x04")
        or (begins[:1] == b"\x80" and begins[1:2] in _PROTOCOLS)
        or re.match(rb"c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n", begins) is not None
    )


def is_backwards(end: bytes) -> bool:
    """Whether bytes that end so are a pickle when they are turned around."""
    return (len(end) == END and end[-1:] == b"\x80" and end[-2:-1] in _PROTOCOLS) or (
        re.search(rb"\n[\w.]*[A-Za-z_]\n[\w.]*[A-Za-z_]c\Z", end) is not None
    )


def _backwards(run: str) -> str:
    return run[::-1].lstrip("=")


def _hexadecimal(run: str) -> bytes | None:
    run = _SPACES.sub("", run)
    if _HEX.fullmatch(run) is None:
        return None
    digits = run.removeprefix("0x")
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _base64(run: str) -> bytes | None:
    run = _SPACES.sub("", run).rstrip("=").replace("-", "+").replace("_", "/")
    rest = run[len(run) // 4 * 4 :]
    tail = rest + "=" * (4 - len(rest)) if len(rest) > 1 else ""
    try:
        return base64.b64decode(run[: len(run) // 4 * 4] + tail, validate=True)
    except binascii.Error:
        return None


def _base32(run: str) -> bytes | None:
    return _base32_by(base64.b32decode, run)


def _base32hex(run: str) -> bytes | None:
    return _base32_by(base64.b32hexdecode, run)


def _base32_by(decode: Callable[[str], bytes], run: str) -> bytes | None:
    if _BASE32.fullmatch(run) is None:
        return None
    run = run.rstrip("=").upper()
    run = run[: len(run) - (1 if len(run) % 8 in {1, 3, 6} else 0)]
    try:
        return decode(run + "=" * (-len(run) % 8))
    except binascii.Error:
        return None


def _base85(run: str) -> bytes | None:
    try:
        return base64.b85decode(run)
    except ValueError:
        return None


def _z85(run: str) -> bytes | None:
    return _base85(run.translate(_FROM_Z85))


def _ascii85(run: str) -> bytes | None:
    try:
        return base64.a85decode(run.removeprefix("<~").removesuffix("~>"))
    except ValueError:
        return None


def _percent(run: str) -> bytes | None:
    if run.count("%") * 4 <= len(run):
        return None
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), run).encode("latin-1", "replace")


def _escapes(run: str) -> bytes | None:
    return bytes(int(digits, 16) for digits in re.findall(r"(?:\\x|\\u00|\\)([0-9a-fA-F]{2})", run))


def _numbers(run: str) -> bytes | None:
    values = [int(number) for number in re.findall(r"\d{1,3}", run)]
    return bytes(values) if max(values) < 256 else None


def _bits(run: str) -> bytes | None:
    return bytes(int(bits, 2) for bits in re.findall(r"[01]{8}", run))


def _uuencode(run: str) -> bytes | None:
    content = bytearray()
    for line in run.splitlines()[1:]:
        try:
            content += binascii.a2b_uu(line)
        except binascii.Error:
            break
    return bytes(content)


_Form = tuple[str, re.Pattern[str], Callable[[str], bytes | None]]
_OF_ONE_CASE: tuple[_Form, ...] = (
    ("base32", _BASE32, _base32),
    ("base32hex", _BASE32, _base32hex),
)
_OF_85 = (
    ("base85", _B85, _B85_LETTERS, _base85),
    ("z85", _Z85, _Z85_LETTERS, _z85),
    ("ascii85", _A85, "".join(map(chr, range(33, 118))), _ascii85),
)
_FEWEST = 10
_OF_SIGNS: tuple[tuple[_Form, str], ...] = (
    (("percent escapes", _PERCENT, _percent), "%"),
    (("escapes", _ESCAPES, _escapes), "\\"),
    (("numbers", _NUMBERS, _numbers), ","),
)
_WITH_SPACES: tuple[_Form, ...] = (
    ("numbers", _NUMBERS, _numbers),
    ("bits", _BITS, _bits),
    ("uuencode", _UU, _uuencode),
)
_SHAPES = (_RUN, _BASE32, _B85, _Z85, _A85, _PERCENT, _ESCAPES, _NUMBERS, _BITS, _UU)
_SURE = frozenset({"percent escapes", "escapes", "bits", "uuencode"})
_BEGINNINGS = (
    b"PK", b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x5d\0\0", b"\x7fELF", b"MZ", b"\xfe\xed\xfa",
    b"\xce\xfa\xed", b"\xcf\xfa\xed", b"\xca\xfe\xba", b"\0asm", b"7z\xbc", b"\x89HDF",
    b"\x28\xb5\x2f", b"\x04\x22\x4d", b"\x93NUMPY", b"Rar!", b"\xac\xed\0",
)  # fmt: skip
