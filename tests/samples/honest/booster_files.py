"""XGBoost, LightGBM and CatBoost in each of their own formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from samples.honest import Writers

X = np.random.RandomState(0).rand(60, 4)
CLASSES = np.arange(60) % 2


def xgboost_formats(folder: Path) -> None:
    import xgboost

    for name, booster in (("trees", "gbtree"), ("linear", "gblinear"), ("dart", "dart")):
        model = xgboost.XGBClassifier(n_estimators=3, booster=booster).fit(X, CLASSES)
        for suffix in ("json", "ubj"):
            model.save_model(folder / f"{name}.{suffix}")
        model.get_booster().dump_model(folder / f"{name}.txt")
        model.get_booster().dump_model(folder / f"{name}.dump.json", dump_format="json")
    several = xgboost.XGBClassifier(n_estimators=3).fit(X, np.arange(60) % 3)
    several.save_model(folder / "several.ubj")
    (folder / "config.json").write_text(several.get_booster().save_config())


def xgboost_categories(folder: Path) -> None:
    import pandas as pd
    import xgboost

    frame = pd.DataFrame({"größe": X[:, 0], "c": pd.Categorical(["a", "b", "c"] * 20)})
    model = xgboost.XGBRegressor(n_estimators=3, enable_categorical=True).fit(frame, X[:, 1])
    model.save_model(folder / "model.json")
    model.save_model(folder / "model.ubj")


def lightgbm_formats(folder: Path) -> None:
    import json

    import lightgbm
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "c": pd.Categorical(["a", "b", "c"] * 20)})
    for objective in ("binary", "regression", "quantile", "poisson"):
        quiet = {"objective": objective, "verbose": -1, "min_data_in_leaf": 2}
        model = lightgbm.train(quiet, lightgbm.Dataset(frame, CLASSES), 3)
        model.save_model(folder / f"{objective}.txt")
    (folder / "dump.json").write_text(json.dumps(model.dump_model()))
    linear = lightgbm.train({"linear_tree": True, "verbose": -1}, lightgbm.Dataset(X, X[:, 0]), 3)
    linear.save_model(folder / "linear.lgb")


def catboost_formats(folder: Path) -> None:
    import catboost

    quiet = {"iterations": 3, "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoostClassifier(**quiet).fit(X, CLASSES)
    for form in ("cbm", "json", "onnx", "pmml", "python", "cpp"):
        model.save_model(str(folder / f"model.{form}"), format=form)
    data = [[float(row[0]), "xyz"[index % 3], "some words here"] for index, row in enumerate(X)]
    for name, kinds in (("mixed", {"cat_features": [1]}), ("texts", {"text_features": [2]})):
        width = 3 if "text_features" in kinds else 2
        rows = [[row[0], 1.0, row[2]] if width == 3 else row[:2] for row in data]
        pool = catboost.Pool(rows, CLASSES, **kinds)
        catboost.CatBoostClassifier(**quiet).fit(pool).save_model(str(folder / f"{name}.cbm"))
    several = catboost.CatBoostClassifier(**quiet).fit(X, ["a", "b", "c"] * 20)
    several.save_model(str(folder / "several.cbm"))


WRITERS: Writers = {
    "XGBoost in all formats": xgboost_formats,
    "XGBoost with categories": xgboost_categories,
    "LightGBM": lightgbm_formats,
    "CatBoost in all formats": catboost_formats,
}
