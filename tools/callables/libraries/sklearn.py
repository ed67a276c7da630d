"""scikit-learn: every estimator, fitted on tiny data, with the parameters that change its parts."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Iterator

import numpy as np
import scipy.stats
import sklearn
import sklearn.exceptions
from collect import Library, Use
from sklearn import (
    calibration,
    cluster,
    compose,
    datasets,
    decomposition,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    metrics,
    model_selection,
    naive_bayes,
    neighbors,
    pipeline,
    preprocessing,
    svm,
    tree,
    utils,
)
from sklearn.utils import all_estimators

RANDOM = np.random.RandomState(0)
X = np.abs(RANDOM.rand(40, 4)) + 0.1
CLASSES = np.arange(40) % 2
NUMBERS = X @ [1.0, 2.0, 3.0, 4.0] + 1
TEXTS = ["red green", "green blue", "blue red yellow", "red red"] * 10
TARGETS = (CLASSES, NUMBERS, np.c_[NUMBERS, NUMBERS], np.c_[CLASSES, 1 - CLASSES], None)
LOSSES = [
    f"Cy{name}"
    for name in (
        "AbsoluteError",
        "ExponentialLoss",
        "HalfBinomialLoss",
        "HalfGammaLoss",
        "HalfMultinomialLoss",
        "HalfPoissonLoss",
        "HalfSquaredError",
        "HalfTweedieLoss",
        "HalfTweedieLossIdentity",
        "HuberLoss",
        "PinballLoss",
    )
]
NAMED = ("metrics", "metrics.pairwise", "feature_selection", "preprocessing", "utils.extmath")


def make() -> Library:
    """The list, from every estimator and the parts that parameters choose."""
    library = Library(
        file="sklearn.json",
        name="scikit-learn",
        distribution="scikit-learn",
        prefixes=("sklearn", "_loss"),  # scikit-learn 1.5 writes _loss for sklearn._loss._loss
        how="tools/callables/make.py sklearn: every estimator of all_estimators() fitted on tiny"
        " data, and the losses, kernels, metrics, criteria and splitters that parameters choose,"
        " pickled in all protocols, by cloudpickle and joblib; metrics and score functions by name",
        gives={
            "sklearn.metrics._dist_metrics.newObj": "make",
            "sklearn.neighbors._kd_tree.newObj": "make",
            "sklearn.neighbors._ball_tree.newObj": "make",
            **{f"_loss.__pyx_unpickle_{name}": "make" for name in LOSSES},
        },
        never=frozenset({"sklearn.utils._testing"}),
        most={
            # Called only by way of a partial or a bound method.
            "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"
            ".HistGradientBoostingClassifier": Use.MAKE,
            "sklearn.utils.validation.check_array": Use.NAME,
        },
    )
    for label, value in objects():
        library.observe(value, label)
    for _, estimator in all_estimators():
        library.note(estimator.__module__, estimator.__name__, Use.MAKE)
    for name in NAMED:
        module = importlib.import_module(f"sklearn.{name}")
        for member in getattr(module, "__all__", ()):
            value = getattr(module, member, None)
            if inspect.isfunction(value) and not member.startswith(("fetch", "load", "dump")):
                library.note(value.__module__, value.__name__, Use.NAME)
    for name in LOSSES:
        library.note("_loss", f"__pyx_unpickle_{name}", Use.CALL)
        library.note("_loss", name, Use.MAKE)
    loss = importlib.import_module("sklearn._loss._loss")
    for member in dir(loss):
        if member.startswith("Cy"):
            library.note("sklearn._loss._loss", member, Use.CALL)
    return library


def objects() -> Iterator[tuple[str, object]]:
    """(label, object): estimators unfitted and fitted, then parts."""
    for name, estimator in all_estimators():
        for built in instances(estimator):
            yield f"{name} unfitted", built
            fitted = fit(built)
            if fitted is None:
                print(f"  {name} could not be fitted")
            else:
                yield f"{name}", fitted
    for value in parts():
        fitted = fit(value) if hasattr(value, "fit") else value
        yield f"part {type(value).__name__}", fitted if fitted is not None else value


def instances(estimator: type) -> Iterator[object]:
    """Instances as scikit-learn's own checks construct them."""
    try:
        from sklearn.utils._test_common.instance_generator import _construct_instances as construct
    except ImportError:
        from sklearn.utils.estimator_checks import _construct_instance

        def construct(kind: type) -> Iterator[object]:
            yield _construct_instance(kind)

    try:
        yield from construct(estimator)
    except Exception as error:
        print(f"  {estimator.__name__}: {error}")


