"""Callables of well-known packages, and modules that nobody knows."""

from __future__ import annotations

import pytest
from samples.pickles import call, details, gadget, name, pickled, rules, scan, text, tuple_of

DANGEROUS = [
    ("torch", "load"),
    ("torch.serialization", "load"),
    ("torch.storage", "_load_from_bytes"),
    ("torch.hub", "load"),
    ("torch.jit", "load"),
    ("torch.jit.unsupported_tensor_ops", "execWrapper"),
    ("torch.utils.collect_env", "run"),
    ("torch._inductor.codecache", "compile_file"),
    ("torch.fx.graph_module", "reduce_graph_module"),
    ("numpy", "load"),
    ("numpy", "fromfile"),
    ("numpy", "memmap"),
    ("numpy.f2py", "compile"),
    ("numpy.f2py.crackfortran", "getlincoef"),
    ("numpy.testing._private.utils", "runstring"),
    ("numpy.ctypeslib", "load_library"),
    ("numpy.lib.npyio", "load"),
    ("pandas", "read_pickle"),
    ("pandas", "eval"),
    ("pandas", "read_csv"),
    ("pandas.io.pickle", "read_pickle"),
    ("pandas.core.computation.eval", "eval"),
    ("pandas.core.frame", "DataFrame.query"),
    ("joblib", "load"),
    ("joblib.numpy_pickle", "load"),
    ("joblib.memory", "Memory"),
    ("joblib.numpy_pickle_compat", "NDArrayWrapper"),
    ("dill", "loads"),
    ("cloudpickle.cloudpickle", "subimport"),
    ("pip", "main"),
    ("pip._internal", "main"),
    ("yaml", "unsafe_load"),
    ("requests", "get"),
    ("IPython", "embed"),
    ("patsy", "dmatrix"),
    ("sympy", "sympify"),
    ("numexpr", "evaluate"),
    ("sklearn.datasets", "fetch_openml"),
    ("jinja2", "Template"),
    ("pkg_resources", "resource_stream"),
]


@pytest.mark.parametrize(("module", "attribute"), DANGEROUS)
def test_a_call_of_a_package_s_dangerous_callable_is_critical(module: str, attribute: str) -> None:
    assert "PICKLE-EXEC" in rules(scan(gadget(module, attribute)))


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("sklearn.utils._testing", "assert_raises"),
        ("numpy", "vectorise"),
        ("scipy.io", "wavfile"),
        ("flask", "Flask"),
        ("mlflow.pyfunc", "spark_udf"),
        ("tensorflow.python", "pywrap"),
        ("fastai.learner", "Learner"),
    ],
)
def test_what_a_known_package_has_beside_its_list_is_held(module: str, attribute: str) -> None:
    report = scan(gadget(module, attribute))
    assert rules(report) == {"PICKLE-UNLISTED-GLOBAL"}


def test_a_module_that_nobody_knows_is_unreviewed() -> None:
    assert details(scan(gadget("acme_models.churn", "Model")), "PICKLE-UNREVIEWED-CODE") == {
        "acme_models.churn.Model"
    }


@pytest.mark.parametrize(
    "attribute", ["system", "Popen", "check_output", "exec", "import_module", "getattr", "loads"]
)
def test_a_trusted_module_does_not_lend_out_what_it_imports(attribute: str) -> None:
    report = scan(gadget("acme_models", attribute))
    assert "PICKLE-UNREVIEWED-CODE" not in rules(report)
    assert rules(report) & {"PICKLE-EXEC", "PICKLE-INDIRECT"}


def test_an_estimator_may_be_made_but_not_called() -> None:
    estimator = ("sklearn.linear_model._logistic", "LogisticRegression")
    made = pickled(name(*estimator) + b")\x81")
    called = gadget(*estimator)
    assert rules(scan(made)) == {"PICKLE-PLAIN"}
    assert rules(scan(called)) == {"PICKLE-UNLISTED-GLOBAL"}


def test_a_function_of_numbers_may_be_named_but_not_called() -> None:
    assert rules(scan(pickled(name("numpy", "log1p")))) == {"PICKLE-PLAIN"}
    assert rules(scan(gadget("numpy", "log1p"))) == {"PICKLE-UNLISTED-GLOBAL"}


def test_an_allowed_function_does_not_call_for_another_what_that_may_not() -> None:
    booster = name("xgboost.core", "Booster")
    constructor = name("numpy.random._pickle", "__generator_ctor")
    report = scan(pickled(call(constructor, text("/etc/passwd"), booster)))
    assert details(report, "PICKLE-UNLISTED-GLOBAL") == {"xgboost.core.Booster"}


def test_reconstructor_makes_its_class_and_calls_its_base() -> None:
    reconstructor = name("copyreg", "_reconstructor", 2)
    scaler = name("sklearn.preprocessing._data", "StandardScaler", 2)
    honest = pickled(call(reconstructor, scaler, name("builtins", "object", 2), b"N"), 2)
    hostile = pickled(call(reconstructor, name("builtins", "object", 2), scaler, text("x")), 2)
    assert rules(scan(honest)) == {"PICKLE-PLAIN"}
    assert rules(scan(hostile)) == {"PICKLE-UNLISTED-GLOBAL"}


@pytest.mark.parametrize("codec", ["zlib", "hex", "rot13", "utf-8", "../evil"])
def test_encode_passes_with_latin1_alone(codec: str) -> None:
    encode = name("_codecs", "encode")
    assert rules(scan(pickled(call(encode, text("abc"), text("latin1"))))) == {"PICKLE-PLAIN"}
    assert rules(scan(pickled(call(encode, text("abc"), text(codec))))) == {
        "PICKLE-UNLISTED-GLOBAL"
    }


def test_a_distribution_of_scipy_may_not_bring_its_own_source_text() -> None:
    made = name("scipy.stats._continuous_distns", "norm_gen") + b")\x81"
    state = b"}" + text("_parse_arg_template") + text("import os") + b"s"
    assert rules(scan(pickled(made + state + b"b"))) == {"PICKLE-INDIRECT"}


@pytest.mark.parametrize("key", ["restore_design_info", "restore_model_spec"])
def test_a_statsmodels_result_may_bring_a_formula_of_arithmetic_only(key: str) -> None:
    made = name("statsmodels.base.data", "ModelData") + b")\x81"
    for formula, found in (("y ~ log(x)", "PICKLE-PLAIN"), ("y ~ f(x)", "PICKLE-INDIRECT")):
        state = tuple_of() + b"0}(" + text("formula") + text(formula) + text(key) + b"\x88u"
        assert rules(scan(pickled(made + state + b"b"))) == {found}
