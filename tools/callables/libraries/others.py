"""Libraries whose estimators follow scikit-learn's pattern, and smaller ones beside them.

Every class of a package that is an estimator is made without arguments and fitted on tiny data;
what can't be fitted is listed as made. A class that takes part in its own unpickling (by
`__setstate__`, `__new__`, `__del__` or `__getattr__` of its own) is only listed where it stands
in `REVIEWED`: somebody has read what it does.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import pkgutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from collect import Library, Use

RANDOM = np.random.RandomState(0)
X = np.abs(RANDOM.rand(60, 4)) + 0.1
CLASSES = np.arange(60) % 2
NUMBERS = X @ [1.0, 2.0, 3.0, 4.0]
OWN_PART = ("__setstate__", "__new__", "__del__", "__getattr__", "__getattribute__")
PLAIN_HOMES = (
    "sklearn.",
    "torch.nn.modules.",
    "builtins",
    "object",
    "abc",
    "typing",
    "enum",
    "collections",
    "numpy",
)
REVIEWED = frozenset(
    {
        "ngboost.api.NGBRegressor",
        "ngboost.api.NGBSurvival",
        "ngboost.ngboost.NGBoost",
        "pmdarima.arima.arima.ARIMA",
        "pygam.terms.MetaTermMixin",
    }
)
"""Those keep their state, and at most compare versions or make a class of listed ones."""


NEVER = frozenset(
    f"skorch.{name}"
    for name in (
        "classifier.NeuralNetClassifier",
        "classifier.NeuralNetBinaryClassifier",
        "net.NeuralNet",
        "regressor.NeuralNetRegressor",
    )
)
"""Given their state, these load a further pickle out of it."""


@dataclass(frozen=True)
class Other:
    """One library: what it is called where, and how objects of it are made."""

    distribution: str
    objects: Callable[[], Iterator[object]] | None = None
    packages: tuple[str, ...] = ()
    bases: tuple[str, ...] = ("sklearn.base.BaseEstimator",)
    gives: tuple[tuple[str, str], ...] = ()
    build: bool = True
    """Whether the classes are made and fitted as well; models of pictures are too large for it."""


def make(name: str) -> Library:
    """The list of the library of that import name."""
    other = OTHERS[name]
    library = Library(
        file=f"{name}.json",
        name=name,
        distribution=other.distribution,
        prefixes=(name,),
        how=f"tools/callables/make.py {name}: its estimators and objects made and fitted on tiny"
        " data, pickled in all protocols, by cloudpickle and joblib",
        gives=dict(other.gives),
        never=NEVER,
    )
    warnings.simplefilter("ignore")
    for kind in estimators(other.packages, other.bases):
        if plainly_unpickled(kind):
            library.note(kind.__module__, kind.__qualname__, Use.MAKE)
        else:
            print(f"  for review: {kind.__module__}.{kind.__qualname__}")
            continue
        for value in built_and_fitted(kind) if other.build else ():
            with contextlib.redirect_stdout(io.StringIO()):
                library.observe(value, kind.__name__)
    if name == "gensim":
        for module, names in OLD_GENSIM:
            for one in names.split():
                library.note(module, one, Use.MAKE)
        for one in ("smartirs_normalize", "smartirs_wglobal", "smartirs_wlocal", "df2idf"):
            library.note("gensim.models.tfidfmodel", one, Use.NAME)
        for one in ("original_scorer", "npmi_scorer"):
            library.note("gensim.models.phrases", one, Use.NAME)
    if other.objects is not None:
        for value in other.objects():
            library.observe(value, type(value).__name__)
    return library


def estimators(packages: tuple[str, ...], bases: tuple[str, ...]) -> Iterator[type]:
    """The classes of the packages that are of one of the bases."""
    wanted = []
    for base in bases:
        module, _, attribute = base.rpartition(".")
        with contextlib.suppress(ImportError, AttributeError):
            wanted.append(getattr(importlib.import_module(module), attribute))
    seen = set()
    for package in packages:
        for module in modules_of(package):
            for _, kind in inspect.getmembers(module, inspect.isclass):
                top = package.partition(".")[0]
                if kind.__module__.partition(".")[0] != top or kind in seen:
                    continue
                if any(issubclass(kind, base) for base in wanted):
                    seen.add(kind)
                    yield kind


def modules_of(package: str) -> Iterator[Any]:
    """The package and its modules, but for tests."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(
        getattr(root, "__path__", []), f"{package}.", lambda _: None
    ):
        if any(part in found.name for part in (".test", "_test", "conftest", "__main__", ".setup")):
            continue
        try:
            yield importlib.import_module(found.name)
        except BaseException as error:
            print(f"  no {found.name}: {type(error).__name__}"[:100])


