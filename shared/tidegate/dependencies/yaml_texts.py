"""YAML whose every scalar is the text that stands there: `1.10` is no number, a date no date.

Always holds: aliases are refused, with which a small text stands for one of any size.
"""

from __future__ import annotations

from typing import Any


def load_texts(data: bytes) -> Any:
    """Mappings, lists and texts.

    Raises:
        ValueError: it is no YAML that can be read, nests too deeply, or has an alias in it.
    """
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        if any(isinstance(each, yaml.AliasEvent) for each in yaml.parse(data, Loader=loader)):
            raise ValueError("it has aliases in it")
        return yaml.load(data, Loader=loader)  # noqa: S506 - a loader that makes nothing but texts
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("it is no YAML that can be read") from error
