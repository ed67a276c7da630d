"""torch: checkpoints, whole modules, optimizers, scripted and exported programs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from samples.honest import Writers


def _torch() -> Any:
    import torch

    torch.manual_seed(0)
    return torch


def _model() -> Any:
    nn = _torch().nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8 * 9, 40), nn.GroupNorm(4, 40), nn.GELU(),
        nn.Dropout(0.1), nn.Linear(40, 2), nn.Softmax(dim=1),
    )  # fmt: skip


def state_dict(folder: Path) -> None:
    _torch().save(_model().state_dict(), folder / "pytorch_model.bin")


def whole_module(folder: Path) -> None:
    _torch().save(_model(), folder / "model.pth")


def old_format(folder: Path) -> None:
    torch = _torch()
    torch.save(_model(), folder / "model.pt", _use_new_zipfile_serialization=False)
    torch.save(_model().state_dict(), folder / "weights.pt", _use_new_zipfile_serialization=False)


def training_checkpoint(folder: Path) -> None:
    torch = _torch()
    model = _model()
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 10)
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    torch.save(
        {
            "epoch": 3,
            "state_dict": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "rng": torch.get_rng_state(),
            "scaler": torch.amp.GradScaler("cpu").state_dict(),
            "best": float("inf"),
            "args": {"lr": 0.1},
        },
        folder / "checkpoint.ckpt",
    )
    torch.save(optimizer, folder / "optimizer.pt")


def tensors_of_every_type(folder: Path) -> None:
    torch = _torch()
    kinds = [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool, torch.complex64,
             torch.float8_e4m3fn, torch.uint16]  # fmt: skip
    torch.save({str(kind): torch.zeros(300).to(kind) for kind in kinds}, folder / "tensors.pt")
    sparse = [torch.eye(9).to_sparse(), torch.eye(9).to_sparse_csr()]
    shared = torch.rand(50)
    torch.save([*sparse, shared, shared[::2], shared.view(5, 10).T], folder / "views.pt")
    torch.save(torch.quantize_per_tensor(torch.rand(40), 0.1, 3, torch.quint8), folder / "q.pt")


def quantized_state_dict(folder: Path) -> None:
    torch = _torch()
    layers = torch.nn.Sequential(torch.nn.Linear(9, 9), torch.nn.ReLU(), torch.nn.Linear(9, 2))
    small = torch.ao.quantization.quantize_dynamic(layers, {torch.nn.Linear})
    torch.save(small.state_dict(), folder / "dynamic.pt")


def pickled_without_torch_save(folder: Path) -> None:
    import cloudpickle
    import joblib

    model = _model()
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    (folder / "state.pkl").write_bytes(pickle.dumps(model.state_dict(), 2))
    (folder / "cloud.pkl").write_bytes(cloudpickle.dumps(model))
    joblib.dump(model, folder / "model.joblib")
    joblib.dump(model.state_dict(), folder / "state.joblib.gz", compress=("gzip", 3))


def named_by_address(folder: Path) -> None:
    """torch 1.6 and 1.7 named each storage by its address in memory."""
    import zipfile

    state_dict(folder)
    written = folder / "pytorch_model.bin"
    with (
        zipfile.ZipFile(written) as read,
        zipfile.ZipFile(folder / "old.bin", "w", zipfile.ZIP_STORED) as made,
    ):
        for name in read.namelist():
            content, base = read.read(name), name.rsplit("/", 1)[-1]
            if name.endswith("data.pkl"):
                for key in range(100):
                    short = str(key).encode()
                    long = b"947434245%05d" % key
                    content = content.replace(
                        b"X" + len(short).to_bytes(4, "little") + short + b"q",
                        b"X" + len(long).to_bytes(4, "little") + long + b"q",
                    )
            target = name
            if "/data/" in name and "serialization" not in name:
                target = f"{name[: -len(base)]}947434245{int(base):05}"
            made.writestr(target, content)
    written.unlink()


def scripted(folder: Path) -> None:
    torch = _torch()
    model = _model().eval()
    torch.jit.save(torch.jit.script(model), folder / "scripted.pt")
    torch.jit.save(torch.jit.trace(model, torch.rand(1, 3, 8, 8)), folder / "traced.pt")


def exported(folder: Path) -> None:
    torch = _torch()
    program = torch.export.export(_model().eval(), (torch.rand(1, 3, 8, 8),))
    torch.export.save(program, folder / "model.pt2")


def transformer(folder: Path) -> None:
    torch = _torch()
    layer = torch.nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
    torch.save(torch.nn.TransformerEncoder(layer, 2), folder / "encoder.pt")
    torch.save(torch.nn.LSTM(8, 8, 2, bidirectional=True), folder / "lstm.pt")
    torch.save(torch.nn.MultiheadAttention(8, 2), folder / "attention.pt")


WRITERS: Writers = {
    "a state dict": state_dict,
    "a whole module": whole_module,
    "the format before 1.6": old_format,
    "a training checkpoint": training_checkpoint,
    "tensors of every type": tensors_of_every_type,
    "a quantized state dict": quantized_state_dict,
    "modules pickled without torch.save": pickled_without_torch_save,
    "storages named by address": named_by_address,
    "TorchScript": scripted,
    "an exported program": exported,
    "transformers and recurrent layers": transformer,
}
