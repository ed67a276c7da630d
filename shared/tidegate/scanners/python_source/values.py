"""What an expression may be, and working out texts that a source puts together from constants.

Always holds: only pure operations on small constants are done; their results are bounded.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.scanners.python_source.capabilities import plain_path

MAX_TEXT = 64 << 10
_MAX_PARTS, _MADE_PARTS = 14, 5
# What gives a path again.
_SAME_PATH = frozenset({"absolute", "expanduser", "joinpath", "parent", "resolve", "with_name",
                        "with_stem", "with_suffix"})  # fmt: skip
_PLAIN_FORMAT = re.compile(r"(?:[^%]|%[sdcrx%])*", re.DOTALL)
_PLAIN_BRACES = re.compile(r"(?:[^{}]|\{\w{0,40}\}){0,4096}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ref:
    """A dotted name that leads to a module. `made`: through an object that a call gave back."""

    path: str
    made: bool = False


@dataclass(frozen=True, slots=True)
class Const:
    """A constant, or a tuple of constants."""

    value: object


@dataclass(frozen=True, slots=True)
class Partial:
    """A text of which only the start is known."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Special:
    """A value of a kind that matters, without its content.

    "built": text or bytes decoded or put together at run time. "own": a function or class of the
    source itself. "namespace": what globals() or locals() gives. "unknown": anything.
    """

    kind: str


UNKNOWN = Special("unknown")
BUILT = Special("built")
OWN = Special("own")
NAMESPACE = Special("namespace")

Value = Ref | Const | Partial | Special
Values = tuple[Value, ...]


def _inflate(data: bytes) -> bytes:
    inner = zlib.decompressobj(47)
    return inner.decompress(data, MAX_TEXT)


def _to_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("ascii")
    raise ValueError("neither text nor bytes")


def _code_points(value: object) -> bytes:
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return bytes(value)
    return _to_bytes(value)


def _decode(value: object, encoding: object = "utf-8", *_: object) -> object:
    name = str(encoding).lower().replace("_", "-")
    if name in {"rot13", "rot-13"} and isinstance(value, str):
        return codecs.decode(value, "rot13")
    data = _to_bytes(value)
    if name in {"hex", "hex-codec"}:
        return bytes.fromhex(data.decode("ascii"))
    if name in {"base64", "base64-codec", "base-64"}:
        return base64.b64decode(data)
    if name in {"zlib", "zlib-codec", "zip"}:
        return _inflate(data)
    if name in {"utf-8", "utf8", "ascii", "latin-1", "latin1", "utf-16", "unicode-escape"}:
        return data.decode(name)
    raise ValueError("an encoding that is not followed")


def _chr(value: object) -> str:
    if not isinstance(value, int):
        raise ValueError("no number")
    return chr(value)


DECODERS: dict[str, Callable[..., object]] = {
    "base64.b64decode": lambda data, *_: base64.b64decode(_to_bytes(data)),
    "base64.standard_b64decode": lambda data: base64.b64decode(_to_bytes(data)),
    "base64.decodebytes": lambda data: base64.b64decode(_to_bytes(data)),
    "base64.urlsafe_b64decode": lambda data: base64.urlsafe_b64decode(_to_bytes(data)),
    "base64.b32decode": lambda data, *_: base64.b32decode(_to_bytes(data)),
    "base64.b16decode": lambda data, *_: base64.b16decode(_to_bytes(data)),
    "base64.b85decode": lambda data: base64.b85decode(_to_bytes(data)),
    "base64.a85decode": lambda data: base64.a85decode(_to_bytes(data)),
    "binascii.unhexlify": lambda data: binascii.unhexlify(_to_bytes(data)),
    "binascii.a2b_hex": lambda data: binascii.unhexlify(_to_bytes(data)),
    "binascii.a2b_base64": lambda data: binascii.a2b_base64(_to_bytes(data)),
    "builtins.bytes.fromhex": lambda text: bytes.fromhex(str(text)),
    "builtins.bytearray.fromhex": lambda text: bytes.fromhex(str(text)),
    "codecs.decode": _decode,
    "codecs.encode": _decode,
    "zlib.decompress": lambda data, *_: _inflate(_to_bytes(data)),
    "gzip.decompress": lambda data: _inflate(_to_bytes(data)),
    "builtins.chr": _chr,
    "builtins.bytes": _code_points,
    "builtins.bytearray": _code_points,
}
"""Functions that turn data into text or bytes; what they can't be followed in is "built"."""