def fit(estimator: object) -> object | None:
    """The estimator fitted on the first data that it takes."""
    for data in (X, TEXTS, np.round(X * 3).astype(int), X[:, :1], X[:, 0], X @ X.T):
        for target in TARGETS:
            try:
                return estimator.fit(data, target)
            except Exception:
                continue
    for target in (NUMBERS, CLASSES):
        try:
            return estimator.fit(target)
        except Exception:
            continue
    return None


def parts() -> Iterator[object]:
    """Objects that parameters choose."""
    yield from losses_and_criteria()
    yield from kernels_and_metrics()
    yield from searches_and_pipelines()
    yield from other_parts()


def losses_and_criteria() -> Iterator[object]:
    """What linear models and trees are fitted by."""
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ):
        yield linear_model.SGDClassifier(loss=loss)
        if loss not in ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron"):
            yield linear_model.SGDRegressor(loss=loss)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        yield ensemble.HistGradientBoostingRegressor(loss=loss, quantile=0.5, max_iter=2)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield ensemble.GradientBoostingRegressor(loss=loss, n_estimators=2)
    for loss in ("log_loss", "exponential"):
        yield ensemble.GradientBoostingClassifier(loss=loss, n_estimators=2)
    yield ensemble.GradientBoostingClassifier(
        n_estimators=2, init=linear_model.LogisticRegression()
    )
    three = ensemble.HistGradientBoostingClassifier(max_iter=2).fit(X, np.arange(40) % 3)
    yield three
    yield ensemble.GradientBoostingClassifier(n_estimators=2).fit(X, np.arange(40) % 3)
    for power in (0, 1, 1.5, 2, 3):
        yield linear_model.TweedieRegressor(power=power)
    for criterion in ("gini", "entropy", "log_loss"):
        yield tree.DecisionTreeClassifier(criterion=criterion, splitter="random")
    for criterion in ("squared_error", "absolute_error", "friedman_mse", "poisson"):
        yield tree.DecisionTreeRegressor(criterion=criterion)


def kernels_and_metrics() -> Iterator[object]:
    """What distances and similarities are measured by."""
    k = gaussian_process.kernels
    for kernel in (
        k.RBF() + k.WhiteKernel(),
        k.ConstantKernel() * k.Matern(),
        k.RationalQuadratic(),
        k.ExpSineSquared(),
        k.DotProduct() ** 2,
        k.PairwiseKernel(),
        k.CompoundKernel([k.RBF()]),
        k.Exponentiation(k.RBF(), 2),
        k.Sum(k.RBF(), k.RBF()),
        k.Hyperparameter("a", "numeric", (1, 2)),
    ):
        yield kernel
        if not isinstance(kernel, k.Hyperparameter | k.CompoundKernel):
            yield gaussian_process.GaussianProcessRegressor(kernel)
            yield gaussian_process.GaussianProcessClassifier(kernel)
    for metric in (
        "euclidean",
        "manhattan",
        "chebyshev",
        "minkowski",
        "hamming",
        "canberra",
        "braycurtis",
        "jaccard",
        "dice",
        "rogerstanimoto",
        "sokalsneath",
        "russellrao",
    ):
        yield metrics.DistanceMetric.get_metric(metric)
        for algorithm in ("ball_tree", "kd_tree", "brute"):
            yield neighbors.KNeighborsClassifier(metric=metric, algorithm=algorithm)
    yield metrics.DistanceMetric.get_metric("haversine")
    yield metrics.DistanceMetric.get_metric("seuclidean", V=np.ones(3))
    yield metrics.DistanceMetric.get_metric("mahalanobis", V=np.eye(3))
    yield from (neighbors.KDTree(X), neighbors.BallTree(X), neighbors.KernelDensity())
    single = X.astype(np.float32)
    for data in (single,):
        for algorithm in ("ball_tree", "kd_tree"):
            yield neighbors.KNeighborsClassifier(algorithm=algorithm).fit(data, CLASSES)
        yield decomposition.PCA().fit(data)
        yield cluster.KMeans(2, n_init=1).fit(data)
        yield cluster.Birch().fit(data)
    for name in metrics.get_scorer_names():
        yield metrics.get_scorer(name)
    yield metrics.make_scorer(metrics.fbeta_score, beta=2)


