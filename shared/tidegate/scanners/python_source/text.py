"""From the bytes of a source to its syntax tree, as the interpreter would take them.

`ast.parse` runs nothing. Always holds: the encoding that the source declares is one that turns
bytes into the characters that a reader sees; what the parser can't take, or what is too large or
nests too deep to be followed, is given back as a reason and never as an empty tree.
"""

from __future__ import annotations

import ast
import codecs
import re
import warnings

MAX_SOURCE = 1 << 20
"""The largest source that is read; honest ones stay far below."""

_MAX_DEPTH = 200
_MAX_WORDS = 100_000
# Each may become a node of the tree, at half a kilobyte or more.
_WORD = re.compile(r"\w+|[^\w\s]")
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)")
_BLANK = re.compile(rb"^[ \t\f]*(?:#.*)?$")
# Bidirectional overrides and isolates (CVE-2021-42574).
_TURNS_AROUND = re.compile("[\u202a-\u202e\u2066-\u2069]")
_PLAIN_ENCODINGS = frozenset(
    {"utf-8", "utf-8-sig", "ascii", "iso8859-1", "iso8859-15", "cp1252", "latin-1"}
)


class SourceError(Exception):
    """The source can't be read; the message says why. `disguised`: it hides what it says."""

    def __init__(self, reason: str, *, disguised: bool = False) -> None:
        super().__init__(reason)
        self.disguised = disguised


def decoded(data: bytes) -> str:
    """The text of a source file. Raises SourceError."""
    if len(data) > MAX_SOURCE:
        raise SourceError(f"a source larger than {MAX_SOURCE >> 20} MiB")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError("a source in UTF-16, which Python does not run")
    encoding = _declared(data)
    try:
        name = codecs.lookup(encoding).name if len(encoding) <= 32 else encoding
    except LookupError:
        name = encoding
    if name not in _PLAIN_ENCODINGS:
        reason = f"the source says that it is in {encoding}, whose bytes say something else"
        raise SourceError(reason, disguised=True)
    if b"\0" in data:
        raise SourceError("the source holds NUL bytes, where versions of Python read on or stop")
    try:
        return data.decode("utf-8-sig" if name == "utf-8" else name)
    except UnicodeDecodeError as error:
        raise SourceError(f"no {name} text: {error.reason} at byte {error.start}") from None


def _declared(data: bytes) -> str:
    """The encoding that the first two lines declare (PEP 263)."""
    lines = re.split(rb"\r\n|\r|\n", data.removeprefix(codecs.BOM_UTF8)[:4096], maxsplit=2)
    for line in lines[:2]:
        if (match := _COOKIE.match(line)) is not None:
            return match[1].decode("ascii").lower().replace("_", "-")
        if not _BLANK.match(line):
            break
    return "utf-8"


def parsed(text: str) -> ast.Module:
    """The syntax tree of a source. Raises SourceError."""
    if len(text) > MAX_SOURCE:
        raise SourceError(f"a source larger than {MAX_SOURCE >> 20} MiB")
    if len(text) > _MAX_WORDS and sum(1 for _ in _WORD.finditer(text)) > _MAX_WORDS:
        raise SourceError(f"a source of more than {_MAX_WORDS} words")
    if _TURNS_AROUND.search(text):
        reason = "the source has marks that make editors show it in another order"
        raise SourceError(reason, disguised=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise SourceError(f"no Python 3 source: {error.msg} at line {error.lineno}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"a source that can't be parsed: {type(error).__name__}") from None
    if _depth(tree) > _MAX_DEPTH:
        raise SourceError("a source that nests too deep")
    return tree


def _depth(tree: ast.AST) -> int:
    """How deep the tree nests; long sums and chains of elif count as one level each."""
    deepest, pending = 0, [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        for child in ast.iter_child_nodes(node):
            chain = isinstance(node, (ast.BinOp, ast.If)) and type(child) is type(node)
            pending.append((child, depth + (0 if chain else 1)))
    return deepest
