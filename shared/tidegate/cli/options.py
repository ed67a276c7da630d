"""Options that several commands share, so that they are called and explained the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from tidegate.gate import Gate
    from tidegate.ledger import Ledger, RemoteLedger

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])
Option = Callable[[_Decorated], _Decorated]

ACTIONS = ("register", "alias", "stage", "load", "deploy")


def ledger_option(function: _Decorated) -> _Decorated:
    """`--ledger URL`."""
    return click.option(
        "--ledger",
        metavar="URL",
        help="The ledger's SQLAlchemy URL, or a console's https:// address. By default "
        "$TIDEGATE_LEDGER, or else a file of your own. A password is better put into "
        "the variable, where no process list shows it.",
    )(function)


def policy_option(function: _Decorated) -> _Decorated:
    """`--policy FILE|PROFILE`."""
    return click.option(
        "--policy",
        metavar="FILE|PROFILE",
        help="A policy file, or one of the profiles standard, strict, audit. By default "
        "$TIDEGATE_POLICY, or else standard.",
    )(function)


def output_option(function: _Decorated) -> _Decorated:
    """`--output FILE`."""
    return click.option(
        "-o", "--output", metavar="FILE", help="Write to this file instead of standard output."
    )(function)


def action_option(default: str) -> Option[Any]:
    """`--action ACTION`."""
    return click.option(
        "--action",
        type=click.Choice(ACTIONS),
        default=default,
        show_default=True,
        help="What is about to be done with the artifact.",
    )


def format_option(*formats: str) -> Option[Any]:
    """`--format FORMAT`, the first being the default."""
    return click.option(
        "-f",
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How to write it.",
    )


def ledger_url(given: str | None) -> str | None:
    """The ledger's URL without the prefix that the same URL has in MLflow's settings."""
    return given.removeprefix("tidegate+") if given is not None else None


def open_ledger(given: str | None, *, make: bool = False) -> Ledger | RemoteLedger:
    """The ledger of `--ledger` or the environment: in a database, or behind a console's address."""
    from tidegate.ledger import open_ledger as opened
    from tidegate.settings import read_settings

    return opened(ledger_url(given) or read_settings().ledger_url(), make=make)


def open_database(given: str | None, *, make: bool = False, why: str, remedy: str) -> Ledger:
    """The ledger of `--ledger` or the environment, where its database is.

    Args:
        given: the option's value.
        make: make it where there is none.
        why: what a console's address is refused with.
        remedy: what to do instead.

    Raises:
        UsageError: it is a console's address.
    """
    from tidegate.errors import UsageError
    from tidegate.ledger import Ledger, is_remote
    from tidegate.settings import read_settings

    url = ledger_url(given) or read_settings().ledger_url()
    if is_remote(url):
        raise UsageError(why, remedy=remedy)
    return Ledger.open(url, migrate=make)


def open_gate(ledger: str | None, policy: str | None = None, *, make_ledger: bool = False) -> Gate:
    """The gate of these options, and of the environment where they say nothing.

    A ledger is made only where something is to be put into it that was not there before.
    """
    from tidegate.gate import Gate

    return Gate.open(policy=policy, ledger=ledger_url(ledger), make_ledger=make_ledger)
