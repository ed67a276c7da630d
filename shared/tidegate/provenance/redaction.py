"""Keeping credentials out of what is recorded for years.

What a step was started with goes into a signed record that is never taken back, so a password
that gets into it can only be mended by changing the password. Values are hidden by what they are
called (`data/secret_names.json`), by their form (the scanner's own rules for secrets), and where
they stand in a URL.

Always holds: what is hidden is replaced by `HIDDEN` as a whole, no part of it, length or hash is
kept; and each time it is noted under which name something was hidden. Nothing here can know a
password that is called like a setting and looks like a word: the docs say so.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "[hidden: looks like a secret]"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_USER_INFO_ENDS = re.compile(r"[\s\"'<>]")
_HOST_ENDS = re.compile(r"[/?#]")
_PORT = re.compile(r"[^:@]*:[0-9]{1,5}")
# Each run of letters is looked at once: a text may be long and hold nothing else.
_ASSIGNED = re.compile(r"(?<![\w.\-])(?P<name>[\w.\-]++)[\"']?\s{0,3}[=:]\s{0,3}")
_ASSIGNED_VALUE = re.compile(
    r"\"[^\"]*\"?|'[^']*'?|(?:(?:basic|bearer|digest|token)\s+)?\S+", re.IGNORECASE
)
_OPTION = re.compile(r"-{1,2}(?P<name>[A-Za-z][\w.\-]*)(?:=(?P<value>.*))?", re.DOTALL)
_USER_AND_PASSWORD = re.compile(r"[^:\s/]+:[^\s]+")
# What names a version of an object, as against what gives the right to read it.
_KEPT_QUERY = frozenset({"versionid", "generation", "snapshot", "ref", "revision"})
_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_UNSTORABLE = re.compile("\x00")
_MOST_READ = 128 << 10
_MOST_SHOWN = 16 << 10
_MOST_USER_INFO = 1500
_MOST_NUMBER = 64
_MOST_ITEMS = 1000
_MOST_DEPTH = 20
_INTEGERS = range(-(2**63), 2**63)


class Redactor:
    """Hides secrets and keeps the names under which it did; one for each step."""

    def __init__(self) -> None:
        self._hidden: dict[str, None] = {}

    @property
    def hidden(self) -> tuple[str, ...]:
        """Where something was hidden, in the order in which it was met."""
        return tuple(self._hidden)

    def value(self, name: str, value: Any) -> Any:
        """A parameter's value in plain JSON types, without what looks like a secret.

        Numbers with a fraction become texts, which a statement can hold; what is no plain value
        becomes its type's name, for its text may show anything.
        """
        return self._plain(name, name, value, depth=0)

    def text(self, where: str, text: str) -> str:
        """A text without the secrets whose form is known, and without user names in URLs."""
        text = text.encode("utf-8", "backslashreplace").decode()
        text = _UNSTORABLE.sub(r"\\x00", text)
        if len(text) > _MOST_READ:
            return f"[a text of {len(text)} characters]"
        cleaned = _without_forms(_without_assigned(_without_user_info(text)))
        if cleaned != text:
            self._note(where)
        # Cut only now: half a secret is not told by its form any more.
        if len(cleaned) > _MOST_SHOWN:
            return f"{cleaned[:_MOST_SHOWN]}… [{len(cleaned)} characters]"
        return cleaned

    def arguments(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """A command line: values of options by the option's name, all else as texts."""
        shown: list[str] = []
        named: str | None = None
        for argument in arguments:
            option = _OPTION.fullmatch(argument)
            if named is not None and not argument.startswith("--"):
                shown.append(self._argument(named, argument))
                named = None
            elif option is None:
                shown.append(self.text("the command", argument))
                named = None
            elif option["value"] is None:
                shown.append(self.text("the command", argument))
                named = option["name"]
            else:
                value = self._argument(option["name"], option["value"])
                shown.append(f"{argument[: option.start('value')]}{value}")
                named = None
        return tuple(shown)

    def url(self, url: str) -> str:
        """A URL without user, query and fragment; a version that the query names stays.

        `user@host:path`, as SSH has it, holds no password and stays as it is.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            return self.text("a URL", url)
        if not parts.scheme or not parts.netloc:
            return self.text("a URL", url)
        user, _, host = parts.netloc.rpartition("@")
        if parts.scheme in ("ssh", "git+ssh") and user and ":" not in user:
            host = parts.netloc
        kept = "&".join(
            pair
            for pair in parts.query.split("&")
            if pair.partition("=")[0].lower().replace("_", "") in _KEPT_QUERY
        )
        path = _without_forms(_without_assigned(parts.path))
        cleaned = urlunsplit((parts.scheme, host, path, kept, ""))
        if cleaned != url:
            self._note("a URL")
        return cleaned

    def _note(self, where: str) -> None:
        self._hidden[_without_forms(where)] = None

    def _argument(self, name: str, value: str) -> str:
        # `-u name:password`, as curl and wget have it.
        if is_secret_name(name, value) or (
            name in ("u", "user", "proxy-user") and _USER_AND_PASSWORD.fullmatch(value)
        ):
            self._note(name)
            return HIDDEN
        return self.text(name, value)

    def _plain(self, where: str, name: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if is_secret_name(name, value):
            self._note(where)
            return HIDDEN
        if isinstance(value, str):
            return self.text(where, value)
        if isinstance(value, int) and int(value) in _INTEGERS:
            return int(value)
        if isinstance(value, float):
            return repr(float(value))
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            if depth >= _MOST_DEPTH or len(value) > _MOST_ITEMS:
                return f"{_type_of(value)} of {len(value)}"
            if isinstance(value, Mapping):
                return {
                    self.text(where, str(key)): self._plain(
                        f"{where}.{key}", str(key), each, depth + 1
                    )
                    for key, each in value.items()
                }
            items = [self._plain(where, name, each, depth + 1) for each in value]
            return sorted(items, key=str) if isinstance(value, set | frozenset) else items
        return self._other(where, value, depth)

    def _other(self, where: str, value: Any, depth: int) -> Any:
        """A path or a number of numpy; of anything else its type alone."""
        if isinstance(value, os.PathLike):
            return self.text(where, os.fsdecode(os.fspath(value)))
        scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
        if scalar and depth < _MOST_DEPTH:
            return self._plain(where, "", value.item(), _MOST_DEPTH)
        return _type_of(value)


def is_secret_name(name: str, value: object = "") -> bool:
    """Whether what is called so is a secret by its name, given such a value."""
    always, texts, honest = _names()
    # `api_key2` is one as well.
    words = f"_{'_'.join(word.lower() for word in _WORDS.findall(name.rstrip('0123456789_')))}"
    if words.endswith(honest):
        return False
    if words.endswith(always):
        return value is not None and not isinstance(value, bool)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return words.endswith(texts)
    return False


@cache
def _names() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    source = files("tidegate.provenance").joinpath("data/secret_names.json")
    table = json.loads(source.read_text("utf-8"))
    return (
        tuple(f"_{name}" for name in table["always"]),
        tuple(f"_{name}" for name in table["texts"]),
        tuple(f"_{row['name']}" for row in table["honest"]),
    )


def _without_user_info(text: str) -> str:
    """The text with what stands before the "@" of each URL hidden.

    Libraries disagree on a password with "/" or "@" in it, so it reaches to the last "@" that any
    of them could take for its end.
    """
    parts: list[str] = []
    done = 0
    at = text.find("://")
    while at >= 0:
        start = at + 3
        limit = start + _MOST_USER_INFO
        stop = _USER_INFO_ENDS.search(text, start, limit)
        end = text.rfind("@", start, stop.start() if stop else limit)
        if end >= 0:
            host = _HOST_ENDS.search(text, start, end)
            first = text[start : host.start()] if host else None
            if first is None or (":" in first and not _PORT.fullmatch(first)):
                parts += (text[done:start], HIDDEN)
                done = start = end
        at = text.find("://", start)
    return "".join((*parts, text[done:]))


def _without_assigned(text: str) -> str:
    """The text with the value hidden of each `name=value` and `name: value` that is a secret."""
    parts: list[str] = []
    done = 0
    for match in _ASSIGNED.finditer(text):
        if match.start() < done or not is_secret_name(match["name"], "any"):
            continue
        # Of some names only a text is a secret. A number is short.
        begin = (text[match.end() : match.end() + _MOST_NUMBER].split(None, 1) or [""])[0]
        value = _ASSIGNED_VALUE.match(text, match.end())
        if value is None or not is_secret_name(match["name"], begin.strip("\"',;})]")):
            continue
        parts += (text[done : match.end()], HIDDEN)
        done = value.end()
    return "".join((*parts, text[done:]))


def _without_forms(text: str) -> str:
    from tidegate.scanners.secrets import find_secrets

    # One byte a character; no form of a secret has other letters than these.
    for rule, _, secret in list(find_secrets(text.encode("latin-1", "replace"))):
        if rule.name in ("PRIVATE-KEY", "PUTTY-KEY"):
            # The rule sees its beginning. Where it ends, nobody can say for sure.
            return HIDDEN
        text = text.replace(secret.decode("latin-1"), HIDDEN)
    return text


def _type_of(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
