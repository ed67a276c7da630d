"""Tags that clients may not write.

Always holds: `tidegate.*` tags, on versions and on registered models, are ours alone, and a
version of a real model can't be dressed up as a prompt, which MLflow would hide from searches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tidegate_mlflow import answers, host
from tidegate_mlflow.names import RESERVED_PREFIX

T = TypeVar("T")


def is_reserved(key: object) -> bool:
    """Whether only Tidegate may write this tag. Databases differ in case, so case is ignored."""
    return str(key).strip().casefold().startswith(RESERVED_PREFIX)


def without_reserved(tags: Iterable[T] | None) -> list[T]:
    """The tags without ours: copies of a version bring them along, and forgeries end here."""
    return [tag for tag in tags or () if not is_reserved(getattr(tag, "key", ""))]


def refuse_reserved(key: object) -> None:
    """403 for a tag of ours."""
    if is_reserved(key):
        raise answers.refused(
            f"Tidegate: tags that begin with {RESERVED_PREFIX!r} are kept by Tidegate itself and "
            "can't be set or deleted. Choose another key."
        )


def is_prompt_tag(key: object) -> bool:
    """Whether the tag is the one by which MLflow tells prompts from models."""
    return str(key).strip().casefold() == host.PROMPT_TAG
