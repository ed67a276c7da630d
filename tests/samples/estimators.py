"""Honest scikit-learn models: every estimator that can be fitted on a few rows, and pipelines."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any


def fitted_estimators() -> Iterator[tuple[str, Any]]:
    """Each estimator of scikit-learn by name, fitted where it can be on tiny data."""
    from sklearn.utils import all_estimators

    for name, kind in all_estimators():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _fitted(name, kind)
        if model is not None:
            yield name, model


def _fitted(name: str, kind: type[Any]) -> Any:
    import numpy as np
    from sklearn.linear_model import LinearRegression, LogisticRegression

    rows = np.random.RandomState(0).rand(24, 3) + 0.1
    labels = (np.arange(24) % 2).astype(int)
    base = LogisticRegression() if "Classif" in name or "Chain" in name else LinearRegression()
    model = None
    for arguments in (
        {},
        {"estimator": base},
        {"estimators": [("a", base), ("b", base)]},
        {"steps": [("a", base)]},
        {"transformer_list": [("a", None)]},
        {"transformers": [("a", "passthrough", [0, 1])]},
        {"estimator": base, "param_grid": {}},
        {"estimator": base, "param_distributions": {}},
    ):
        try:
            model = kind(**arguments)
            break
        except TypeError:
            continue
    if model is None:
        return None
    for names in ({"n_estimators": 3}, {"max_iter": 20}, {"n_components": 2}):
        try:
            model.set_params(**names)
        except (ValueError, AttributeError):
            continue
    for data in (
        rows,
        (rows > 0.5).astype(int),
        ["good word", "bad word", "no word"] * 8,
        rows[:, 0],
    ):
        for target in (labels, rows[:, 0], np.stack([labels, 1 - labels], axis=1), rows[:, :2]):
            try:
                return model.fit(data, target)
            except Exception:  # noqa: BLE001 - whatever does not fit is left out
                continue
        try:
            return model.fit(data)
        except Exception:  # noqa: BLE001
            continue
    return model


def pipelines() -> Iterator[tuple[str, Any]]:
    """Models as people put them together."""
    import numpy as np
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    rows = np.random.RandomState(0).rand(24, 3)
    labels = (np.arange(24) % 2).astype(int)
    yield "logistic", make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
    columns = ColumnTransformer(
        [
            ("scaled", make_pipeline(SimpleImputer(), StandardScaler()), [0, 1]),
            ("named", OneHotEncoder(handle_unknown="ignore"), [2]),
        ]
    )
    yield (
        "columns",
        make_pipeline(columns, RandomForestClassifier(n_estimators=3)).fit(rows.round(1), labels),
    )
    yield (
        "words",
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            ["good word", "bad word"] * 12, labels
        ),
    )
    yield (
        "logarithm",
        make_pipeline(FunctionTransformer(np.log1p), Ridge()).fit(rows, rows[:, 0]),
    )
    yield (
        "target",
        TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(
            rows, rows[:, 0]
        ),
    )
    yield "boosted", HistGradientBoostingClassifier(max_iter=3).fit(rows, labels)
    yield (
        "searched",
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(rows, labels),
    )
