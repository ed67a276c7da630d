"""pyarrow: the arrays that pandas keeps strings and other columns in."""

from __future__ import annotations

import pyarrow as pa
from collect import Library


def make() -> Library:
    """The list, from arrays and types; no extension types, which bring classes of their own."""
    library = Library(
        file="pyarrow.json",
        name="pyarrow",
        distribution="pyarrow",
        prefixes=("pyarrow",),
        how="tools/callables/make.py pyarrow: arrays, chunked arrays and types pickled in all"
        " protocols, by cloudpickle and joblib",
    )
    columns = [
        pa.array(["a", None]),
        pa.array([1, 2]),
        pa.array([1.5, None]),
        pa.array([True]),
        pa.array([b"x"]),
        pa.array([1, 2], pa.timestamp("ns", "UTC")),
        pa.array([1], pa.date32()),
        pa.array([[1], [2]]),
        pa.array([{"a": 1}]),
        pa.array(["a"]).dictionary_encode(),
        pa.array(["a"], pa.large_string()),
        pa.array([1], pa.duration("us")),
        pa.array([1], pa.time64("us")),
        pa.array([None]),
        pa.array([1], pa.decimal128(5, 2)),
    ]
    for column in columns:
        library.observe(column, f"pyarrow {column.type}")
        library.observe(pa.chunked_array([column, column]), f"pyarrow chunked {column.type}")
        library.observe(column.type, f"pyarrow type {column.type}")
    return library
