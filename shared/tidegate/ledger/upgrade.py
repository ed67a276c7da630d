"""Which schema a database has, and bringing it to the one that this version needs.

Always holds: a ledger is used only when its schema is exactly the one that this code knows and
its triggers stand; steps run in one transaction under a lock, so that of two processes that start
at once one makes the schema and the other finds it made.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, column, delete, false, func, inspect, select, table
from sqlalchemy.exc import OperationalError

from tidegate.errors import LedgerUnavailableError
from tidegate.ledger import append_only
from tidegate.ledger.connect import hidden, reading, writing
from tidegate.ledger.schema import HEAD, REVISIONS, VERSION_TABLE

if TYPE_CHECKING:
    from tidegate.attestation.keys import SigningKey

# Any number will do that nothing else takes: "tidegate" in ASCII.
_ADVISORY_LOCK = int.from_bytes(b"tidegate", "big") >> 1
# Alembic keeps its context in module globals: one upgrade at a time in each process.
_ALEMBIC = threading.Lock()

_VERSIONS = table(VERSION_TABLE, column("version_num"))
# The first schema that has a log of statements.
_FIRST_SIGNED = "0003"
_UPGRADE_REMEDY = "run `tidegate db upgrade` with this URL"


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None where there is no ledger yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.execute(select(_VERSIONS.c.version_num)).scalar()
    return revision


def upgrade(engine: Engine, *, own_file: bool, key: Callable[[], SigningKey]) -> None:
    """Run the steps that are missing, under a lock; nothing where none is.

    Args:
        engine: where the ledger is, or is to be.
        own_file: a new SQLite file becomes ours, and may be set to write-ahead logging, with which
            readers don't wait for writers. MLflow's file is left in the mode that it has.
        key: asked for what signs, where rows are found that no statement covers yet.
    """
    with reading(engine) as connection:
        if _require_known(engine, revision_of(connection)) == HEAD:
            return
        empty = not inspect(connection).get_table_names()
    with _ALEMBIC, writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        # Asked again under the lock: another process may have been first.
        before = _require_known(engine, revision_of(connection))
        if before == HEAD:
            return
        _run_migrations(connection)
        if before is not None and before < _FIRST_SIGNED <= HEAD:
            from tidegate.ledger.said import adopt

            adopt(connection, key())
    if own_file and empty and engine.dialect.name == "sqlite":
        # Another process that has the file open can stand in the way; either mode is sound.
        with reading(engine) as connection, contextlib.suppress(OperationalError):
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def require_current(engine: Engine, *, writable: bool, protected: bool = True) -> None:
    """Raise `LedgerUnavailableError` unless the schema is the newest and its triggers stand.

    An audit, which believes no trigger, asks for the schema alone: not `protected`.
    """
    with reading(engine) as connection:
        revision = _require_known(engine, revision_of(connection))
        if revision is None:
            raise LedgerUnavailableError(
                f"there is no ledger in {hidden(engine.url)} yet", remedy=_UPGRADE_REMEDY
            )
        if revision != HEAD:
            raise LedgerUnavailableError(
                f"the ledger at {hidden(engine.url)} has the older schema {revision}; "
                f"this version needs {HEAD}",
                remedy=_UPGRADE_REMEDY,
            )
        if protected and (tables := append_only.weakened(connection)):
            raise LedgerUnavailableError(
                f"the ledger at {hidden(engine.url)} is no longer append-only: the triggers of "
                f"{', '.join(tables)} are missing or were changed",
                remedy="find out who changed the schema, and restore the database from a backup",
            )
        if writable:
            _require_writable(connection)


def _require_known(engine: Engine, revision: str | None) -> str | None:
    if revision is not None and revision not in REVISIONS:
        raise LedgerUnavailableError(
            f"the ledger at {hidden(engine.url)} has the schema {revision}, "
            f"which is newer than this version knows ({HEAD})",
            remedy="upgrade Tidegate here to the version that the ledger was upgraded with",
        )
    return revision


def _require_writable(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        _probe_write_lock(connection)
    elif connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on":
        raise LedgerUnavailableError(
            "the ledger's database takes no writes: the server is a standby, or read-only",
            remedy="point the ledger at the primary server",
        )


def _probe_write_lock(connection: Connection) -> None:
    """Begin a write that changes nothing, and take it back. Another's lock is no obstacle.

    BEGIN IMMEDIATE would not do: on a database that can only be read SQLite quietly begins to read.
    """
    driver: Any = connection.connection.dbapi_connection
    if driver.in_transaction:
        return
    patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
    try:
        connection.execute(delete(_VERSIONS).where(false()))
    except OperationalError as error:
        if "locked" not in str(error.orig):
            raise
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
    connection.rollback()


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "tidegate.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