def plainly_unpickled(kind: type) -> bool:
    """True where making the class and giving it its state runs nothing of its own."""
    for cls in kind.__mro__:
        if cls.__module__.startswith(PLAIN_HOMES):
            continue
        if f"{cls.__module__}.{cls.__qualname__}" in REVIEWED:
            continue
        if any(name in vars(cls) for name in OWN_PART):
            return False
    return True


def built_and_fitted(kind: type) -> Iterator[object]:
    """An instance, and a fitted one."""
    for arguments in ((), (_linear(),), (2,), ("a",)):
        try:
            built = kind(*arguments)
        except Exception:
            continue
        yield built
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
            yield _fit(built)
        return


def _linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def _fit(built: Any) -> Any:
    import pandas as pd

    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y", "z"] * 20, "c": X[:, 1]})
    for name in ("n_estimators", "epochs", "n_epochs", "max_iter", "iterations"):
        with contextlib.suppress(Exception):
            built.set_params(**{name: 2})
    error: Exception | None = None
    for arguments in (
        (X, CLASSES), (X, NUMBERS), (frame, CLASSES), (frame, NUMBERS), (X,), (frame,), (NUMBERS,),
        (pd.Series(NUMBERS),), ([[1, 2], [2, 3]],),
    ):  # fmt: skip
        try:
            return built.fit(*arguments)
        except Exception as failed:
            error = failed
    raise TypeError from error


def gensim_objects() -> Iterator[object]:
    """Word vectors, topics, dictionaries."""
    from gensim import corpora, models

    texts = [["red", "green", "blue"], ["green", "blue"], ["red", "red", "yellow"]] * 5
    quiet = {"min_count": 1, "epochs": 1, "vector_size": 4}
    for kind in (models.Word2Vec, models.FastText):
        made = kind(texts, **quiet)
        yield from (made, made.wv)
    tagged = [models.doc2vec.TaggedDocument(words, [at]) for at, words in enumerate(texts)]
    yield models.Doc2Vec(tagged, **quiet)
    words = corpora.Dictionary(texts)
    bags = [words.doc2bow(text) for text in texts]
    yield from (words, corpora.MmCorpus, models.TfidfModel(bags), models.Phrases(texts))
    yield models.LdaModel(bags, 2, words)
    yield models.LsiModel(bags, 2, words)
    yield models.HdpModel(bags, words)
    yield models.phrases.Phraser(models.Phrases(texts))
    yield models.Nmf(bags, 2, words)


OLD_GENSIM = (
    ("gensim.models.keyedvectors", "Vocab FastTextKeyedVectors Word2VecKeyedVectors"),
    ("gensim.models.keyedvectors", "EuclideanKeyedVectors Doc2VecKeyedVectors KeyedVectors"),
    ("gensim.models.keyedvectors", "BaseKeyedVectors WordEmbeddingsKeyedVectors"),
    ("gensim.models.fasttext", "FastTextVocab FastTextTrainables FastText"),
    ("gensim.models.word2vec", "Vocab Word2VecVocab Word2VecTrainables Word2Vec"),
    ("gensim.models.doc2vec", "Doctag Doc2VecVocab Doc2VecTrainables DocvecsArray Doc2Vec"),
    ("gensim.models.phrases", "Phraser Phrases"),
    ("gensim.models.tfidfmodel", "TfidfModel"),
)
"""Classes of gensim 1 to 3, whose models are still about."""


