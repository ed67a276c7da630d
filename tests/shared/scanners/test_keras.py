"""Keras models: a configuration passes only by the exact names of Keras' own parts."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

from tidegate.scanners.interface import Limits, Report, Severity, Subject
from tidegate.scanners.keras import report_config
from tidegate.scanners.keras.names import keras_names

CODE = ["4wEAAAAAAAAAAAAAAAABAAAA", None, None]


def layer(name: str, module: str | None = "keras.layers", /, **config: object) -> dict[str, object]:
    """One object of a configuration, as Keras 3 writes it."""
    return {"module": module, "class_name": name, "config": config, "registered_name": None}


def model(*layers: object) -> dict[str, object]:
    """A Sequential model of those layers."""
    return layer("Sequential", "keras", name="m", layers=list(layers))


def archive(config: object, **more: bytes) -> bytes:
    """A `.keras` file with that configuration."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return plain_zip({"metadata.json": b'{"keras_version": "3.9.0"}', "config.json": text, **more})


def function(name: str, module: str) -> dict[str, object]:
    """A function, as Keras 3 writes it."""
    return {
        "module": module, "class_name": "function", "config": name, "registered_name": name,
    }  # fmt: skip


LAMBDA = {"class_name": "__lambda__", "config": {"code": CODE[0], "defaults": None}}

CRITICAL = {
    "a Lambda with byte code": layer("Lambda", function=LAMBDA),
    "a Lambda of Keras 2": {"class_name": "Lambda", "config": {"function": CODE}},
    "a Lambda of a named function": layer("Lambda", function=function("system", "os")),
    "a Lambda under its home": layer("Lambda", "keras.src.layers.core.lambda_layer"),
    "a Lambda under a registered name": {"class_name": "keras>Lambda", "config": {}},
    "a lambda as an activation": layer("Dense", activation=LAMBDA),
    "a lambda in Bidirectional": layer("Bidirectional", layer=layer("Lambda", function=LAMBDA)),
    "a lambda in a nested model": model(model(layer("Lambda", function=LAMBDA))),
    "a lambda as an output shape": layer("Dense", output_shape=LAMBDA),
    "os.system as a function": layer("Dense", activation=function("system", "os")),
    "subprocess as a layer": layer("Popen", "subprocess", args=["true"]),
    "a builtin function": layer("Dense", activation=function("eval", "builtins")),
    "a builtin class": layer("eval", "builtins"),
    "unsafe loading switched on": function("enable_unsafe_deserialization", "keras.config"),
    "the same in its home": function("enable_unsafe_deserialization", "keras.src.saving.x"),
    "a download": layer("Dense", activation=function("get_file", "keras.utils")),
    "a download as a class": layer("get_file", "keras.utils", fname="x", origin="http://x"),
    "a model loaded by another": function("load_model", "keras.models"),
    "tf_keras' download": function("get_file", "tf_keras.utils"),
}
HIGH = {
    "a SavedModel from a path": layer("TFSMLayer", filepath="/tmp/x"),
    "a torch module": layer("TorchModuleWrapper", module="gAJ"),
    "a JAX function": layer("JaxLayer", call_fn="x"),
    "a flax module": layer("FlaxLayer", module="x"),
    "a TensorFlow operation": {"class_name": "TensorFlowOpLayer", "config": {"node_def": "x"}},
    "a TensorFlow function that writes": {
        "class_name": "TFOpLambda", "config": {"function": "io.write_file"},
    },
    "a TensorFlow function that is not named": {"class_name": "TFOpLambda", "config": {}},
    "a TensorFlow Hub layer": {"class_name": "KerasLayer", "config": {"handle": "https://x"}},
    "a layer of nobody known": {"class_name": "Backdoor", "config": {}},
    "a registered layer": {
        "module": None, "class_name": "Dense", "config": {}, "registered_name": "Custom>Evil",
    },
    "a registered name beside Keras' own": {**layer("Dense"), "registered_name": "my>Dense2"},
    "a module of nobody known": layer("Dense", "kerasx.layers"),
    "a module that looks like Keras'": layer("Dense", "keras_evil.layers"),
    "a class of the wrong case": layer("lambda"),
    "a homoglyph": layer("Dеnse"),
    "a part of Keras that is no layer": layer("Popen", "keras.src.utils"),
    "a dotted name": layer("layers.Dense", "keras"),
    "a module that is no name": layer("Dense", "keras.layers;x"),
    "a module that is a list": {**layer("Dense"), "module": ["os"]},
    "a class that is a list": {**layer("Dense"), "class_name": ["Lambda"]},
    "a registered name that is a list": {**layer("Dense"), "registered_name": ["x"]},
    "a vocabulary from a file": layer("StringLookup", vocabulary="/etc/passwd"),
    "a vocabulary from the net": layer("TextVectorization", vocabulary="https://x/y"),
    "a vocabulary of Keras 2": {
        "class_name": "IntegerLookup", "config": {"vocabulary": "/etc/passwd"},
    },
    "weights from a file": layer("TextVectorization", idf_weights="/etc/passwd"),
    "a function of numpy": layer("Dense", activation=function("load", "numpy")),
}  # fmt: skip


