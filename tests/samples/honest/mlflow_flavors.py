"""A folder of each MLflow flavor, as `save_model` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from samples.honest import Writers

X = np.random.RandomState(0).rand(40, 3)
CLASSES = np.arange(40) % 2
PINNED = {"pip_requirements": ["numpy==2.4.6"]}


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(3).fit(X, CLASSES)


def _common() -> dict[str, Any]:
    from mlflow.models import infer_signature

    return {
        "signature": infer_signature(X, CLASSES),
        "input_example": X[:2],
        "metadata": {"team": "fraud", "version": 3},
        **PINNED,
    }


def sklearn_in(form: str) -> Any:
    def write(folder: Path) -> None:
        import mlflow.sklearn
        import skops.io

        model = _forest()
        trusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
        mlflow.sklearn.save_model(
            model,
            folder / "model",
            serialization_format=form,
            skops_trusted_types=trusted if form == "skops" else None,
            **_common(),
        )

    return write


def sklearn_frame(folder: Path) -> None:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn import compose, linear_model, pipeline, preprocessing

    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y"] * 20})
    model = pipeline.make_pipeline(
        compose.make_column_transformer((preprocessing.OneHotEncoder(), ["b"])),
        linear_model.LogisticRegression(),
    ).fit(frame, CLASSES)
    mlflow.sklearn.save_model(
        model,
        folder / "model",
        serialization_format="cloudpickle",
        signature=infer_signature(frame, CLASSES),
        input_example=frame[:3],
        conda_env={
            "name": "env",
            "channels": ["conda-forge"],
            "dependencies": [
                "python=3.11",
                "pip",
                {"pip": ["mlflow==3.17.2", "scikit-learn==1.9.1"]},
            ],
        },
    )


def xgboost_in(form: str) -> Any:
    def write(folder: Path) -> None:
        import mlflow.xgboost
        import xgboost

        model = xgboost.XGBClassifier(n_estimators=3).fit(X, CLASSES)
        mlflow.xgboost.save_model(model, folder / "model", model_format=form, **_common())

    return write


def lightgbm_model(folder: Path) -> None:
    import lightgbm
    import mlflow.lightgbm

    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, CLASSES), 2)
    mlflow.lightgbm.save_model(booster, folder / "booster", **_common())


def catboost_model(folder: Path) -> None:
    import catboost
    import mlflow.catboost

    model = catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)
    mlflow.catboost.save_model(model.fit(X, CLASSES), folder / "model", **_common())


def statsmodels_model(folder: Path) -> None:
    import mlflow.statsmodels
    import statsmodels.api as sm

    mlflow.statsmodels.save_model(sm.OLS(X[:, 0], X[:, 1:]).fit(), folder / "model", **PINNED)


def pytorch_in(form: str) -> Any:
    def write(folder: Path) -> None:
        import mlflow.pytorch
        import torch

        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
        example = X[:2].astype("float32")
        mlflow.pytorch.save_model(
            model.eval(),
            folder / "model",
            input_example=example,
            serialization_format=form,
            **PINNED,
        )

    return write


def pytorch_state_dict(folder: Path) -> None:
    import mlflow.pytorch
    import torch

    model = torch.nn.Linear(3, 2)
    mlflow.pytorch.save_state_dict(model.state_dict(), folder / "state")


def onnx_model(folder: Path) -> None:
    import mlflow.onnx
    import onnxruntime  # noqa: F401 - what mlflow checks the model with
    from skl2onnx import to_onnx

    mlflow.onnx.save_model(
        to_onnx(_forest(), X[:1].astype("float32"), options={"zipmap": False}),
        folder / "model",
        **PINNED,
    )


def keras_model(folder: Path) -> None:
    import keras
    import mlflow.keras

    layers = [keras.layers.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    mlflow.keras.save_model(keras.Sequential(layers), str(folder / "model"), **PINNED)


def tensorflow_model(folder: Path) -> None:
    import keras
    import mlflow.tensorflow

    layers = [keras.layers.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    mlflow.tensorflow.save_model(keras.Sequential(layers), folder / "model", **PINNED)


def tensorflow_module(folder: Path) -> None:
    import mlflow.tensorflow
    import tensorflow as tf

    class Scaled(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return x * self.scale

    mlflow.tensorflow.save_model(Scaled(), folder / "model", **PINNED)


def spacy_model(folder: Path) -> None:
    import mlflow.spacy
    import spacy

    nlp = spacy.blank("en")
    categories = nlp.add_pipe("textcat")
    categories.add_label("GOOD")
    categories.add_label("BAD")
    nlp.initialize()
    mlflow.spacy.save_model(nlp, folder / "model", **PINNED)


def transformers_model(folder: Path) -> None:
    import mlflow.transformers
    import transformers
    from samples.honest.hub_folders import wordpiece

    tokenizer = wordpiece()
    config = transformers.BertConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16, max_position_embeddings=64,
    )  # fmt: skip
    pipeline = transformers.pipeline(
        "text-classification",
        model=transformers.BertForSequenceClassification(config),
        tokenizer=tokenizer,
    )
    mlflow.transformers.save_model(pipeline, str(folder / "model"), **PINNED)


def sentence_transformers_model(folder: Path) -> None:
    import mlflow.sentence_transformers
    from samples.honest.hub_folders import sentence_transformer

    mlflow.sentence_transformers.save_model(
        sentence_transformer(folder / "parts"), str(folder / "model"), **PINNED
    )
    import shutil

    shutil.rmtree(folder / "parts")


def pyfunc_by_value(folder: Path) -> None:
    import mlflow.pyfunc

    class Doubled(mlflow.pyfunc.PythonModel):
        """A model of somebody's own, carried by value."""

        def __init__(self, factor: float) -> None:
            self.factor = factor

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input * self.factor

    mlflow.pyfunc.save_model(folder / "model", python_model=Doubled(2.0), **PINNED)


