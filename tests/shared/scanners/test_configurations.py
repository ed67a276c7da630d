"""Configurations that read, import or call what they name are held, whoever their loader is."""

from __future__ import annotations

import json

import pytest
from samples.scanned import assert_clean, grave_rules_of, scanned

GIN = {
    "import os\n": "CONFIG-IMPORT",
    "import somebody.else\n": "CONFIG-IMPORT",
    "from somebody import x  # harmless\n": "CONFIG-IMPORT",
    "main.f = @os.system\n": "CONFIG-TARGET",
    "M = @scope/subprocess.Popen()\ntrain.x = %M\n": "CONFIG-TARGET",
    "os.system.command = 'id'\n": "CONFIG-TARGET",
    "include '/etc/x.gin'\n": "CONFIG-PATH",
    "include 'http://host.example/x.gin'\n": "CONFIG-PATH",
}


@pytest.mark.parametrize("text", GIN)
@pytest.mark.parametrize("name", ["config.gin", "operative_config.gin", "sub/model.gin"])
def test_what_a_gin_file_imports_includes_and_binds_is_judged(text, name):
    assert GIN[text] in grave_rules_of(scanned(f"train.steps = 3\n{text}".encode(), name))


def test_an_honest_gin_file_passes():
    text = """from __gin__ import dynamic_registration
import t5x.models
include 'base.gin'
train.steps = 10
train.model = @models.EncoderDecoder()
MACRO = 'a/b'
scope/fn.rate = %MACRO
"""
    assert_clean(scanned(text.encode(), "config.gin"))


PAIRS = [
    {"module": "os", "name": "system", "args": ["id"]},
    {"module": "subprocess", "class": "Popen"},
    {"__module__": "os", "__class__": "system"},
    {"package": "builtins", "function": "eval"},
    {"x": [{"module_name": "pty", "function_name": "spawn"}]},
    {"callable": "os:system"},
]


@pytest.mark.parametrize("value", PAIRS)
def test_a_module_and_a_name_under_two_keys_are_one_callable(value):
    assert "CONFIG-TARGET" in grave_rules_of(scanned(json.dumps(value).encode(), "x.json"))


@pytest.mark.parametrize(
    "value",
    [
        {"_type": "prompt", "template_path": "/etc/passwd"},
        {"_type": "prompt", "template_path": "../../x.txt"},
        {"_type": "few_shot", "example_prompt_path": "prompt.py"},
        {"_type": "agent", "llm_chain_path": "https://host.example/x.json"},
        {"_base_": "/tmp/x.py"},
    ],
)
def test_a_file_that_a_loader_reads_from_elsewhere_is_held(value):
    assert "CONFIG-PATH" in grave_rules_of(scanned(json.dumps(value).encode(), "chain.json"))


def test_a_template_that_steps_into_its_values_is_held():
    value = {"_type": "prompt", "template": "{x.__class__.__init__.__globals__}"}
    assert "CONFIG-CODE" in grave_rules_of(scanned(json.dumps(value).encode(), "chain.json"))


@pytest.mark.parametrize(
    "value",
    [
        {"$type": "System.Windows.Data.ObjectDataProvider, PresentationFramework"},
        {"@type": "com.sun.rowset.JdbcRowSetImpl", "dataSourceName": "x"},
        ["com.sun.rowset.JdbcRowSetImpl", {"dataSourceName": "x"}],
    ],
)
def test_types_that_run_code_when_a_serialiser_makes_them_are_held(value):
    assert "CONFIG-TARGET" in grave_rules_of(scanned(json.dumps(value).encode(), "x.json"))


@pytest.mark.parametrize(
    "value",
    [
        {"module": "torch.nn", "name": "Linear"},
        {"name": "system", "module": "prompt"},
        {"_type": "prompt", "template_path": "prompt.txt", "template": "{a} and {b[0]}"},
        {"@type": "Person", "name": "x", "$type": "My.Own.Type, My"},
        {"library": "transformers", "name": "eval"},
    ],
)
def test_honest_configurations_pass(value):
    assert_clean(scanned(json.dumps(value).encode(), "x.json"))


def _bomb(levels: int, form: str) -> str:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for level in range(levels):
        name, below = chr(98 + level), chr(97 + level)
        pairs = ",".join(f"k{number}: *{below}" for number in range(9))
        inner = f"[{','.join([f'*{below}'] * 9)}]" if form == "list" else f"{{{pairs}}}"
        lines.append(f"{name}: &{name} {inner}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("form", ["list", "map"])
@pytest.mark.parametrize("name", ["x.yaml", "MLmodel", "conda.yaml", "notes.txt"])
def test_aliases_that_multiply_are_held(name, form):
    report = scanned(_bomb(9, form).encode(), name)
    assert "YAML-EXHAUST" in grave_rules_of(report) or report.unread_parts


def test_a_value_that_contains_itself_is_held():
    assert "YAML-EXHAUST" in grave_rules_of(scanned(b"a: &a [*a]\n", "x.yaml"))


def test_a_few_aliases_are_honest():
    assert_clean(scanned(_bomb(2, "list").encode(), "x.yaml"))
    text = b"base: &base {lr: 1}\na: {<<: *base, n: 2}\nb: {<<: *base, n: 3}\n"
    assert_clean(scanned(text, "x.yaml"))


@pytest.mark.parametrize(
    "text",
    ["!eval '1+1'", "!exec id", "!pickle x", "!lambda x", "!!js/function 'function(){}'",
     "!!perl/code x", "!import os", "!shell id"],
)  # fmt: skip
def test_tags_by_which_loaders_run_what_follows_are_held(text):
    assert "YAML-TAG" in grave_rules_of(scanned(f"a: {text}\n".encode(), "x.yaml"))


def test_a_tag_that_includes_a_file_from_elsewhere_is_held():
    assert "CONFIG-PATH" in grave_rules_of(scanned(b"a: !include /etc/passwd\n", "x.yaml"))
    assert_clean(scanned(b"a: !include other.yaml\nb: !ref <a>\n", "x.yaml"))
