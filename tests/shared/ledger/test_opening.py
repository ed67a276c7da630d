"""Whatever keeps a ledger from opening is said clearly, with a remedy, and without credentials."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy
from samples.databases import POSTGRESQL_DRIVERS, server_url, why_no_postgresql
from samples.ledger_records import count, execute, record

from tidegate.attestation.own_key import trusted_keys
from tidegate.errors import LedgerUnavailableError
from tidegate.ledger import Ledger, advisories, append_only, connect, log, schema, upgrade, writes
from tidegate.ledger.audit import audit
from tidegate.ledger.schema import HEAD, REVISIONS, VERSION_TABLE, metadata

SECRET = "hunter2%40/secret"


def refused(url: str, *, migrate: bool = True) -> LedgerUnavailableError:
    with pytest.raises(LedgerUnavailableError) as caught:
        Ledger.open(url, migrate=migrate)
    assert caught.value.remedy
    return caught.value


def test_a_ledger_on_disk_makes_its_folder_and_keeps_it_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "ledger.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        assert ledger.schema_revision() == HEAD
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_ledgers_own_file_is_set_to_write_ahead_logging(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        assert journal_mode(ledger.url) == "wal"


def test_a_file_with_anothers_tables_keeps_its_journal_mode(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mlflow.db'}"
    execute(url, "CREATE TABLE model_versions (name TEXT)")
    Ledger.open(url).close()
    assert journal_mode(url) == "delete"


def journal_mode(url: str) -> object:
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    engine.dispose()
    return mode


def test_without_migrate_no_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    error = refused(f"sqlite:///{path}", migrate=False)
    assert "there is no ledger" in error.message
    assert not path.parent.exists()


def test_without_migrate_a_ledger_that_is_there_opens_for_reading(database_url: str) -> None:
    with Ledger.open(database_url) as ledger:
        decision = record(ledger)
    with Ledger.open(database_url, migrate=False) as ledger:
        assert ledger.decision(decision.id or 0) == decision


def test_without_migrate_an_empty_database_is_told(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        execute(database_url, "CREATE TABLE something (n INTEGER)")
    error = refused(database_url, migrate=False)
    assert "no ledger" in error.message
    assert "tidegate db upgrade" in str(error.remedy)


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at " * 50)
    before = path.read_bytes()
    assert "not a database" in refused(f"sqlite:///{path}").message
    assert path.read_bytes() == before


def test_a_ledger_that_can_only_be_read_is_told_when_it_opens(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    Ledger.open(f"sqlite:///{path}").close()
    url = f"sqlite:///file:{path}?mode=ro&uri=true"
    assert "readonly" in refused(url).message
    with Ledger.open(url, migrate=False) as ledger:
        assert ledger.held() == ()
        with pytest.raises(LedgerUnavailableError, match="readonly"):
            record(ledger)


@pytest.mark.postgres
def test_a_standby_that_takes_no_writes_is_told_when_it_opens(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("a PostgreSQL setting")
    Ledger.open(database_url).close()
    name = sqlalchemy.make_url(database_url).database
    execute(database_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert "takes no writes" in refused(database_url).message


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = refused(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")
    assert "folder" in error.message


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    assert "can't be used" in refused(f"sqlite:///{tmp_path}").message


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true",
        "sqlite:///file::memory:?uri=true",
    ],
)
def test_a_ledger_that_would_be_lost_with_the_process_is_refused(url: str) -> None:
    assert "memory" in refused(url).message


@pytest.mark.parametrize("url", ["mysql+pymysql://u@h/d", "https://console.example.com", "foo://x"])
def test_a_database_that_can_not_be_made_append_only_is_refused(url: str) -> None:
    error = refused(url)
    assert "SQLite or PostgreSQL" in error.message


@pytest.mark.parametrize("url", ["", "not a url", "postgresql://u:p@h:port/d"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    assert "URL" in refused(url).message


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    Ledger.open(database_url).close()
    execute(database_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for migrate in (True, False):
        error = refused(database_url, migrate=migrate)
        assert "newer" in error.message
        assert "upgrade Tidegate" in str(error.remedy)


def test_an_older_schema_is_told_where_it_may_not_be_upgraded(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidegate.ledger import upgrade

    Ledger.open(database_url).close()
    monkeypatch.setattr(upgrade, "REVISIONS", (*REVISIONS, "0099"))
    monkeypatch.setattr(upgrade, "HEAD", "0099")
    error = refused(database_url, migrate=False)
    assert "older schema" in error.message
    assert "tidegate db upgrade" in str(error.remedy)


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A port where something answers that is no database."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                peer.recv(4096)
                peer.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("driver", POSTGRESQL_DRIVERS)
def test_an_unreachable_server_is_told_and_no_password_with_it(driver: str) -> None:
    error = refused(f"postgresql+{driver}://ada:{SECRET}@127.0.0.1:{closed_port()}/ledger")
    assert "can't be used" in error.message
    assert_hidden(error)


@pytest.mark.parametrize("driver", POSTGRESQL_DRIVERS)
@pytest.mark.parametrize(
    "reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x00" * 64, b"R\x00"]
)
def test_something_that_is_no_postgresql_is_told(driver: str, reply: bytes) -> None:
    with answering(reply) as port:
        error = refused(f"postgresql+{driver}://ada:{SECRET}@127.0.0.1:{port}/ledger")
    assert_hidden(error)


@pytest.mark.parametrize("driver", POSTGRESQL_DRIVERS)
@pytest.mark.postgres
def test_a_database_that_is_not_there_is_told(driver: str) -> None:
    if reason := why_no_postgresql():
        pytest.skip(reason)
    url = server_url().set(
        drivername=f"postgresql+{driver}", database="no_such_ledger", password=SECRET
    )
    error = refused(url.render_as_string(hide_password=False))
    assert "does not exist" in error.message
    assert_hidden(error)


@pytest.mark.parametrize(
    "url",
    [
        f"sqlite://ada:{SECRET}@host/ledger.db",
        f"postgresql+pg8000://ada:{SECRET}@host:port/ledger",
        f"postgresql+psycopg2://ada@127.0.0.1:1/ledger?password={SECRET}",
        f"postgresql+psycopg2://ada@127.0.0.1:1/ledger?sslpassword={SECRET}&nonsense={SECRET}",
        f"postgresql+psycopg://ada@127.0.0.1:1/ledger?password={SECRET}&bogus=1",
        # The driver quotes the value of an option that it knows but can't make sense of.
        f"postgresql+psycopg2://ada@127.0.0.1:1/ledger?channel_binding={SECRET}",
        f"mysql+pymysql://ada:{SECRET}@host/ledger",
        f"{SECRET}",
    ],
)
def test_no_message_and_no_cause_shows_a_password(url: str) -> None:
    assert_hidden(refused(url))


def assert_hidden(error: BaseException) -> None:
    shown = "".join(traceback.format_exception(error))
    # The lines of this file stand in the trace, but the secret itself only in its constant.
    for secret in (SECRET, "hunter2@/secret", "hunter2%2540", "hunter2"):
        assert secret not in shown.replace(f'SECRET = "{SECRET}"', "")


def test_a_ledgers_url_shows_no_password() -> None:
    url = connect.parse_url(
        "postgresql+pg8000://ada:pa%40ss@db:5432/x?sslkey=abc&application_name=t"
    )
    shown = connect.hidden(url)
    assert "pa" not in shown.replace("application_name", "")
    assert "abc" not in shown
    assert "application_name=t" in shown


def test_a_missing_driver_is_named_with_what_to_install() -> None:
    error = refused("postgresql+psycopg2cffi://ada@127.0.0.1/ledger")
    assert "psycopg2cffi" in error.message
    assert "pg8000" in str(error.remedy)


def test_a_url_without_a_driver_takes_the_one_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "pg8000" or None)
    for scheme in ("postgresql", "postgres"):
        assert connect.parse_url(f"{scheme}://ada@db/x").drivername == "postgresql+pg8000"
    assert connect.parse_url("postgresql+psycopg://ada@db/x").drivername == "postgresql+psycopg"


def test_the_revisions_in_the_code_are_the_migrations_in_the_folder() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "tidegate.ledger:migrations")
    script = ScriptDirectory.from_config(config)
    assert tuple(step.revision for step in script.walk_revisions())[::-1] == REVISIONS
    assert script.get_heads() == [HEAD]
    names = {entry.name for entry in files("tidegate.ledger.migrations.versions").iterdir()}
    assert {f"v{revision}" for revision in REVISIONS} <= {name.split("_")[0] for name in names}


def test_the_migrations_make_the_tables_that_the_code_expects(
    ledger: Ledger, database_url: str
) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    assert ledger.schema_revision() == HEAD
    engine = sqlalchemy.create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, [metadata, advisories.metadata]) == []
    engine.dispose()


def test_migrations_print_nothing_and_leave_the_root_logger_alone(tmp_path: Path) -> None:
    done = run(
        "import logging; before = list(logging.root.handlers), logging.root.level\n"
        "from tidegate.ledger import Ledger\n"
        f"Ledger.open({f'sqlite:///{tmp_path}/ledger.db'!r}).close()\n"
        "assert (list(logging.root.handlers), logging.root.level) == before"
    )
    assert done == ""


def test_alembic_is_loaded_only_where_a_schema_is_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    Ledger.open(url).close()
    loaded = run(
        "import sys; from tidegate.ledger import Ledger\n"
        f"Ledger.open({url!r}).close()\n"
        "print([name for name in ('alembic', 'mlflow', 'airflow') if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_ledger_of_the_first_schema_is_brought_forward_with_all_that_is_in_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ("artifact", "evidence", "policy", "decision", "review", "waiver", "sbom")
    made = {f"tidegate_{name}" for name in (*first, "registration")}
    with monkeypatch.context() as older:
        older.setattr(upgrade, "HEAD", "0001")
        older.setattr(upgrade, "_run_migrations", lambda connection: _migrate(connection, "0001"))
        older.setattr(append_only, "KEYS", {k: v for k, v in schema.KEYS.items() if k in made})
        # What recorded then knew of no log.
        older.setattr(log, "append", lambda connection, drafts, key: range(0))
        older.setattr(writes, "put_content", lambda connection, manifest: None)
        with Ledger.open(database_url) as ledger:
            decision = record(ledger)
    with pytest.raises(LedgerUnavailableError, match="older schema 0001"):
        Ledger.open(database_url, migrate=False)
    with Ledger.open(database_url) as ledger:
        assert ledger.schema_revision() == HEAD
        assert ledger.decision(decision.id or 0) == decision
        assert ledger.places_of(decision.digest) == ()
        report = audit(ledger, trusted_keys())
        assert report.problems == ()
        assert report.adopted == report.rows == 4
    assert count(database_url, "tidegate_content") == 1, "of manifests of then there is an index"


def _migrate(connection: sqlalchemy.Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "tidegate.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
