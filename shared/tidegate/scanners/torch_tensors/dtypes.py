"""torch's element types: their sizes, their names in safetensors, and the storages' classes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DType:
    """One element type. `swapped` is the size of what a change of byte order turns round."""

    name: str
    safetensors: str | None
    size: int
    swapped: int = 0

    @property
    def unit(self) -> int:
        """Bytes that belong together in one byte order: half of a complex number."""
        return self.swapped or self.size


_ROWS = (
    ("float64", "F64", 8), ("float32", "F32", 4), ("float16", "F16", 2), ("bfloat16", "BF16", 2),
    ("int64", "I64", 8), ("int32", "I32", 4), ("int16", "I16", 2), ("int8", "I8", 1),
    ("uint64", "U64", 8), ("uint32", "U32", 4), ("uint16", "U16", 2), ("uint8", "U8", 1),
    ("bool", "BOOL", 1), ("float8_e4m3fn", "F8_E4M3", 1), ("float8_e5m2", "F8_E5M2", 1),
    ("float8_e4m3fnuz", "F8_E4M3FNUZ", 1), ("float8_e5m2fnuz", "F8_E5M2FNUZ", 1),
    ("float8_e8m0fnu", "F8_E8M0", 1),
)  # fmt: skip

DTYPES = {
    **{name: DType(name, told, size) for name, told, size in _ROWS},
    "complex64": DType("complex64", "C64", 8, 4),
    # Told apart, so that a refusal can say what the tensor is.
    "complex128": DType("complex128", None, 16, 8),
    "complex32": DType("complex32", None, 4, 2),
}
ALIASES = {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
    "short": "int16", "cfloat": "complex64", "cdouble": "complex128", "chalf": "complex32",
}  # fmt: skip

STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
}  # fmt: skip
"""The classes of storages that have a type of their own, and that type."""
