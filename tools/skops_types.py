"""Make `shared/tidegate/scanners/data/skops_types.json`: what skops names in honest models.

    python tools/skops_types.py            # in an environment with skops and scikit-learn

Writes every estimator of scikit-learn with `skops.io.dump`, reads the schema with the scanner's
own reader, and keeps those names that the callables' lists do not allow for what skops does with
them. numpy's and scipy's universal functions are added whole: they compute numbers from numbers.
Look at the difference before committing it: each new row is something that passes from then on.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
import zipfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "shared"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import scipy.special  # noqa: E402
import skops.io  # noqa: E402
from samples.estimators import fitted_estimators, pipelines  # noqa: E402
from skops.io._utils import get_module  # noqa: E402

from tidegate.scanners.callables import Standing, Use, judge  # noqa: E402
from tidegate.scanners.skops.scanner import names_reached  # noqa: E402
from tidegate.scanners.skops.schema import nodes, read_schema  # noqa: E402

TARGET = ROOT / "shared/tidegate/scanners/data/skops_types.json"
TRUSTED_ROOTS = {"builtins", "collections", "datetime", "numpy", "scipy", "sklearn"}

REASONS = {
    Use.NAME: "kept, not called, when the model is loaded",
    Use.MAKE: "made without __init__ and given its state, like any estimator",
    Use.CALL: "called with plain data to make the value",
}


def main() -> None:
    """Write the table."""
    reached: dict[tuple[str, str], Use] = {}
    for label, model in [*fitted_estimators(), *pipelines(), *plain_values()]:
        try:
            data = skops.io.dumps(model)
        except Exception as error:
            print(f"{label}: skops does not write it ({type(error).__name__})")
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            root = read_schema(archive.read("schema.json"))
        for node in nodes(root):
            for module, name, use in names_reached(node):
                reached[module, name] = max(use, reached.get((module, name), use))
    for family in (np, scipy.special):
        for attribute in dir(family):
            function = getattr(family, attribute)
            if isinstance(function, np.ufunc):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    reached.setdefault((get_module(function), function.__name__), Use.NAME)
                reached.setdefault((family.__name__, function.__name__), Use.NAME)
    TARGET.write_text(json.dumps(table(reached), indent=1, ensure_ascii=False) + "\n")


def plain_values() -> list[tuple[str, object]]:
    """Values that models hold now and then."""
    import datetime
    import functools

    return [
        ("containers", {"a": [1, (2.0, None)], 3: {"x", "y"}, 1.5: b"raw", True: slice(1, 2)}),
        ("generator", np.random.default_rng(1)),
        ("state", np.random.RandomState(1)),
        ("masked", np.ma.array([1, 2], mask=[0, 1])),
        ("objects", np.array(["a", None], dtype=object)),
        ("dtypes", [np.dtype(kind) for kind in "?bhilqBHILQefdgFDGSUVMm"]),
        (
            "types",
            [
                np.float16,
                np.float32,
                np.float64,
                np.int8,
                np.int16,
                np.int32,
                np.int64,
                np.uint8,
                np.uint16,
                np.uint32,
                np.uint64,
                np.bool_,
                np.str_,
                np.bytes_,
                np.complex64,
                np.complex128,
                int,
                float,
                str,
                bool,
                bytes,
                list,
                dict,
                tuple,
                set,
                complex,
                frozenset,
            ],
        ),
        (
            "scalars",
            [
                np.float32(1),
                np.int8(1),
                np.bool_(True),
                np.uint16(1),
                np.str_("a"),
                np.complex128(1),
                np.float16(1),
                np.int32(1),
                np.uint8(1),
            ],
        ),
        (
            "keys",
            {np.int64(1): 1, np.float64(2): 2, np.str_("a"): 3, "plain": 4, np.bool_(True): 5},
        ),
        ("time", [datetime.date(2020, 1, 1), datetime.timedelta(1), datetime.UTC]),
        ("bound", functools.partial(np.log1p)),
        ("sparse", scipy.sparse.eye(3).tocsr()),
    ]


def table(reached: dict[tuple[str, str], Use]) -> dict[str, object]:
    """The rows that the callables' lists lack, grouped by module and use."""
    groups: dict[tuple[str, Use], list[str]] = defaultdict(list)
    for (module, name), use in sorted(reached.items()):
        judgement = judge(module, name)
        if judgement.standing is Standing.ALLOWED and judgement.use >= use:
            continue
        if judgement.standing is Standing.DANGEROUS or module.split(".")[0] not in TRUSTED_ROOTS:
            print(f"left out: {module}.{name} ({judgement.standing.value}, {use.label})")
            continue
        groups[module, use].append(name)
    return {
        "schema": 1,
        "library": "skops",
        "versions": [
            f"{name} {version(name)}" for name in ("skops", "scikit-learn", "numpy", "scipy")
        ],
        "how": "tools/skops_types.py: names in honest skops files that pickles do not need",
        "callables": [
            {"module": module, "names": names, "use": use.label, "reason": REASONS[use]}
            for (module, use), names in sorted(groups.items())
        ],
    }


if __name__ == "__main__":
    main()