def searches_and_pipelines() -> Iterator[object]:
    """Estimators made of others."""
    for splitter in (
        model_selection.KFold(),
        model_selection.StratifiedKFold(),
        model_selection.GroupKFold(),
        model_selection.LeaveOneOut(),
        model_selection.ShuffleSplit(),
        model_selection.TimeSeriesSplit(),
        model_selection.StratifiedShuffleSplit(),
        model_selection.RepeatedKFold(),
        model_selection.RepeatedStratifiedKFold(),
        model_selection.PredefinedSplit([0, 1]),
        model_selection.GroupShuffleSplit(),
        model_selection.LeavePOut(2),
        model_selection.LeaveOneGroupOut(),
        model_selection.LeavePGroupsOut(1),
        model_selection.StratifiedGroupKFold(),
    ):
        yield splitter
        yield model_selection.GridSearchCV(
            tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=splitter
        )
    yield model_selection.ParameterGrid({"a": [1]})
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401

    yield model_selection.HalvingGridSearchCV(
        tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, min_resources=10
    )
    yield model_selection.HalvingRandomSearchCV(
        tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, min_resources=10
    )
    yield model_selection.RandomizedSearchCV(
        tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, n_iter=1
    )
    yield pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC(probability=True))
    yield pipeline.make_union(preprocessing.StandardScaler(), decomposition.PCA(1))
    yield pipeline.make_pipeline(
        feature_extraction.text.CountVectorizer(),
        feature_extraction.text.TfidfTransformer(),
        naive_bayes.MultinomialNB(),
    )
    yield compose.ColumnTransformer(
        [
            ("a", preprocessing.OneHotEncoder(handle_unknown="ignore"), [0]),
            ("b", "passthrough", [1]),
            ("c", "drop", [2]),
        ]
    )
    yield compose.make_column_transformer(
        (preprocessing.StandardScaler(), compose.make_column_selector())
    )
    yield compose.TransformedTargetRegressor(
        linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1
    )
    for function in (np.log1p, np.sqrt, None):
        yield preprocessing.FunctionTransformer(function)
    try:
        import pandas as pd

        frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y"] * 20, "c": X[:, 1]})
        both = compose.make_column_transformer(
            (preprocessing.OneHotEncoder(), ["b"]),
            (preprocessing.StandardScaler(), ["a", "c"]),
            remainder="passthrough",
        )
        yield pipeline.make_pipeline(both, linear_model.LogisticRegression()).fit(frame, CLASSES)
        yield pipeline.make_pipeline(both, ensemble.RandomForestClassifier(3)).fit(
            frame, pd.Series(CLASSES)
        )
        yield compose.make_column_transformer(
            (preprocessing.OrdinalEncoder(), compose.make_column_selector(dtype_include=object))
        ).fit(frame)
        yield preprocessing.StandardScaler().set_output(transform="pandas").fit(frame[["a"]])
        yield (
            preprocessing.TargetEncoder().fit(frame[["b"]], CLASSES)
            if hasattr(preprocessing, "TargetEncoder")
            else None
        )
    except ImportError:
        print("  no pandas in this environment")


def displays() -> Iterator[object]:
    """What evaluation keeps."""
    yield metrics.RocCurveDisplay(fpr=X[:, 0], tpr=X[:, 1])
    yield metrics.PrecisionRecallDisplay(precision=X[:, 0], recall=X[:, 1])
    yield metrics.DetCurveDisplay(fpr=X[:, 0], fnr=X[:, 1])


