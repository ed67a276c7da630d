"""mlflow: what a Python model of somebody's own carries of mlflow's classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cloudpickle
import mlflow.pyfunc
from collect import Library, Use


def make() -> Library:
    """The list, from Python models that cloudpickle writes by value."""
    library = Library(
        file="mlflow.json",
        name="mlflow",
        distribution="mlflow",
        prefixes=("mlflow",),
        how="tools/callables/make.py mlflow: Python models and functions as mlflow.pyfunc"
        " pickles them",
    )

    def predict(model_input: list[str]) -> list[str]:
        return model_input

    library.observe_data(cloudpickle.dumps(_model()), "a model")
    library.observe_data(cloudpickle.dumps(_wrapped(predict)), "a function")
    for name in ("PythonModel", "PythonModelContext", "ChatModel", "ChatAgent", "ResponsesAgent"):
        library.note("mlflow.pyfunc.model", name, Use.NAME)
    library.note("mlflow.types.schema", "DataType", Use.CALL)
    for name in ("ColSpec", "Schema", "TensorSpec", "TensorInfo", "ParamSpec", "ParamSchema"):
        library.note("mlflow.types.schema", name, Use.MAKE)
    library.note("mlflow.models.signature", "ModelSignature", Use.MAKE)
    return library


def _model() -> Any:
    class Doubled(mlflow.pyfunc.PythonModel):
        """A model."""

        def predict(self, _context: Any, model_input: Any, _params: Any = None) -> Any:
            return model_input * 2

    made = Doubled()
    made.predict_type_hints  # noqa: B018 - mlflow keeps what it finds on the model
    return made


def _wrapped(function: Callable[..., Any]) -> Any:
    from mlflow.pyfunc.model import _FunctionPythonModel

    made = _FunctionPythonModel(function)
    made.predict_type_hints  # noqa: B018
    return made
