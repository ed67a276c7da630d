"""ONNX models: operators by default deny, data where the model says, and nothing hidden."""

from __future__ import annotations

import base64
import copy
import pickle
from pathlib import Path

import pytest
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.protobufs import field
from samples.scanned import assert_clean, grave_rules_of, scanned, scanned_folder

onnx = pytest.importorskip("onnx", reason="onnx writes the honest models")
np = pytest.importorskip("numpy")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def model(*nodes, initializers=(), functions=(), opsets=(), **more):
    """A model of those nodes, from x to y."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    nodes = nodes or (helper.make_node("Relu", ["x"], ["y"]),)
    graph = helper.make_graph(list(nodes), "g", [x], [y], initializer=list(initializers))
    imports = [helper.make_opsetid("", 17), *opsets]
    return helper.make_model(graph, functions=list(functions), opset_imports=imports, **more)


def node(op: str, domain: str = "", **attributes):
    return helper.make_node(op, ["x"], ["y"], domain=domain, **attributes)


def weights(name: str = "w"):
    return numpy_helper.from_array(np.arange(16, dtype=np.float32).reshape(4, 4), name)


def external(location: str, **entries: str):
    """A tensor whose data are said to lie at that place."""
    tensor = weights()
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def found(data: bytes, name: str = "model.onnx") -> set[str]:
    return grave_rules_of(scanned(data, name))


def metadata(key: str, value: str):
    one = model()
    helper.set_model_props(one, {key: value})
    return one


# --- honest models


def test_models_of_the_library_pass_under_any_name():
    assert_clean(scanned(model(initializers=[weights()]).SerializeToString(), "model.onnx"))
    assert_clean(scanned(model().SerializeToString(), "anything.bin"))


def test_the_models_in_onnx_own_tests_pass():
    folder = Path(onnx.__file__).parent / "backend/test/data"
    paths = sorted([*folder.rglob("*.onnx"), *folder.rglob("*.pb")])
    assert len(paths) > 100
    for path in paths:
        assert_clean(scanned(path.read_bytes(), path.name))


def test_metadata_of_exporters_pass():
    for key, value in (
        ("names", "{0: 'person', 1: 'bicycle'}"),
        ("stack_trace", 'File "m.py", line 3, in forward\n    return self.model.eval()(x)'),
        ("license", "AGPL-3.0 https://ultralytics.com/license"),
    ):
        assert_clean(scanned(metadata(key, value).SerializeToString(), "model.onnx"))


def test_contributed_operators_and_own_functions_pass():
    one = model(node("FastGelu", "com.microsoft"))
    assert_clean(scanned(one.SerializeToString(), "model.onnx"))
    own = helper.make_function(
        "mine", "Act", ["x"], ["y"], [node("Relu")], [helper.make_opsetid("", 17)]
    )
    one = model(node("Act", "mine"), functions=[own])
    assert_clean(scanned(one.SerializeToString(), "model.onnx"))


@pytest.mark.parametrize("one_file", [True, False])
def test_data_beside_the_model_pass(tmp_path, one_file):
    tensors = [weights(f"w{i}") for i in range(3)]
    tensors.append(numpy_helper.from_array(np.random.default_rng(0).random((600, 600)), "big"))
    onnx.save_model(
        model(initializers=tensors),
        tmp_path / "model.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=one_file,
        location="weights.bin" if one_file else None,
        size_threshold=10,
    )
    assert_clean(scanned_folder(tmp_path))


def test_models_of_scikit_learn_pass():
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.svm import SVC

    x = np.random.default_rng(0).random((40, 4)).astype(np.float32)
    for estimator in (RandomForestClassifier(5), SVC(probability=True)):
        estimator.fit(x, (x[:, 0] > 0.5).astype(int))
        data = skl2onnx.to_onnx(estimator, x[:1]).SerializeToString()
        assert_clean(scanned(data, "model.onnx"))


# --- operators


@pytest.mark.parametrize(
    ("op", "domain"),
    [
        ("PyOp", "ai.onnx.contrib"),
        ("PythonOp", "com.microsoft"),
        ("ATen", "org.pytorch.aten"),
        ("EPContext", "com.microsoft"),
        ("ShellExec", "com.attacker"),
        ("Relu", "com.attacker"),
        ("Relu6Custom", ""),
        ("relu", ""),
        ("Relu", "ai.onnx "),
    ],
)
def test_an_operator_from_outside_is_held(op, domain):
    assert found(model(node(op, domain)).SerializeToString()) == {"ONNX-OPERATOR"}
    assert found(model(node(op, domain)).SerializeToString(), "x.txt") == {"ONNX-OPERATOR"}


def test_an_operator_in_a_nested_graph_or_function_is_held():
    inner = helper.make_graph([node("Evil", "x")], "inner", [], [])
    for op in ("If", "Loop", "Scan"):
        assert "ONNX-OPERATOR" in found(model(node(op, body=inner)).SerializeToString())
    lists = model(node("If", graphs=[inner, inner]))
    assert "ONNX-OPERATOR" in found(lists.SerializeToString())
    own = helper.make_function("mine", "Act", ["x"], ["y"], [node("Evil", "x")], [])
    one = model(node("Act", "mine"), functions=[own])
    assert "ONNX-OPERATOR" in found(one.SerializeToString())


def test_an_operator_in_the_training_part_is_held():
    one = model()
    one.training_info.add().algorithm.CopyFrom(helper.make_graph([node("Evil", "x")], "t", [], []))
    assert "ONNX-OPERATOR" in found(one.SerializeToString())


def test_an_operator_that_is_named_twice_is_judged_both_times():
    data = field(1, "x") + field(2, "y") + field(4, "Evil") + field(4, "Relu")
    graph = field(1, data) + field(2, "g")
    rules = found(field(1, 8) + field(7, graph))
    assert rules == {"ONNX-OPERATOR", "PROTOBUF-AMBIGUOUS"}


# --- places of data


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "a/../../b",
        "..\\..\\secret",
        "C:\\Windows\\win.ini",
        "c:secret",
        "https://example.com/w.bin",
        "file:///etc/passwd",
        "~/.ssh/id_rsa",
        "\\\\server\\share",
        "*/_ORT_MEM_ADDR_/*",
        "w\0.bin",
        "",
    ],
)
def test_data_outside_the_folder_are_held(location):
    one = model(initializers=[external(location)])
    assert "ONNX-EXTERNAL-DATA" in found(one.SerializeToString())


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "-4"},
        {"offset": "0x10"},
        {"length": "many"},
        {"__class__": "x"},
        {"offset": "1e3"},
    ],
)
def test_odd_places_of_data_are_held(entries):
    one = model(initializers=[external("w.bin", **entries)])
    assert "ONNX-EXTERNAL-DATA" in found(one.SerializeToString())


def test_a_place_in_an_attribute_is_looked_at_too():
    one = model(node("Constant", value=external("/etc/passwd")))
    assert "ONNX-EXTERNAL-DATA" in found(one.SerializeToString())


def saved(folder: Path, data: bytes, **entries: str) -> set[str]:
    (folder / "model.onnx").write_bytes(
        model(initializers=[external("w.bin", **entries)]).SerializeToString()
    )
    (folder / "w.bin").write_bytes(data)
    return grave_rules_of(scanned_folder(folder))


def test_data_files_are_held_to_what_the_model_describes(tmp_path):
    payload = np.random.default_rng(0).random(8).tobytes()
    assert saved(tmp_path, payload) == set()
    assert saved(tmp_path, payload + b"more") == {"EXTERNAL-DATA-HIDDEN"}
    assert saved(tmp_path, payload[:60]) == {"EXTERNAL-DATA-RANGE"}
    assert saved(tmp_path, payload, offset="8") == {"EXTERNAL-DATA-RANGE"}
    assert saved(tmp_path, bytes(8) + payload, offset="8") == {"EXTERNAL-DATA-HIDDEN"}
    assert "ONNX-MALFORMED" in saved(tmp_path, payload, length="32")


def test_data_files_that_are_pickles_or_programs_are_held(tmp_path):
    pickled = HARMFUL_PICKLE + bytes(64 - len(HARMFUL_PICKLE))
    assert len(pickled) == 64
    assert any(rule.startswith("PICKLE") for rule in saved(tmp_path, pickled))
    assert "CODE-NATIVE" in saved(tmp_path, b"\x7fELF\2\1\1" + bytes(57))


def test_data_that_are_not_there_leave_the_model_unread(tmp_path):
    one = model(initializers=[external("gone.bin")])
    (tmp_path / "model.onnx").write_bytes(one.SerializeToString())
    assert scanned_folder(tmp_path).unread_parts


# --- contradictions, and what hides


def test_a_tensor_of_another_size_than_its_shape_is_held():
    for dims in ([4, 5], [1], [1 << 40, 1 << 40], [-1, 4]):
        tensor = weights()
        del tensor.dims[:]
        tensor.dims.extend(dims)
        assert found(model(initializers=[tensor]).SerializeToString()) == {"ONNX-MALFORMED"}


def test_a_tensor_of_an_unknown_type_is_held():
    tensor = weights()
    tensor.data_type = 99
    assert found(model(initializers=[tensor]).SerializeToString()) == {"ONNX-MALFORMED"}


def test_a_payload_behind_or_inside_the_model_is_found():
    data = model().SerializeToString()
    assert "PROTOBUF-HIDDEN-DATA" in found(data + field(77, b"payload" * 20))
    assert "PROTOBUF-MALFORMED" in found(data + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
    assert found(data + HARMFUL_PICKLE)
    assert found(data[:-3])
    nodes = model()
    graph = nodes.graph.SerializeToString() + field(99, HARMFUL_PICKLE)
    assert "PROTOBUF-HIDDEN-DATA" in found(field(1, 8) + field(7, graph))


def test_an_archive_behind_the_model_is_read_too():
    report = scanned(model().SerializeToString() + field(99, plain_zip({"a.pkl": HARMFUL_PICKLE})))
    assert any(rule.startswith("PICKLE") for rule in grave_rules_of(report))


def test_two_graphs_are_ambiguous():
    data = model().SerializeToString()
    assert "PROTOBUF-AMBIGUOUS" in found(data + data)


def test_raw_bytes_that_are_a_pickle_or_a_program_are_found():
    for payload, rule in ((HARMFUL_PICKLE, "PICKLE"), (b"\x7fELF" + bytes(60), "CODE-NATIVE")):
        tensor = TensorProto(
            name="w", data_type=TensorProto.UINT8, dims=[len(payload)], raw_data=payload
        )
        rules = found(model(initializers=[tensor]).SerializeToString())
        assert any(each.startswith(rule) for each in rules)


@pytest.mark.parametrize(
    "value",
    [
        "__import__('os').system('touch /tmp/x')",
        "{0: exec('print(1)')}",
        "#!/bin/sh\necho hello",
        "curl http://127.0.0.1/x | sh",
        "import subprocess; subprocess.run(['true'])",
        "().__class__.__bases__[0].__subclasses__()",
    ],
)
def test_code_in_metadata_is_held(value):
    assert found(metadata("names", value).SerializeToString()) == {"GRAPH-EMBEDDED-CODE"}
    one = model()
    one.graph.doc_string = value
    assert found(one.SerializeToString()) == {"GRAPH-EMBEDDED-CODE"}
    one = model(producer_name=value)
    assert found(one.SerializeToString()) == {"GRAPH-EMBEDDED-CODE"}
    one = model()
    one.graph.node[0].doc_string = value
    assert found(one.SerializeToString()) == {"GRAPH-EMBEDDED-CODE"}
    one = model(node("Relu", note=value))
    assert found(one.SerializeToString()) == {"GRAPH-EMBEDDED-CODE"}


def test_a_pickle_in_metadata_is_held():
    coded = base64.b64encode(HARMFUL_PICKLE).decode()
    assert any(r.startswith("PICKLE") for r in found(metadata("x", coded).SerializeToString()))
    harmless = base64.b64encode(pickle.dumps([1, 2, 3] * 9)).decode()
    assert not found(metadata("x", harmless).SerializeToString())


def test_a_version_that_there_is_not_is_held():
    one = copy.deepcopy(model())
    one.ir_version = 99999
    assert found(one.SerializeToString()) == {"ONNX-MALFORMED"}


def test_nesting_without_end_is_not_followed_for_ever():
    data = b""
    for _ in range(3000):
        data = field(1, field(4, "If") + field(2, "y") + field(5, field(6, data)))
    report = scanned(field(1, 8) + field(7, data), "model.onnx")
    assert report.unread_parts or report.findings
