"""Models of XGBoost, LightGBM and CatBoost: honest ones pass, nothing hides in or behind one."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, grave_rules_of, scanned

from tidegate.artifact.formats import Format, detect_format

HARMFUL = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."


def u_text(text: bytes) -> bytes:
    return b"L" + struct.pack(">q", len(text)) + text


def u_object(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"{" + b"".join(u_text(key) + value for key, value in pairs) + b"}"


def u_model(*more: tuple[bytes, bytes], attributes: bytes = b"{}") -> bytes:
    """A document as XGBoost writes it, with one empty tree list."""
    learner = u_object(
        (b"attributes", attributes),
        (b"feature_names", b"[#L" + struct.pack(">q", 1) + b"S" + u_text(b"a")),
        (b"gradient_booster", u_object((b"weights", b"[$d#L" + struct.pack(">q2f", 2, 1, 2)))),
        (b"learner_model_param", u_object((b"num_class", b"S" + u_text(b"0")))),
        *more,
    )
    return u_object((b"learner", learner), (b"version", b"[i\3i\2i\0]"))


def x_model(
    *, nodes: int = 1, trees: int = 1, attributes: list[tuple[bytes, bytes]] | None = None,
    booster: bytes = b"gbtree",
) -> bytes:  # fmt: skip
    """A model as XGBoost before 3 writes it, with trees of one leaf."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    has = attributes is not None
    out = b"binf" + struct.pack("<fIiii", 0.5, 1, 0, has, 0) + bytes(116)
    out += text(b"reg:squarederror") + text(booster)
    out += struct.pack("<i", trees) + bytes(156)
    for _ in range(trees):
        out += struct.pack("<6i", 1, nodes, 0, 0, 1, 0) + bytes(124) + bytes(36)
    out += bytes(4 * trees)
    if attributes is not None:
        out += struct.pack("<Q", len(attributes))
        out += b"".join(text(key) + text(value) for key, value in attributes)
    return out


LIGHTGBM = b"""tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=0
objective=regression
feature_names=Column_0
feature_infos=[0:1]
tree_sizes=100

Tree=0
num_leaves=2
num_cat=0
split_feature=0
threshold=0.5
leaf_value=1 -2.5e-3
shrinkage=1


end of trees

feature_importances:
Column_0=1

parameters:
[boosting: gbdt]
[data: ]

end of parameters

pandas_categorical:null
"""


@pytest.fixture(scope="module")
def table():
    numpy = pytest.importorskip("numpy", reason="numpy makes the table")
    rng = numpy.random.RandomState(0)
    return rng.rand(120, 4), rng.randint(0, 2, 120), rng.randint(0, 3, 120)


def test_models_made_by_hand_have_no_finding():
    assert_clean(scanned(u_model(), "model.ubj"))
    assert_clean(scanned(x_model(), "model.bin"))
    assert_clean(scanned(x_model(attributes=[(b"best", b"1")]), "model"))
    assert_clean(scanned(LIGHTGBM, "model.txt"))
    assert_clean(scanned(LIGHTGBM.replace(b"\n", b"\r\n"), "model.txt"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "binary:logistic"},
        {"objective": "multi:softprob", "num_class": 3},
        {"objective": "rank:ndcg"},
        {"objective": "count:poisson"},
        {"objective": "survival:cox"},
        {"booster": "dart", "rate_drop": 0.1},
        {"booster": "gblinear"},
        {"num_parallel_tree": 3, "subsample": 0.5},
    ],
    ids=str,
)
def test_what_xgboost_writes_has_no_finding(parameters, table, tmp_path):
    xgboost = pytest.importorskip("xgboost", reason="xgboost writes the model")
    values, two, three = table
    labels = three if "num_class" in parameters else two
    data = xgboost.DMatrix(values, labels, feature_names=list("abcd"))
    if "rank" in str(parameters):
        data.set_group([60, 60])
    booster = xgboost.train(parameters, data, 2)
    booster.set_attr(note="größe")
    for suffix in ("ubj", "json"):
        booster.save_model(tmp_path / f"model.{suffix}")
        assert_clean(scanned((tmp_path / f"model.{suffix}").read_bytes(), "model"))
    assert_clean(scanned(bytes(booster.__getstate__()["handle"]), "state"))
    booster.dump_model(tmp_path / "dump.txt")
    assert_clean(scanned((tmp_path / "dump.txt").read_bytes(), "dump.txt"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "binary"},
        {"objective": "multiclass", "num_class": 3},
        {"objective": "lambdarank"},
        {"boosting": "dart"},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"linear_tree": True},
    ],
    ids=str,
)
def test_what_lightgbm_writes_has_no_finding(parameters, table):
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm writes the model")
    values, two, three = table
    labels = three if "num_class" in parameters else two
    group = [60, 60] if "lambdarank" in str(parameters) else None
    booster = lightgbm.train(
        {"verbose": -1, **parameters}, lightgbm.Dataset(values, labels, group=group), 3
    )
    text = booster.model_to_string().encode()
    assert detect_format(io.BytesIO(text), len(text), "x") is Format.LIGHTGBM
    assert_clean(scanned(text, "model.txt"))


