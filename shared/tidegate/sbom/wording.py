"""Making strings from elsewhere fit for a document that others read and publish.

Always holds: the result has no control, format or surrogate character, is not longer than was
asked, and carries no credential of a URL. Two different inputs may become the same string, so
nothing is ever identified by one.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit, urlunsplit

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/@!$&'()*+,;=%-]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CREDENTIALS = re.compile(r"(?<=://)[^/?#\s]*@")
_AFTER_THE_PATH = re.compile(r"[?#].*", re.DOTALL)


def printable(text: str, limit: int = 1024) -> str:
    """The text with every unprintable character as its escape, cut to `limit` characters.

    Of addresses in it, user and password are left out.
    """
    text = _CREDENTIALS.sub("", text)
    # Cutting first bounds the work; an escape is at most ten times as long as its character.
    kept = "".join(_escaped(character) for character in text[: limit + 1])
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _escaped(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    return ascii(character)[1:-1]


def label(text: str, limit: int = 1024) -> str:
    """The same for a name or value that may itself be an address, whose query goes as well."""
    return printable(without_credentials(text) if "://" in text else text, limit)


def without_credentials(address: str) -> str:
    """An address without user, password, query and fragment, which is where secrets stand."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        if parts.netloc and host:
            return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        # No URL by urllib's rules: what might be secret in it is cut by form alone.
        return _AFTER_THE_PATH.sub("", _CREDENTIALS.sub("", address))
    return _AFTER_THE_PATH.sub("", _CREDENTIALS.sub("", address))


def web_address(address: str) -> str | None:
    """The address where it is a plain http(s) URL that any reader accepts, without its secrets."""
    bare = without_credentials(address.strip())
    if not bare.startswith(("https://", "http://")) or len(bare) > 2048:
        return None
    if not _URI_CHARACTERS.fullmatch(bare) or _BAD_ESCAPE.search(bare):
        return None
    return bare