def wrapped(part: object) -> list[tuple[str, bytes]]:
    """The object in each of the places where Keras' loaders find one."""
    whole = model(layer("Dense", units=1), part)
    text = json.dumps(whole).encode()
    places = [
        ("a.keras", archive(whole)),
        ("model.json", text),
        ("compiled.keras", archive({**model(), "compile_config": {"loss": part}})),
        ("twice.keras", archive(b'{"class_name": "Dense", "class_name": "Sequential", '
                                b'"config": {"layers": [%s]}}' % json.dumps(part).encode())),
    ]  # fmt: skip
    try:
        from samples.hdf5 import with_attribute
    except ImportError:
        return places
    return [
        *places,
        ("model.h5", with_attribute(text.decode())),
        ("trained.h5", with_attribute(json.dumps({"loss": part}), "training_config")),
    ]


@pytest.mark.parametrize("name", CRITICAL)
def test_code_in_a_model_is_critical_wherever_it_stands(name):
    for file, data in wrapped(CRITICAL[name]):
        worst = max((finding.severity for finding in scanned(data, file).findings), default=None)
        assert worst is Severity.CRITICAL, file


@pytest.mark.parametrize("name", HIGH)
def test_what_is_not_kerass_own_is_held_wherever_it_stands(name):
    for file, data in wrapped(HIGH[name]):
        report = scanned(data, file)
        rules = {"KERAS-CODE", "KERAS-UNREVIEWED-CODE", "KERAS-FILE"}
        assert grave_rules_of(report) & rules, file


def test_the_second_of_two_equal_keys_is_judged_as_well_as_the_first():
    for text in (
        b'{"class_name": "Lambda", "class_name": "Dense", "config": {}}',
        b'{"class_name": "Dense", "class_name": "Lambda", "config": {}}',
        b'{"class_name": "Dense", "module": "os", "module": "keras.layers", "config": {}}',
        b'{"class_name": "Dense", "config": {"vocabulary": "/x"}, "config": {}}',
    ):
        assert grave_rules_of(scanned(archive(text), "m.keras"))


def test_odd_texts_of_a_configuration_do_not_hide_it():
    text = json.dumps(model(layer("Lambda", function=LAMBDA)))
    escaped = text.replace("Lambda", "\\u004cambda")
    for data in (
        text.encode("utf-8-sig"),
        escaped.encode(),
        text.replace("{", '{"a": NaN, ', 1).encode(),
        b" \n\t" + text.encode(),
    ):
        assert "KERAS-CODE" in grave_rules_of(scanned(archive(data), "m.keras"))
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le"):
        # json.loads tells these without a mark; here they are no text, and so unread.
        assert scanned(archive(text.encode(encoding)), "m.keras").unread_parts
    deep = b'{"config": ' * 50_000 + b"1" + b"}" * 50_000
    assert scanned(archive(deep), "m.keras").unread_parts


def test_what_does_not_belong_into_an_archive_is_found():
    honest = model(layer("Dense", units=1))
    assert_clean(scanned(archive(honest), "m.keras"))
    for more in (
        {"assets/x.pkl": HARMFUL_PICKLE},
        {"states.npz": HARMFUL_PICKLE},
        {"setup.py": b"import os\nos.system('true')\n"},
        {"../../evil.txt": b"x"},
        {"assets/../../evil": b"x"},
        {"assets/hook.sh": b"#!/bin/sh\ntrue\n"},
    ):
        report = scanned(archive(honest, **more), "m.keras")
        assert grave_rules_of(report) or report.unread_parts, more


def test_a_link_in_an_archive_is_found():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("config.json", json.dumps(model()))
        link = zipfile.ZipInfo("assets/vocabulary.txt")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    assert "ZIP-PATH" in grave_rules_of(scanned(stream.getvalue(), "m.keras"))


def test_weights_in_an_archive_that_lead_out_are_found():
    h5py = pytest.importorskip("h5py")
    from samples.hdf5 import hdf5_file

    def fill(file):
        file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/secret.h5", "/x")

    data = archive(model(layer("Dense")), **{"model.weights.h5": hdf5_file(fill)})
    assert "HDF5-EXTERNAL" in grave_rules_of(scanned(data, "m.keras"))


def test_a_function_of_tensorflow_passes_by_its_name():
    for name in (
        "math.reduce_mean",
        "nn.relu",
        "__operators__.add",
        "concat",
        "keras.backend.mean",
    ):
        config = {"class_name": "TFOpLambda", "config": {"name": "x", "function": name}}
        assert_clean(scanned(json.dumps(config).encode()))
    for name in (
        "io.read_file",
        "py_function",
        "load_library",
        "raw_ops.WriteFile",
        "math.",
        "x.y",
    ):
        config = {"class_name": "TFOpLambda", "config": {"name": "x", "function": name}}
        assert grave_rules_of(scanned(json.dumps(config).encode()))


