"""What is wrong with the names of an archive's members, whatever the kind of archive.

Names are taken as the most careless reader takes them: backslashes are slashes, drives are
drives, and letters that a file system folds are the same letter.
"""

from __future__ import annotations

import re
import unicodedata

_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)


def leads_out(name: str) -> bool:
    """Whether the name is absolute, names a drive, or climbs."""
    plain = name.replace("\\", "/")
    return (
        plain.startswith("/")
        or ".." in (part.strip() for part in plain.split("/"))
        or any(_DRIVE.match(part) for part in plain.split("/")[:1])
    )


def is_odd(name: str) -> bool:
    """Whether the name holds control characters or marks that turn the reading direction."""
    return not name or any(
        ord(character) < 0x20
        or ord(character) == 0x7F
        or (ord(character) > 0x7F and unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"})
        for character in name
    )


def is_device(name: str) -> bool:
    """Whether Windows takes the name for a device, or for a stream beside a file."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return last.split(".", 1)[0].strip().lower() in _RESERVED


def key_of(name: str) -> str:
    """What names that some reader takes for one and the same have in common."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
    parts = folded.replace("\\", "/").split("/")
    return "/".join(part.rstrip(". ") for part in parts if part not in {"", "."})
