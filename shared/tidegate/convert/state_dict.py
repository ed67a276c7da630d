"""Finding the state dict in a checkpoint: a flat mapping from names to tensors, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidegate.convert.errors import RefusedError
from tidegate.scanners.streams import shown
from tidegate.scanners.torch_tensors.reader import Dict, Opaque, Storage, Tensor

USUAL_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")
"""Under which keys training scripts keep a state dict."""


def find_state_dict(value: Any, keys: Sequence[str]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors by name, and the keys that led to them.

    Args:
        value: what the file's pickle describes.
        keys: where to look, outermost first; none to look in the usual places.

    Raises:
        RefusedError: what is there is no state dict; the message names the entry.
    """
    for at, key in enumerate(keys):
        if not isinstance(value, Dict) or key not in value.items:
            where = "".join(f"[{shown(each)!r}]" for each in keys[:at])
            raise RefusedError(f"its object{where} has no key {shown(key)!r}", remedy=_have(value))
        value = value.items[key]
    if keys:
        return _tensors(value, tuple(keys)), tuple(keys)
    if isinstance(value, Dict) and not _is_state_dict(value):
        inside = [key for key in USUAL_KEYS if _is_state_dict(value.items.get(key))]
        if len(inside) == 1:
            return _tensors(value.items[inside[0]], (inside[0],)), (inside[0],)
    return _tensors(value, ()), ()


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Dict)
        and bool(value.items)
        and all(isinstance(entry, Tensor) for entry in value.items.values())
    )


def _tensors(value: Any, keys: tuple[str, ...]) -> dict[str, Tensor]:
    if not isinstance(value, Dict):
        raise RefusedError(
            f"it holds {_told(value)} where a dict of tensors should be",
            remedy="save model.state_dict() instead of the model",
        )
    where = "".join(f"[{shown(key)!r}]" for key in keys)
    for name, entry in value.items.items():
        if not isinstance(name, str):
            raise RefusedError(f"its dict{where} has a key that is no text")
        if name == "__metadata__":
            raise RefusedError("one of its tensors has the name that safetensors keeps for itself")
        if not isinstance(entry, Tensor):
            raise RefusedError(
                f"its entry {where}[{shown(name)!r}] is {_told(entry)}, and no plain tensor",
                remedy=_have(value),
            )
    if not value.items:
        raise RefusedError(f"its dict{where} is empty")
    return {str(name): entry for name, entry in value.items.items()}


def _told(value: Any) -> str:
    if isinstance(value, Opaque):
        return f"an object made by {shown(value.what)}"
    if isinstance(value, Tensor):
        return "a single tensor"
    if isinstance(value, Storage):
        return "a storage without a tensor"
    if isinstance(value, Dict):
        return "a dict of its own"
    if value is None or isinstance(value, bool | int | float | str | bytes | list | tuple):
        return {"NoneType": "None"}.get(type(value).__name__, f"of the type {type(value).__name__}")
    return "something that is not understood"


def _have(value: Any) -> str:
    """What a person may name with --key instead."""
    if not isinstance(value, Dict):
        return "save model.state_dict() instead of the model"
    inside = [key for key in value.items if _is_state_dict(value.items[key])]
    if inside:
        names = ", ".join(shown(str(key)) for key in inside[:8])
        return f"say where the state dict is: --key with one of {names}"
    names = ", ".join(shown(str(key)) for key in list(value.items)[:8])
    return f"save the tensors alone, as a flat dict; the keys here are {names or 'none'}"
