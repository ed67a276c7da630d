"""scipy: sparse matrices and arrays, interpolators, frozen distributions, trees, functions."""

from __future__ import annotations

import inspect

import numpy as np
import scipy
import scipy.cluster.hierarchy
import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.spatial
import scipy.spatial.transform
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
            f"{kind.__module__}.{kind.__name__}": Use.MAKE
            for kind in {type(getattr(scipy.stats, name)) for name in dir(scipy.stats)}
            if kind.__module__.startswith("scipy.stats.") and hasattr(kind, "_entropy")
        },
    )
    for name in dir(scipy.stats):
        kind = type(getattr(scipy.stats, name))
        if issubclass(kind, scipy.stats.rv_discrete):
            # A distribution keeps the bound method, which pickles fetch from the object.
            library.note(kind.__module__, f"{kind.__name__}._entropy", Use.NAME)
            library.note(kind.__module__, kind._entropy.__qualname__, Use.NAME)  # noqa: SLF001
    library.note("scipy.stats._distn_infrastructure", "rv_discrete._entropy", Use.NAME)
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
    for (module, name), use in list(library.seen.items()):
        # Before scipy 1.8, the modules that now begin with an underscore did not.
        outer, _, inner = module.rpartition(".")
        if inner.startswith("_") and outer in OLDER:
            library.note(f"{outer}.{inner[1:]}", name, use)
    return library


OLDER = ("scipy.interpolate", "scipy.optimize", "scipy.sparse", "scipy.spatial", "scipy.signal")


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
    found += [
        scipy.interpolate.make_interp_spline(line, line**2),
        scipy.interpolate.Akima1DInterpolator(line, line**2),
        scipy.interpolate.BarycentricInterpolator(line, line**2),
        scipy.interpolate.KroghInterpolator(line, line**2),
        scipy.interpolate.PPoly(np.ones((2, 2)), np.arange(3.0)),
        scipy.interpolate.BPoly(np.ones((2, 2)), np.arange(3.0)),
        scipy.interpolate.InterpolatedUnivariateSpline(line, line**2),
        scipy.interpolate.LSQUnivariateSpline(line, line**2, [0.5]),
        scipy.interpolate.RectBivariateSpline(line, line, np.ones((8, 8))),
        scipy.interpolate.SmoothBivariateSpline(*np.random.rand(3, 30)),
        scipy.interpolate.CubicHermiteSpline(line, line, line),
        scipy.interpolate.LinearNDInterpolator(np.random.rand(9, 2), np.random.rand(9)),
        scipy.interpolate.NearestNDInterpolator(np.random.rand(9, 2), np.random.rand(9)),
        scipy.interpolate.CloughTocher2DInterpolator(np.random.rand(9, 2), np.random.rand(9)),
        scipy.interpolate.RBFInterpolator(np.random.rand(9, 2), np.random.rand(9)),
        scipy.interpolate.Rbf(line, line, line + 1),
        scipy.spatial.transform.Rotation.identity(),
        scipy.spatial.distance.pdist,
        scipy.optimize.Bounds([0], [1]),
        scipy.optimize.LinearConstraint(np.eye(2), 0, 1),
        scipy.optimize.minimize(np.linalg.norm, [1.0, 2.0], method="L-BFGS-B"),
        scipy.optimize.minimize(np.linalg.norm, [1.0, 2.0], method="BFGS"),
        scipy.optimize.root_scalar(np.cos, bracket=[0, 3]),
        scipy.optimize.linprog([1], [[1]], [1]),
        scipy.signal.lti([1], [1, 1]),
        scipy.signal.butter(2, 0.1),
        scipy.signal.StateSpace([[1]], [[1]], [[1]], [[1]]),
        scipy.signal.ZerosPolesGain([1], [1], 1),
        scipy.signal.dlti([1], [1, 1]),
        scipy.stats.multivariate_normal([0, 0], np.eye(2)),
        scipy.stats.multivariate_normal(),
        scipy.stats.dirichlet([1.0, 2.0]),
        scipy.stats.wishart(3, np.eye(2)),
        scipy.stats.multinomial(3, [0.5, 0.5]),
        scipy.stats.rv_histogram(np.histogram(line)),
        scipy.stats.ttest_ind(line, line + 1),
        scipy.stats.linregress(line, line),
        scipy.stats.describe(line),
        scipy.stats.pearsonr(line, line),
        scipy.stats.spearmanr(line, line),
        scipy.stats.kstest(line, "norm"),
        scipy.stats.chi2_contingency([[1, 2], [3, 4]]),
        scipy.stats.f_oneway(line, line + 1),
        scipy.stats.mannwhitneyu(line, line),
        scipy.stats.shapiro(line),
        scipy.stats.ecdf(line) if hasattr(scipy.stats, "ecdf") else None,
        scipy.stats.bootstrap((line,), np.mean, n_resamples=9),
        scipy.stats.qmc.Sobol(2, seed=0) if hasattr(scipy.stats, "qmc") else None,
        scipy.cluster.hierarchy.linkage(np.random.rand(5, 2)),
        scipy.cluster.hierarchy.to_tree(scipy.cluster.hierarchy.linkage(np.random.rand(5, 2))),
        scipy.integrate.solve_ivp(np.multiply, (0, 1), [1.0]),
        scipy.sparse.linalg.aslinearoperator(np.eye(2)),
        scipy.optimize.OptimizeResult(x=1),
    ]
    for names, arguments in DISTRIBUTIONS:
        for name in names.split():
            try:
                found += [getattr(scipy.stats, name)(*arguments), getattr(scipy.stats, name)]
            except Exception as error:
                print(f"  {name}: {error}")
    return found


def shaped() -> dict[int, list[str]]:
    """The names of all distributions by how many shapes they take."""
    found: dict[int, list[str]] = {}
    for name in dir(scipy.stats):
        value = getattr(scipy.stats, name)
        if isinstance(value, scipy.stats.rv_continuous | scipy.stats.rv_discrete):
            found.setdefault(value.numargs, []).append(name)
    return found


DISTRIBUTIONS = [(" ".join(names), (1.5,) * count) for count, names in shaped().items()]
