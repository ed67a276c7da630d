"""numpy and joblib's wrapper: arrays, scalars, data types, random states, functions of numbers."""

from __future__ import annotations

import numpy as np
import numpy.ma.mrecords
from collect import Library, Use

# Functions that are safe to be named: they compute on numbers, and call, open or import nothing
# whatever they are given. Ufuncs are added below.
FUNCTIONS = [
    "abs",
    "absolute",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "around",
    "array",
    "asarray",
    "average",
    "clip",
    "column_stack",
    "concatenate",
    "corrcoef",
    "cov",
    "cross",
    "cumprod",
    "cumsum",
    "diff",
    "digitize",
    "dot",
    "ediff1d",
    "empty",
    "eye",
    "flip",
    "full",
    "histogram",
    "hstack",
    "identity",
    "interp",
    "isclose",
    "linspace",
    "mean",
    "median",
    "meshgrid",
    "moveaxis",
    "nan_to_num",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "ndim",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "percentile",
    "prod",
    "ptp",
    "quantile",
    "ravel",
    "reshape",
    "roll",
    "round",
    "shape",
    "sort",
    "split",
    "squeeze",
    "stack",
    "std",
    "sum",
    "swapaxes",
    "tile",
    "trace",
    "transpose",
    "trapezoid",
    "unique",
    "var",
    "vstack",
    "where",
    "zeros",
    "zeros_like",
]
POLYNOMIALS = ("Hermite", "HermiteE", "Laguerre", "Legendre")
SCALARS = [
    "bool_",
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "longdouble",
    "complex64",
    "complex128",
    "clongdouble",
    "str_",
    "bytes_",
    "datetime64",
    "timedelta64",
    "void",
    "object_",
    "intc",
    "uintc",
    "intp",
    "uintp",
    "longlong",
    "ulonglong",
    "long",
    "ulong",
    "byte",
    "ubyte",
    "short",
    "ushort",
    "single",
    "double",
    "half",
    "csingle",
    "cdouble",
]


def make() -> Library:
    """The list, from objects of every kind."""
    library = Library(
        file="numpy.json",
        name="numpy",
        distribution="numpy",
        prefixes=("numpy",),
        how="tools/callables/make.py numpy: arrays, scalars and random states pickled in all"
        " protocols, by cloudpickle and joblib; functions of numbers by name",
        spellings={"numpy._core": "numpy.core"},
        reasons={
            "numpy._core.multiarray._reconstruct": "makes an empty array of the given class",
            "numpy._core.multiarray.scalar": "makes a scalar of its bytes",
            "numpy.dtype": "a data type",
            "numpy.ndarray": "the array class, which _reconstruct is given",
        },
        gives={
            "numpy._core.multiarray._reconstruct": "make",
            "numpy._core._internal._reconstruct": "make",
            "numpy.ma.core._mareconstruct": "make",
            "numpy.random.bit_generator.__pyx_unpickle_SeedSequence": "make",
            "numpy.random._pickle.__randomstate_ctor": "call",
            "numpy.random._pickle.__generator_ctor": "call",
            "numpy.random._pickle.__bit_generator_ctor": "call",
        },
        never=frozenset({"numpy.memmap"}),
        most={
            "numpy.object_": Use.NAME,  # called, it gives back whatever it is given
            "numpy.vectorize": Use.MAKE,  # called, it may call what it is given
        },
    )
    for number, value in enumerate(objects()):
        library.observe(value, f"numpy {number} {type(value).__name__}")
    for name in SCALARS:
        if hasattr(np, name):
            library.note("numpy", getattr(np, name).__name__, Use.CALL)
            library.note("numpy", name, Use.CALL)
    for name in [
        "generic",
        "number",
        "integer",
        "signedinteger",
        "unsignedinteger",
        "inexact",
        "floating",
        "complexfloating",
        "flexible",
        "character",
    ]:
        library.note("numpy", name, Use.NAME)
    for name in FUNCTIONS:
        if hasattr(np, name):
            library.note("numpy", name, Use.NAME)
    for name in dir(np):
        if isinstance(getattr(np, name), np.ufunc):
            library.note("numpy", name, Use.NAME)
            library.note("numpy._core._multiarray_umath", name, Use.NAME)
    for name in ("norm", "inv", "pinv", "det", "solve", "eigh", "svd"):
        library.note("numpy.linalg", name, Use.NAME)
    # As numpy 1.16 and before wrote them.
    library.note("numpy.random", "__RandomState_ctor", Use.CALL)
    library.note("numpy._core._internal", "_reconstruct", Use.CALL)
    library.note("numpy.matrixlib.defmatrix", "matrix", Use.MAKE)
    for name in ("recarray", "record"):
        library.note("numpy._core.records", name, Use.MAKE)
    for name in ("__randomstate_ctor", "__generator_ctor", "__bit_generator_ctor"):
        library.note("numpy.random._pickle", name, Use.CALL)
    return library


