"""Torch's files: archives, TorchScript, the old format; written by hand, and by torch if there."""

from __future__ import annotations

import io
import json
import pickle
import struct

import pytest
from samples.archives import HARMFUL_PICKLE, plain_zip
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned
from samples.tensors import torch_legacy, torch_pickle, torch_zip

FLOATS = struct.pack("<4f", 0.5, -1.5, 3.25, 1e-3)


def only_light(report) -> bool:
    """Nothing that a standard policy would hold."""
    return not grave_rules_of(report) and not report.unread_parts


def test_an_honest_archive_is_read_in_full():
    report = scanned(torch_zip(torch_pickle(2), [FLOATS, FLOATS]), "model.pt")
    assert only_light(report), (report.findings, report.unread_parts)


def test_a_storage_that_no_pickle_refers_to_is_hidden_data():
    data = torch_zip(torch_pickle(1), [FLOATS, bytes(range(64))])
    assert "TORCH-HIDDEN-DATA" in grave_rules_of(scanned(data, "model.pt"))


@pytest.mark.parametrize("storage", [FLOATS + b"more of it", FLOATS[:-4], b""])
def test_a_storage_of_another_length_than_the_pickle_says_is_found(storage):
    report = scanned(torch_zip(torch_pickle(1), [storage]), "model.pt")
    assert "TORCH-HIDDEN-DATA" in grave_rules_of(report)


def test_a_storage_that_is_missing_is_unread():
    assert scanned(torch_zip(torch_pickle(2), [FLOATS]), "model.pt").unread_parts


def test_a_harmful_data_pkl_is_found():
    report = scanned(torch_zip(HARMFUL_PICKLE, [FLOATS]), "model.pt")
    assert "PICKLE-EXEC" in grave_rules_of(report)


@pytest.mark.parametrize(
    "name", ["archive/extra.pkl", "archive/data/0.pkl", "elsewhere/x", "z.bin"]
)
def test_a_harmful_pickle_beside_data_pkl_is_found(name):
    report = scanned(torch_zip(torch_pickle(), [FLOATS], {name: HARMFUL_PICKLE}), "model.pt")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_storage_that_is_a_harmful_pickle_is_found():
    report = scanned(torch_zip(torch_pickle(), [HARMFUL_PICKLE]), "model.pt")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_storage_that_is_an_archive_with_a_harmful_pickle_is_found():
    inner = torch_zip(HARMFUL_PICKLE, [])
    report = scanned(torch_zip(torch_pickle(), [inner]), "model.pt")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_a_storage_that_is_a_program_is_found():
    report = scanned(torch_zip(torch_pickle(), [b"\x7fELF" + bytes(60)]), "model.pt")
    assert "CODE-NATIVE" in grave_rules_of(report)


@pytest.mark.parametrize("numbers", [b"N." + bytes(14), b"K\x01." + bytes(13), b"]." + FLOATS[2:]])
def test_numbers_that_begin_like_a_pickle_are_no_finding(numbers):
    report = scanned(torch_zip(torch_pickle(), [numbers]), "model.pt")
    assert only_light(report), (report.findings, report.unread_parts)


def test_raw_numbers_outside_a_torch_archive_are_unread():
    assert scanned(plain_zip({"archive/data/0": FLOATS})).unread_parts


def test_raw_numbers_outside_the_data_folder_are_unread():
    report = scanned(torch_zip(torch_pickle(), [], {"archive/more/0": b"\x01\x02\x03\x04"}), "m.pt")
    assert report.unread_parts


def test_torchscript_is_named_and_passes_where_it_names_torchs_operators():
    extra = {"archive/code/__torch__/m.py": b"def forward(self): return 1\n"}
    report = scanned(torch_zip(torch_pickle(), [FLOATS], extra), "model.pt")
    assert "TORCH-SCRIPT" in rules_of(report)
    assert only_light(report)


SPEC = '[1, {"type": "builtins.tuple", "context": "null", "children_spec": []}]'


FACTORY = '{"default_factory_module": "%s", "default_factory_name": "%s", "dict_context": []}'


def spec(kind: str, context: str) -> str:
    """A tree specification of one node."""
    return json.dumps([1, {"type": kind, "context": context, "children_spec": []}])


def exported(node=None, **changes) -> bytes:
    """A program as torch.export saves it, with one node and the changes at its root."""
    node = node or {"target": "torch.ops.aten.linear.default", "inputs": []}
    program = {
        "graph_module": {
            "graph": {"nodes": [node]},
            "module_call_graph": [{"signature": {"in_spec": SPEC, "out_spec": SPEC}}],
        },
        "guards_code": [],
        **changes,
    }
    return plain_zip(
        {
            "model/models/model.json": json.dumps(program).encode(),
            "model/data/weights/weight_0": FLOATS,
            "model/archive_format": b"pt2",
            "model/archive_version": b"0",
        }
    )


