"""statsmodels: results of the common models, with and without their data."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm
from collect import Library
from statsmodels.tsa.api import ARIMA, SARIMAX, ExponentialSmoothing

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
    noisy = Y + np.random.RandomState(1).rand(60)
    for value in (
        sm.OLS(noisy, X),
        sm.WLS(noisy, X),
        sm.GLS(noisy, X),
        sm.RLM(noisy, X),
        sm.QuantReg(noisy, X),
        sm.GLM(noisy, X),
        sm.GLM(np.round(noisy), X, family=sm.families.Poisson()),
        sm.GLM((noisy > noisy.mean()).astype(int), X, family=sm.families.Binomial()),
        sm.GLM(noisy, X, family=sm.families.Gamma(sm.families.links.Log())),
        sm.Logit(np.arange(60) % 2, X),
        sm.Probit(np.arange(60) % 2, X),
        sm.Poisson(np.round(noisy), X),
        sm.MNLogit(np.arange(60) % 3, X),
        ARIMA(noisy, order=(1, 0, 0)),
        SARIMAX(noisy),
        ExponentialSmoothing(noisy, trend="add"),
    ):
        try:
            result = value.fit()
        except Exception as error:
            print(f"  {type(value).__name__}: {error}")
            continue
        library.observe(result, f"statsmodels {type(value).__name__}")
        library.observe(value, f"statsmodels {type(value).__name__} unfitted")
    return library
