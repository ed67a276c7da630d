"""Looking for whatever was changed in a ledger after it was recorded.

    report = audit(ledger, keys, checkpoints=[note])
    report.problems          # empty: nothing was changed since the checkpoint

Every statement is read and its signature checked, every node of the log's tree computed again, and
every row of every table held against the statement that covers it, or against what it follows from.

Always holds: memory stays flat, whatever the ledger's size (what must be compared goes into a file
that SQLite throws away); no transaction stays open while it runs, so nobody waits for it, and what
is recorded meanwhile is no problem; triggers are not trusted, and nothing is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, text

from tidegate.attestation.checkpoint import Checkpoint
from tidegate.attestation.envelopes import SignatureError, open_envelope
from tidegate.attestation.keys import KeyList
from tidegate.attestation.merkle import leaf_hash, node_hash, verify_consistency
from tidegate.errors import TamperedError
from tidegate.ledger import append_only, log, schema
from tidegate.ledger.audit_content import KEY, ContentIndex
from tidegate.ledger.checkpoint_notes import opened, origin_of
from tidegate.ledger.coverage import GENESIS, Coverage, read_coverage, row_hash, shown_key
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import moment
from tidegate.ledger.said import RECORD
from tidegate.ledger.stored_rows import as_bytes, as_stored, node_stands, pages, stands

_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was recorded: `kind` in one word, where, and what about it."""

    kind: str
    table: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}: {self.message}"


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit came to. `problems` holds the first thousand, `problem_count` says how many.

    `adopted` rows were recorded before there were statements, so they are sure only from their
    adoption on. `fixed` is how many statements the newest checkpoint speaks for.
    """

    statements: int
    rows: int
    adopted: int
    fixed: int
    problems: tuple[Problem, ...]
    problem_count: int


def audit(ledger: Reader, keys: KeyList, *, checkpoints: Sequence[str] = ()) -> Report:
    """Look at everything.

    Args:
        ledger: the ledger, which may be one that is only read.
        keys: whose signatures count.
        checkpoints: signed notes of earlier days, which the log must be consistent with.

    Raises:
        UsageError: a checkpoint is not signed by a key of the list.
        LedgerUnavailableError: the database fails.
    """
    notes = [opened(note, keys) for note in checkpoints]
    with ledger.reading() as connection, as_stored(connection), closing(_Work(keys)) as work:
        if connection.dialect.name != "sqlite":
            connection.execution_options(isolation_level="AUTOCOMMIT")
        work.look_at_triggers(connection)
        work.look_for_doubles(connection)
        work.read_statements(connection)
        work.read_nodes(connection)
        # Before the manifests that it follows from: what is recorded meanwhile has its manifest.
        work.read_content(connection)
        for table in schema.RECORDS:
            work.read_rows(connection, table)
        # Whatever was recorded since then has its statements by now.
        work.read_statements(connection)
        work.compare(connection)
        work.compare_content(connection)
        fixed = 0
        for note in notes:
            if work.hold_against(connection, note):
                fixed = max(fixed, note.size)
        return work.report(fixed)


class _Work:
    """What one audit has seen so far."""

    def __init__(self, keys: KeyList) -> None:
        self._keys = keys
        # The empty name: a file of SQLite's own, gone when it is closed.
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.executescript(
            "CREATE TABLE said (name TEXT, key TEXT, hash TEXT, statement INTEGER);"
            "CREATE TABLE found (name TEXT, key TEXT, hash TEXT);"
            "CREATE TABLE made (level INTEGER, number INTEGER, hash TEXT,"
            " PRIMARY KEY (level, number)) WITHOUT ROWID;"
            "CREATE TABLE stored (level INTEGER, number INTEGER, hash TEXT,"
            " PRIMARY KEY (level, number)) WITHOUT ROWID;"
            "BEGIN"
        )
        self._content = ContentIndex()
        self._size = 0
        self._first_reading = 0
        self._rows = self._adopted = 0
        self._last = self._first = GENESIS
        self._after_gap = False
        # None from the first missing statement on.
        self._peaks: dict[int, bytes] | None = {}
        self._problems: list[Problem] = []
        self._count = 0

    def close(self) -> None:
        self._content.close()
        self._seen.close()

    def report(self, fixed: int) -> Report:
        return Report(
            self._size, self._rows, self._adopted, fixed, tuple(self._problems), self._count
        )

    def look_at_triggers(self, connection: Connection) -> None:
        """Whether the database itself would still refuse a change."""
        for name in append_only.weakened(connection):
            message = "the triggers that keep it append-only are missing or were changed"
            self._add("unprotected", name, "(the table)", message)

    def look_for_doubles(self, connection: Connection) -> None:
        """Rows that share a key: whoever may drop a constraint may put a second one beside it."""
        for name in schema.KEYS:
            table = schema.metadata.tables[name]
            key = ", ".join(column.name for column in table.primary_key.columns)
            query = f"SELECT {key} FROM {name} GROUP BY {key} HAVING count(*) > 1"  # noqa: S608 - names of ours
            for row in connection.execute(text(query)).all():
                shown = "/".join(map(str, row)) if len(row) > 1 else shown_key(row[0])
                self._add("inserted", name, shown, "stands more than once under its key")

    def read_statements(self, connection: Connection) -> None:
        """All statements from where the last reading ended."""
        table = schema.statement
        after = (self._size,) if self._size else None
        for page in pages(connection, table, ("id",), after=after):
            said: list[tuple[str, str, str, int]] = []
            made: list[tuple[int, int, str]] = []
            for row in page:
                number = row["id"]
                if type(number) is not int or number <= 0:
                    self._tell("inserted", table, number, "is no number of a statement")
                    continue
                if number == self._size:
                    continue  # A double, which has been told of.
                self._require_next(number)
                leaf = self._leaf(row)
                coverage = self._statement(row)
                self._size, self._last, self._after_gap = number, leaf, False
                if number == 1:
                    self._first = leaf
                self._grow(number - 1, leaf, made)
                if coverage is not None:
                    said += [
                        (each.table, shown_key(each.key), each.sha256, number)
                        for each in coverage.rows
                    ]
            self._seen.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", said)
            self._seen.executemany("INSERT OR REPLACE INTO made VALUES (?, ?, ?)", made)
        self._first_reading = self._first_reading or self._size

    def read_nodes(self, connection: Connection) -> None:
        """The stored nodes of the tree."""
        table = schema.log_node
        for page in pages(connection, table, ("level", "number"), after=None):
            nodes = [(row["level"], row["number"], row["hash"]) for row in page]
            for level, number, _ in nodes:
                if type(level) is not int or type(number) is not int or level < 1 or number < 0:
                    self._tell("inserted", table, f"{level}/{number}", "is no node of this log")
            self._seen.executemany(
                "INSERT OR REPLACE INTO stored VALUES (?, ?, ?)",
                [each for each in nodes if type(each[0]) is type(each[1]) is int],
            )

    def read_rows(self, connection: Connection, table: Table) -> None:
        """The rows of one table."""
        (key,) = table.primary_key.columns
        for page in pages(connection, table, (key.name,), after=None):
            self._seen.executemany(
                "INSERT INTO found VALUES (?, ?, ?)",
                [(table.name, shown_key(row[key.name]), row_hash(table, row)) for row in page],
            )
            self._rows += len(page)
            if table is schema.artifact:
                self._content.expect(page)

    def read_content(self, connection: Connection) -> None:
        """The index of content, which no statement covers: it follows from the manifests."""
        self._content.read(pages(connection, schema.content, KEY, after=None))

    def compare_content(self, connection: Connection) -> None:
        """Hold the index against what the manifests come to."""
        for kind, key, message in self._content.problems(connection):
            self._tell(kind, schema.content, key, message)

    def compare(self, connection: Connection) -> None:
        """Hold the rows against what the statements say of them, and the nodes against ours."""
        self._seen.execute("CREATE INDEX said_by_key ON said (name, key)")
        self._seen.execute("CREATE INDEX found_by_key ON found (name, key)")
        twice = self._seen.execute(
            "SELECT name, key, min(statement), max(statement) FROM said "
            "GROUP BY name, key HAVING count(*) > 1"
        )
        for name, key, first, last in twice:
            self._add(
                "replayed", name, key, f"two statements cover it, {first} and {last}; one is due"
            )
        edited = self._seen.execute(
            "SELECT said.name, said.key, min(statement) FROM said JOIN found USING (name, key) "
            "WHERE said.hash <> found.hash GROUP BY said.name, said.key"
        )
        for name, key, statement in edited:
            self._add(
                "edited", name, key, f"was changed after statement {statement} was signed over it"
            )
        inserted = self._seen.execute(
            "SELECT found.name, found.key FROM found LEFT JOIN said USING (name, key) "
            "WHERE said.name IS NULL"
        )
        for name, key in inserted:
            self._add(
                "inserted", name, key, "no statement covers it: it was put in past the ledger, "
                "or the log was cut short"
            )  # fmt: skip
        missing = self._seen.execute(
            "SELECT said.name, said.key, said.hash, statement FROM said "
            "LEFT JOIN found USING (name, key) WHERE found.name IS NULL"
        )
        for name, key, sha256, statement in missing:
            # Recorded while the audit ran, it may stand where the reading had been already.
            if statement <= self._first_reading or not stands(connection, name, key, sha256):
                self._add("deleted", name, key, f"is gone; statement {statement} covers it")
        self._compare_nodes(connection)

    def _compare_nodes(self, connection: Connection) -> None:
        differing = self._seen.execute(
            "SELECT level, number, stored.hash IS NULL FROM made "
            "LEFT JOIN stored USING (level, number) WHERE stored.hash IS NOT made.hash "
            "UNION ALL SELECT level, number, 2 FROM stored LEFT JOIN made USING (level, number) "
            "WHERE made.hash IS NULL"
        )
        node = schema.log_node
        for level, number, how in differing:
            first, last = _leaves(level, number)
            if how == 1:
                if last > self._first_reading and node_stands(connection, level, number):
                    continue
                self._tell("deleted", node, f"{level}/{number}", "the node is gone")
            elif how == 2:
                if self._peaks is None and last > self._first_reading:
                    continue
                if last > self._size:
                    message = f"speaks for statements to {last}; the log ends at {self._size}"
                    self._tell("truncated", node, f"{level}/{number}", message)
                elif self._peaks is not None:
                    self._tell("inserted", node, f"{level}/{number}", "is no node of this log")
            else:
                message = f"is not the hash over statements {first} to {last} as they stand"
                self._tell("edited", node, f"{level}/{number}", message)

    def hold_against(self, connection: Connection, note: Checkpoint) -> bool:
        """Whether the log only grew since a checkpoint."""
        table, key = schema.statement, f"1 to {note.size}"
        if note.origin != origin_of(self._first):
            message = (
                f"the checkpoint is of the log {note.origin}, this is {origin_of(self._first)}: "
                "another ledger, or one that was written anew from its first statement on"
            )
            self._tell("forked", table, "1", message)
            return False
        if note.size > self._size:
            message = (
                f"the log was cut short, or an old state put back: the checkpoint speaks for "
                f"{note.size} statements, and {self._size} are left"
            )
            self._tell("truncated", table, f"{self._size + 1} to {note.size}", message)
            return False
        try:
            root = log.root(connection, self._size)
            proof = log.consistency_proof(connection, note.size, self._size)
            held = verify_consistency(note.size, self._size, proof, note.root, root)
        except (TamperedError, ValueError):
            held = False
        if not held:
            self._tell(
                "forked", table, key, "these are other statements than those of the checkpoint"
            )
        return held

    def _require_next(self, number: int) -> None:
        if number == self._size + 1:
            return
        first, last = self._size + 1, number - 1
        key = str(first) if first == last else f"{first} to {last}"
        self._tell("deleted", schema.statement, key, "missing from the log")
        self._after_gap = True
        # What the missing ones hashed to is not known, so neither is any node above them.
        self._peaks = None

    def _leaf(self, row: Mapping[str, Any]) -> str:
        """The hash that the tree goes on with: the stored one, told of where it is not right."""
        computed = leaf_hash(as_bytes(row["envelope"])).hex()
        if row["leaf_hash"] != computed:
            self._tell(
                "edited", schema.statement, row["id"], "is not what the log's tree was made of"
            )
        return computed

    def _statement(self, row: Mapping[str, Any]) -> Coverage | None:
        """What a statement covers; None where it can't be believed."""
        table, number = schema.statement, row["id"]
        try:
            at = moment(row["created_at"])
            signed = open_envelope(as_bytes(row["envelope"]), self._keys, at=at)
            coverage = read_coverage(signed.statement.predicate)
        except (SignatureError, ValueError, TypeError) as error:
            self._tell("unsigned", table, number, f"can't be believed: {error}")
            return None
        statement = signed.statement
        columns = (statement.predicate_type, statement.subjects[0].digest, coverage.at)
        if columns != (row["predicate_type"], row["digest"], row["created_at"]):
            self._tell("edited", table, number, "its columns say other than what was signed in it")
        if coverage.number != number:
            message = f"was signed as number {coverage.number}: the log was reordered or replayed"
            self._tell("reordered", table, number, message)
        elif coverage.previous != self._last and not self._after_gap:
            message = "does not follow the statement before it: one of the two was exchanged"
            self._tell("reordered", table, number, message)
        if statement.predicate_type == RECORD and statement.predicate.get("kind") == "adopted":
            self._adopted += len(coverage.rows)
        return coverage

    def _grow(self, index: int, leaf: str, made: list[tuple[int, int, str]]) -> None:
        if self._peaks is None:
            return
        level, at, merged = 0, index, bytes.fromhex(leaf)
        while at & 1:
            merged = node_hash(self._peaks.pop(level), merged)
            level, at = level + 1, at >> 1
            made.append((level, at, merged.hex()))
        self._peaks[level] = merged

    def _tell(self, kind: str, table: Table, key: object, message: str) -> None:
        self._add(kind, table.name, str(key), message)

    def _add(self, kind: str, name: str, key: str, message: str) -> None:
        self._count += 1
        if len(self._problems) < _SHOWN:
            self._problems.append(Problem(kind, name, key, message))


def _leaves(level: int, number: int) -> tuple[int, int]:
    """The first and the last statement below a node."""
    level = min(max(level, 0), 62)
    return (number << level) + 1, (number + 1) << level
