"""catboost's allow-list; see `boosting`."""

from __future__ import annotations

from collect import Library

from libraries.boosting import make_one


def make() -> Library:
    """The list."""
    return make_one("catboost")
