"""torch: tensors, parameters, modules and optimizers, pickled and saved by torch.save."""

from __future__ import annotations

import importlib
import inspect
import io
import warnings
import zipfile

import torch
from collect import Library, Use

from tidegate.scanners.pickle.streams import read_streams
from tidegate.scanners.pickle.trace import Trace

# What a saved tensor calls. Each makes a tensor of storages; none opens or loads anything.
REBUILDERS = [
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_sparse_tensor",
    "_rebuild_qtensor",
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_nested_tensor",
    "_rebuild_device_tensor_from_numpy",
]


def make() -> Library:
    """The list, from what torch.save writes of every layer."""
    library = Library(
        file="torch.json",
        name="torch",
        distribution="torch",
        prefixes=("torch",),
        how="tools/callables/make.py torch: tensors of every type, every layer of torch.nn and the"
        " optimizers' state, written by torch.save; storages and rebuilding functions by name",
        reasons={f"torch._utils.{name}": "makes a tensor of storages" for name in REBUILDERS},
    )
    for value in objects():
        out = io.BytesIO()
        torch.save(value, out)
        data = zipfile.ZipFile(out).read("archive/data.pkl")
        trace = Trace()
        read_streams(io.BytesIO(data), len(data), trace)
        for reference in trace.references.values():
            library.note(reference.module, reference.name, reference.use)
    for name in REBUILDERS:
        if hasattr(importlib.import_module("torch._utils"), name):
            library.note("torch._utils", name, Use.CALL)
    for name in dir(torch):
        if name.endswith("Storage") or isinstance(getattr(torch, name), torch.dtype):
            library.note("torch", name, Use.NAME)
    library.note("torch.storage", "UntypedStorage", Use.NAME)
    library.note("torch.storage", "TypedStorage", Use.NAME)
    return library


def objects() -> list[object]:
    """Tensors, layers, optimizers."""
    warnings.simplefilter("ignore")
    found: list[object] = [
        torch.zeros(2, dtype=getattr(torch, name))
        for name in [
            "float16",
            "float32",
            "float64",
            "bfloat16",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "bool",
            "complex64",
            "complex128",
        ]
    ]
    found += [
        torch.nn.Parameter(torch.zeros(2)),
        torch.eye(2).to_sparse(),
        torch.eye(2).to_sparse_csr(),
        torch.zeros(2, device="meta"),
        torch.device("cpu"),
        torch.Size([1, 2]),
        torch.float32,
        torch.strided,
        torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8),
        torch.Generator().get_state(),
    ]
    for name, layer in inspect.getmembers(torch.nn, inspect.isclass):
        if not issubclass(layer, torch.nn.Module) or name in (
            "Module",
            "DataParallel",
            "Container",
        ):
            continue
        for arguments in (
            (),
            (4,),
            (4, 2),
            (4, 2, 1),
            ([torch.nn.Linear(1, 1)],),
            (torch.nn.Linear(1, 1),),
        ):
            try:
                found.append(layer(*arguments))
                break
            except Exception:
                continue
        else:
            print(f"  {name} could not be made")
    found.append(
        torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU())
    )
    found.append(torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(4, 2), 1))
    found.append(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2)).state_dict())
    for name in ("Adam", "AdamW", "SGD", "RMSprop", "Adagrad"):
        found.append(
            getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(2))], lr=0.1).state_dict()
        )
    return found
