"""Write `scanners/data/torchscript.json`: the operators that TorchScript code may name.

Run it with the torch that is to be supported: `python tools/torchscript/collect.py`. Operators
come from torch's own registry; what is denied, and why, stands here.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import torch

_TARGET = Path(__file__).parents[2] / "shared/tidegate/scanners/data/torchscript.json"
_NAMESPACES = (
    "aten", "prim", "prims", "quantized", "_quantized", "sparse", "quantization", "profiler",
    "mkldnn", "mkldnn_prepacked", "onednn", "mkl", "onnx",
)  # fmt: skip
# Registered by other libraries or by torch's builds for phones.
_MORE = {
    "prepacked": [
        "conv2d_clamp_prepack", "conv2d_clamp_run", "conv2d_transpose_clamp_prepack",
        "conv2d_transpose_clamp_run", "linear_clamp_prepack", "linear_clamp_run",
        "unpack_prepacked_sizes_conv2d", "unpack_prepacked_sizes_linear",
    ],
    "torchvision": [
        "_deform_conv2d_backward", "_ps_roi_align_backward", "_ps_roi_pool_backward",
        "_roi_align_backward", "_roi_pool_backward", "deform_conv2d", "nms", "ps_roi_align",
        "ps_roi_pool", "roi_align", "roi_pool",
    ],
    "torchaudio": ["_lfilter", "_lfilter_core_loop", "forced_align", "rnnt_loss"],
    # In the core once, under these names; torch still upgrades or prints them.
    "aten": [
        "chunk", "complex", "cross", "floor_divide", "div", "isinstance", "linspace", "logspace",
        "full", "gelu", "tensor", "as_tensor", "device", "dtype", "Size", "pi", "inf", "nan",
        "layout", "Tensor", "Generator", "strided", "sparse_coo", "contiguous_format",
    ],
    "prim": [
        "CallFunction", "CallMethod", "isinstance", "shape", "unchecked_cast", "tolist", "fork",
        "forkClosure", "Enter", "Exit", "SetAttr", "GetAttr", "TupleConstruct", "TupleSlice",
        "ListConstruct", "ListUnpack", "DictConstruct", "CreateObject", "Constant", "If", "Loop",
        "Closure", "Function", "interface", "AllocateTensor", "enumerate", "zip", "name", "value",
        "StringIndex",
    ],
}  # fmt: skip
_DENIED = [
    {"names": ["aten::save"], "reach": "file", "reason": "it writes a file of any name"},
    {"names": ["aten::from_file"], "reach": "file", "reason": "it maps a file of any name"},
    {
        "names": ["prim::rpc_async", "prim::rpc_sync", "prim::rpc_remote"],
        "reach": "network",
        "reason": "it calls functions on other machines",
    },
    {
        "names": ["prim::PythonOp", "prim::IgnoredPythonOp", "prim::CppOp"],
        "reach": "code",
        "reason": "it calls Python",
    },
    {
        "names": ["mkldnn::data_ptr", "aten::from_blob"],
        "reach": "memory",
        "reason": "it reaches memory by its address",
    },
]
_CLASSES = {
    "quantized": [
        "Conv2dPackedParamsBase", "Conv3dPackedParamsBase", "ConvTranspose2dPackedParamsBase",
        "EmbeddingPackedParamsBase", "LinearPackedParamsBase",
    ],
    "rnn": ["CellParamsBase"],
    "sparse": ["LinearPackedParamsBase"],
    "xnnpack": ["Conv2dOpContext", "LinearOpContext", "TransposeConv2dOpContext"],
    "mkldnn": ["ConvOpContext"],
    "profiler": ["_RecordFunction"],
    "__torch__": [],
}  # fmt: skip
_CALLABLE = [
    "Dict", "Exception", "List", "NamedTuple", "Optional", "Tensor", "Tuple", "Union", "abs",
    "all", "annotate", "any", "awaitable", "bin", "bool", "chr", "complex", "dict", "divmod",
    "enumerate", "filter", "float", "fork", "getattr", "hasattr", "hash", "hex", "id", "int",
    "isinstance", "len", "list", "max", "min", "oct", "ord", "pow", "print", "range", "reversed",
    "round", "slice", "sorted", "str", "sum", "tuple", "unchecked_cast",
    "unchecked_unwrap_optional", "uninitialized", "wait", "zip",
]  # fmt: skip


def main() -> None:
    """Ask torch's registry, and write the table."""
    names: dict[str, set[str]] = defaultdict(set)
    for schema in torch._C._jit_get_all_schemas():  # noqa: SLF001 - no other way in
        space, _, name = schema.name.partition("::")
        if space in _NAMESPACES:
            names[space].add(name)
    for space, more in _MORE.items():
        names[space].update(more)
    for row in _DENIED:
        for path in row["names"]:
            space, _, name = path.partition("::")
            names[space].discard(name)
    table = {
        "schema": 1,
        "how": "tools/torchscript/collect.py, from torch's registry of operators",
        "versions": [torch.__version__.split("+")[0]],
        "operators": {space: sorted(found) for space, found in sorted(names.items()) if found},
        "denied": _DENIED,
        "classes": _CLASSES,
        "callable": _CALLABLE,
    }
    _TARGET.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
