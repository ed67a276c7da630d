"""Who runs a step, and within which other one: what the caller and the environment say."""

from __future__ import annotations

import os
import re

from tidegate.errors import UsageError
from tidegate.settings import read_settings

PARENT_VARIABLE = "TIDEGATE_PARENT_STEP"
"""How a command learns which step it runs in."""

_STEP_ID = re.compile(r"step:[0-9a-f]{32}")


def acts(given: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Who acts, and which claims that makes: a name that is set is a claim, the user is none."""
    settings = read_settings()
    if given or settings.actor:
        return given or settings.actor, ("actor",)
    try:
        return settings.acting_user(), ()
    except UsageError:
        # In a container without an account; the host's user is looked for besides.
        return None, ()


def is_around(given: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The step that this one runs in, and which claims that makes."""
    if given is not None:
        if not _STEP_ID.fullmatch(given):
            raise UsageError(f"{given!r} is not the id of a step")
        return given, ()
    named = os.environ.get(PARENT_VARIABLE, "")
    return (named, ("parent",)) if _STEP_ID.fullmatch(named) else (None, ())


def exit_code_of(error: SystemExit) -> int:
    """The exit code that Python makes of it."""
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1
