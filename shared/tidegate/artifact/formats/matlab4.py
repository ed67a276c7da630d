"""The heads of matrices in MATLAB's files of version 4, which have no mark of their own.

"MAT-File Format", MathWorks, level 4: five numbers, then a name that ends in a zero.
"""

from __future__ import annotations

import struct

HEAD = 20
_WIDTHS = (8, 4, 4, 2, 2, 1)
_FORMS = 3
_LONGEST_NAME = 4096


def matrix_head(head: bytes) -> tuple[int, int] | None:
    """The lengths in bytes of the name and of the values; None where the head is no matrix's."""
    if len(head) < HEAD:
        return None
    for machine, order in enumerate("<>"):
        kind, rows, columns, imaginary, name = struct.unpack_from(f"{order}5I", head)
        if kind // 1000 != machine or kind // 100 % 10 or kind % 10 >= _FORMS:
            continue
        precision = kind // 10 % 10
        if precision < len(_WIDTHS) and imaginary <= 1 and 1 <= name <= _LONGEST_NAME:
            return name, rows * columns * _WIDTHS[precision] * (1 + imaginary)
    return None


def is_matrix_name(name: bytes) -> bool:
    """Whether the bytes are a name of MATLAB's with the zero behind it."""
    text = name[:-1]
    return name[-1:] == b"\0" and text.isascii() and text.decode("ascii").isidentifier()


def is_matlab4(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes that begins so begins with a matrix that fits into it."""
    lengths = matrix_head(head)
    return (
        lengths is not None
        and HEAD + sum(lengths) <= size
        and is_matrix_name(head[HEAD : HEAD + lengths[0]])
    )
