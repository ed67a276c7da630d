"""Consoles for tests: one for each kind of database, shared by all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from samples.consoles import Console, console_at
from samples.databases import postgresql_database, why_no_postgresql


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
def console(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Console]:
    """A running console on SQLite, and one on PostgreSQL. Tests name artifacts of their own."""
    folder = tmp_path_factory.mktemp("console")
    if request.param == "sqlite":
        with console_at(folder, f"sqlite:///{folder / 'ledger.db'}") as running:
            yield running
        return
    if reason := why_no_postgresql():
        pytest.skip(reason)
    with postgresql_database() as url, console_at(folder, url) as running:
        yield running
