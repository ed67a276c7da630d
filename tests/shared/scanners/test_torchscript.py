"""TorchScript: code that names torch's operators passes; what reaches beyond the model is held."""

from __future__ import annotations

import io
import pickle
import random
import struct

import pytest
from samples.archives import HARMFUL_PICKLE
from samples.scanned import grave_rules_of, rules_of, scanned
from samples.tensors import torch_pickle, torch_zip

from tidegate.scanners.torchscript.source import judge_source

FLOATS = struct.pack("<4f", 0.5, -1.5, 3.25, 1e-3)
HEAD = "class M(Module):\n  __parameters__ = []\n  training : bool\n"
HEAD += "  def forward(self: __torch__.M,\n    x: Tensor) -> Tensor:\n"


def script(
    body: str = "    return torch.relu(x)\n", extra: dict[str, bytes] | None = None
) -> bytes:
    """An archive as torch.jit.save writes it, with that code."""
    members = {
        "archive/code/__torch__.py": (HEAD + body).encode(),
        "archive/constants.pkl": b"\x80\x02).",
        **(extra or {}),
    }
    return torch_zip(torch_pickle(), [FLOATS], members)


def only_light(report) -> bool:
    return not grave_rules_of(report) and not report.unread_parts


@pytest.mark.parametrize(
    "body",
    [
        "    return torch.relu(x)\n",
        "    _0 = torch.conv2d(x, self.w, None, [1, 1], [0, 0], [1, 1])\n    return _0\n",
        '    ops.prim.RaiseException("bad rate", "builtins.ValueError")\n    return x\n',
        '    _0 = getattr(self.layers, "0")\n    return (_0).forward(x, )\n',
        "    _2 = __torch__.torch.nn.functional.relu\n    return _2(x, False, )\n",
        "    y = ops.quantized.linear_dynamic(x, self._packed_params)\n    return y\n",
        "    return ops.torchvision.nms(x, x, 0.5)\n",
        '    print("from torch import save; exec(eval)")\n    return x\n',
        "    _0 : Optional[Tensor] = None\n    return torch.add(x, 1.5e-07, alpha=1)\n",
    ],
)
def test_code_of_ordinary_models_passes(body):
    report = scanned(script(body), "model.pt")
    assert only_light(report), report.findings
    assert "TORCH-SCRIPT" in rules_of(report)


@pytest.mark.parametrize(
    "body",
    [
        '    torch.save(x, "out")\n',
        '    torch . save(x, "out")\n',
        '    (torch\n    .save)(x, "out")\n',
        '    torch.# a comment\n    save(x, "out")\n',
        '    torch.\\\n    save(x, "out")\n',
        '    ops.aten.save(x, "out")\n',
        '    torch.ops.aten.save(x, "out")\n',
        '    (x).save("out")\n',
        '    x.save("out")\n',
        '    torch.add(x, 1).save("out")\n',
        '    f = torch.save\n    f(x, "out")\n',
        '    getattr(x, "save")("out")\n',
        '    y = torch.from_file("/etc/passwd", False, 10)\n',
        '    y = ops.aten.from_file("/etc/passwd", False, 10)\n',
        '    y = ops.prim.rpc_async("worker", "f", (x,))\n',
        "    y = ops.prim.PythonOp(x)\n",
    ],
    ids=range(16),
)
def test_code_that_reaches_beyond_the_model_is_found(body):
    report = scanned(script(body + "    return x\n"), "model.pt")
    assert "TORCH-SCRIPT-OPERATOR" in grave_rules_of(report), report.findings


@pytest.mark.parametrize(
    "body",
    [
        "    y = ops.my_library.launch(x)\n",
        "    y = ops.image.read_file(x)\n",
        "    y = torch.unheard_of(x)\n",
        "    y = __torch__.torch.classes.my_library.Runner(x)\n",
        "    y : __torch__.torch.classes.dist_rpc.WorkerInfo = x\n",
        "    t = torch\n    t.relu(x)\n",
        "    o = ops\n    o.my_library.launch(x)\n",
        "    o = ops.aten\n    o.relu(x)\n",
        '    g = getattr\n    g(x, "sa")\n',
        '    getattr(x, "sa" "ve")("out")\n',
        '    getattr(x, "\\x73ave")("out")\n',
        "    import os\n    os.system('id')\n",
        "    __import__('os').system('id')\n",
        "    exec('1')\n",
        "    open('/etc/passwd')\n",
        "    y = ().__class__.__base__.__subclasses__()\n",
        "    y = (lambda: 1)()\n",
        "    y = f'{x}'\n",
        "    y = x.ｓave\n",
        "    y = `id`\n",
        '    y = "open\n',
    ],
    ids=range(21),
)
def test_code_that_torch_would_not_print_is_found(body):
    report = scanned(script(body + "    return x\n"), "model.pt")
    assert "TORCH-SCRIPT-UNKNOWN" in grave_rules_of(report), report.findings


def test_code_that_is_no_text_is_found():
    data = script(extra={"archive/code/__torch__/m.py": b"\xff\xfe\0\1"})
    assert "TORCH-SCRIPT-UNKNOWN" in grave_rules_of(scanned(data))


