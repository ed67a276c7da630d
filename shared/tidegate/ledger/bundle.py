"""What leaves a ledger to be kept elsewhere: checkpoints, and all statements as one file.

A bundle is an in-toto bundle: one DSSE envelope a line, in the log's order, each exactly as it is
stored. Two ledgers, or a ledger and last year's bundle, are compared by it. Always holds: memory
stays flat, whatever the file's size; a line is believed only by its signature.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import select

from tidegate.attestation.checkpoint import Checkpoint, write_checkpoint
from tidegate.attestation.envelopes import SignatureError, open_envelope, statement_in
from tidegate.attestation.keys import KeyList, SigningKey
from tidegate.attestation.merkle import leaf_hash, verify_consistency
from tidegate.attestation.own_key import trusted_keys
from tidegate.errors import TamperedError, UsageError
from tidegate.ledger import log, schema
from tidegate.ledger.checkpoint_notes import opened
from tidegate.ledger.coverage import read_coverage
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import moment

_PAGE = 500
_SHOWN = 1000
_LINE_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One statement that is not on both sides. `number` is its own, as it was signed."""

    where: str
    number: int
    predicate_type: str
    subject: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many statements both sides have, and those of one side alone (the first thousand)."""

    shared: int
    only_in_ledger: int
    only_in_bundle: int
    differences: tuple[Difference, ...]
    unbelieved: tuple[str, ...]
    """Lines of the bundle that no key of the list signed, with the reason."""

    @property
    def same(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.only_in_ledger or self.only_in_bundle or self.unbelieved)


def checkpoint(ledger: Reader, key: SigningKey, after: str | None) -> str:
    """The log as it stands, as a signed note; see `Ledger.checkpoint`."""
    return checkpoint_with_proof(ledger, key, after)[0]


def checkpoint_with_proof(
    ledger: Reader, key: SigningKey, after: str | None
) -> tuple[str, tuple[bytes, ...]]:
    """The same, and what shows that the log continues `after`; without one, no proof."""
    with ledger.reading() as connection:
        end = log.head(connection)
        if not end.size:
            raise UsageError("the ledger has no statement yet that a checkpoint could speak for")
        origin = ledger.origin() or ""
        root = log.root(connection, end.size)
        proof: tuple[bytes, ...] = ()
        if after is not None:
            before = opened(after, trusted_keys(key))
            _require_continued(before, origin, end.size)
            proof = log.consistency_proof(connection, before.size, end.size)
            if not verify_consistency(before.size, end.size, proof, before.root, root):
                raise _not_continued("its statements are others")
    return write_checkpoint(Checkpoint(origin, end.size, root), key), proof


def require_continuation(before: str, after: str, proof: tuple[bytes, ...]) -> None:
    """Hold one note against an earlier one of the same log, by the log's proof.

    Raises:
        TamperedError: it is not its continuation, or not signed by a key that counts.
    """
    keys = trusted_keys()
    old, new = opened(before, keys), opened(after, keys)
    _require_continued(old, new.origin, new.size)
    if not verify_consistency(old.size, new.size, proof, old.root, new.root):
        raise _not_continued("its statements are others")


def _require_continued(before: Checkpoint, origin: str, size: int) -> None:
    if before.origin != origin:
        raise _not_continued("it is another log")
    if before.size > size:
        raise _not_continued(f"it has {size} statements, and had {before.size}")


def _not_continued(why: str) -> TamperedError:
    return TamperedError(
        f"the log is not the continuation of the earlier checkpoint: {why}",
        remedy="keep that checkpoint, and run `tidegate ledger verify --checkpoint` with it",
    )


def export(ledger: Reader) -> Iterator[str]:
    """Every envelope in the log's order, one line each."""
    for _, envelope in _statements(ledger):
        yield f"{envelope}\n"


def compare(ledger: Reader, lines: Iterable[bytes], keys: KeyList) -> Comparison:
    """Hold a bundle against a ledger.

    Raises:
        UsageError: a line is longer than any statement.
    """
    unbelieved: list[str] = []
    with closing(sqlite3.connect("", isolation_level=None)) as seen:
        seen.executescript(
            "CREATE TABLE here (leaf TEXT PRIMARY KEY, id INTEGER) WITHOUT ROWID;"
            "CREATE TABLE there (leaf TEXT PRIMARY KEY, number INTEGER, kind TEXT, subject TEXT)"
            " WITHOUT ROWID; BEGIN"
        )
        for position, line in enumerate(lines, 1):
            if len(line) > _LINE_LIMIT:
                raise UsageError(f"line {position} of the bundle is longer than any statement")
            entry = line.rstrip(b"\r\n")
            try:
                statement = statement_in(entry)
                coverage = read_coverage(statement.predicate)
                open_envelope(entry, keys, at=moment(coverage.at))
            except (SignatureError, ValueError) as error:
                if len(unbelieved) < _SHOWN:
                    unbelieved.append(f"line {position}: {error}")
                continue
            row = (
                leaf_hash(entry).hex(), coverage.number, statement.predicate_type,
                statement.subjects[0].name,
            )  # fmt: skip
            seen.execute("INSERT OR IGNORE INTO there VALUES (?, ?, ?, ?)", row)
        for number, envelope in _statements(ledger):
            leaf = leaf_hash(envelope.encode()).hex()
            seen.execute("INSERT OR IGNORE INTO here VALUES (?, ?)", (leaf, number))
        (shared,) = seen.execute("SELECT count(*) FROM here JOIN there USING (leaf)").fetchone()
        (here,) = seen.execute("SELECT count(*) FROM here").fetchone()
        (there,) = seen.execute("SELECT count(*) FROM there").fetchone()
        alone_there = seen.execute(
            "SELECT 'bundle', number, kind, subject FROM there LEFT JOIN here USING (leaf) "
            "WHERE here.leaf IS NULL ORDER BY number LIMIT ?",
            (_SHOWN,),
        )
        differences = [Difference(*row) for row in alone_there]
        alone_here = seen.execute(
            "SELECT id FROM here LEFT JOIN there USING (leaf) WHERE there.leaf IS NULL "
            "ORDER BY id LIMIT ?",
            (_SHOWN,),
        )
        numbers = [number for (number,) in alone_here]
    differences += _described(ledger, numbers)
    return Comparison(shared, here - shared, there - shared, tuple(differences), tuple(unbelieved))


def _described(ledger: Reader, numbers: list[int]) -> Iterator[Difference]:
    columns = schema.statement.c
    with ledger.reading() as connection:
        for at in range(0, len(numbers), _PAGE):
            query = select(columns.id, columns.predicate_type, columns.digest).where(
                columns.id.in_(numbers[at : at + _PAGE])
            )
            for number, kind, digest in connection.execute(query.order_by(columns.id)):
                yield Difference("ledger", number, kind, digest)


def _statements(ledger: Reader) -> Iterator[tuple[int, str]]:
    columns = schema.statement.c
    query = select(columns.id, columns.envelope).order_by(columns.id)
    last = 0
    with ledger.reading() as connection:
        while page := connection.execute(query.where(columns.id > last).limit(_PAGE)).all():
            yield from ((number, envelope) for number, envelope in page)
            last = page[-1][0]
