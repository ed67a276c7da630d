"""statsmodels: results of the common models, with and without their data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from collect import Library, Use
from statsmodels.discrete.conditional_models import ConditionalLogit
from statsmodels.gam.api import BSplines, GLMGam
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel
from statsmodels.regression.rolling import RollingOLS
from statsmodels.sandbox.regression.gmm import IV2SLS
from statsmodels.tsa import api as tsa
from statsmodels.tsa.deterministic import DeterministicProcess
from statsmodels.tsa.forecasting.stl import STLForecast
from statsmodels.tsa.forecasting.theta import ThetaModel

X = sm.add_constant(np.random.RandomState(0).rand(60, 2))
Y = X @ [1.0, 2.0, 3.0]


def make() -> Library:
    """The list, from models and results made of arrays (a formula carries code and is held)."""
    library = Library(
        file="statsmodels.json",
        name="statsmodels",
        distribution="statsmodels",
        prefixes=("statsmodels",),
        how="tools/callables/make.py statsmodels: models and results made of arrays, pickled in all"
        " protocols, by cloudpickle and joblib; formulas carry code and are left out",
    )
    for name in ("ResettableCache", "CachedAttribute", "CachedWritableAttribute"):
        library.note("statsmodels.tools.decorators", name, Use.MAKE)  # before statsmodels 0.11
    for name, build in models().items():
        try:
            value = build()
            library.observe(value, f"statsmodels {name} unfitted")
            if hasattr(value, "fit"):
                library.observe(value.fit(), f"statsmodels {name}")
        except Exception as error:
            print(f"  {name}: {error}"[:160])
    return library


def models() -> dict[str, Callable[[], Any]]:
    """How to build a model of each kind."""
    noisy = Y + np.random.RandomState(1).rand(60)
    high = (noisy > noisy.mean()).astype(int)
    counts = np.round(noisy).astype(int)
    both = np.c_[noisy, X[:, 1]]
    groups = np.arange(60) % 4
    made: dict[str, Callable[[], Any]] = {
        name: partial(getattr(sm, name), noisy, X)
        for name in ("OLS", "WLS", "GLS", "GLSAR", "RLM", "QuantReg", "GLM", "RecursiveLS")
    }
    made |= {name: partial(getattr(sm, name), high, X) for name in ("Logit", "Probit")}
    made |= {
        name: partial(getattr(sm, name), counts, X)
        for name in (
            "Poisson",
            "NegativeBinomial",
            "NegativeBinomialP",
            "GeneralizedPoisson",
            "ZeroInflatedPoisson",
            "ZeroInflatedNegativeBinomialP",
        )
    }
    made |= {
        "MNLogit": lambda: sm.MNLogit(groups, X),
        "OrderedModel": lambda: OrderedModel(groups, X[:, 1:]),
        "ConditionalLogit": lambda: ConditionalLogit(high, X[:, 1:], groups=groups),
        "MixedLM": lambda: sm.MixedLM(noisy, X, groups=groups),
        "PHReg": lambda: sm.PHReg(noisy, X[:, 1:]),
        "BetaModel": lambda: BetaModel((noisy + 1) / (noisy.max() + 2), X),
        "GLMGam": lambda: GLMGam(noisy, X[:, :1], smoother=BSplines(X[:, 1:2], [4], [3])),
        "KDEMultivariate": lambda: sm.nonparametric.KDEMultivariate(noisy, "c"),
        "KernelReg": lambda: sm.nonparametric.KernelReg(noisy, X[:, 1], "c"),
        "PCA": lambda: sm.PCA(both),
        "Factor": lambda: sm.Factor(np.c_[both, X[:, 2], counts], 1),
        "RollingOLS": lambda: RollingOLS(noisy, X, window=20),
        "IV2SLS": lambda: IV2SLS(noisy, X, X),
        "ARIMA": lambda: tsa.ARIMA(noisy, order=(1, 1, 1)),
        "AR": lambda: tsa.ARIMA(noisy, order=(1, 0, 0)),
        "ARIMA of a series": lambda: tsa.ARIMA(
            pd.Series(noisy, pd.date_range("2020", periods=60, freq="D")), order=(1, 0, 0)
        ),
        "SARIMAX": lambda: tsa.SARIMAX(noisy, order=(1, 0, 0), seasonal_order=(1, 0, 0, 4)),
        "SARIMAX with exog": lambda: tsa.SARIMAX(noisy, X[:, 1:], trend="c"),
        "AutoReg": lambda: tsa.AutoReg(noisy, 2),
        "ExponentialSmoothing": lambda: tsa.ExponentialSmoothing(
            noisy, trend="add", seasonal="add", seasonal_periods=4
        ),
        "SimpleExpSmoothing": lambda: tsa.SimpleExpSmoothing(noisy),
        "Holt": lambda: tsa.Holt(noisy),
        "ETSModel": lambda: tsa.ETSModel(noisy, trend="add"),
        "VAR": lambda: tsa.VAR(both),
        "VARMAX": lambda: tsa.VARMAX(both, order=(1, 0)),
        "VECM": lambda: tsa.VECM(both),
        "UnobservedComponents": lambda: tsa.UnobservedComponents(noisy, "local level"),
        "DynamicFactor": lambda: tsa.DynamicFactor(both, k_factors=1, factor_order=1),
        "ThetaModel": lambda: ThetaModel(noisy, period=4),
        "MarkovRegression": lambda: tsa.MarkovRegression(noisy, 2),
        "MarkovAutoregression": lambda: tsa.MarkovAutoregression(noisy, 2, 1),
        "STL": lambda: tsa.STL(noisy, period=4),
        "MSTL": lambda: tsa.MSTL(noisy, periods=(3, 4)),
        "STLForecast": lambda: STLForecast(noisy, tsa.ARIMA, period=4),
        "ARDL": lambda: tsa.ARDL(noisy, 1, X[:, 1:], 1),
        "seasonal_decompose": lambda: tsa.seasonal_decompose(noisy, period=4),
        "DeterministicProcess": lambda: DeterministicProcess(pd.RangeIndex(9), order=1),
    }
    for name in ("Exchangeable", "Independence", "Autoregressive"):
        structure = getattr(sm.cov_struct, name)
        made[f"GEE {name}"] = partial(sm.GEE, noisy, X, groups=groups, cov_struct=structure())
    of = sm.families
    families = {
        "Gaussian": noisy,
        "Binomial": high,
        "Poisson": counts,
        "Gamma": noisy,
        "InverseGaussian": noisy,
        "NegativeBinomial": counts,
        "Tweedie": noisy,
    }
    for family, target in families.items():
        for link in getattr(of, family).links:
            made[f"GLM {family} {link.__name__}"] = partial(
                _generalized, getattr(of, family), link, target
            )
    for name in ("HuberT", "TukeyBiweight", "RamsayE", "AndrewWave", "Hampel", "LeastSquares"):
        made[f"RLM {name}"] = partial(sm.RLM, noisy, X, M=getattr(sm.robust.norms, name)())
    for kind in ("HC0", "HC3"):
        made[f"OLS {kind}"] = partial(_robust, noisy, kind)
    return made


def _generalized(family: Any, link: Any, target: Any) -> Any:
    return sm.GLM(target, X, family=family(link()))


def _robust(noisy: Any, kind: str) -> Any:
    return sm.OLS(noisy, X).fit(cov_type=kind)