def nltk_objects() -> Iterator[object]:
    """What nltk's own data packages hold, trained here."""
    import nltk
    from nltk.classify import NaiveBayesClassifier
    from nltk.lm import MLE, Laplace, Vocabulary
    from nltk.stem import LancasterStemmer, PorterStemmer, RegexpStemmer
    from nltk.tokenize.punkt import PunktSentenceTokenizer, PunktTrainer

    text = "This is Mr. Smith. He lives in Berlin. He likes the U.S. of A. a lot."
    yield from (PunktSentenceTokenizer(text), PunktTrainer(text).get_params())
    rows = [({"a": True, "b": 1}, "x"), ({"a": False, "b": 2}, "y")]
    yield NaiveBayesClassifier.train(rows)
    yield nltk.classify.DecisionTreeClassifier.train(rows)
    yield from (PorterStemmer(), LancasterStemmer(), RegexpStemmer("s$"))
    yield from (nltk.FreqDist("abca"), nltk.ConditionalFreqDist([("a", "b")]), Vocabulary(["a"]))
    yield from (MLE(2), Laplace(2), nltk.Text(["a"]), nltk.Tree("S", ["a"]))
    yield from (nltk.DefaultTagger("NN"), nltk.UnigramTagger([[("a", "NN")]]))
    yield nltk.BigramTagger([[("a", "NN")]], backoff=nltk.DefaultTagger("NN"))
    yield nltk.tokenize.RegexpTokenizer(r"\w+")
    yield from (nltk.tokenize.TreebankWordTokenizer(), nltk.tokenize.TweetTokenizer())


def surprise_objects() -> Iterator[object]:
    """Recommenders."""
    import pandas as pd
    import surprise

    rows = pd.DataFrame({"u": [1, 1, 2, 2, 3], "i": [1, 2, 1, 3, 2], "r": [1, 2, 3, 4, 5]})
    data = surprise.Dataset.load_from_df(rows, surprise.Reader(rating_scale=(1, 5)))
    trained = data.build_full_trainset()
    yield from (trained, surprise.Reader())
    for name in ("SVD", "SVDpp", "NMF", "KNNBasic", "KNNWithMeans", "KNNBaseline", "KNNWithZScore",
                 "SlopeOne", "CoClustering", "BaselineOnly", "NormalPredictor"):  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            made = getattr(surprise, name)().fit(trained)
        yield from (made, made.predict(1, 1))


def implicit_objects() -> Iterator[object]:
    """Matrix factorizations."""
    import implicit
    import scipy.sparse

    data = scipy.sparse.random(9, 7, 0.5, "csr", dtype=np.float32)
    for made in (
        implicit.als.AlternatingLeastSquares(2, iterations=1),
        implicit.bpr.BayesianPersonalizedRanking(2, iterations=1),
        implicit.lmf.LogisticMatrixFactorization(2, iterations=1),
        implicit.nearest_neighbours.CosineRecommender(),
        implicit.nearest_neighbours.BM25Recommender(),
    ):
        with contextlib.suppress(Exception):
            made.fit(data, show_progress=False)
        yield made


def prophet_objects() -> Iterator[object]:
    """A forecaster, as it is fitted."""
    import pandas as pd
    from prophet import Prophet

    frame = pd.DataFrame({"ds": pd.date_range("2020", periods=60), "y": NUMBERS})
    yield Prophet()
    yield Prophet(yearly_seasonality=False).add_country_holidays("US").fit(frame)
    yield Prophet(growth="flat", weekly_seasonality=True).fit(frame)


