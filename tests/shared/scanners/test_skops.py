"""skops files: every type and function that loading one reaches is judged."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.estimators import fitted_estimators, pipelines
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned
from sklearn.linear_model import LogisticRegression


def skops_file(root: dict, members: dict[str, bytes] | None = None) -> bytes:
    schema = json.dumps({"protocol": 2, "_skops_version": "0.16.0", **root})
    return plain_zip({"schema.json": schema.encode(), **(members or {})})


def node(loader: str, module: str, name: str, **fields) -> dict:
    return {"__loader__": loader, "__module__": module, "__class__": name, **fields}


def plain(value) -> dict:
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def listed(*items: dict) -> dict:
    return node("ListNode", "builtins", "list", content=list(items))


def rules(root: dict, members: dict[str, bytes] | None = None) -> set[str]:
    return grave_rules_of(scanned(skops_file(root, members), "model.skops"))


@pytest.fixture(scope="module")
def honest_files() -> list[tuple[str, bytes]]:
    files = []
    for name, model in [*fitted_estimators(), *pipelines()]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                files.append((name, skops.io.dumps(model)))
            except skops.io.exceptions.UnsupportedTypeException:
                continue
    return files


def test_no_honest_estimator_or_pipeline_has_a_finding(honest_files):
    assert len(honest_files) > 190
    for name, data in honest_files:
        report = scanned(data, f"{name}.skops")
        assert not rules_of(report), (name, report.findings)
        assert not report.unread_parts, (name, report.unread_parts)


def test_compressed_files_are_read_too():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert_clean(scanned(skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED), "m.skops"))


def test_honest_plain_values_have_no_finding():
    values = {"a": [1, 2.0, None, True], "b": (1, "x"), "c": {1, 2}, 3: b"raw \x00\x01\xfe"}
    assert_clean(scanned(skops.io.dumps(values)))
    assert_clean(scanned(skops.io.dumps(np.random.default_rng(1))))
    assert_clean(scanned(skops.io.dumps([np.float32, np.sqrt, slice(1, 2)])))


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("posix", "system")],
)
@pytest.mark.parametrize(
    "loader", ["FunctionNode", "TypeNode", "ObjectNode", "ListNode", "DictNode", "NdArrayNode"]
)
def test_a_dangerous_name_is_found_in_every_kind_of_node(loader, module, name):
    fields = {"content": [], "key_types": listed(), "type": "json", "shape": listed()}
    assert "SKOPS-EXEC" in rules(node(loader, module, name, **fields))


@pytest.mark.parametrize(
    "wrap",
    [
        listed,
        lambda inner: node(
            "DictNode", "builtins", "dict", content={"k": inner}, key_types=listed()
        ),
        lambda inner: node("DictNode", "builtins", "dict", content={}, key_types=listed(inner)),
        lambda inner: node("SliceNode", "builtins", "slice", content={"start": inner}),
        lambda inner: node("RandomStateNode", "numpy.random.mtrand", "RandomState", content=inner),
        lambda inner: node("LossNode", "a", "b", content=plain({}), __reduce__={"args": inner}),
        lambda inner: node(
            "PartialNode",
            "functools",
            "partial",
            content={"func": inner, "args": plain([]), "kwds": plain({}), "namespace": plain(None)},
        ),
        lambda inner: node(
            "MethodNode", "sklearn.svm._classes", "SVC", content={"func": "fit", "obj": inner}
        ),
        lambda inner: node("OperatorFuncNode", "operator", "itemgetter", attrs=inner),
        lambda inner: node("FunctionNode", "numpy", "sqrt", anything={"below": [inner]}),
    ],
    ids=range(10),
)
def test_a_dangerous_name_is_found_wherever_it_hangs(wrap):
    assert "SKOPS-EXEC" in rules(wrap(node("FunctionNode", "os", "system")))


def test_a_function_named_in_the_way_of_protocol_0_is_found():
    content = {"module_path": "os", "function": "system"}
    root = node("FunctionNode", "numpy", "sqrt", content=content, protocol=0)
    assert "SKOPS-EXEC" in rules(root)


def test_a_method_fetched_from_a_harmless_object_is_judged():
    inner = node("ObjectNode", "sklearn.svm._classes", "SVC")
    content = {"func": "__init_subclass__", "obj": inner}
    assert rules(node("MethodNode", "sklearn.svm._classes", "SVC", content=content))


@pytest.mark.parametrize("name", ["methodcaller", "attrgetter", "itemgetter"])
def test_operator_functions_are_held(name):
    root = node("OperatorFuncNode", "operator", name, attrs=plain(["system"]))
    assert rules(root) & {"SKOPS-EXEC", "SKOPS-UNTRUSTED-TYPE"}


def test_a_bit_generator_that_is_none_is_found():
    def generator(name: str) -> dict:
        state = node(
            "DictNode",
            "builtins",
            "dict",
            key_types=listed(),
            content={"bit_generator": plain(name)},
        )
        content = {"bit_generator": state, "seed_seq": plain({})}
        return node("RandomGeneratorNode", "numpy.random._generator", "Generator", content=content)

    assert not rules(generator("PCG64"))
    assert "SKOPS-UNTRUSTED-TYPE" in rules(generator("seed"))


def test_a_class_of_an_unknown_module_is_code_to_review():
    report = scanned(skops_file(node("ObjectNode", "my_team.models", "Special")))
    found = [f for f in report.findings if f.rule == "SKOPS-UNREVIEWED-CODE"]
    assert [f.detail for f in found] == ["my_team.models.Special"]


def test_a_name_of_a_known_package_that_no_model_needs_is_untrusted():
    assert "SKOPS-UNTRUSTED-TYPE" in rules(node("FunctionNode", "sklearn.utils", "murmurhash3_32"))


def test_a_function_that_may_be_kept_may_not_be_called_on_load():
    kept = node("FunctionNode", "numpy", "sqrt")
    assert not rules(listed(kept))
    constructed = node("ConstructorFromReduceNode", "numpy", "float64", content=listed(kept))
    assert "SKOPS-UNTRUSTED-TYPE" in rules(constructed)


def test_a_function_kept_here_and_called_there_by_its_id_counts_as_called():
    kept = {**node("FunctionNode", "numpy", "sqrt"), "__id__": 7}
    cached = {"__loader__": "CachedNode", "__module__": None, "__class__": None, "__id__": 7}
    keys = node("DictNode", "builtins", "dict", content={}, key_types=listed(cached))
    assert "SKOPS-UNTRUSTED-TYPE" in rules(listed(kept, keys))


def test_an_unknown_kind_of_node_is_unread():
    assert scanned(skops_file(node("FutureNode", "builtins", "list"))).unread_parts


def test_a_newer_protocol_is_unread():
    assert scanned(skops_file({**plain(1), "protocol": 9})).unread_parts


@pytest.mark.parametrize(
    "schema",
    [
        b"{",
        b"[]",
        b'{"__loader__": "ListNode", "__loader__": "JsonNode"}',
        b'{"__loader__": 3, "__class__": "a", "__module__": "b", "protocol": 2}',
        b'{"__loader__": "ListNode", "__class__": 3, "__module__": "b", "protocol": 2}',
        b'{"__loader__": "ListNode", "protocol": 2}',
        b'{"__loader__": "JsonNode", "content": {}, "protocol": 2}',
        b'{"__loader__": "JsonNode", "content": "1"}',
        json.dumps(
            {**node("BytesNode", "builtins", "bytes", file="gone.bin"), "protocol": 2}
        ).encode(),
        b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
    ids=range(10),
)
def test_a_broken_schema_is_found(schema):
    report = scanned(plain_zip({"schema.json": schema}), "model.skops")
    assert "SKOPS-MALFORMED" in grave_rules_of(report)


def test_a_schema_in_utf16_is_read_as_skops_reads_it():
    root = {"protocol": 2, **node("FunctionNode", "os", "system")}
    data = plain_zip({"schema.json": json.dumps(root).encode("utf-16")})
    assert "SKOPS-EXEC" in grave_rules_of(scanned(data))


def test_a_pickle_beside_the_schema_is_found():
    honest = plain([1])
    assert "PICKLE-EXEC" in rules(honest, {"more.pkl": HARMFUL_PICKLE})
    raw = node("BytesNode", "builtins", "bytes", file="raw.bin")
    assert "PICKLE-EXEC" in rules(raw, {"raw.bin": HARMFUL_PICKLE})


def test_objects_in_a_members_array_are_read_as_a_pickle():
    target = io.BytesIO()
    np.save(target, np.array([None], dtype=object))
    array = target.getvalue()
    start = array.index(b"\x80\x04") if b"\x80\x04" in array else array.index(b"\x80")
    root = node("NdArrayNode", "numpy", "ndarray", type="numpy", file="1.npy")
    assert "PICKLE-EXEC" in rules(root, {"1.npy": array[:start] + HARMFUL_PICKLE})


def test_another_archive_with_a_schema_json_is_no_skops_file():
    assert_clean(scanned(plain_zip({"schema.json": b'{"type": "object"}'})))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["ListNode", "os", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["__loader__", "__class__", "__module__", "content", "file", "func"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(_VALUES)
def test_any_schema_is_read_without_an_error(value):
    scanned(plain_zip({"schema.json": json.dumps(value).encode()}), "m.skops")


def state(content: dict, *key_types: dict, kind: str = "dict", **fields) -> dict:
    types = key_types or tuple(node("TypeNode", "builtins", "str") for _ in content)
    fields = {"key_types": listed(*types), **fields}
    return node("DictNode", "builtins", kind, content=content, **fields)


def svc(content, **fields) -> dict:
    return node("ObjectNode", "sklearn.svm._classes", "SVC", content=content, **fields)


def distribution_file(change: str = "") -> bytes:
    """A distribution of scipy as skops saves it, with `change` before its template."""
    from scipy.stats import _continuous_distns as distributions

    with zipfile.ZipFile(
        io.BytesIO(skops.io.dumps(distributions.norm_gen(name="norm")))
    ) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    root = json.loads(members["schema.json"])
    template = root["content"]["content"]["_parse_arg_template"]
    template["content"] = json.dumps(change + json.loads(template["content"]))
    return plain_zip({**members, "schema.json": json.dumps(root).encode()})


def test_a_template_of_scipy_that_runs_when_loaded_must_be_scipys_own():
    assert "SKOPS-EXEC" not in grave_rules_of(scanned(distribution_file(), "m.skops"))
    assert "SKOPS-EXEC" in grave_rules_of(scanned(distribution_file("x = 1\n"), "m.skops"))


@pytest.mark.parametrize(
    "key", ["_parse_arg_template", "__class__", "__setattr__", "restore_design_info", "formula",
            "model_spec", "design_info"],
)  # fmt: skip
def test_a_state_that_decides_code_is_found(key):
    assert "SKOPS-EXEC" in rules(svc(state({key: plain("1 + 1")})))
    assert not rules(svc(state({"C": plain(1.0)})))


def test_a_state_that_stands_elsewhere_under_the_same_id_is_found():
    evil = state({"_parse_arg_template": plain("x = 1")}, __id__=7)
    for reference in ({"__id__": 7}, node("CachedNode", "a", "b", __id__=7), state({}, __id__=7)):
        assert "SKOPS-EXEC" in rules(listed(evil, svc(reference)))


def test_a_template_that_stands_elsewhere_under_the_same_id_is_found():
    evil = {**plain("x = 1"), "__id__": 7}
    assert "SKOPS-EXEC" in rules(listed(evil, svc(state({"_parse_arg_template": {"__id__": 7}}))))


@pytest.mark.parametrize("identity", [1.0, True, None, [1]])
def test_an_id_that_python_takes_for_another_one_is_held(identity):
    assert "SKOPS-MALFORMED" in rules({**plain("x"), "__id__": identity})


@pytest.mark.parametrize(
    "content",
    [
        plain({"a": 1}),
        plain([["_parse_arg_template", "x = 1"]]),
        listed(plain("x")),
        node("TupleNode", "builtins", "tuple", content=[plain("x")]),
        {"__id__": 99},
        [],
        "x",
        state({}, kind="frozenset"),
        state({"a": plain(1)}, node("TypeNode", "numpy", "bytes_")),
        state({"a": plain(1)}, node("FunctionNode", "numpy", "sqrt")),
        state({}, key_types=plain([])),
        state({}, key_types=None),
    ],
    ids=range(12),
)
def test_a_state_that_is_no_plain_dict_of_texts_is_held(content):
    assert rules(svc(content)) & {"SKOPS-UNTRUSTED-TYPE", "SKOPS-EXEC"}


def test_model_data_whose_state_holds_a_formula_is_never_built():
    root = node("ObjectNode", "statsmodels.base.data", "ModelData", content=state({}))
    assert "SKOPS-EXEC" in rules(root)


@pytest.mark.parametrize("loader", ["TreeNode", "LossNode", "QuantileForestNode"])
def test_the_state_of_other_kinds_of_objects_is_judged_too(loader):
    evil = state({"_parse_arg_template": plain("x = 1")})
    names = {
        "TreeNode": ("sklearn.tree._tree", "Tree"),
        "LossNode": ("sklearn._loss._loss", "CyHalfSquaredError"),
        "QuantileForestNode": ("quantile_forest._quantile_forest_fast", "QuantileForest"),
    }
    root = node(loader, *names[loader], content=evil, __reduce__={"args": plain([])})
    assert "SKOPS-EXEC" in rules(root)
