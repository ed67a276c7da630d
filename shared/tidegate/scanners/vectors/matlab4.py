"""MATLAB's files of version 4: matrix after matrix, numbers and texts and nothing else.

Always holds: the matrices follow each other to the file's last byte.
"""

from __future__ import annotations

from tidegate.artifact.formats.matlab4 import HEAD, is_matrix_name, matrix_head
from tidegate.scanners.cursor import BrokenError, Cursor


def read_matlab4(cursor: Cursor) -> None:
    """Follow the matrices to the end, or raise BrokenError."""
    while cursor.left:
        start = cursor.at
        lengths = matrix_head(cursor.take(HEAD))
        if lengths is None or not is_matrix_name(cursor.take(lengths[0])):
            raise BrokenError(f"The matrix at byte {start} has no head, or no name.")
        cursor.skip(lengths[1])
