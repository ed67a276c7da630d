"""The data scientist's side of the demo: stock MLflow, with nothing of Tidegate installed.

    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python client.py log-clean

Each step exits 0 where MLflow did what was asked, and 10 where MLflow answered with an error;
what a person would see is on the terminal either way.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

REFUSED = 10


class Hostile(LogisticRegression):
    """A model whose pickle would run a command when it is loaded. The command is harmless."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """What pickle is told to do instead of building the object."""
        return os.system, (f"touch {os.environ['DEMO_MARKER']}",)


def log_clean() -> None:
    """Log and register a scikit-learn model as everybody does; load it and predict."""
    X, y = load_iris(return_X_y=True)
    with mlflow.start_run():
        data = mlflow.data.from_numpy(X, name="iris", targets=y)
        mlflow.log_input(data, context="training")
        model = LogisticRegression(max_iter=500).fit(X, y)
        mlflow.sklearn.log_model(model, name="model", registered_model_name="iris")
    loaded = mlflow.sklearn.load_model("models:/iris/1")
    print("loaded models:/iris/1, which predicts", loaded.predict(X[::50]).tolist())


def log_hostile() -> None:
    """Log a model whose pickle runs a command."""
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            Hostile(),
            name="model",
            registered_model_name="hostile",
            serialization_format="pickle",
            pip_requirements=["scikit-learn"],
        )


def use_hostile() -> None:
    """Try to give the held version an alias, then to load it."""
    client = mlflow.MlflowClient()
    try:
        client.set_registered_model_alias("hostile", "champion", "1")
    except MlflowException as error:
        print(f"set_registered_model_alias: {str(error).splitlines()[0]}")
    else:
        raise SystemExit("the alias was set")
    mlflow.sklearn.load_model("models:/hostile/1")


def log_own_code() -> None:
    """Log a model with a class of one's own."""
    from churn_features import LogOfTenure

    X, y = load_digits(return_X_y=True)
    model = make_pipeline(LogOfTenure(), LogisticRegression(max_iter=300)).fit(X[:300], y[:300])
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name="churn",
            serialization_format="pickle",
            pip_requirements=["scikit-learn"],
        )


def load_own_code() -> None:
    """Load it, now that an admin has let it go."""
    X, _ = load_digits(return_X_y=True)
    loaded = mlflow.sklearn.load_model("models:/churn/1")
    print("loaded models:/churn/1, which predicts", loaded.predict(X[:5]).tolist())


def log_safetensors() -> None:
    """Register weights as safetensors: tensors and nothing else."""
    from safetensors.numpy import load_file, save_file

    with mlflow.start_run() as run:
        save_file({"weight": np.eye(4, dtype=np.float32)}, "model.safetensors")
        mlflow.log_artifact("model.safetensors", "weights")
        client = mlflow.MlflowClient()
        client.create_registered_model("weights")
        source = f"{run.info.artifact_uri}/weights"
        client.create_model_version("weights", source, run.info.run_id)
    folder = mlflow.artifacts.download_artifacts("models:/weights/1")
    print("downloaded models:/weights/1:", sorted(load_file(f"{folder}/model.safetensors")))


STEPS = {
    step.__name__.replace("_", "-"): step
    for step in (
        log_clean,
        log_hostile,
        use_hostile,
        log_own_code,
        load_own_code,
        log_safetensors,
    )
}


def main() -> int:
    """Run the step that the command line names."""
    if importlib.util.find_spec("tidegate") is not None:
        print("this environment has tidegate, so it is not the demo's client", file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        STEPS[sys.argv[1]]()
    except MlflowException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
