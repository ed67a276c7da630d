"""When the functions of a source run: on import, when a model is loaded or used, or on demand.

A function counts as run where a statement that runs so refers to its name, called or not: who
gets hold of a function may call it.
"""

from __future__ import annotations

from tidegate.scanners.python_source.capabilities import When
from tidegate.scanners.python_source.scopes import Outline, Owner

_MADE = ("__init__", "__new__", "__post_init__", "__enter__", "__call__", "__getattr__")
_WITH_THE_CLASS = frozenset({"__init_subclass__", "__class_getitem__", "__prepare__",
                             "__set_name__", "__instancecheck__", "__mro_entries__"})  # fmt: skip
# What loaders and servers call by itself: pyfunc, torch, keras, scikit-learn, Triton, TorchServe,
# SageMaker, transformers' remote code, PyTorch Hub.
_LOADING = frozenset(
    {"load_context", "predict", "predict_stream", "predict_proba", "forward", "call", "build",
     "initialize", "execute", "finalize", "auto_complete_config", "_load_pyfunc", "transform",
     "load_model", "model_fn", "predict_fn", "input_fn", "output_fn", "handle", "inference",
     "preprocess", "postprocess", "load", "_load", "from_config", "setup", "invoke", "run",
     "load_pyfunc", "_load_model", "score", "init", "generate", "encode", "tokenize"}
)  # fmt: skip


def moments(found: Outline, *, is_hubconf: bool = False) -> dict[Owner, When]:
    """When each owner's statements run."""
    by_name: dict[str, list[Owner]] = {}
    for function in found.functions:
        by_name.setdefault(function.name, []).append(function)
        if function.class_name and function.name in _MADE:
            by_name.setdefault(function.class_name, []).append(function)
    reached = {found.module.owner: When.IMPORTED, found.main: When.CALLED}
    at_import = [function for function in found.functions if _runs_with_the_class(function)]
    _spread([found.module.owner, *at_import], When.IMPORTED, by_name, reached)
    loading = [
        function
        for function in found.functions
        if function.name in _LOADING
        or (function.name.startswith("__") and function.name.endswith("__"))
        or (is_hubconf and not function.class_name)
    ]
    _spread(loading, When.LOADED, by_name, reached)
    return {owner: reached.get(owner, When.CALLED) for owner in [*reached, *found.functions]}


def _runs_with_the_class(function: Owner) -> bool:
    return function.name in _WITH_THE_CLASS or (
        not function.class_name and function.name in {"__getattr__", "__dir__"}
    )


def _spread(
    roots: list[Owner], when: When, by_name: dict[str, list[Owner]], reached: dict[Owner, When]
) -> None:
    pending = [root for root in roots if reached.setdefault(root, when) is when]
    while pending:
        owner = pending.pop()
        for name in owner.referenced:
            for function in by_name.get(name, ()):
                if function not in reached:
                    reached[function] = when
                    pending.append(function)
