"""XGBoost's binary model format, which versions before 3 wrote (`save_model` without a suffix).

Fields as in XGBoost 1.x to 2.x: `LearnerIO::LoadModel` in `src/learner.cc`, `GBTreeModel::Load`,
`RegTree::Load`, `GBLinearModel::Load`, and dmlc's stream serialisation. The magic `binf` is
optional in the oldest files; those are not told.
"""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor

_LEARNER = 136
_TREES = 160
_TREE = 148
_NODE, _STATISTICS = 20, 16
_LINEAR = 136
_MOST = 1 << 26
_NAME = 1 << 10


def read_binary(cursor: Cursor) -> list[tuple[int, bytes]]:
    """Follow the model to its end; the texts that it carries, each with its offset."""
    if cursor.take(4) != b"binf":
        raise BrokenError("It does not begin with XGBoost's mark.")
    learner = cursor.at
    _, _, _, has_attributes, has_metrics = cursor.unpack("fIiii")
    cursor.seek(learner + _LEARNER)
    objective, booster = _text(cursor, _NAME), _text(cursor, _NAME)
    if booster in {b"gbtree", b"dart"}:
        _trees(cursor, weighted=booster == b"dart")
    elif booster == b"gblinear":
        cursor.skip(_LINEAR)
        _vector(cursor, 4)
    else:
        raise BrokenError("It names no booster that XGBoost has.")
    texts = []
    if has_attributes:
        for _ in range(_count(cursor, 16)):
            _text(cursor, _NAME)
            texts.append((cursor.at, _text(cursor, 32 << 20)))
    # Written beside the attributes by versions that keep the parameter apart.
    more = int(objective == b"count:poisson" and bool(cursor.left))
    if has_metrics:
        more += _count(cursor, 8)
    texts.extend((cursor.at, _text(cursor, _NAME)) for _ in range(more))
    cursor.expect_end("the model")
    return texts


def _trees(cursor: Cursor, *, weighted: bool) -> None:
    start = cursor.at
    trees = cursor.number("i")
    cursor.seek(start + _TREES)
    if not 0 <= trees <= _MOST:
        raise BrokenError(f"It claims {trees} trees.")
    for _ in range(trees):
        tree = cursor.at
        _, nodes, _, _, _, leaf_vector = cursor.unpack("6i")
        cursor.seek(tree + _TREE)
        if nodes < 1 or leaf_vector:
            raise BrokenError(f"A tree has {nodes} nodes (byte {tree}).")
        cursor.skip(nodes * (_NODE + _STATISTICS))
    cursor.skip(4 * trees)
    if weighted and trees:
        _vector(cursor, 4)


def _vector(cursor: Cursor, width: int) -> None:
    cursor.skip(_count(cursor, width) * width)


def _count(cursor: Cursor, width: int) -> int:
    count = cursor.number("Q")
    if count * width > cursor.left:
        raise BrokenError(f"A list claims {count} entries at byte {cursor.at}.")
    return count


def _text(cursor: Cursor, most: int) -> bytes:
    return cursor.take(cursor.number("Q"), most)