def pyfunc_with_artifacts(folder: Path) -> None:
    import mlflow.pyfunc
    import pandas as pd

    table = folder / "lookup.csv"
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_csv(table, index=False)

    class Lookup(mlflow.pyfunc.PythonModel):
        """Looks numbers up in a table that comes with the model."""

        def load_context(self, context: Any) -> None:
            self.table = pd.read_csv(context.artifacts["lookup"])

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input.merge(self.table, on="a")

    mlflow.pyfunc.save_model(
        folder / "model", python_model=Lookup(), artifacts={"lookup": str(table)}, **PINNED
    )
    table.unlink()


def pyfunc_function(folder: Path) -> None:
    import mlflow.pyfunc

    def predict(model_input: list[str]) -> list[str]:
        return [text.strip().lower() for text in model_input]

    mlflow.pyfunc.save_model(
        folder / "model", python_model=predict, input_example=["A b"], **PINNED
    )


def logged(folder: Path) -> None:
    """A model and its version's metadata as they come back from a tracking store."""
    import mlflow
    import mlflow.sklearn

    store = f"sqlite:///{folder / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    mlflow.set_registry_uri(store)
    try:
        experiment = mlflow.create_experiment(
            "a", artifact_location=(folder / "artifacts").as_uri()
        )
        with mlflow.start_run(experiment_id=experiment):
            info = mlflow.sklearn.log_model(
                _forest(),
                name="model",
                serialization_format="cloudpickle",
                registered_model_name="fraud",
                **_common(),
            )
        mlflow.artifacts.download_artifacts("models:/fraud/1", dst_path=str(folder / "version"))
        mlflow.artifacts.download_artifacts(info.model_uri, dst_path=str(folder / "model"))
    finally:
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri(before)


WRITERS: Writers = {
    "scikit-learn as skops": sklearn_in("skops"),
    "scikit-learn as a pickle": sklearn_in("pickle"),
    "scikit-learn by cloudpickle": sklearn_in("cloudpickle"),
    "a pipeline over a data frame": sklearn_frame,
    "XGBoost ubj": xgboost_in("ubj"),
    "XGBoost json": xgboost_in("json"),
    "LightGBM": lightgbm_model,
    "CatBoost": catboost_model,
    "statsmodels": statsmodels_model,
    "PyTorch by pickle": pytorch_in("pickle"),
    "PyTorch exported": pytorch_in("pt2"),
    "PyTorch state dict": pytorch_state_dict,
    "ONNX": onnx_model,
    "Keras": keras_model,
    "spaCy": spacy_model,
    "TensorFlow with Keras": tensorflow_model,
    "TensorFlow module": tensorflow_module,
    "Transformers": transformers_model,
    "Sentence Transformers": sentence_transformers_model,
    "a Python model by value": pyfunc_by_value,
    "a Python model with artifacts": pyfunc_with_artifacts,
    "a function": pyfunc_function,
    "logged and registered": logged,
}