def pmdarima_objects() -> Iterator[object]:
    """Automatic ARIMA and pipelines."""
    import pmdarima

    yield pmdarima.auto_arima(NUMBERS, start_p=0, start_q=0, max_p=1, max_q=1)
    yield pmdarima.ARIMA((1, 0, 0)).fit(NUMBERS)
    yield pmdarima.pipeline.Pipeline(
        [("a", pmdarima.preprocessing.BoxCoxEndogTransformer()), ("b", pmdarima.ARIMA((1, 0, 0)))]
    ).fit(NUMBERS)


def statsforecast_objects() -> Iterator[object]:
    """Forecasters of several models."""
    import pandas as pd
    from statsforecast import StatsForecast, models

    made = [
        models.AutoETS(), models.Naive(), models.SeasonalNaive(4), models.Theta(),
        models.HistoricAverage(), models.RandomWalkWithDrift(), models.CrostonClassic(),
        models.AutoTheta(), models.AutoCES(), models.MSTL(4), models.WindowAverage(3),
    ]  # fmt: skip
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2020", periods=60), "y": NUMBERS})
    for model in made:
        with contextlib.suppress(Exception):
            yield StatsForecast([model], freq="D").fit(frame)
    yield from made


def lifelines_objects() -> Iterator[object]:
    """Survival models."""
    import lifelines
    import pandas as pd

    frame = pd.DataFrame({"t": NUMBERS, "e": CLASSES, "x": X[:, 0]})
    for kind in (lifelines.KaplanMeierFitter, lifelines.NelsonAalenFitter, lifelines.WeibullFitter,
                 lifelines.ExponentialFitter, lifelines.LogNormalFitter):  # fmt: skip
        yield kind().fit(NUMBERS, CLASSES)
    for kind in (lifelines.CoxPHFitter, lifelines.WeibullAFTFitter, lifelines.LogNormalAFTFitter):
        yield kind().fit(frame, "t", "e")


def shap_objects() -> Iterator[object]:
    """Explainers and explanations."""
    import shap
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression

    forest = RandomForestClassifier(3).fit(X, CLASSES)
    linear = LinearRegression().fit(X, NUMBERS)
    yield shap.TreeExplainer(forest)
    yield shap.TreeExplainer(forest)(X)
    yield shap.LinearExplainer(linear, X)
    yield shap.Explanation(X)
    yield shap.maskers.Independent(X)


