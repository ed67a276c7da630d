"""joblib: the wrapper that it puts in an array's place."""

from __future__ import annotations

import numpy as np
from collect import Library


def make() -> Library:
    """The list, from arrays written by joblib.dump."""
    library = Library(
        file="joblib.json",
        name="joblib",
        distribution="joblib",
        prefixes=("joblib",),
        how="tools/callables/make.py joblib: arrays written by joblib.dump",
        reasons={
            "joblib.numpy_pickle.NumpyArrayWrapper": "describes the raw array behind it, which"
            " the scanner steps over as joblib does"
        },
    )
    for value in (np.arange(6.0), np.array([None, "x"], dtype=object), {"a": np.zeros((2, 2))}):
        library.observe(value, "joblib")
    return library
