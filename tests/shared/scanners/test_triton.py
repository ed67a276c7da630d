"""Triton's configurations: back ends of its own pass, code that comes with a model does not."""

from __future__ import annotations

import pytest
from samples.scanned import assert_clean, grave_rules_of, scanned

HONEST = [
    (
        'name: "resnet"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 8\n'
        'input [ { name: "x" data_type: TYPE_FP32 dims: [ 3, 224, 224 ] } ]\n'
        'output [ { name: "y" data_type: TYPE_FP32 dims: [ 1000 ] } ]\n'
        "instance_group [ { count: 2 kind: KIND_GPU gpus: [ 0 ] } ]\n"
        "dynamic_batching { preferred_batch_size: [ 4, 8 ] }\n"
    ),
    (
        'backend: "tensorrt"\nversion_policy: { latest { num_versions: 2 } }\n'
        'optimization { execution_accelerators { gpu_execution_accelerator : [ { name : "a"\n'
        '  parameters { key: "precision_mode" value: "FP16" } } ] } }\n'
    ),
    (
        'name: "pipeline"\nplatform: "ensemble"\nensemble_scheduling { step [ { model_name: "a"\n'
        '  model_version: -1 input_map { key: "x" value: "x" } },\n'
        '  { model_name: "b" model_version: -1 input_map { key: "z" value: "z" } } ] }\n'
    ),
    (
        'backend: "fil"\nparameters [ { key: "kind" value: { string_value: "xgboost" } },\n'
        '  { key: "threshold" value: { string_value: "0.5" } } ]\n'
    ),
    'backend: "pytorch" parameters: { key: "INFERENCE_MODE" value: { string_value: "true" } }\n',
]


@pytest.mark.parametrize("text", HONEST)
def test_configurations_of_own_back_ends_pass(text):
    assert_clean(scanned(text.encode(), "config.pbtxt"))


def parameter(key: str, value: str) -> str:
    held = f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}'
    return f'backend: "onnxruntime" {held}'


HOSTILE = [
    'backend: "python"',
    "backend: 'py' 'thon'",
    'backend: "pyth\\157n"',
    'backend: "custom"',
    'backend: "../../evil"',
    'backend: "vllm"',
    'platform: "custom"',
    'backend: "onnxruntime" backend: "python"',
    'backend: "onnxruntime" default_model_filename: "../../../etc/passwd"',
    'backend: "onnxruntime" default_model_filename: "/tmp/evil.so"',
    'backend: "pytorch" default_model_filename: "model.py"',
    'backend: "onnxruntime" runtime: "model.py"',
    'backend: "onnxruntime" model_operations { op_library_filename: "libevil.so" }',
    'backend: "onnxruntime" model_repository_agents { agents [ { name: "evil" } ] }',
    'backend: "onnxruntime" cc_model_filenames { key: "7.5" value: "../x.plan" }',
    (
        'backend: "tensorrt" model_warmup { name: "w" inputs { key: "x" value {'
        ' input_data_file: "../../secret" } } }'
    ),
    parameter("EXECUTION_ENV_PATH", "$$TRITON_MODEL_DIRECTORY/env.tar.gz"),
    parameter("library", "/opt/evil.so"),
    parameter("path", "/etc/shadow"),
    parameter("x", "__import__('os').system('true')"),
    "# a comment\n" * 3000 + 'backend: "python"',
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("before", ["", 'max_batch_size: 1\nname: "a"\n'])
def test_code_that_a_configuration_brings_is_held(text, before):
    report = scanned((before + text).encode(), "config.pbtxt")
    assert grave_rules_of(report) & {"TRITON-CODE", "GRAPH-EMBEDDED-CODE"}


def test_a_configuration_that_is_none_is_held():
    for text in ('backend: "onnxruntime" {', "backend", 'evil: "x"', "\x01"):
        report = scanned(text.encode(), "config.pbtxt")
        assert grave_rules_of(report) or report.unread_parts
