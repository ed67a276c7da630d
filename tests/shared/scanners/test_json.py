"""JSON: configurations that make a loader run code are found, whatever the file is called."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import plain_zip
from samples.scanned import assert_clean, grave_rules_of, scanned

from tidegate.scanners.interface import Report, Severity
from tidegate.scanners.text import MAX_TEXT

AUTO_MAP = {"auto_map": {"AutoModel": "modeling_x.Model"}}
NAMES = ["config.json", "anything.json", "notes.txt", "config"]


def read(value: object, name: str = "config.json") -> Report:
    return scanned(json.dumps(value).encode(), name)


def rules(value: object, name: str = "config.json") -> set[str]:
    return grave_rules_of(read(value, name))


@pytest.mark.parametrize(
    "value",
    [
        {"model_type": "bert", "hidden_size": 768, "architectures": ["BertModel"]},
        {"auto_map": {}, "trust_remote_code": False, "custom_pipelines": None},
        [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}],
        [{"name": "a", "path": "data/a.csv", "type": "file"}],
        {"_class_name": "UNet2DConditionModel", "down_block_types": ["DownBlock2D", "AttnBlock"]},
        {
            "_class_name": "StableDiffusionPipeline",
            "unet": ["diffusers", "UNet2DConditionModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"],
            "safety_checker": [None, None],
        },
        {"class_name": "Dense", "config": {"units": 1}, "module": "keras.layers"},
        {"class_name": "Functional", "config": {}, "module": "keras.src.models.functional"},
        {"class_name": "Dense", "config": {"units": 1}},
        {"class_name": "function", "config": "my_loss", "module": "builtins"},
        {"columns": ["type", "path"], "data": [["os.system", "x"]]},
    ],
    ids=range(11),
)
def test_an_honest_configuration_has_no_finding(value):
    assert_clean(read(value))
    assert_clean(scanned(json.dumps(value, indent=2).encode("utf-8-sig"), "x.json"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["auto_map", "custom_pipelines", "trust_remote_code"])
def test_a_configuration_that_asks_for_code_of_its_own_is_found(key, name):
    assert rules({key: {"a": {"impl": "x.Y"}}}, name) == {"CONFIG-REMOTE-CODE"}
    assert rules([{"inner": {key: True}}], name) == {"CONFIG-REMOTE-CODE"}


@pytest.mark.parametrize(
    "text",
    [
        b'{"auto_map": {"A": "b.C"}, "auto_map": null}',
        b'{"auto_map": null, "auto_map": {"A": "b.C"}}',
        b'{"n": ' + b"1" * 9000 + b', "auto_map": {"A": "b.C"}}',
        b'{"\\u0061uto_map": {"A": "b.C"}}',
        b" " * (70 << 10) + b'{"auto_map": {"A": "b.C"}}',
        b'{"a": 1}\n{"auto_map": {"A": "b.C"}}\n',
        b'{"x": "caf\xe9", "auto_map": {"A": "b.C"}}',
        json.dumps(AUTO_MAP).encode("utf-16"),
        json.dumps(AUTO_MAP).encode("utf-32"),
        json.dumps(AUTO_MAP).encode("utf-8-sig"),
        b'{"x": NaN, "auto_map": {"A": "b.C"}}',
    ],
    ids=["last", "first", "long number", "escaped", "after blanks", "lines", "8 bit", "utf-16",
         "utf-32", "mark", "NaN"],
)  # fmt: skip
def test_a_key_is_found_however_it_is_written(text):
    assert "CONFIG-REMOTE-CODE" in grave_rules_of(scanned(text, "config.json"))


@pytest.mark.parametrize(
    "kind",
    ["os.system", "my_module.Model", "sentence_transformers.models.x.Y",
     "sentence_transformers.util.http_get", "sentence_transformers.models.os"],
)  # fmt: skip
def test_a_module_list_with_a_type_from_elsewhere_is_found(kind):
    assert rules([{"idx": 0, "name": "0", "path": "", "type": kind}]) - {"CONFIG-TARGET"} == {
        "CONFIG-IMPORT"
    }


@pytest.mark.parametrize("library", ["my_unet", "os", "diffusers.utils", ""])
def test_a_pipeline_with_a_part_from_elsewhere_is_found(library):
    index = {"_class_name": "P", "vae": ["diffusers", "A"], "unet": [library, "Model"]}
    assert rules(index) == {"CONFIG-IMPORT"}
    assert rules({"unet": [library, "Model"]}, "model_index.json") == {"CONFIG-IMPORT"}
    assert rules({"_class_name": ["my_pipeline", "P"]}) == {"CONFIG-IMPORT"}


def test_an_adapter_whose_library_is_from_elsewhere_is_found():
    def adapter(library: str) -> dict:
        return {"auto_mapping": {"base_model_class": "Model", "parent_library": library}}

    assert rules(adapter("my_module")) == {"CONFIG-IMPORT"}
    assert not rules(adapter("transformers.models.bert.modeling_bert"))


@pytest.mark.parametrize("name", ["Lambda", "__lambda__", "keras>Lambda"])
def test_a_keras_lambda_is_critical(name):
    report = read({"layers": [{"class_name": name, "config": {"function": ["4wE="]}}]})
    assert ("KERAS-CODE", Severity.CRITICAL) in {(f.rule, f.severity) for f in report.findings}


@pytest.mark.parametrize(
    ("module", "name", "config"),
    [
        ("os", "system", {}),
        ("keras.src.utils.file_utils", "get_file", {}),
        ("keras.utils", "get_file", {}),
        ("keras.layers", "deserialize", {}),
        ("keras.src.utils", "function", "get_file"),
        ("builtins", "function", "eval"),
        ("builtins", "eval", {}),
        (["os"], "Dense", {}),
        (None, "TFSMLayer", {"filepath": "x"}),
        (None, "TFOpLambda", {"function": "io.write_file"}),
    ],
)
def test_what_keras_would_import_from_elsewhere_is_found(module, name, config):
    value = {"config": config, "class_name": name, "module": module}
    assert rules({"a": [value]}) == {"KERAS-CODE"}


def test_a_configuration_inside_an_archive_is_read():
    value = json.dumps({"class_name": "Lambda", "config": {}}).encode()
    report = scanned(plain_zip({"config.json": value}), "model.keras")
    assert "KERAS-CODE" in grave_rules_of(report)


def test_what_is_too_large_or_too_deep_is_unread():
    large = b'{"a": "' + b"x" * MAX_TEXT + b'"}'
    assert scanned(large, "config.json").unread_parts
    assert scanned(b'{"a":' * 100_000, "config.json").unread_parts


def test_an_object_that_repeats_its_keys_is_unread():
    text = b'{"class_name": "a"' + b', "class_name": "a"' * 100 + b"}"
    assert scanned(text, "config.json").unread_parts


@pytest.mark.parametrize("text", ["{", "[x]", "{{ template }}", "[section]\nauto_map = 1\n"])
def test_what_is_no_json_is_a_text(text):
    assert_clean(scanned(text.encode(), "a.txt"))


@given(st.text(alphabet='{}[]":,\n 1a\\u\u00e9', max_size=60))
def test_any_text_is_read_without_an_error(text):
    scanned(b'{"class_name": ' + text.encode(), "a.json")
    scanned(b"[" + text.encode(), "a.json")
