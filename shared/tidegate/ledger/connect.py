"""From a URL to an engine, and from a driver's complaint to an error that a person can act on.

Always holds: no message that leaves here shows a password, nor a cause whose text would; waiting
is bounded (for a connection, for a lock); a ledger on SQLite is written in transactions that
take the write lock at once, so that two writers queue instead of failing half-way.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    SQLAlchemyError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from tidegate.errors import LedgerUnavailableError, TidegateError

CONNECT_SECONDS = 10
LOCK_SECONDS = 20
"""How long one waits for another's write to end; the time that MLflow's store gives SQLite."""

_POSTGRESQL_DRIVERS = ("psycopg", "psycopg2", "pg8000")
# Any other option may hold a password: drivers differ, and so do people's slips.
_SHOWN_OPTIONS = {"application_name", "connect_timeout", "host", "mode", "port", "sslmode", "uri"}
_SUPPORTED = "use sqlite:////folder/ledger.db or postgresql://user@host/database"


def parse_url(url: str) -> URL:
    """The URL, with a driver that is installed where it names none."""
    try:
        parsed = make_url(url)
        # Asked for here, because that is when a port that is no number is found.
        parsed.render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        # The cause may quote the URL, password and all.
        raise LedgerUnavailableError(
            "the ledger's URL can't be read as a database URL", remedy=_SUPPORTED
        ) from None
    if parsed.drivername in {"postgres", "postgresql"}:
        installed = (name for name in _POSTGRESQL_DRIVERS if importlib.util.find_spec(name))
        parsed = parsed.set(drivername=f"postgresql+{next(installed, 'pg8000')}")
    return parsed


def hidden(url: URL) -> str:
    """The URL as it may be shown: no password, and no option's value that may be one."""
    query = {key: value if key in _SHOWN_OPTIONS else "hidden" for key, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def make_engine(url: URL, *, create: bool) -> Engine:
    """An engine of our own for a ledger at `url`; nothing is connected yet.

    Args:
        url: as `parse_url` gives it.
        create: make the folder of a SQLite file; False refuses a file that does not exist.

    Raises:
        LedgerUnavailableError: another kind of database, a driver that is not installed, a
            folder that can't be made, or no file.
    """
    backend = url.get_backend_name()
    require_supported(backend)
    if backend == "sqlite":
        _prepare_file(url, create)
    with translated(url):
        try:
            engine = create_engine(
                url,
                # An error's text would quote the bodies of the rows that it is about.
                hide_parameters=True,
                pool_pre_ping=backend != "sqlite",
                connect_args=_connect_arguments(url),
            )
        except ImportError as error:
            raise _missing_driver(url, error) from error
    if backend == "sqlite":
        event.listen(engine, "connect", _on_sqlite)
    _keep_to_one_process(engine)
    return engine


def require_supported(backend: str) -> None:
    """Refuse databases for which there are no triggers: a ledger there would not be append-only."""
    if backend not in {"sqlite", "postgresql"}:
        raise LedgerUnavailableError(
            f"a ledger is kept in SQLite or PostgreSQL, not in {backend!r}", remedy=_SUPPORTED
        )


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for reading."""
    with translated(engine.url), engine.connect() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction: committed at the end, rolled back on any error."""
    with translated(engine.url), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            _begin_immediate(connection)
        else:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        yield connection
        connection.commit()


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Let the errors of SQLAlchemy and its drivers leave as `LedgerUnavailableError`."""
    try:
        yield
    except TidegateError:
        raise
    except (SQLAlchemyError, OSError) as error:
        raise _unavailable(url, error) from _showable(url, error)


def check_reachable(engine: Engine) -> None:
    """Connect once, and turn whatever goes wrong into `LedgerUnavailableError`."""
    try:
        with reading(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
    except TidegateError:
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise anything when what answers is no database
        raise _unavailable(engine.url, error) from _showable(engine.url, error)


def _prepare_file(url: URL, create: bool) -> None:
    name = url.database
    options = url.query
    in_memory = options.get("mode") == "memory" or options.get("vfs") == "memdb"
    if not name or ":memory:" in name or in_memory:
        raise LedgerUnavailableError(
            "a ledger in memory would be lost with the process", remedy=_SUPPORTED
        )
    if name.startswith("file:"):
        return  # A URI has its own say about what is made; the folder is its author's affair.
    path = Path(name)
    if not create and not path.exists():
        raise LedgerUnavailableError(
            f"there is no ledger at {hidden(url)}",
            remedy="check the URL, or make the ledger with `tidegate db upgrade`",
        )
    if create:
        try:
            # What was found in a team's models is nobody else's to read.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerUnavailableError(
                f"the folder of the ledger {hidden(url)} can't be made: {error.strerror}",
                remedy="name a folder that this user may write to",
            ) from error


def _connect_arguments(url: URL) -> dict[str, Any]:
    driver = url.get_driver_name()
    if driver in {"psycopg", "psycopg2"}:
        # The last four end the wait for an answer from a server that has gone silent.
        defaults = {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": (LOCK_SECONDS + CONNECT_SECONDS) * 1000,
            "keepalives_idle": CONNECT_SECONDS,
            "keepalives_interval": CONNECT_SECONDS,
            "keepalives_count": 2,
        }
        return {name: value for name, value in defaults.items() if name not in url.query}
    if driver == "pg8000":
        # Its one time-out also bounds every answer, so it must outlast the wait for a lock.
        return {"timeout": LOCK_SECONDS + CONNECT_SECONDS}
    return {}


def _missing_driver(url: URL, error: ImportError) -> LedgerUnavailableError:
    driver = url.get_driver_name()
    return LedgerUnavailableError(
        f"the database driver {error.name or driver!r} that {hidden(url)} needs is not installed",
        remedy="pip install pg8000, and write postgresql+pg8000://…"
        if url.get_backend_name() == "postgresql"
        else f"install {driver}, or {_SUPPORTED}",
    )


def _on_sqlite(connection: Any, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _keep_to_one_process(engine: Engine) -> None:
    """Never let a forked child, such as an Airflow task, use its parent's open connection."""

    @event.listens_for(engine, "connect")
    def note_process(_: Any, entry: ConnectionPoolEntry) -> None:
        entry.info["tidegate_process"] = os.getpid()

    @event.listens_for(engine, "checkout")
    def check_process(_: Any, entry: Any, proxy: Any) -> None:
        if entry.info["tidegate_process"] != os.getpid():
            entry.dbapi_connection = proxy.dbapi_connection = None
            raise DisconnectionError("the connection belongs to the parent process")


def _begin_immediate(connection: Connection) -> None:
    """Take SQLite's write lock now: a lock asked for later may fail with no wait at all.

    The driver would begin by itself, and late, at the first row that is written. An engine that
    is not ours may lack the two settings, which can't be changed inside a transaction.
    """
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {LOCK_SECONDS * 1000}")
    connection.exec_driver_sql("PRAGMA foreign_keys = ON")
    driver: Any = connection.connection.dbapi_connection
    if not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unavailable(url: URL, error: BaseException) -> LedgerUnavailableError:
    reason = _reason(error)
    for secret in _secrets(url):
        reason = reason.replace(secret, "***")
    return LedgerUnavailableError(
        f"the ledger at {hidden(url)} can't be used: {reason}", remedy=_remedy(url, error, reason)
    )


def _reason(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    # pg8000 gives the server's fields in a dict, of which "M" is the message.
    fields = cause.args[0] if cause.args else None
    text = str(fields["M"]) if isinstance(fields, dict) and "M" in fields else str(cause)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:300] if lines else type(cause).__name__


def _remedy(url: URL, error: BaseException, reason: str) -> str:
    if isinstance(error, ArgumentError):
        return _SUPPORTED
    known = (
        ("not a database", "name another file: this one holds something else, and is left alone"),
        ("malformed", "restore the file from a backup: SQLite finds it damaged"),
        ("readonly", "give this process the right to write the file and its folder"),
        ("read-only", "point the ledger at the primary server, where it can be written"),
        ("unable to open", "check that the folder exists and this process may write to it"),
        ("locked", "wait until whoever is writing to the database is done, and try again"),
        ("lock timeout", "wait until whoever is writing to the database is done, and try again"),
        ("append-only", "leave recorded rows as they are: add a new record instead"),
        ("no such table", "run `tidegate db upgrade`, or restore the database from a backup"),
        ("does not exist", "check the database's name, and run `tidegate db upgrade`"),
    )
    lowered = reason.lower()
    for sign, remedy in known:
        if sign in lowered:
            return remedy
    if url.get_backend_name() == "sqlite":
        return "check the file and the disk that it is on"
    return "check that the server runs, the address, the user and the password"


def _secrets(url: URL) -> list[str]:
    values = [str(url.password)] if url.password else []
    for key, value in url.query.items():
        if key not in _SHOWN_OPTIONS:
            values += [value] if isinstance(value, str) else list(value)
    spellings = {form for value in values for form in (value, quote(value), quote_plus(value))}
    # The longest first, so that none is left half shown. An option's value such as "1" is none.
    return sorted(
        (form for form in spellings if len(form) > 3 or form == url.password),
        key=len,
        reverse=True,
    )


def _showable(url: URL, error: BaseException) -> BaseException | None:
    """The cause to chain, or none where its text, or its own cause's, would show a secret."""
    link: BaseException | None = error
    while link is not None:
        text = f"{link} {link!r}"
        if any(secret in text for secret in _secrets(url)):
            return None
        link = link.__cause__ or link.__context__
    return error
