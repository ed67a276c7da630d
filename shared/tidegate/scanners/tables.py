"""Reading the data files in which rules and lists are kept, below `data/`.

They lie beside this module as plain files. `importlib.resources` would find them as well, for
more time than a worker takes to judge a small model.
"""

from __future__ import annotations

import json
import os
from typing import Any

_DATA = os.path.join(os.path.dirname(__file__), "data")


def read_table(name: str) -> Any:
    """The JSON of one data file, named by its path below `data/`."""
    with open(os.path.join(_DATA, name), encoding="utf-8") as file:
        return json.load(file)


def tables_in(folder: str) -> tuple[str, ...]:
    """The names, for `read_table`, of all data files in a folder below `data/`, sorted."""
    names = sorted(os.listdir(os.path.join(_DATA, folder)))
    return tuple(f"{folder}/{name}" for name in names if name.endswith(".json"))