OPAQUE_DECODERS = frozenset(
    {"bz2.decompress", "lzma.decompress", "struct.pack", "uu.decode", "quopri.decodestring",
     "html.unescape", "urllib.parse.unquote", "urllib.parse.unquote_plus",
     "cryptography.fernet.Fernet.decrypt", "binascii.a2b_uu", "binascii.a2b_qp"}
)  # fmt: skip

TEXT_METHODS = frozenset(
    {"capitalize", "casefold", "decode", "encode", "format", "join", "lower", "lstrip", "replace",
     "removeprefix", "removesuffix", "rstrip", "split", "strip", "swapcase", "title", "translate",
     "upper", "hex"}
)  # fmt: skip


def call_method(owner: object, name: str, arguments: list[object]) -> object:
    """A method of a constant text or bytes. Raises ValueError or TypeError where it can't be."""
    if name not in TEXT_METHODS or not isinstance(owner, (str, bytes)):
        raise ValueError("not followed")
    if name == "decode":
        return _decode(owner, *arguments)
    if name == "encode":
        return str(owner).encode("utf-8")
    if name == "format" and not _PLAIN_BRACES.fullmatch(str(owner)):
        raise ValueError("it reaches into its arguments, or makes them longer")
    sizes = [len(part) for part in arguments if isinstance(part, (str, bytes, tuple))]
    if len(owner) * max([1, *sizes]) * 2 > 1 << 22:
        raise ValueError("too long")
    plain = [list(part) if isinstance(part, tuple) else part for part in arguments]
    result = getattr(owner, name)(*plain)
    return tuple(result) if isinstance(result, list) else bounded(result)


def bounded(value: object) -> object:
    """The value, unless it is a text that is too long to be followed."""
    if isinstance(value, (str, bytes, tuple)) and len(value) > MAX_TEXT:
        raise ValueError("too long")
    return value


def combine(operator: str, left: object, right: object) -> object:
    """`left operator right` for constants. Raises ValueError or TypeError where it can't be."""
    if operator == "Add":
        return bounded(left + right)  # type: ignore[operator]
    if operator == "Mod" and isinstance(left, (str, bytes)):
        text = left.decode("latin-1") if isinstance(left, bytes) else left
        if len(text) > 4096 or not _PLAIN_FORMAT.fullmatch(text):
            raise ValueError("not followed")
        return bounded(left % right)
    if operator == "Mult":
        what, count = (left, right) if isinstance(right, int) else (right, left)
        if isinstance(what, (str, bytes)) and isinstance(count, int) and count * len(what) < 4096:
            return what * count
    if isinstance(left, int) and isinstance(right, int) and max(abs(left), abs(right)) < 1 << 32:
        if operator == "Sub":
            return left - right
        if operator == "BitXor":
            return left ^ right
        if operator == "Mult":
            return left * right
        if operator == "FloorDiv" and right:
            return left // right
    raise ValueError("not followed")


def attribute(value: Value, name: str) -> Value:
    """The attribute of a value. A chain that goes on and on leads nowhere known."""
    if not isinstance(value, Ref):
        return UNKNOWN
    if value.made and value.path == "pathlib.Path" and name in _SAME_PATH:
        return value
    if name == "__self__" and value.path.startswith("builtins."):
        return Ref("builtins")
    path = plain_path(f"{value.path}.{name}")
    if path.count(".") > (_MADE_PARTS if value.made else _MAX_PARTS):
        return UNKNOWN
    return Ref(path, value.made)


def joined(operator: str, left: Value, right: Value) -> Value:
    """What an operator makes of two values."""
    if isinstance(left, Const) and isinstance(right, Const):
        try:
            return Const(combine(operator, left.value, right.value))
        except Exception:  # noqa: BLE001 - constants that do not go together
            return UNKNOWN
    if BUILT in (left, right):
        return BUILT
    if operator == "Div" and isinstance(left, Ref) and left.path == "pathlib.Path":
        return left
    if operator == "Add":
        if isinstance(left, Const) and isinstance(left.value, str):
            rest = right.prefix if isinstance(right, Partial) else ""
            return Partial(left.value + rest) if left.value + rest else UNKNOWN
        if isinstance(left, Partial):
            return left
    if operator == "Mod" and isinstance(left, Const) and isinstance(left.value, str):
        return Partial(left.value.split("%")[0]) if left.value.split("%")[0] else UNKNOWN
    return UNKNOWN


def identity(value: Value) -> object:
    """What two values are the same by."""
    # True, 1 and 1.0 are equal, and a different text each.
    return (type(value.value), value.value) if isinstance(value, Const) else (type(value), value)


def distinct(values: list[Value]) -> Values:
    """Each value once."""
    return tuple({identity(value): value for value in values}.values())