def optuna_objects() -> Iterator[object]:
    """A study kept in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner())
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_int("n", 1, 3), 3)
    yield from (study, study.best_trial, study.trials)
    for name in ("TPESampler", "RandomSampler", "NSGAIISampler", "QMCSampler"):
        yield getattr(optuna.samplers, name)()
    for name in ("HyperbandPruner", "NopPruner", "SuccessiveHalvingPruner"):
        yield getattr(optuna.pruners, name)()
    yield optuna.distributions.CategoricalDistribution(["a", "b"])


def skorch_objects() -> Iterator[object]:
    """Nets over torch."""
    import skorch
    import torch

    net = skorch.NeuralNetClassifier(
        torch.nn.Linear, module__in_features=4, module__out_features=2, max_epochs=1, verbose=0,
        criterion=torch.nn.CrossEntropyLoss,
    )  # fmt: skip
    yield net
    yield net.fit(X.astype("float32"), CLASSES.astype("int64"))
    yield skorch.NeuralNetRegressor(torch.nn.Linear, module__in_features=4, module__out_features=1)


def networkx_objects() -> Iterator[object]:
    """Graphs."""
    import networkx

    for kind in (networkx.Graph, networkx.DiGraph, networkx.MultiGraph, networkx.MultiDiGraph):
        graph = kind([(1, 2), (2, 3)])
        yield from (graph, graph.nodes, graph.edges, graph.degree)


def polars_objects() -> Iterator[object]:
    """Frames, series and types."""
    import datetime

    import polars

    frame = polars.DataFrame({"a": [1, 2], "b": ["x", None], "c": [datetime.date(2020, 1, 1)] * 2})
    yield from (frame, frame["a"], frame["b"], frame.schema)
    yield from (polars.Int64(), polars.String(), polars.Datetime("us"), polars.Int64)


def pynndescent_objects() -> Iterator[object]:
    """Search indexes."""
    import pynndescent

    yield pynndescent.NNDescent(X, n_neighbors=3)
    yield pynndescent.PyNNDescentTransformer(3).fit(X)


def umap_objects() -> Iterator[object]:
    """Embeddings."""
    import umap

    yield umap.UMAP(n_neighbors=3, n_epochs=2).fit(X)


def dateutil_objects() -> Iterator[object]:
    """Time zones that are no files, and spans."""
    from dateutil import relativedelta, rrule, tz

    yield from (
        tz.tzutc(),
        tz.tzoffset("a", 3600),
        tz.tzlocal(),
        relativedelta.relativedelta(days=1),
    )
    yield relativedelta.MO(1)
    yield from (rrule.weekday(1), tz.tzrange("EST"))


def lightning_objects() -> Iterator[object]:
    """What a checkpoint holds beside tensors."""
    from lightning_fabric.utilities.data import AttributeDict

    yield AttributeDict(a=1)


OTHERS: dict[str, Other] = {
    "imblearn": Other("imbalanced-learn", packages=("imblearn",)),
    "category_encoders": Other("category_encoders", packages=("category_encoders",)),
    "feature_engine": Other("feature-engine", packages=("feature_engine",)),
    "mlxtend": Other("mlxtend", packages=("mlxtend",)),
    "hmmlearn": Other("hmmlearn", packages=("hmmlearn",)),
    "hdbscan": Other("hdbscan", packages=("hdbscan",)),
    "umap": Other("umap-learn", umap_objects),
    "pynndescent": Other("pynndescent", pynndescent_objects),
    "pyod": Other("pyod", packages=("pyod.models",), bases=("pyod.models.base.BaseDetector",)),
    "sksurv": Other("scikit-survival", packages=("sksurv",)),
    "tslearn": Other("tslearn", packages=("tslearn",)),
    "kmodes": Other("kmodes", packages=("kmodes",)),
    "dask_ml": Other("dask-ml", packages=("dask_ml",)),
    "ngboost": Other("ngboost", packages=("ngboost",)),
    "pygam": Other("pygam", packages=("pygam",), bases=("pygam.core.Core",)),
    "lifelines": Other(
        "lifelines", lifelines_objects, ("lifelines",), ("lifelines.fitters.BaseFitter",)
    ),
    "river": Other(
        "river",
        packages=("river",),
        bases=("river.base.Base",),
        gives=(("river._river_rust.vectordict.VectorDict", "call"),),
    ),
    "sktime": Other("sktime", packages=("sktime",), bases=("sktime.base.BaseObject",)),
    "pmdarima": Other("pmdarima", pmdarima_objects, ("pmdarima",)),
    "prophet": Other("prophet", prophet_objects),
    "statsforecast": Other("statsforecast", statsforecast_objects),
    "gensim": Other("gensim", gensim_objects),
    "nltk": Other("nltk", nltk_objects),
    "surprise": Other("scikit-surprise", surprise_objects),
    "implicit": Other("implicit", implicit_objects),
    "shap": Other("shap", shap_objects),
    "optuna": Other("optuna", optuna_objects),
    "skorch": Other("skorch", skorch_objects, ("skorch",)),
    "networkx": Other("networkx", networkx_objects),
    "polars": Other("polars", polars_objects),
    "dateutil": Other("python-dateutil", dateutil_objects),
    "lightning_fabric": Other("pytorch-lightning", lightning_objects),
    "torchvision": Other(
        "torchvision",
        packages=("torchvision.models", "torchvision.transforms", "torchvision.ops"),
        bases=("torch.nn.Module", "torchvision.transforms.transforms.Compose"),
        build=False,
    ),
}
"""Each library by the name under which it is imported."""