def test_an_honest_exported_program_is_read_in_full():
    assert_clean(scanned(exported(), "model.pt2"))
    for kind, context in (
        ("collections.OrderedDict", '["a"]'),
        ("collections.namedtuple", "my.Pair"),
        ("transformers.modeling_outputs.BaseModelOutput", '["last_hidden_state"]'),
        ("collections.defaultdict", FACTORY % ("builtins", "list")),
    ):
        assert_clean(scanned(exported(in_spec=spec(kind, context)), "model.pt2"))
    for text in ("2*s0 + Max(1, s77)", "Add(Integer(1), Symbol('s31', positive=True))"):
        assert_clean(scanned(exported(size={"as_expr": {"expr_str": text}}), "model.pt2"))


@pytest.mark.parametrize(
    "data",
    [
        exported({"target": "torch.hub.load"}),
        exported({"target": "torch.serialization.os.system"}),
        exported({"target": "torch.ops.load_library"}),
        exported({"target": "torch.ops.aten.add.__class__"}),
        exported({"target": "_operator.methodcaller"}),
        exported({"target": "#anything"}),
        exported(size={"expr_str": "__import__('os').system('true')"}),
        exported(size={"expr_str": "eval(s0)"}),
        exported(size={"expr_str": "s0.func"}),
        exported(size={"expr_str": "Symbol('os.x', positive=True)"}),
        exported(size={"expr_str": 3}),
        exported(guards_code=["True"]),
        exported(
            in_spec='[1, {"type": "builtins.dict", "children_spec": [],'
            ' "context": "[{\\"__enum__\\": true, \\"fqn\\": \\"os:x\\"}]"}]'
        ),
        exported(out_spec="[1, {"),
        exported(in_spec=spec("builtins.dict", '[{"\\u005f_enum__": true, "fqn": "os:x"}]')),
        exported(in_spec=spec("my.Type", '[[{"__enum__": 1, "fqn": "os:x", "name": "y"}]]')),
        exported(in_spec=spec("collections.defaultdict", FACTORY % ("os", "system"))),
        exported(in_spec=spec("collections.defaultdict", FACTORY % ("builtins", "eval"))),
        exported(in_spec=spec("my type", "null")),
        exported(in_spec=spec("a()", "null")),
        exported({"target": "torch._functorch.predispatch.torch.hub.load"}),
        plain_zip(
            {
                "serialized_exported_program.json": b'{"target": "torch.hub.load"}',
                "version": b"1",
            }
        ),
    ],
    ids=range(22),
)
def test_an_exported_program_that_evaluates_or_fetches_is_found(data):
    assert "TORCH-EXPORT-CODE" in grave_rules_of(scanned(data, "model.pt2"))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_honest_old_file_is_read_in_full(protocol):
    report = scanned(torch_legacy(torch_pickle(2), [FLOATS, FLOATS], protocol), "model.pth")
    assert rules_of(report) <= {"TORCH-LEGACY", "PICKLE-PERSISTENT-ID"}, report.findings
    assert not report.unread_parts


def test_a_harmful_object_in_an_old_file_is_found():
    report = scanned(torch_legacy(HARMFUL_PICKLE, [FLOATS]), "model.pth")
    assert "PICKLE-EXEC" in grave_rules_of(report)


@pytest.mark.parametrize("broken_at", [1, 2, 3, 4])
def test_a_harmful_pickle_at_any_place_of_an_old_file_is_found(broken_at):
    parts = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(1001, 2),
        pickle.dumps({}, 2),
        torch_pickle(),
        pickle.dumps(["0"], 2),
    ]
    parts[broken_at] = HARMFUL_PICKLE
    report = scanned(b"".join([*parts, struct.pack("<q", 4), FLOATS]), "model.pth")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_an_old_file_cut_inside_its_pickles_is_read_as_pickles():
    whole = torch_legacy(HARMFUL_PICKLE + torch_pickle(), [])
    for cut in (len(whole) - 20, len(whole) - 3):
        assert "PICKLE-EXEC" in grave_rules_of(scanned(whole[:cut], "model.pth"))


def test_a_frame_longer_than_its_pickle_can_not_hide_the_next_one():
    """An unpickler skips to the end of the frame, and takes up the next pickle there."""
    decoy = b"\x80\x02}." + b"\x80\x02]."
    framed = b"\x80\x04\x95" + struct.pack("<Q", 2 + len(decoy)) + b"}." + decoy
    data = (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2)
        + pickle.dumps(1001, 2)
        + framed
        + HARMFUL_PICKLE
        + pickle.dumps([], 2)
    )
    stream = io.BytesIO(data)
    for _ in range(3):
        pickle.load(stream)
    assert stream.read().startswith(HARMFUL_PICKLE)
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data, "model.pth"))


