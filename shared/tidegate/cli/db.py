"""`tidegate db`: the schema of the ledger's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tidegate.cli.options import ledger_option, ledger_url
from tidegate.cli.output import emit

if TYPE_CHECKING:
    from tidegate.ledger import Ledger


@click.group("db")
def command() -> None:
    """Make or look at the ledger's tables.

    They are named tidegate_* and have an Alembic version table of their own, so that they can
    stand in MLflow's database beside MLflow's.
    """


@command.command("upgrade")
@ledger_option
def upgrade(ledger: str | None) -> None:
    """Make the tables, or bring them up to this version of Tidegate. Safe to run again."""
    with _open(ledger, migrate=True) as opened:
        emit(f"{opened.url}: at revision {opened.schema_revision()}\n")


@command.command("current")
@ledger_option
def current(ledger: str | None) -> None:
    """Say at which revision the tables are, and change nothing.

    Exit code 3 where there is no ledger, or none that this version of Tidegate can work with.
    """
    with _open(ledger, migrate=False) as opened:
        emit(f"{opened.url}: at revision {opened.schema_revision()}\n")


def _open(ledger: str | None, *, migrate: bool) -> Ledger:
    from tidegate.ledger import Ledger
    from tidegate.settings import read_settings

    return Ledger.open(ledger_url(ledger) or read_settings().ledger_url(), migrate=migrate)
