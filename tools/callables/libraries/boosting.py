"""xgboost, lightgbm and catboost: their boosters and scikit-learn wrappers."""

from __future__ import annotations

import sys

import numpy as np
from collect import Library

X = np.random.RandomState(0).rand(60, 4)
CLASSES = np.arange(60) % 2
NUMBERS = X @ [1.0, 2.0, 3.0, 4.0]


def make_one(name: str) -> Library:
    """The list of one of the three."""
    library = Library(
        file=f"{name}.json",
        name=name,
        distribution=name,
        prefixes=(name,),
        how=f"tools/callables/make.py {name}: every estimator and booster fitted on tiny data,"
        " pickled in all protocols, by cloudpickle and joblib",
    )
    for value in getattr(sys.modules[__name__], name)():
        library.observe(value, f"{name} {type(value).__name__}")
    return library


def xgboost() -> list[object]:
    """Wrappers and boosters."""
    import xgboost as xgb

    models = [
        getattr(xgb, name)(n_estimators=2)
        for name in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
    ]
    models += [
        xgb.XGBRegressor(n_estimators=2, booster="gblinear"),
        xgb.XGBClassifier(
            n_estimators=2, callbacks=[xgb.callback.EarlyStopping(1)], early_stopping_rounds=None
        ),
        xgb.XGBClassifier(n_estimators=2, booster="dart", tree_method="hist"),
        xgb.XGBClassifier(n_estimators=2, objective="binary:logistic", eval_metric="auc"),
    ]
    fitted: list[object] = [
        m if getattr(m, "callbacks", None) else m.fit(X, CLASSES) for m in models
    ]
    ranker = xgb.XGBRanker(n_estimators=2).fit(X, CLASSES, qid=np.zeros(60, dtype=int))
    booster = xgb.train({}, xgb.DMatrix(X, NUMBERS), 2)
    return [*fitted, *models, ranker, booster, xgb.XGBClassifier(), xgb.XGBRegressor()]


def lightgbm() -> list[object]:
    """Wrappers and boosters."""
    import lightgbm as lgb

    quiet = {"n_estimators": 2, "verbose": -1, "min_child_samples": 2}
    models = [
        lgb.LGBMClassifier(**quiet),
        lgb.LGBMRegressor(**quiet),
        lgb.LGBMClassifier(boosting_type="dart", **quiet),
    ]
    fitted = [model.fit(X, CLASSES) for model in models]
    ranker = lgb.LGBMRanker(**quiet).fit(X, CLASSES, group=[30, 30])
    booster = lgb.train({"verbose": -1, "objective": "regression"}, lgb.Dataset(X, NUMBERS), 2)
    return [*fitted, ranker, booster, lgb.LGBMClassifier(), lgb.early_stopping(1)]


def catboost() -> list[object]:
    """Estimators."""
    import catboost as cat

    quiet = {"iterations": 2, "verbose": False, "allow_writing_files": False}
    models = [cat.CatBoostClassifier(**quiet), cat.CatBoostRegressor(**quiet), cat.CatBoost(quiet)]
    fitted = [model.fit(X, CLASSES) for model in models]
    return [*fitted, cat.CatBoostClassifier(), cat.CatBoostRegressor()]
