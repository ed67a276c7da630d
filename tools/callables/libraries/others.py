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

from collect import Library, Use

from libraries import other_objects as made
from libraries.other_objects import CLASSES, NUMBERS, X

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


OTHERS: dict[str, Other] = {
    "imblearn": Other("imbalanced-learn", packages=("imblearn",)),
    "category_encoders": Other("category_encoders", packages=("category_encoders",)),
    "feature_engine": Other("feature-engine", packages=("feature_engine",)),
    "mlxtend": Other("mlxtend", packages=("mlxtend",)),
    "hmmlearn": Other("hmmlearn", packages=("hmmlearn",)),
    "hdbscan": Other("hdbscan", packages=("hdbscan",)),
    "umap": Other("umap-learn", made.umap_objects),
    "pynndescent": Other("pynndescent", made.pynndescent_objects),
    "pyod": Other("pyod", packages=("pyod.models",), bases=("pyod.models.base.BaseDetector",)),
    "sksurv": Other("scikit-survival", packages=("sksurv",)),
    "tslearn": Other("tslearn", packages=("tslearn",)),
    "kmodes": Other("kmodes", packages=("kmodes",)),
    "dask_ml": Other("dask-ml", packages=("dask_ml",)),
    "ngboost": Other("ngboost", packages=("ngboost",)),
    "pygam": Other("pygam", packages=("pygam",), bases=("pygam.core.Core",)),
    "lifelines": Other(
        "lifelines", made.lifelines_objects, ("lifelines",), ("lifelines.fitters.BaseFitter",)
    ),
    "river": Other(
        "river",
        packages=("river",),
        bases=("river.base.Base",),
        gives=(("river._river_rust.vectordict.VectorDict", "call"),),
    ),
    "sktime": Other("sktime", packages=("sktime",), bases=("sktime.base.BaseObject",)),
    "pmdarima": Other("pmdarima", made.pmdarima_objects, ("pmdarima",)),
    "prophet": Other("prophet", made.prophet_objects),
    "statsforecast": Other("statsforecast", made.statsforecast_objects),
    "gensim": Other("gensim", made.gensim_objects),
    "nltk": Other("nltk", made.nltk_objects),
    "surprise": Other("scikit-surprise", made.surprise_objects),
    "implicit": Other("implicit", made.implicit_objects),
    "shap": Other("shap", made.shap_objects),
    "optuna": Other("optuna", made.optuna_objects),
    "skorch": Other("skorch", made.skorch_objects, ("skorch",)),
    "networkx": Other("networkx", made.networkx_objects),
    "polars": Other("polars", made.polars_objects),
    "dateutil": Other("python-dateutil", made.dateutil_objects),
    "lightning_fabric": Other("pytorch-lightning", made.lightning_objects),
    "torchvision": Other(
        "torchvision",
        packages=("torchvision.models", "torchvision.transforms", "torchvision.ops"),
        bases=("torch.nn.Module", "torchvision.transforms.transforms.Compose"),
        build=False,
    ),
}
"""Each library by the name under which it is imported."""
