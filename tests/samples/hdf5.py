"""HDF5 files written by h5py, in memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import h5py


def hdf5_file(fill: Callable[[Any], None], **options: Any) -> bytes:
    """The bytes of a file that `fill` was called on."""
    stream = io.BytesIO()
    with h5py.File(stream, "w", **options) as file:
        fill(file)
    return stream.getvalue()


def with_attribute(value: Any, name: str = "model_config", **options: Any) -> bytes:
    """A file whose root group has one attribute."""
    return hdf5_file(lambda file: file.attrs.__setitem__(name, value), **options)


def with_dataset(value: Any, **options: Any) -> bytes:
    """A file with one dataset called `data`."""
    return hdf5_file(lambda file: file.create_dataset("data", data=value, **options))