def judged(value: object, *, revived: bool) -> Report:
    report = Report(Limits())
    data = json.dumps(value).encode()
    subject = Subject(io.BytesIO(data), len(data), "keras_metadata.pb", "protobuf")
    report_config(subject, report, revived=revived)
    return report


def test_a_revived_model_may_have_classes_of_its_own_but_no_code():
    own = {"class_name": "MyModel", "config": {"a": 1}}
    assert not judged(own, revived=True).findings
    assert rules_of(judged(own, revived=False)) == {"KERAS-UNREVIEWED-CODE"}
    lambda_layer = {"class_name": "Lambda", "config": {"function": CODE}}
    assert rules_of(judged(lambda_layer, revived=True)) == {"KERAS-CODE"}


def test_no_name_is_both_kerass_own_and_one_that_reaches_further():
    names = keras_names()
    assert not names.classes & (set(names.code) | set(names.layers) | names.keras_names)
    assert not names.functions & names.keras_names


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras", reason="Keras writes the honest models")


def honest_models(keras):
    """Models of common layers, compiled with common parts."""
    layers = keras.layers
    plain = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(4, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, activation=keras.activations.softmax),
        ]
    )
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    plain.compile(
        keras.optimizers.SGD(schedule, momentum=0.9),
        keras.losses.Huber(),
        metrics=["accuracy", keras.metrics.AUC()],
    )
    yield "sequential", plain
    image = keras.Input((16, 16, 3))
    rest = layers.Conv2D(4, 3, padding="same", kernel_initializer="he_normal")(image)
    rest = layers.Add()([rest, layers.SeparableConv2D(4, 3, padding="same")(rest)])
    rest = layers.Dense(1)(layers.GlobalAveragePooling2D()(rest))
    yield "functional", keras.Model(image, keras.ops.relu(rest * 2 + 1)[:, :1])
    words = keras.Input((10,))
    rest = layers.Embedding(100, 8, mask_zero=True)(words)
    rest = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(rest)
    rest = layers.MultiHeadAttention(2, 4)(rest, rest)
    yield "recurrent", keras.Model(words, layers.TimeDistributed(layers.Dense(3))(rest))
    lookup = layers.StringLookup(vocabulary=["x", "y"])
    yield "lookup", keras.Sequential([keras.Input((1,), dtype="string"), lookup])
    low_rank = keras.Sequential([keras.Input((8,)), layers.Dense(16)])
    low_rank.layers[0].enable_lora(2)
    yield "lora", low_rank
    quantized = keras.Sequential([keras.Input((8,)), layers.Dense(16)])
    quantized.quantize("int8")
    yield "quantized", quantized
    mixed = keras.Sequential([keras.Input((8,)), layers.Dense(4, dtype="mixed_float16")])
    mixed.compile("adam", "mse")
    yield "mixed", mixed
    network = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35)
    yield "application", network


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_honest_models_have_no_finding_in_any_format(keras, tmp_path):
    for name, network in honest_models(keras):
        files = [tmp_path / f"{name}.keras", tmp_path / f"{name}.weights.h5"]
        network.save(files[0])
        network.save_weights(files[1])
        if name not in {"application", "lora", "quantized"}:
            files.append(tmp_path / f"{name}.h5")
            network.save(files[-1])
        for file in files:
            assert_clean(scanned(file.read_bytes(), file.name))
        assert_clean(scanned(network.to_json().encode(), f"{name}.json"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_every_public_layer_of_the_installed_keras_is_known(keras):
    import inspect

    names = keras_names()
    for module in (keras.layers, keras.losses, keras.metrics, keras.optimizers, keras.initializers):
        for name, value in vars(module).items():
            if inspect.isclass(value):
                assert name in names.classes or name in names.code or name in names.layers, name


@pytest.mark.parametrize(
    "config",
    [{"activation": "somebodys"}, {"kernel_initializer": "some.where"}, {"bias_regularizer": "x"}],
)
def test_a_part_that_keras_does_not_have_needs_code_of_its_own(config):
    report = scanned(archive(model(layer("Dense", units=1, **config))), "model.keras")
    assert grave_rules_of(report) == {"KERAS-UNREVIEWED-CODE"}


def test_parts_by_the_names_that_keras_takes_pass():
    names = {"activation": "relu", "recurrent_activation": "hard_sigmoid", "bias_constraint": None,
             "kernel_initializer": "glorot_uniform", "bias_initializer": "zeros",
             "recurrent_initializer": "uniform", "kernel_regularizer": "l2",
             "kernel_constraint": "max_norm"}  # fmt: skip
    assert_clean(scanned(archive(model(layer("Dense", **names))), "model.keras"))
