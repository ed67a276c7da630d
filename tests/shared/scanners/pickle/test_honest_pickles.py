"""What honest libraries write is no finding: the promise that makes the scanner bearable."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import functools
import io
import logging
import operator
import pathlib
import pickle
import random
import re
import types
import typing
import uuid
import warnings
import zoneinfo

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.stats
from samples.pickles import finding, rules, scan
from sklearn import (
    cluster,
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    gaussian_process,
    impute,
    linear_model,
    metrics,
    model_selection,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from tidegate.scanners.interface import Severity
from tidegate.scanners.pickle.second_opinion import dangerous_globals

RANDOM = np.random.RandomState(0)
X = RANDOM.rand(40, 4)
CLASSES = np.arange(40) % 2
NUMBERS = X @ [1.0, 2.0, 3.0, 4.0] + 1
FRAME = pd.DataFrame({"a": X[:, 0], "b": ["x", "y"] * 20, "c": X[:, 1]})


def ways(value: object) -> dict[str, bytes]:
    """One object pickled in every way that people use."""
    found = {}
    for protocol in range(6):
        try:
            found[f"protocol {protocol}"] = pickle.dumps(value, protocol)
        except TypeError:
            assert protocol < 2  # some objects of C need protocol 2
    found["cloudpickle"] = cloudpickle.dumps(value)
    out = io.BytesIO()
    joblib.dump(value, out)
    found["joblib"] = out.getvalue()
    return found


def assert_honest(value: object) -> None:
    for way, data in ways(value).items():
        report = scan(data)
        assert rules(report) == {"PICKLE-PLAIN"}, (way, report.findings)
        assert not report.unread_parts, (way, report.unread_parts)


MODELS = {
    "linear": lambda: linear_model.LinearRegression().fit(X, NUMBERS),
    "logistic": lambda: linear_model.LogisticRegression().fit(X, CLASSES),
    "sgd": lambda: linear_model.SGDClassifier(loss="log_loss").fit(X, CLASSES),
    "tweedie": lambda: linear_model.TweedieRegressor(power=1.5).fit(X, NUMBERS),
    "tree": lambda: tree.DecisionTreeClassifier().fit(X, CLASSES),
    "forest": lambda: ensemble.RandomForestClassifier(5).fit(X, CLASSES),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=3).fit(X, CLASSES),
    "histogram boosting": lambda: ensemble.HistGradientBoostingRegressor(max_iter=3).fit(
        X, NUMBERS
    ),
    "isolation forest": lambda: ensemble.IsolationForest(n_estimators=3).fit(X),
    "svc": lambda: svm.SVC().fit(X, CLASSES),
    "neighbours": lambda: neighbors.KNeighborsClassifier(algorithm="ball_tree").fit(X, CLASSES),
    "kd-tree": lambda: neighbors.KNeighborsRegressor(algorithm="kd_tree").fit(X, NUMBERS),
    "bayes": lambda: naive_bayes.GaussianNB().fit(X, CLASSES),
    "gaussian process": lambda: gaussian_process.GaussianProcessRegressor(
        gaussian_process.kernels.RBF() + gaussian_process.kernels.WhiteKernel()
    ).fit(X, NUMBERS),
    "perceptron": lambda: neural_network.MLPClassifier(max_iter=3).fit(X, CLASSES),
    "k-means": lambda: cluster.KMeans(2, n_init=1).fit(X),
    "pca": lambda: decomposition.PCA(2).fit(X),
    "imputer": lambda: impute.SimpleImputer().fit(X),
    "pipeline": lambda: pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.OneHotEncoder(), ["b"]), (preprocessing.StandardScaler(), ["a", "c"])
        ),
        linear_model.LogisticRegression(),
    ).fit(FRAME, CLASSES),
    "function transformer": lambda: preprocessing.FunctionTransformer(np.log1p).fit(X),
    "text": lambda: pipeline.make_pipeline(
        feature_extraction.text.TfidfVectorizer(), naive_bayes.MultinomialNB()
    ).fit(["red green", "green blue"] * 20, CLASSES),
    "grid search": lambda: model_selection.GridSearchCV(
        tree.DecisionTreeClassifier(),
        {"max_depth": [1, 2]},
        scoring=metrics.make_scorer(metrics.f1_score),
    ).fit(X, CLASSES),
    "stacking": lambda: ensemble.StackingClassifier(
        [("a", svm.SVC()), ("b", tree.DecisionTreeClassifier())], cv=2
    ).fit(X, CLASSES),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_a_scikit_learn_model_is_plain(make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_honest(make())


def test_every_estimator_of_scikit_learn_is_plain_before_it_is_fitted() -> None:
    from sklearn.utils import all_estimators

    for _, kind in all_estimators():
        try:
            estimator = kind()
        except TypeError:
            continue
        for protocol in (2, 4, 5):
            report = scan(pickle.dumps(estimator, protocol))
            assert rules(report) == {"PICKLE-PLAIN"}, (kind, report.findings)


@pytest.mark.slow
def test_every_estimator_of_scikit_learn_is_plain_when_fitted() -> None:
    from sklearn.utils import all_estimators

    fitted = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, kind in all_estimators():
            for target in (CLASSES, NUMBERS):
                try:
                    estimator = kind().fit(X, target)
                except (TypeError, ValueError, AttributeError):
                    continue
                fitted += 1
                out = io.BytesIO()
                joblib.dump(estimator, out)
                for data in (pickle.dumps(estimator), cloudpickle.dumps(estimator), out.getvalue()):
                    report = scan(data)
                    assert rules(report) == {"PICKLE-PLAIN"}, (name, report.findings)
                    assert not report.unread_parts, (name, report.unread_parts)
                break
    assert fitted > 120


VALUES = {
    "plain data": {
        "a": [1, 2.5, None, True, "x", b"y", (1, 2), {3}, frozenset({4}), 1 << 80, 1j, ...]
    },
    "containers": [
        collections.OrderedDict(a=1),
        collections.Counter("aab"),
        collections.deque([1], 3),
        collections.defaultdict(list, a=[1]),
    ],
    "times": [
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        datetime.date(2020, 1, 1),
        datetime.timedelta(1),
        datetime.time(1),
    ],
    "numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), range(3), slice(1, 2)],
    "paths and patterns": [pathlib.PurePosixPath("a"), re.compile("a+", re.I)],
    "errors": [ValueError("no"), KeyError("a")],
    "time zones": [
        zoneinfo.ZoneInfo("Europe/Berlin"),
        pd.Timestamp("2020", tz=zoneinfo.ZoneInfo("Asia/Tokyo")),
    ],
    "random": [
        random.Random(0),
        np.random.RandomState(0),
        np.random.default_rng(0),
        np.random.PCG64(1),
    ],
    "numpy": [
        np.arange(3),
        np.float64(1),
        np.str_("x"),
        np.datetime64("2020"),
        np.dtype([("a", "i4")]),
        np.float32,
        np.array([None, "x"], dtype=object),
        np.ma.masked_array([1, 2], [0, 1]),
        np.add,
        np.zeros((2, 2), order="F"),
    ],
    "wide records": [
        np.zeros(2, [(f"f{n}", "f8" if n % 2 else "U5") for n in range(40)]),
        np.zeros(2, np.dtype([("a", "i1"), ("b", "f8"), ("c", "O")], align=True)),
        np.zeros(2, [("p", [("x", "f4"), ("y", "f4", (3,))])]),
        np.rec.array([(1, "a")], dtype=[("x", "i4"), ("y", "U3")]),
    ],
    "functions with arguments": [
        functools.partial(np.clip, a_min=0),
        functools.partial(np.full, (2,)),
        operator.itemgetter(1, "a"),
        operator.attrgetter("real"),
    ],
    "methods": [RANDOM.rand, linear_model.LinearRegression().predict, np.add.reduce, "a".upper],
    "functions": [len, max, sorted, str.lower],
    "types": [type(None), list[int], int | None, typing.Dict[str, int], typing.Any],  # noqa: UP006
    "more of Python": [
        collections.ChainMap({1: 2}),
        decimal.Context(),
        logging.getLogger("a"),
        array.array("d", [1, 2]),
        FileNotFoundError(2, "x"),
        types.SimpleNamespace(a=1),
    ],
    "frame": FRAME,
    "series": FRAME["b"],
    "indexes": [
        pd.date_range("2020", periods=2, tz="UTC"),
        pd.MultiIndex.from_product([[1], ["a"]]),
        pd.RangeIndex(3),
        pd.CategoricalIndex(["a"]),
        pd.period_range("2020", periods=2),
        pd.interval_range(0, 2),
    ],
    "pandas scalars": [
        pd.Timestamp("2020", tz="UTC"),
        pd.Timedelta("1D"),
        pd.NaT,
        pd.NA,
        pd.Period("2020"),
        pd.offsets.Day(),
    ],
    "nullable": [
        pd.array([1, None], dtype="Int64"),
        pd.array(["a", None], dtype="string"),
        pd.Categorical(["a"]),
    ],
    "sparse": [
        scipy.sparse.csr_matrix(np.eye(2)),
        scipy.sparse.coo_array(np.eye(2)),
        scipy.sparse.lil_matrix(np.eye(2)),
    ],
    "distributions": [
        scipy.stats.norm(0, 1),
        scipy.stats.loguniform(1e-3, 1),
        scipy.stats.uniform(0, 1),
    ],
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_ordinary_values_are_plain(value: object) -> None:
    assert_honest(value)


def test_an_identifier_passes_though_picklescan_disputes_it() -> None:
    report = scan(pickle.dumps(uuid.UUID(int=1)))
    assert finding(report, "PICKLE-SECOND-OPINION").severity is Severity.LOW
    assert not [one for one in report.findings if one.severity > Severity.LOW]


def test_names_as_older_numpy_and_pandas_wrote_them_are_plain() -> None:
    data = pickle.dumps([np.arange(3), np.float64(1)], 2).replace(b"numpy._core.", b"numpy.core.")
    assert rules(scan(data)) == {"PICKLE-PLAIN"}


def test_picklescan_agrees_about_honest_models() -> None:
    for make in list(MODELS.values())[:8]:
        data = pickle.dumps(make())
        assert dangerous_globals(io.BytesIO(data), len(data), steps=1) == ()
