"""Texts: what counts as one, and which of the texts that have readers of their own it may be."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator

from tidegate.artifact.formats.kinds import Format

_MARKUP = re.compile(rb"<[?!a-zA-Z]")
# Texts by which a desktop starts something: shortcuts, autorun, the registry. The last is the
# program of printable characters by which virus scanners are tested.
_STARTER = re.compile(
    rb"\[(?:InternetShortcut|Desktop Entry|autorun|\.ShellClassInfo|Unit|version\]\s*signature)\b"
    rb"|REGEDIT4\b|X5O!P%@AP\[4|Windows Registry Editor Version",
    re.IGNORECASE,
)
UUENCODED = re.compile(rb"begin(-base64)? [0-7]{3,4} [^\r\n]{1,1000}\r?\n")
"""The line with which a text in uuencode begins."""
_PYTHON_SCRIPT = re.compile(
    rb"#![ \t]*/(?:[\w.-]+/)*(?:env[ \t]+(?:-S[ \t]+)?)?python[\d.]{0,5}"
    rb"(?:[ \t]+-[a-zA-Z]+)?[ \t]*\r?\n"
)
_MODULE_NAME_FILES = frozenset({"pickle_module_info.txt", "keras_module.txt"})
_PROJECT_FILES = frozenset(
    {"pyproject.toml", "setup.cfg", "pipfile", "pipfile.lock", "poetry.lock", "uv.lock",
     "pdm.lock", "uv.toml", "pip.conf", "pip.ini", "pylock.toml", "poetry.toml"}
)  # fmt: skip
# Files that a shell runs by itself when it starts or enters their folder.
_RUN_BY_SHELLS = frozenset(
    {".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile",
     ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".kshrc", ".cshrc", ".envrc", ".xinitrc",
     ".xprofile", "crontab"}
)  # fmt: skip
_TEXT = b"\t\n\f\r" + bytes(range(0x20, 0x7F))
# 8-bit texts (Latin-1 and its kin) have no characters between 0x7f and 0x9f.
_TEXT_8BIT = _TEXT + bytes(range(0xA0, 0x100))
_NO_CONTINUATION = bytes(range(0x80)) + bytes(range(0xC0, 0x100))
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def is_text(data: bytes, *, whole: bool) -> bool:
    """Whether the bytes hold no control characters but whitespace.

    They may be UTF-8, UTF-16 or UTF-32 with a mark, or an 8-bit encoding. Where they are not the
    `whole` text, a character cut at either end is forgiven.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _is_wide_text(data, "utf-32", whole=whole)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _is_wide_text(data, "utf-16", whole=whole)
    if not data.translate(None, _TEXT_8BIT):
        return True
    if data.translate(None, _TEXT + bytes(range(0x80, 0x100))):
        return False
    start = 0
    while not whole and start < 3 and data[start : start + 1].translate(None, _NO_CONTINUATION):
        start += 1
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data[start:], whole)
    except UnicodeDecodeError:
        return False
    # The control characters from U+0080 on stand in honest vocabularies, read from the web.
    return True


def _is_wide_text(data: bytes, encoding: str, *, whole: bool) -> bool:
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, whole)
    except UnicodeDecodeError:
        return False
    # Almost any bytes decode as UTF-16, but only a text keeps to characters that exist.
    return all(
        unicodedata.category(character) not in {"Cc", "Cn", "Co"} or character in "\t\n\r\f"
        for character in text
    )


def text_dialects(head: bytes, base: str) -> Iterator[Format]:
    """The kinds of text that the head and the name show."""
    lower = base.lower()
    narrow = head.replace(b"\0", b"")[2:] if head.startswith(WIDE_MARKS) else head
    start = narrow.lstrip(codecs.BOM_UTF8).lstrip()
    if _PYTHON_SCRIPT.match(start):
        yield Format.PYTHON
    elif start.startswith(b"#!") or lower in _RUN_BY_SHELLS:
        yield Format.SCRIPT
    if UUENCODED.match(start):
        yield Format.ENCODED_TEXT
    if lower == "mlmodel":
        yield Format.MLMODEL
    elif lower in _MODULE_NAME_FILES:
        yield Format.MODULE_NAME
    elif lower.endswith((".yaml", ".yml")) or lower == "mlproject":
        yield Format.YAML
    elif lower.endswith(".txt") and ("requirement" in lower or "constraint" in lower):
        yield Format.REQUIREMENTS
    elif _STARTER.match(start):
        yield Format.SCRIPT
    elif lower in _PROJECT_FILES:
        yield Format.REQUIREMENTS
        if start.startswith(b"{"):
            yield Format.JSON
    elif start.startswith((b"{", b"[")):
        yield Format.JSON
        if b'"cell_type"' in head and (b'"cells"' in head or b'"worksheets"' in head):
            yield Format.NOTEBOOK
    elif start.startswith((b"tree\nversion=v", b"tree\r\nversion=v")):
        yield Format.LIGHTGBM
    elif start.startswith((b"<?php", b"<%")):
        yield Format.SCRIPT
    elif _MARKUP.match(start):
        yield Format.MARKUP
    elif lower.endswith(".pth") and any(
        line.lstrip().startswith((b"import ", b"import\t", b"exec")) for line in head.splitlines()
    ):
        # Python runs such lines of a .pth file that lies in a folder of installed packages.
        yield Format.PYTHON
    else:
        yield Format.TEXT
