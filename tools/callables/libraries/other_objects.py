"""Objects of the libraries in `others`, made on tiny data: what their users pickle."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import numpy as np

RANDOM = np.random.RandomState(0)
X = np.abs(RANDOM.rand(60, 4)) + 0.1
CLASSES = np.arange(60) % 2
NUMBERS = X @ [1.0, 2.0, 3.0, 4.0]


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
