"""Write the names of Keras' own objects to the scanners' data, from the installed Keras.

    python tools/keras/collect.py

Of the public API, the classes and functions that a model's configuration may name are kept; of the
modules below `keras.src`, every class that Keras' loader accepts from there. Names that run or
fetch something are taken out by hand (`_NEVER`). The names of Keras 2, which is not installed
beside Keras 3, stand in `keras_legacy.json` and are kept by hand.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from keras.src.saving.keras_saveable import KerasSaveable

DATA = Path(__file__).resolve().parents[2] / "shared/tidegate/scanners/data/keras/own.json"

_CLASS_MODULES = (
    "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics", "models",
    "optimizers", "optimizers.schedules", "quantizers", "random", "regularizers",
)  # fmt: skip
_FUNCTION_MODULES = (
    "activations", "constraints", "initializers", "losses", "metrics", "ops", "ops.image",
    "ops.linalg", "ops.nn", "ops.numpy", "regularizers",
)  # fmt: skip
_ROOT = (
    "DTypePolicy", "FloatDTypePolicy", "Function", "Initializer", "InputSpec", "KerasTensor",
    "Layer", "Loss", "Metric", "Model", "Operation", "Optimizer", "Quantizer", "Regularizer",
    "Sequential", "Variable",
)  # fmt: skip
_FURTHER = {"keras.utils": ("FeatureSpace",), "keras": _ROOT}
# They carry code, call what they name, or load a model of another kind.
_NEVER = frozenset(
    {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper", "custom_gradient",
     "deserialize", "get", "serialize", "load_model", "save_model", "clone_model",
     "model_from_json"}
)  # fmt: skip


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(keras.src.__path__, "keras.src."):
        if "_test" in found.name or ".backend." in found.name:
            continue
        try:
            yield importlib.import_module(found.name)
        except ImportError as error:
            print(f"left out {found.name}: {error}")


def main() -> None:
    """Write the data file."""
    classes: dict[str, set[str]] = {name: set(names) for name, names in _FURTHER.items()}
    functions: dict[str, set[str]] = {}
    for short in _CLASS_MODULES:
        module = importlib.import_module(f"keras.{short}")
        classes.setdefault(f"keras.{short}", set()).update(
            name for name, value in vars(module).items() if inspect.isclass(value)
        )
    for short in _FUNCTION_MODULES:
        module = importlib.import_module(f"keras.{short}")
        functions[f"keras.{short}"] = {
            name
            for name, value in vars(module).items()
            if inspect.isfunction(value) and not name.startswith("_")
        }
    for module in _modules():
        own = {
            name
            for name, value in vars(module).items()
            if inspect.isclass(value)
            and value.__module__ == module.__name__
            and (issubclass(value, KerasSaveable) or hasattr(value, "from_config"))
        }
        if own:
            classes.setdefault(module.__name__, set()).update(own)
    table = {
        "schema": 1,
        "how": "tools/keras/collect.py",
        "versions": [keras.__version__],
        "classes": {name: sorted(names - _NEVER) for name, names in sorted(classes.items())},
        "functions": {name: sorted(names - _NEVER) for name, names in sorted(functions.items())},
    }
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    print({key: len(value) for key, value in table.items() if isinstance(value, dict)})


if __name__ == "__main__":
    main()
