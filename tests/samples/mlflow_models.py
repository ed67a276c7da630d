"""MLflow model folders: real ones, and MLmodel files with one thing changed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

HONEST_MLMODEL: dict[str, Any] = {
    "flavors": {
        "python_function": {
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            "loader_module": "mlflow.sklearn",
            "model_path": "model.skops",
            "predict_fn": "predict",
            "python_version": "3.11.7",
        },
        "sklearn": {
            "code": None,
            "pickled_model": "model.skops",
            "serialization_format": "skops",
            "sklearn_version": "1.9.1",
            "skops_trusted_types": None,
        },
    },
    "mlflow_version": "3.17.2",
    "model_uuid": "c443bb26e5b540138e2fceddb7bf6361",
    "utc_time_created": "2026-11-23 21:04:39.818642",
}


def mlmodel(changes: dict[str, Any] | None = None, flavor: str = "python_function") -> bytes:
    """An honest MLmodel file with `changes` put into one flavor."""
    import copy

    import yaml

    content = copy.deepcopy(HONEST_MLMODEL)
    content["flavors"].setdefault(flavor, {}).update(changes or {})
    return yaml.safe_dump(content).encode()


def saved_sklearn_model(folder: Path, model: Any, serialization_format: str) -> Path:
    """A model folder as MLflow writes it."""
    import mlflow.sklearn
    import numpy as np
    import skops.io

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.sklearn.save_model(
            model,
            folder,
            serialization_format=serialization_format,
            input_example=np.zeros((1, 3)),
            pip_requirements=["scikit-learn==1.9.1"],
            skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(model)),
        )
    return folder
