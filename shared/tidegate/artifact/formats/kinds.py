"""The formats by name: one for each family that one reader reads."""

from __future__ import annotations

import enum

TORCH_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that torch wrote, as a pickle of its own, at the start of files before 1.6."""


class Format(enum.StrEnum):
    """A family of formats that one reader reads."""

    EMPTY = "empty"
    PICKLE = "pickle"
    TORCH_LEGACY = "torch-legacy"
    ZIP = "zip"
    TORCH_ZIP = "torch-zip"
    SKOPS = "skops"
    NPZ = "npz"
    NUMPY = "numpy"
    SAFETENSORS = "safetensors"
    MLMODEL = "mlmodel"
    MODULE_NAME = "module-name"
    YAML = "yaml"
    JSON = "json"
    TEXT = "text"
    REQUIREMENTS = "requirements"
    TEMPLATE = "template"
    PYTHON = "python"
    NOTEBOOK = "notebook"
    BYTECODE = "bytecode"
    SCRIPT = "script"
    NATIVE = "native"
    GZIP = "gzip"
    BZ2 = "bz2"
    XZ = "xz"
    LZMA = "lzma"
    ZLIB = "zlib"
    LZ4 = "lz4"
    ZSTD = "zstd"
    TAR = "tar"
    SEVENZIP = "7z"
    RAR = "rar"
    CABINET = "cabinet"
    HDF5 = "hdf5"
    ONNX = "onnx"
    TFLITE = "tflite"
    PROTOBUF = "protobuf"
    GGUF = "gguf"
    PARQUET = "parquet"
    ARROW = "arrow"
    SQLITE = "sqlite"
    CATBOOST = "catboost"
    XGBOOST = "xgboost"
    UBJSON = "ubjson"
    LIGHTGBM = "lightgbm"
    PDF = "pdf"
    MARKUP = "markup"
    IMAGE = "image"
    MEDIA = "media"
    UNKNOWN = "unknown"


ZIP_FORMATS = frozenset({Format.ZIP, Format.TORCH_ZIP, Format.SKOPS, Format.NPZ})
"""The formats whose container is a zip archive."""