@pytest.mark.parametrize("new_format", [True, False])
def test_what_torch_itself_writes_is_read_in_full(new_format):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    target = io.BytesIO()
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    state = {"model": model.state_dict(), "epoch": 3}
    torch.save(state, target, _use_new_zipfile_serialization=new_format)
    report = scanned(target.getvalue(), "model.pt")
    assert only_light(report), (report.findings, report.unread_parts)


def test_what_torch_itself_exports_is_read_in_full():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    target = io.BytesIO()
    rows = torch.zeros(4, 3)
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(torch.nn.Linear(3, 2), (rows,), dynamic_shapes=shapes)
    torch.export.save(program, target)
    report = scanned(target.getvalue(), "model.pt2")
    assert only_light(report), (report.findings, report.unread_parts)


def test_a_clean_report_has_no_low_findings_beyond_torchs_own():
    report = scanned(torch_zip(torch_pickle(), [FLOATS]), "model.pt")
    assert rules_of(report) <= {"PICKLE-PERSISTENT-ID"}
    with pytest.raises(AssertionError):
        assert_clean(scanned(torch_zip(HARMFUL_PICKLE, []), "model.pt"))


def test_bytes_behind_the_storages_of_an_old_file_are_found_and_scanned():
    data = torch_legacy(torch_pickle(2), [FLOATS, FLOATS])
    report = scanned(data + HARMFUL_PICKLE, "model.pth")
    assert {"TORCH-HIDDEN-DATA", "PICKLE-EXEC"} <= grave_rules_of(report)
    assert "TORCH-HIDDEN-DATA" in grave_rules_of(scanned(data + b"\1", "model.pth"))


@pytest.mark.parametrize("place", [0, 1])
def test_a_harmful_pickle_as_a_storage_of_an_old_file_is_found(place):
    storages = [FLOATS, FLOATS]
    storages[place] = HARMFUL_PICKLE.ljust(36, b" ")
    report = scanned(torch_legacy(torch_pickle(2), storages), "model.pth")
    assert "PICKLE-EXEC" in grave_rules_of(report)


def test_an_old_file_that_is_cut_off_in_its_storages_is_unread():
    data = torch_legacy(torch_pickle(2), [FLOATS, FLOATS])
    for cut in (1, 16, 20, 30):
        assert scanned(data[:-cut], "model.pth").unread_parts


PROGRAM = {"m/archive_format": b"pt2", "m/archive_version": b"0"}


@pytest.mark.parametrize("name", ["x.so", "x.cpp", "x.cubin", "x.o", "x.bin", "x.json"])
def test_a_program_compiled_to_native_code_is_held(name):
    data = plain_zip({**PROGRAM, f"m/data/aotinductor/model/{name}": b"int main;\n"})
    assert "CODE-NATIVE" in grave_rules_of(scanned(data, "model.pt2"))


@pytest.mark.parametrize(
    "name", ["data/weights/weight_0", "data/sample_inputs/model.pt", "data/constants/tensor_0", "x"]
)
def test_a_harmful_pickle_beside_an_exported_program_is_found(name):
    for payload in (HARMFUL_PICKLE, torch_zip(HARMFUL_PICKLE, [])):
        data = plain_zip({**PROGRAM, f"m/{name}": payload})
        assert "PICKLE-EXEC" in grave_rules_of(scanned(data, "model.pt2"))


PACKAGE = {"p/.data/extern_modules": b"torch\n", "p/.data/version": b"6"}


def test_a_package_of_torch_is_read_member_by_member():
    harmless = {**PACKAGE, "p/.data/0.storage": FLOATS, "p/model/cfg.txt": b"hi\n"}
    assert only_light(scanned(plain_zip(harmless), "model.pt"))
    for name, data in {
        "p/model/model.pkl": HARMFUL_PICKLE,
        "p/.data/1.storage": HARMFUL_PICKLE,
        "p/mod.py": b"import os\nos.system('id')\n",
        "p/.data/1.bin": FLOATS,
    }.items():
        assert not only_light(scanned(plain_zip({**harmless, name: data}), "model.pt")), name


def test_a_length_that_lies_takes_no_memory(monkeypatch):
    honest = torch_legacy(torch_pickle(), [])
    at = honest.index(b"X", 20)
    lying = honest[: at + 1] + b"\xff\xff\xff\x7f" + honest[at + 5 :]
    asked = []

    class Watched(io.BufferedReader):
        def read(self, size=-1):
            asked.append(size)
            return super().read(size)

    monkeypatch.setattr("tidegate.scanners.streams.io.BufferedReader", Watched)
    assert scanned(lying).unread_parts
    assert max(asked) < 1 << 30