@pytest.mark.parametrize(
    "name", ["code/x.bin", "extra/x", "code/__torch__.py.debug_pkl", "constants.pkl", "code/x.txt"]
)
def test_a_harmful_pickle_beside_the_code_is_found(name):
    data = script(extra={f"archive/{name}": HARMFUL_PICKLE})
    assert "PICKLE-EXEC" in grave_rules_of(scanned(data, "model.pt"))


def test_python_outside_the_code_folder_is_python():
    data = script(extra={"archive/hub.py": b"import os\nos.system('id')\n"})
    assert grave_rules_of(scanned(data, "model.pt"))


def test_classes_of_torchscript_are_nobodys_code_outside_such_an_archive():
    data = b"\x80\x02c__torch__\nM\n)\x81."
    assert grave_rules_of(scanned(data, "model.pkl"))
    assert grave_rules_of(scanned(torch_zip(data, []), "model.pt"))
    assert only_light(scanned(script(extra={"archive/attributes.pkl": data}), "model.pt"))


def test_a_class_of_a_library_in_the_pickle_is_found():
    data = b"\x80\x02c__torch__.torch.classes.my_library\nRunner\n)\x81."
    report = scanned(script(extra={"archive/attributes.pkl": data}), "model.pt")
    assert "TORCH-SCRIPT-UNKNOWN" in grave_rules_of(report)


@pytest.mark.parametrize(
    ("operator", "rule"),
    [("aten::save", "TORCH-SCRIPT-OPERATOR"), ("my_library::launch", "TORCH-SCRIPT-UNKNOWN")],
)
def test_operators_of_bytecode_are_judged(operator, rule):
    bytecode = pickle.dumps((1, ("forward", (("operators", (operator, "", 2)),))), 2)
    report = scanned(script(extra={"archive/bytecode.pkl": bytecode}), "model.ptl")
    assert rule in grave_rules_of(report)
    flat = b"\x40\0\0\0PTMF" + bytes(40) + operator.encode() + bytes(40)
    assert rule in grave_rules_of(scanned(flat, "model.ff"))


def test_code_of_any_size_is_read_in_time_that_grows_with_it():
    code = "".join(f"  _{n} = torch.add(_{n - 1}, {n}, alpha=1)\n" for n in range(1, 40_000))
    assert not list(judge_source(code))
    assert not list(judge_source("(" * 200_000 + ")" * 200_000))
    assert list(judge_source("'" * 100_001))


def test_any_text_is_judged_without_an_error():
    chance = random.Random(11)
    pieces = ["torch", "ops", ".", "save", "(", ")", "'", '"', "\\", "#", "\n", " ", "getattr", "é",
              "__torch__", "0", "e", '"""', "def ", "=", "import"]  # fmt: skip
    for _ in range(3000):
        list(judge_source("".join(chance.choices(pieces, k=chance.randint(1, 30)))))


@pytest.mark.slow
def test_what_torch_itself_scripts_and_traces_is_read_in_full():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    nn = torch.nn
    modules = [
        nn.Linear(4, 4), nn.Conv2d(1, 2, 3), nn.BatchNorm1d(4), nn.LSTM(4, 4), nn.GRU(4, 4),
        nn.Embedding(4, 4), nn.MultiheadAttention(4, 2), nn.Dropout(), nn.GELU(),
        nn.TransformerEncoderLayer(4, 2), nn.Sequential(nn.Linear(4, 4), nn.Softmax(1)),
    ]  # fmt: skip
    for module in modules:
        for save in ("jit", "lite"):
            target = io.BytesIO()
            scripted = torch.jit.script(module.eval())
            if save == "jit":
                torch.jit.save(scripted, target, _extra_files={"labels.txt": "cat\ndog\n"})
            else:
                target.write(scripted._save_to_buffer_for_lite_interpreter())
            report = scanned(target.getvalue(), "model.pt")
            assert only_light(report), (module, save, report.findings, report.unread_parts)
    target = io.BytesIO()
    torch.jit.save(torch.jit.trace(modules[1].eval(), torch.zeros(1, 1, 5, 5)), target)
    assert only_light(scanned(target.getvalue(), "model.pt"))
    flat = torch.jit.script(modules[0])._save_to_buffer_for_lite_interpreter(_use_flatbuffer=True)
    assert only_light(scanned(flat, "model.ff"))


@pytest.mark.slow
def test_a_script_that_writes_a_file_is_found_as_torch_itself_saves_it():
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Writes(torch.nn.Module):
        def forward(self, x):
            torch.save(x, "tidegate-was-here")
            return x

    target = io.BytesIO()
    torch.jit.save(torch.jit.script(Writes()), target)
    assert "TORCH-SCRIPT-OPERATOR" in grave_rules_of(scanned(target.getvalue(), "model.pt"))


@pytest.mark.slow
def test_a_distributed_checkpoint_is_read_in_full(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from samples.scanned import scanned_folder
    from torch.distributed import checkpoint

    model = torch.nn.Linear(4, 4)
    checkpoint.save({"model": model.state_dict(), "step": 3}, checkpoint_id=str(tmp_path / "dcp"))
    report = scanned_folder(tmp_path)
    assert only_light(report), (report.findings, report.unread_parts)
