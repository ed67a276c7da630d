"""Templates that stand in other texts: each `{{ … }}` and `{% … %}` by itself.

A text that is not itself a template may have one in it (a prompt, a cell, a documentation), and
somebody may render it. Only what reaches for Python's internals counts here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HINT = re.compile(
    r"__|\\+x5f|\\+137|\\+u005f|\|\s*attr|lipsum|cycler|joiner|_TemplateReference|popen|globals"
    r"|subclasses|builtins|%c",
    re.IGNORECASE,
)
# Jinja opens an expression at the first two of several braces.
_FRAGMENT = re.compile(r"(?<!\{)\{\{(.{1,4096}?)\}\}|\{%(.{1,4096}?)%\}", re.DOTALL)
_NAMES = re.compile(
    r"(?:__|(?:\\+x5f|\\+137|\\+u005f){2})"
    r"(?:class|mro|bases?|subclasses|globals|builtins|import|init|getattribute|dict|reduce|reduce_ex"
    r"|getitem|code|func|self)"
    r"(?:__|(?:\\+x5f|\\+137|\\+u005f){2})"
)


def may_hold_template(text: str) -> bool:
    """Whether the text has a template's marks, and something in it that is worth a closer look."""
    return ("{{" in text or "{%" in text) and _HINT.search(text) is not None


def fragments(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each fragment worth a look: where it stands, and the expressions that it may be read as."""
    for found in _FRAGMENT.finditer(text):
        if _HINT.search(found[0]) is not None:
            is_statement = found[1] is None
            inner = (found[2] if is_statement else found[1]).strip("-+ \t\r\n")
            readings = [inner]
            if is_statement:
                words = inner.split(None, 1)
                readings = [words[1] if len(words) > 1 else ""]
                readings += [
                    after for mark in (" in ", "=") for after in [inner.partition(mark)[2]]
                ]
            # In a quoted text of another format, the quotes are escaped.
            readings += [reading.replace("\\", "") for reading in readings if "\\" in reading]
            yield found.start(), tuple(filter(None, readings)) or (inner,)


def names_internals(text: str) -> bool:
    """Whether the text names one of Python's internals, letter by letter or escaped."""
    return _NAMES.search(text) is not None