def other_parts() -> Iterator[object]:
    """The rest."""
    yield calibration.CalibratedClassifierCV(svm.LinearSVC(), method="isotonic", cv=2)
    yield calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), method="sigmoid", cv=2)
    yield feature_selection.SelectKBest(feature_selection.f_regression, k=1)
    yield feature_selection.SelectKBest(feature_selection.mutual_info_classif, k=1)
    yield feature_selection.SelectFromModel(linear_model.Lasso(0.01))
    yield feature_selection.RFECV(linear_model.Ridge(), cv=2)
    yield ensemble.StackingClassifier(
        [("a", linear_model.LogisticRegression()), ("b", svm.SVC())], cv=2
    )
    yield ensemble.VotingClassifier(
        [("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier())]
    )
    yield ensemble.IsolationForest(n_estimators=3)
    yield impute.IterativeImputer(max_iter=1)
    yield impute.KNNImputer()
    yield from (impute.SimpleImputer(strategy="most_frequent"), impute.MissingIndicator())
    for kernel in ("linear", "rbf", "poly", "sigmoid"):
        yield svm.SVC(kernel=kernel)
        yield svm.SVR(kernel=kernel)
    yield neighbors.KNeighborsRegressor(weights="distance")
    yield dummy.DummyClassifier(strategy="stratified")
    yield linear_model.LogisticRegressionCV(cv=2, Cs=2)
    yield linear_model.RidgeCV()
    yield linear_model.SGDOneClassSVM()
    for penalty in ("l1", "l2", "elasticnet"):
        yield linear_model.SGDClassifier(
            penalty=penalty, early_stopping=True, validation_fraction=0.3
        )
    yield cluster.AgglomerativeClustering(2)
    yield cluster.FeatureAgglomeration(2)
    yield decomposition.LatentDirichletAllocation(2, max_iter=1)
    yield utils.Bunch(a=1)
    yield datasets.load_iris()
    yield metrics.ConfusionMatrixDisplay(np.eye(2))
    yield from (
        preprocessing.KBinsDiscretizer(2),
        preprocessing.PowerTransformer(),
        preprocessing.SplineTransformer(),
        preprocessing.QuantileTransformer(n_quantiles=4),
        preprocessing.PolynomialFeatures(),
        preprocessing.MultiLabelBinarizer().fit([(1, 2), (3,)]),
        preprocessing.LabelBinarizer().fit([1, 2]),
    )
    yield from histograms_and_texts()
    yield from displays()
    yield feature_extraction.DictVectorizer().fit([{"a": 1, "b": "x"}])
    yield preprocessing.MultiLabelBinarizer().fit([(1, 2), (3,)])
    if hasattr(linear_model.LogisticRegression, "set_fit_request"):
        with sklearn.config_context(enable_metadata_routing=True):
            yield linear_model.LogisticRegression().set_fit_request(sample_weight=True)
    try:
        from sklearn.frozen import FrozenEstimator
    except ImportError:
        print(f"  sklearn {sklearn.__version__} has no FrozenEstimator")
    else:
        yield FrozenEstimator(linear_model.Ridge().fit(X, NUMBERS))


def histograms_and_texts() -> Iterator[object]:
    """More parameters that choose parts."""
    yield ensemble.HistGradientBoostingClassifier(
        max_iter=2, categorical_features=[0], monotonic_cst=[0, 1, 0, 0], early_stopping=True
    ).fit(np.c_[CLASSES, X[:, 1:]], CLASSES)
    yield ensemble.HistGradientBoostingClassifier(max_iter=2, scoring="f1", early_stopping=True)
    yield from (
        feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2), stop_words="english"),
        feature_extraction.text.TfidfVectorizer(analyzer="char", dtype=np.float32, norm=None),
        feature_extraction.text.HashingVectorizer(n_features=16),
        feature_extraction.FeatureHasher(n_features=8, input_type="string"),
        feature_extraction.image.PatchExtractor(patch_size=(2, 2)),
    )
    yield pipeline.Pipeline(
        [("a", preprocessing.StandardScaler()), ("b", svm.SVC())], memory="/tmp/x"
    )
    yield model_selection.RandomizedSearchCV(
        tree.DecisionTreeClassifier(),
        {
            "max_depth": scipy.stats.randint(1, 5),
            "min_samples_split": scipy.stats.uniform(0.1, 0.5),
        },
        n_iter=2,
        refit=False,
    )
    for name in ("mean_squared_error", "r2_score", "mean_absolute_error", "roc_auc_score"):
        yield metrics.make_scorer(getattr(metrics, name))
    yield from (metrics.accuracy_score, preprocessing.scale, np.square)
    yield compose.make_column_selector(pattern="a", dtype_exclude=np.number)
    yield pipeline.make_pipeline("passthrough", linear_model.LogisticRegression())
    yield datasets.load_diabetes()
    yield datasets.load_wine(as_frame=True) if importlib.util.find_spec("pandas") else None
    yield ValueError("a")
    yield sklearn.exceptions.ConvergenceWarning("a")
    yield sklearn.exceptions.NotFittedError("a")