def objects() -> list[object]:
    """One object of each kind that models hold."""
    arrays: list[object] = [
        np.arange(6, dtype=code).reshape(2, 3)
        for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
    ]
    arrays += [
        np.arange(6, dtype=">i4"),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20.0)[::2],
        np.array(3.5),
        np.zeros((0, 3)),
        np.zeros(3, dtype=bool),
        np.array(["a", "bc"]),
        np.array([b"a", b"bc"]),
        np.array(["2020-01-01"], dtype="M8[D]"),
        np.array([1, 2], dtype="m8[s]"),
        np.array([{"a": 1}, None, "x"], dtype=object),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]),
        np.zeros(2, dtype=[("a", "f8", (2, 2))]),
        np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]),
        np.matrix([[1, 2], [3, 4]]),
        np.float32(1.5),
        np.float64(1.5),
        np.int64(3),
        np.bool_(True),
        np.str_("x"),
        np.datetime64("2020-01-01"),
        np.timedelta64(3, "s"),
        np.complex64(1j),
        np.longdouble(1),
        np.dtype("f8"),
        np.dtype([("a", "i4")]),
        np.dtype("M8[ns]"),
        np.float64,
        np.int64,
        np.ndarray,
        np.random.RandomState(0),
        np.random.default_rng(0),
        np.random.mtrand._rand,  # noqa: SLF001 - the generator that np.random itself uses
        np.poly1d([1, 2, 3]),
        np.polynomial.Polynomial([1, 2]),
        np.polynomial.Chebyshev([1, 2]),
        np.log1p,
        np.add,
        np.mean,
        np.linalg.norm,
        slice(1, 2),
        range(3),
        np.newaxis,
    ]
    arrays += [
        np.zeros(2, dtype=[(f"column {number}", "f8") for number in range(60)]),
        np.zeros(2, dtype={"names": ["a", "b"], "formats": ["i1", "f8"], "offsets": [0, 8]}),
        np.zeros(2, dtype=np.dtype("i4", metadata={"a": 1})),
        np.ma.masked_array(np.zeros((2, 2)), mask=True, fill_value=3),
        np.ma.masked,
        np.ma.mrecords.fromarrays([np.arange(2), np.arange(2.0)], names="a,b"),
        np.rec.fromarrays([[1, 2], ["a", "b"]], names="a,b")[0],
        np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")])[0],
        np.char.array(["a", "b"]),
        np.vectorize(np.log1p),
        np.finfo(np.float64).dtype,
        np.array([1, 2]).flat,
        *(getattr(np.polynomial, kind)([1, 2]) for kind in POLYNOMIALS),
    ]
    if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
        arrays += [np.array(["a", "bc"], dtype=np.dtypes.StringDType()), np.dtypes.StringDType()]
    for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"):
        bits = getattr(np.random, name)(0)
        arrays += [bits, np.random.Generator(bits), np.random.SeedSequence(1)]
    return arrays
