"""scikit-learn and its kin as people save them: joblib in every compression, pickle, skops."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from samples.honest import Writers

RANDOM = np.random.RandomState(0)
X = RANDOM.rand(60, 4)
CLASSES = np.arange(60) % 2
NUMBERS = X @ [1.0, 2.0, 3.0, 4.0]


def _pipeline() -> Any:
    import pandas as pd
    import scipy.stats
    from sklearn import compose, ensemble, model_selection, pipeline, preprocessing

    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y", "z"] * 20, "c": X[:, 1]})
    both = compose.make_column_transformer(
        (preprocessing.OneHotEncoder(handle_unknown="ignore"), ["b"]),
        (preprocessing.StandardScaler(), compose.make_column_selector(dtype_include=np.number)),
        (preprocessing.FunctionTransformer(np.log1p), ["a"]),
    )
    search = model_selection.RandomizedSearchCV(
        ensemble.RandomForestClassifier(5),
        {
            "max_depth": scipy.stats.randint(1, 5),
            "min_samples_split": scipy.stats.uniform(0.1, 0.5),
        },
        n_iter=2,
        cv=2,
    )
    return pipeline.make_pipeline(both, search).fit(frame, CLASSES)


def joblib_compressions(folder: Path) -> None:
    import joblib

    model = _pipeline()
    joblib.dump(model, folder / "plain.joblib")
    for method in ("zlib", "gzip", "bz2", "lzma", "xz", "lz4"):
        joblib.dump(model, folder / f"model.{method}.joblib", compress=(method, 3))
    joblib.dump({"model": model, "X": X, "names": ["a"]}, folder / "bundle.pkl")


def pickle_protocols(folder: Path) -> None:
    import cloudpickle

    model = _pipeline()
    for protocol in range(6):
        (folder / f"model{protocol}.pkl").write_bytes(pickle.dumps(model, protocol))
    (folder / "model.cloudpickle").write_bytes(cloudpickle.dumps(model))


def text_classifier(folder: Path) -> None:
    import joblib
    from sklearn import feature_extraction, linear_model, naive_bayes, pipeline

    texts = ["red green blue", "green blue", "blue red yellow", "red red"] * 15
    for name, last in (
        ("bayes", naive_bayes.MultinomialNB()),
        ("logistic", linear_model.LogisticRegression()),
    ):
        vectorizer = feature_extraction.text.TfidfVectorizer(
            ngram_range=(1, 2), stop_words="english"
        )
        joblib.dump(
            pipeline.make_pipeline(vectorizer, last).fit(texts, CLASSES), folder / f"{name}.joblib"
        )


def many_kinds(folder: Path) -> None:
    import joblib
    from sklearn import (
        calibration,
        cluster,
        decomposition,
        ensemble,
        gaussian_process,
        neighbors,
        neural_network,
        svm,
        tree,
    )

    k = gaussian_process.kernels
    models = {
        "histograms": ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[0]),
        "forest": ensemble.ExtraTreesClassifier(5),
        "isolation": ensemble.IsolationForest(n_estimators=5),
        "stacked": ensemble.StackingClassifier(
            [("a", svm.SVC(probability=True)), ("b", tree.DecisionTreeClassifier())], cv=2
        ),
        "voting": ensemble.VotingClassifier(
            [("a", svm.SVC()), ("b", tree.DecisionTreeClassifier())]
        ),
        "calibrated": calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2),
        "gaussian": gaussian_process.GaussianProcessClassifier(k.RBF() + k.WhiteKernel()),
        "neighbours": neighbors.KNeighborsClassifier(algorithm="kd_tree"),
        "density": neighbors.KernelDensity(),
        "perceptron": neural_network.MLPClassifier(max_iter=5),
        "k-means": cluster.KMeans(2, n_init=1),
        "dbscan": cluster.DBSCAN(),
        "pca": decomposition.PCA(2),
        "adaboost": ensemble.AdaBoostClassifier(n_estimators=3),
        "bagging": ensemble.BaggingClassifier(n_estimators=3),
    }
    data = np.c_[CLASSES, X[:, 1:]]
    for name, model in models.items():
        joblib.dump(model.fit(data, CLASSES), folder / f"{name}.joblib")


def skops_files(folder: Path) -> None:
    import skops.io
    from sklearn import ensemble, pipeline, preprocessing, svm

    for name, model in (
        ("forest", ensemble.RandomForestClassifier(3)),
        ("pipeline", pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC())),
        ("boosting", ensemble.HistGradientBoostingRegressor(max_iter=3)),
    ):
        skops.io.dump(model.fit(X, CLASSES), folder / f"{name}.skops")


def boosters_pickled(folder: Path) -> None:
    import joblib
    import lightgbm
    import xgboost
    from sklearn import pipeline, preprocessing

    quiet = {"n_estimators": 3, "verbose": -1, "min_child_samples": 2}
    for name, model in (
        ("xgboost", xgboost.XGBClassifier(n_estimators=3)),
        ("lightgbm", lightgbm.LGBMClassifier(**quiet)),
        ("scaled", pipeline.make_pipeline(preprocessing.StandardScaler(), xgboost.XGBRegressor())),
    ):
        joblib.dump(model.fit(X, CLASSES), folder / f"{name}.joblib")
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))
    booster = xgboost.train({}, xgboost.DMatrix(X, NUMBERS), 2)
    (folder / "booster.pkl").write_bytes(pickle.dumps(booster))


def catboost_pickled(folder: Path) -> None:
    import catboost

    model = catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)
    (folder / "catboost.pkl").write_bytes(pickle.dumps(model.fit(X, CLASSES)))


def statsmodels_results(folder: Path) -> None:
    import pandas as pd
    import statsmodels.api as sm
    import statsmodels.formula.api as smf
    from statsmodels.tsa import api as tsa

    noisy = NUMBERS + RANDOM.rand(60)
    frame = pd.DataFrame({"y": noisy, "x": X[:, 0], "g": ["a", "b", "c"] * 20})
    results = {
        "ols": sm.OLS(noisy, sm.add_constant(X)).fit(),
        "glm": sm.GLM(CLASSES, sm.add_constant(X), family=sm.families.Binomial()).fit(),
        "arima": tsa.ARIMA(noisy, order=(1, 0, 1)).fit(),
        "sarimax": tsa.SARIMAX(noisy, seasonal_order=(1, 0, 0, 4)).fit(disp=0),
        "smoothing": tsa.ExponentialSmoothing(noisy, trend="add").fit(),
        "formula": smf.ols("y ~ np.log(x + 1) + C(g)", frame).fit(),
        "robust": sm.RLM(noisy, X).fit(),
        "var": tsa.VAR(np.c_[noisy, X[:, 1]]).fit(),
    }
    for name, result in results.items():
        result.save(str(folder / f"{name}.pickle"))


def data_in_pickles(folder: Path) -> None:
    import joblib
    import pandas as pd
    import scipy.sparse

    days = pd.date_range("2020", periods=60, tz="Europe/Berlin")
    frame = pd.DataFrame({"x": X[:, 0], "c": pd.Categorical(["a", "b"] * 30), "d": days})
    frame.to_pickle(folder / "frame.pkl")
    frame.set_index("d").to_pickle(folder / "indexed.pkl.gz")
    frame.to_pickle(folder / "frame.pkl.xz")
    joblib.dump([frame, scipy.sparse.random(50, 50, 0.1, "csr"), X], folder / "data.joblib")
    wide = np.zeros(3, dtype=[(f"column {number}", "f8") for number in range(100)])
    (folder / "wide.pkl").write_bytes(pickle.dumps(wide))
    out = io.BytesIO()
    np.save(out, X)
    (folder / "bytes.pkl").write_bytes(pickle.dumps({"npy": out.getvalue(), "a": X.tobytes()}))


WRITERS: Writers = {
    "joblib in every compression": joblib_compressions,
    "pickle in every protocol": pickle_protocols,
    "text classifiers": text_classifier,
    "many kinds of estimators": many_kinds,
    "skops": skops_files,
    "pickled boosters": boosters_pickled,
    "pickled CatBoost": catboost_pickled,
    "statsmodels results": statsmodels_results,
    "data in pickles": data_in_pickles,
}
