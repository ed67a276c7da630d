"""Templates into pages. Always holds: autoescape is on for every template, and each text that a
template puts out has its control, invisible and direction-changing characters escaped first.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tidegate.policy.explain import printable

_LONGEST = 2000


def _shown(value: Any) -> Any:
    """What stands for a value on a page."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    return printable(text)


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"


def _bytes(value: int) -> str:
    size = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("tidegate.console.review"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["moment"] = _moment
    made.filters["size"] = _bytes
    return made


def render(template: str, **values: Any) -> bytes:
    """The page of a template, in UTF-8."""
    return _environment().get_template(template).render(**values).encode("utf-8", "replace")


@functools.cache
def style_sheet() -> bytes:
    """The pages' own CSS."""
    from importlib.resources import files

    return files("tidegate.console.review").joinpath("templates", "review.css").read_bytes()