@pytest.mark.parametrize("kind", ["binary", "classes", "regression", "lossguide", "text"])
def test_what_catboost_writes_has_no_finding(kind, table, tmp_path: Path):
    catboost = pytest.importorskip("catboost", reason="catboost writes the model")
    values, two, three = table
    options = {"iterations": 3, "verbose": 0, "allow_writing_files": False, "depth": 2}
    if kind == "text":
        rows = [[f"word{n % 5} and more", "abc"[n % 3]] for n in range(120)]
        model = catboost.CatBoostClassifier(**options)
        model.fit(rows, two, text_features=[0], cat_features=[1])
    elif kind == "lossguide":
        model = catboost.CatBoostRegressor(**options, grow_policy="Lossguide").fit(values, two)
    elif kind == "regression":
        model = catboost.CatBoostRegressor(**options).fit(values, two)
    else:
        model = catboost.CatBoostClassifier(**options)
        model.fit(values, two if kind == "binary" else three)
    model.save_model(str(tmp_path / "model.cbm"))
    data = (tmp_path / "model.cbm").read_bytes()
    assert_clean(scanned(data, "model.cbm"))
    if kind != "text":
        assert "BOOSTER-MALFORMED" in grave_rules_of(scanned(data + b"behind", "model.cbm"))
    assert "BOOSTER-MALFORMED" in grave_rules_of(scanned(data[: len(data) // 2], "model.cbm"))
    if kind == "text":
        return
    model.save_model(str(tmp_path / "model.json"), format="json")
    assert_clean(scanned((tmp_path / "model.json").read_bytes(), "model.json"))


DEEP = b"{" + u_text(b"a") + b"[" * 300

HOSTILE = {
    "bytes behind": u_model() + b"behind",
    "a pickle behind": u_model() + HARMFUL,
    "an archive behind": u_model() + plain_zip({"a": HARMFUL_PICKLE}),
    "breaks off": u_model()[:-9],
    "key twice": u_object((b"learner", b"{}"), (b"learner", b"{}")),
    "nests deep": DEEP,
    "count of exabytes": b"{" + u_text(b"a") + b"[$d#L" + struct.pack(">q", 1 << 60),
    "negative count": b"{" + u_text(b"a") + b"[$d#L" + struct.pack(">q", -1),
    "values without bytes": b"{" + u_text(b"a") + b"[$Z#L" + struct.pack(">q", 1 << 40),
    "type without count": b"{" + u_text(b"a") + b"[$d]",
    "no marker": b"{" + u_text(b"a") + b"\x01",
    "binary: bytes behind": x_model() + b"behind",
    "binary: a pickle behind": x_model() + HARMFUL,
    "binary: too many nodes": x_model(nodes=1 << 30),
    "binary: negative nodes": x_model(nodes=-1),
    "binary: trees": x_model(trees=1)[:300] + x_model()[310:],
    "binary: unknown booster": x_model(booster=b"mybooster"),
    "binary: breaks off": x_model()[:-2],
    "text: more lines": LIGHTGBM + b"import os\n",
    "text: code in a tree": LIGHTGBM.replace(b"num_cat=0\n", b"num_cat=0\nos.system('true')\n"),
    "text: code as a value": LIGHTGBM.replace(b"threshold=0.5", b"threshold=__import__('os')"),
    "text: code as a parameter": LIGHTGBM.replace(b"[data: ]", b"exec('1')"),
    "text: code before the trees": LIGHTGBM.replace(b"tree_sizes=100", b"eval(1)"),
    "text: a second model": LIGHTGBM.replace(b"end of parameters", b"end of parameters\nsh -c x"),
    "catboost: no flatbuffer": b"CBM1" + struct.pack("<I", 4) + b"\xff\xff\xff\xff",
    "catboost: too long": b"CBM1" + struct.pack("<I", 400) + bytes(8),
    "catboost: nothing": b"CBM1",
}


@pytest.mark.parametrize("sample", HOSTILE)
def test_a_model_that_breaks_its_format_is_found(sample):
    assert "BOOSTER-MALFORMED" in grave_rules_of(scanned(HOSTILE[sample], "model"))


@pytest.mark.parametrize("payload", [HARMFUL, HARMFUL_PICKLE], ids=["binary", "text"])
def test_a_pickle_in_an_attribute_is_found(payload):
    attributes = u_object((b"note", b"S" + u_text(HARMFUL)))
    assert "PICKLE-EXEC" in grave_rules_of(scanned(u_model(attributes=attributes), "m.ubj"))
    report = scanned(x_model(attributes=[(b"note", payload)]), "m.bin")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_document_that_is_no_model_is_unread():
    assert scanned(u_object((b"other", b"{}")), "x.ubj").unread_parts


def test_a_text_that_begins_alike_stays_a_text():
    assert_clean(scanned(b"{Latin words} and more\n", "notes.txt"))
    assert_clean(scanned(b"binf is a mark\n", "notes.txt"))
    assert_clean(scanned(b"tree\nversion of what\n", "notes.txt"))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=3), st.booleans())
def test_a_changed_document_is_read_without_an_error(at, new, binary):
    data = x_model(attributes=[(b"a", b"b")]) if binary else u_model()
    scanned(data[:at] + new + data[at + len(new) :], "model")


@given(st.binary(max_size=200))
def test_any_bytes_behind_a_mark_are_read_without_an_error(data):
    for mark in (b"binf", b"CBM1", b"{L\0\0\0\0\0\0\0\1a", b"tree\nversion=v4\n"):
        scanned(mark + data, "model")


@pytest.mark.parametrize(
    "code", [b"__import__('os').system('true')", b"eval('1')", b"/bin/sh -c x"]
)
def test_code_among_a_models_texts_is_found(code):
    for data in (
        u_model((b"note", b"S" + u_text(code))),
        x_model(attributes=[(b"note", code)]),
        LIGHTGBM.replace(b"Column_0\nfeature_infos", code + b"\nfeature_infos"),
        LIGHTGBM.replace(b"[data: ]", b"[data: " + code + b"]"),
        LIGHTGBM.replace(b"pandas_categorical:null", b'pandas_categorical:["' + code + b'"]'),
    ):
        assert "BOOSTER-MALFORMED" in grave_rules_of(scanned(data, "model"))


def test_a_pickle_among_a_models_numbers_is_found():
    numbers = b"[$U#L" + struct.pack(">q", len(HARMFUL)) + HARMFUL
    assert "PICKLE-EXEC" in grave_rules_of(scanned(u_model((b"bytes", numbers)), "m.ubj"))
