"""A formula is Python that statsmodels evaluates while it loads: only arithmetic passes."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from samples.pickles import rules, scan

from tidegate.scanners.pickle.formulas import is_plain_formula


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x",
        "y ~ x + z - 1",
        "np.log(price) ~ C(area) * size**2",
        "y ~ x:z + I(x ** 2) + np.sqrt(z)",
        "y ~ C(g, Treatment(reference='a')) + Q('a b')",
        "y ~ bs(x, df=4, degree=3, include_intercept=False) + `a b`",
        "y ~ 0 + x1 + x2\n + x3",
        "y ~ cr(x, df=3) + scale(x) + poly(z, 2)",
        "größe ~ höhe",
        "",
    ],
)
def test_arithmetic_with_columns_is_plain(formula: str) -> None:
    assert is_plain_formula(formula)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ __import__('os').system('echo tidegate-test')",
        "y ~ eval('1')",
        "y ~ open('x')",
        "y ~ np.load('x')",
        "y ~ np.lib.os.system('x')",
        "y ~ x.map(print)",
        "y ~ I(x.__class__)",
        "y ~ I((lambda: 0)())",
        "y ~ I([f for f in x])",
        "y ~ I({x})",
        "y ~ x[0]",
        "y ~ I(f'{x}')",
        "y ~ I(f '{x}')",
        "y ~ I((exec)('1'))",
        "y ~ ('a')(x)",
        "y ~ C(x)(z)",
        "y ~ I(x if y else z)",
        "y ~ I(z := x)",
        "y ~ np . log(x)",
        "y ~ I(x\\\n)",
        "y ~ x; import os",
        "y ~ {os.system('x')}",
        "y ~ os.system (x)",
        "y ~ system\t(x)",
        "y ~ getattr(x, 'y')",
        "y ~ __x",
        "y ~ _x(1)",
        "y ~ log .real(x)",
        "y ~ @x",
        "y ~ 'a' 'b'",
        "y ~ x\f",
    ],
)
def test_whatever_else_a_formula_does_is_not(formula: str) -> None:
    assert not is_plain_formula(formula)


def test_a_result_of_statsmodels_with_an_ordinary_formula_is_plain() -> None:
    formulas = pytest.importorskip("statsmodels.formula.api", reason="statsmodels is missing")
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"y": random.rand(30), "x": random.rand(30), "g": ["a", "b", "c"] * 10})
    fitted = formulas.ols("y ~ np.log(x) + C(g)", frame).fit()
    for protocol in (2, 4, 5):
        report = scan(pickle.dumps(fitted, protocol))
        assert rules(report) == {"PICKLE-PLAIN"}, report.findings
    hostile = formulas.ols("y ~ x.map(float)", frame).fit()
    assert "PICKLE-INDIRECT" in rules(scan(pickle.dumps(hostile)))
