"""Keras' own names: which classes and functions a configuration may name, and which reach further.

`data/keras/own.json` was collected from an installed Keras 3, `legacy.json` has the further names
of Keras 2, `reaching.json` what carries code or calls what it is told to.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_PACKAGES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
# What Keras writes in place of plain values; their readers build nothing but such values.
_VALUES = frozenset(
    {"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__",
     "__tuple__"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KerasNames:
    """The tables, read once.

    `code` and `layers` say what a class of that name does; `functions` are those that a
    configuration may name; `keras` are functions of Keras' own that no model needs.
    """

    classes: frozenset[str]
    functions: frozenset[str]
    prefixes: tuple[str, ...]
    code: dict[str, str]
    layers: dict[str, str]
    keras: frozenset[str]
    keras_names: frozenset[str]
    tensorflow_namespaces: frozenset[str]
    tensorflow_functions: frozenset[str]


@cache
def keras_names() -> KerasNames:
    """The tables of `data/keras/`."""

    def table(name: str) -> dict[str, Any]:
        text = files("tidegate.scanners").joinpath(f"data/keras/{name}.json").read_text("utf-8")
        loaded: dict[str, Any] = json.loads(text)
        return loaded

    own, legacy, reaching = table("own"), table("legacy"), table("reaching")
    code, layers = reaching["code"], reaching["layers"]
    classes = {name for names in own["classes"].values() for name in names}
    functions = {name for names in own["functions"].values() for name in names}
    return KerasNames(
        classes=frozenset(classes | set(legacy["names"]) | _VALUES) - set(code) - set(layers),
        functions=frozenset(functions),
        prefixes=tuple(legacy["prefixed"]),
        code=code,
        layers=layers,
        keras=frozenset(reaching["keras"]),
        keras_names=frozenset(reaching["keras_names"]),
        tensorflow_namespaces=frozenset(legacy["tensorflow_namespaces"]),
        tensorflow_functions=frozenset(legacy["tensorflow_functions"]),
    )


def is_keras_module(module: str) -> bool:
    """Whether the module is one of Keras', under any of the names that it has had."""
    if _MODULE.fullmatch(module) is None:
        return False
    return any(module == package or module.startswith(f"{package}.") for package in _PACKAGES)


def is_own_class(name: str) -> bool:
    """Whether Keras has a class of the name that only builds a part of a model."""
    names = keras_names()
    for prefix in names.prefixes:
        if name.startswith(prefix):
            return name[len(prefix) :] in names.classes
    return name in names.classes


def is_own_function(name: str) -> bool:
    """Whether Keras has a function of the name that only computes."""
    return name in keras_names().functions


def is_harmless_in_tensorflow(name: str) -> bool:
    """Whether a name below `tf` is that of a function that only computes."""
    names = keras_names()
    namespace, _, last = name.rpartition(".")
    if not last.isidentifier():
        return False
    return name in names.tensorflow_functions or namespace in names.tensorflow_namespaces
