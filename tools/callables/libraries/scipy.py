"""scipy: sparse matrices and arrays, interpolators, frozen distributions, trees, functions."""

from __future__ import annotations

import inspect

import numpy as np
import scipy
import scipy.interpolate
import scipy.sparse
import scipy.spatial
import scipy.special
import scipy.stats
from collect import Library, Use


def make() -> Library:
    """The list, from objects of every kind that models hold."""
    library = Library(
        file="scipy.json",
        name="scipy",
        distribution="scipy",
        prefixes=("scipy",),
        how="tools/callables/make.py scipy: sparse matrices, interpolators, distributions and"
        " search trees pickled in all protocols, by cloudpickle and joblib; special functions by"
        " name",
        most={
            f"scipy.stats._discrete_distns.{name}_gen": Use.MAKE for name in ("randint", "poisson")
        },
        never=frozenset(
            {
                "scipy.stats._discrete_distns.randint_gen._entropy",
                "scipy.stats._distn_infrastructure.rv_discrete._entropy",
                "scipy.stats._distn_infrastructure.rv_discrete",
            }
        ),
    )
    for value in objects():
        library.observe(value, f"scipy {type(value).__name__}")
    for name in dir(scipy.special):
        if isinstance(getattr(scipy.special, name), np.ufunc):
            library.note("scipy.special._ufuncs", name, Use.NAME)
            library.note("scipy.special", name, Use.NAME)
    for name in (
        "pearsonr",
        "spearmanr",
        "kendalltau",
        "rankdata",
        "zscore",
        "iqr",
        "mode",
        "skew",
    ):
        function = getattr(scipy.stats, name)
        library.note(function.__module__, name, Use.NAME)
    for name in dir(scipy.spatial.distance):
        function = getattr(scipy.spatial.distance, name)
        if (
            inspect.isfunction(function)
            and function.__module__ == "scipy.spatial.distance"
            and name[0] != "_"
        ):
            library.note("scipy.spatial.distance", name, Use.NAME)
    return library


def objects() -> list[object]:
    """One object of each kind."""
    dense = np.array([[0, 1.0], [2.0, 0]])
    found: list[object] = []
    for kind in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil"):
        found.append(getattr(scipy.sparse, f"{kind}_matrix")(dense))
        if hasattr(scipy.sparse, f"{kind}_array"):
            found.append(getattr(scipy.sparse, f"{kind}_array")(dense))
    line = np.linspace(0, 1, 8)
    found += [
        scipy.interpolate.interp1d(line, line**2),
        scipy.interpolate.interp1d(line, line**2, kind="cubic"),
        scipy.interpolate.CubicSpline(line, line**2),
        scipy.interpolate.BSpline(np.arange(8.0), np.arange(4.0), 3),
        scipy.interpolate.PchipInterpolator(line, line**2),
        scipy.interpolate.UnivariateSpline(line, line**2),
        scipy.interpolate.RegularGridInterpolator((line,), line),
        scipy.spatial.cKDTree(np.random.rand(5, 2)),
        scipy.spatial.KDTree(np.random.rand(5, 2)),
        scipy.stats.norm(0, 1),
        scipy.stats.uniform(0, 1),
        scipy.stats.loguniform(1e-3, 1),
        *(
            getattr(scipy.stats, name)(1.0)
            for name in ("expon", "cauchy", "t", "gamma", "poisson", "chi2")
        ),
        *(getattr(scipy.stats, name)(0.1, 0.9) for name in ("beta", "truncnorm", "lognorm")),
        scipy.stats.randint(1, 9),
        scipy.stats.gaussian_kde(np.random.rand(9)),
    ]
    from scipy.optimize import OptimizeResult

    found.append(OptimizeResult(x=1))
    return found
