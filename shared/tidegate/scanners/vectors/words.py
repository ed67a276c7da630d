"""fastText's binary models, and word2vec's binary vectors.

fastText: `FastText::loadModel`, `Dictionary::load`, `DenseMatrix::load`, `QuantMatrix::load` of
version 0.9. word2vec: a line with two counts, then each word, a space and its numbers.
"""

from __future__ import annotations

import re

from tidegate.scanners.cursor import BrokenError, Cursor

FASTTEXT_MAGIC = 793712314
_LONGEST_WORD = 1 << 12
_MOST_WORDS = 20_000_000
_WORD2VEC = re.compile(rb"(\d{1,9}) (\d{1,6})\r?\n")
_BLOCK = 1 << 20


def read_fasttext(cursor: Cursor) -> None:
    """Settings, dictionary, the two matrices."""
    magic, version = cursor.unpack("ii")
    if magic != FASTTEXT_MAGIC or version not in {11, 12}:
        raise BrokenError(f"The version {version} is not known.")
    cursor.skip(12 * 4 + 8)
    size, _, _, _, pruned = cursor.unpack("iiiqq")
    if not 0 <= size <= _MOST_WORDS:
        raise BrokenError(f"The dictionary claims {size} words.")
    for _ in range(size):
        _word(cursor, b"\0")
        cursor.skip(9)
    cursor.skip(8 * max(0, pruned))
    _matrix(cursor, quantised=bool(cursor.byte()))
    _matrix(cursor, quantised=bool(cursor.byte()))
    cursor.expect_end("the model")


def _word(cursor: Cursor, end: bytes) -> bytes:
    at = cursor.at
    head = cursor.peek(64)
    if end not in head:
        head = cursor.peek(_LONGEST_WORD)
    length = head.find(end)
    if length < 0:
        raise BrokenError(f"The word at byte {at} does not end.")
    cursor.skip(length + 1)
    return head[:length]


def _matrix(cursor: Cursor, *, quantised: bool) -> None:
    if not quantised:
        rows, columns = cursor.unpack("qq")
        cursor.skip(_area(rows, columns) * 4)
        return
    norms = bool(cursor.byte())
    rows, _, codes = cursor.unpack("qqi")
    cursor.skip(codes)
    _quantizer(cursor)
    if norms:
        cursor.skip(_area(rows, 1))
        _quantizer(cursor)


def _quantizer(cursor: Cursor) -> None:
    dimension, *_ = cursor.unpack("iiii")
    cursor.skip(_area(dimension, 256) * 4)


def _area(rows: int, columns: int) -> int:
    if rows < 0 or columns < 0:
        raise BrokenError("A matrix has a negative size.")
    return rows * columns


def read_word2vec(cursor: Cursor) -> None:
    """Every word is as long as it is, every vector as its line says."""
    found = _WORD2VEC.match(cursor.peek(32))
    if found is None:
        raise BrokenError("It has no counts.")
    words, width = int(found[1]), int(found[2]) * 4
    if words * (width + 1) > cursor.size:
        raise BrokenError(f"{words} words are claimed, and the file ends before.")
    cursor.skip(found.end())
    for _ in range(words):
        if any(byte < 0x20 and byte != 0x0A for byte in _word(cursor, b" ")):
            raise BrokenError(f"The word before byte {cursor.at} is none.")
        cursor.skip(width)
    if cursor.left and cursor.peek(1) == b"\n":
        cursor.skip(1)
    cursor.expect_end("the vectors")
