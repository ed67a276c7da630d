"""The log of signed statements: appending to it, and what its Merkle tree proves.

A statement's entry in the tree is its envelope's bytes as they are stored. The tree's full
subtrees are stored too, so that appending, a root and a proof each cost a few look-ups, however
long the log is.

Always holds: statements are numbered from 1 without a gap, in the order in which their
transactions commit; a statement, the rows that it covers and the nodes that it completes are
written in one transaction, which is the caller's. One writer at a time appends, from `lock` to the
end of that transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, column, delete, false, func, or_, select
from sqlalchemy import table as plain_table

from tidegate.attestation.envelopes import seal
from tidegate.attestation.keys import SigningKey
from tidegate.attestation.merkle import (
    EMPTY_ROOT,
    complete_subtrees,
    consistency_ranges,
    inclusion_ranges,
    joined,
    leaf_hash,
    node_hash,
)
from tidegate.attestation.statements import Statement, Subject
from tidegate.errors import TamperedError
from tidegate.ledger import schema
from tidegate.ledger.coverage import FIELD, GENESIS, Coverage, CoveredRow
from tidegate.ledger.records import stored_time

# Any number will do that nothing else takes: "tidelog" in ASCII.
_ADVISORY_LOCK = int.from_bytes(b"tidelog", "big")
_VERSIONS = plain_table(schema.VERSION_TABLE, column("version_num"))


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement before it has its place in the log, and the rows that it covers."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any]
    rows: tuple[CoveredRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """How long the log is, and the leaf hash of its last statement."""

    size: int
    last: str


def lock(connection: Connection) -> None:
    """Let nobody else append before this transaction ends.

    Taken before the first row of any kind is written: taken later, two writers could each hold a
    row that the other waits for.
    """
    if connection.dialect.name == "sqlite":
        # Changes nothing, but takes the write lock, and begins the transaction if need be.
        connection.execute(delete(_VERSIONS).where(false()))
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))


def head(connection: Connection) -> Head:
    """Where the log ends."""
    columns = schema.statement.c
    found = connection.execute(
        select(columns.id, columns.leaf_hash).order_by(columns.id.desc()).limit(1)
    ).first()
    return Head(0, GENESIS) if found is None else Head(found[0], found[1])


def append(connection: Connection, drafts: Sequence[Draft], key: SigningKey) -> range:
    """Sign statements and append them, in the transaction of a connection that holds the lock.

    Returns:
        Their numbers.

    Raises:
        TamperedError: the log lacks a node, or its database does not keep what is written.
    """
    before = head(connection)
    numbers = range(before.size + 1, before.size + 1 + len(drafts))
    if not drafts:
        return numbers
    at = stored_time(datetime.now(UTC), "time")
    rows, leaves, previous = [], [], before.last
    for number, draft in zip(numbers, drafts, strict=True):
        coverage = Coverage(number, previous, at, draft.rows)
        predicate = {**draft.predicate, FIELD: coverage.to_dict()}
        envelope = seal(Statement(draft.subjects, draft.predicate_type, predicate), key)
        leaves.append(leaf_hash(envelope))
        previous = leaves[-1].hex()
        rows.append(
            {
                "id": number,
                "predicate_type": draft.predicate_type,
                "digest": draft.subjects[0].digest,
                "envelope": envelope.decode(),
                "leaf_hash": previous,
                "created_at": at,
            }
        )
    nodes = _completed(connection, before, leaves)
    connection.execute(schema.statement.insert(), rows)
    if nodes:
        connection.execute(schema.log_node.insert(), nodes)
    if head(connection) != Head(numbers[-1], previous):
        raise TamperedError(
            "the ledger's database did not keep a new statement",
            remedy="look for triggers and rules on tidegate_statement that Tidegate did not make",
        )
    return numbers


def root(connection: Connection, size: int) -> bytes:
    """The root over the first `size` statements."""
    return _roots(connection, [(0, size)])[0]


def inclusion_proof(connection: Connection, number: int, size: int) -> tuple[bytes, ...]:
    """What shows that statement `number` is among the first `size`."""
    return _roots(connection, inclusion_ranges(number - 1, size))


def consistency_proof(connection: Connection, first: int, size: int) -> tuple[bytes, ...]:
    """What shows that the log of `first` statements is the beginning of that of `size`."""
    return _roots(connection, consistency_ranges(first, size))


def _completed(
    connection: Connection, before: Head, leaves: Sequence[bytes]
) -> list[dict[str, object]]:
    """The nodes that these leaves complete."""
    size = before.size
    # One statement needs only the subtrees that it completes, most often none.
    least = size & (size + 1) if len(leaves) == 1 else 0
    wanted = complete_subtrees(least, size)
    peaks: dict[int, bytes] = {}
    if size & 1:
        peaks[0] = bytes.fromhex(before.last)
    known = _hashes(connection, [each for each in wanted if each[0]])
    peaks |= {level: value for (level, _), value in known.items()}
    nodes: list[dict[str, object]] = []
    for index, leaf in enumerate(leaves, size):
        level, at, merged = 0, index, leaf
        while at & 1:
            merged = node_hash(peaks.pop(level), merged)
            level, at = level + 1, at >> 1
            nodes.append({"level": level, "number": at, "hash": merged.hex()})
        peaks[level] = merged
    return nodes


def _roots(connection: Connection, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    parts = [complete_subtrees(start, end) for start, end in ranges]
    known = _hashes(connection, [each for part in parts for each in part])
    return tuple(joined([known[each] for each in part]) if part else EMPTY_ROOT for part in parts)


def _hashes(
    connection: Connection, wanted: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], bytes]:
    """The stored hashes of these nodes; a leaf's stands with its statement."""
    wanted = list(wanted)
    node, said = schema.log_node.c, schema.statement.c
    found: dict[tuple[int, int], bytes] = {}
    leaves = [number + 1 for level, number in wanted if not level]
    if leaves:
        query = select(said.id, said.leaf_hash).where(said.id.in_(leaves))
        found |= {
            (0, each.id - 1): bytes.fromhex(each.leaf_hash) for each in connection.execute(query)
        }
    inner = [and_(node.level == level, node.number == number) for level, number in wanted if level]
    if inner:
        query = select(node.level, node.number, node.hash).where(or_(*inner))
        found |= {
            (each.level, each.number): bytes.fromhex(each.hash)
            for each in connection.execute(query)
        }
    if missing := set(wanted) - found.keys():
        level, number = min(missing)
        raise TamperedError(
            f"the ledger's log lacks the node {level}/{number}",
            remedy="run `tidegate ledger verify`, and restore the database from a backup",
        )
    return found
