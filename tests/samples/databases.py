"""Databases for tests: a SQLite file, or a PostgreSQL database of the test's own.

The PostgreSQL server is the one at TIDEGATE_TEST_POSTGRES, or on this machine at 5432. A test
that needs it is skipped, with the reason, where it can't be reached.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import sqlalchemy
from sqlalchemy import URL, make_url

POSTGRESQL_DRIVERS = ("psycopg", "psycopg2", "pg8000")


def server_url() -> URL:
    """The server, by a driver that is always among the development dependencies."""
    url = os.environ.get("TIDEGATE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
    return make_url(url).set(drivername="postgresql+pg8000")


@cache
def why_no_postgresql() -> str | None:
    """The reason to skip; None where the server answers."""
    try:
        with _server() as connection:
            connection.exec_driver_sql("SELECT 1")
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        return f"no PostgreSQL at {server_url().render_as_string(hide_password=True)}: {error}"
    return None


@contextmanager
def postgresql_database(driver: str = "psycopg") -> Iterator[str]:
    """The URL of a new, empty database, which is dropped afterwards."""
    name = f"tidegate_{uuid.uuid4().hex[:16]}"
    with _server() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    url = server_url().set(database=name, drivername=f"postgresql+{driver}")
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with _server() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def out_of_reach(url: str) -> Iterator[None]:
    """Cut all connections to a database, and let nobody connect while the block lasts."""
    name = make_url(url).database

    def allow(allowed: str) -> None:
        with _server() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}')
            connection.execute(
                sqlalchemy.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                ),
                {"name": name},
            )

    allow("false")
    try:
        yield
    finally:
        allow("true")


@contextmanager
def _server() -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(
        server_url(), isolation_level="AUTOCOMMIT", connect_args={"timeout": 30}
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
