"""From what `TIDEGATE_LEDGER` says to the ledger that it means, wherever that is."""

from __future__ import annotations

from tidegate.ledger.address import checked_address, is_remote
from tidegate.ledger.ledger import Ledger
from tidegate.ledger.remote import RemoteLedger


def open_ledger(url: str, *, make: bool = True) -> Ledger | RemoteLedger:
    """The ledger in a database, or behind a console's address.

    Args:
        url: an SQLAlchemy URL, or `https://…`.
        make: make a database's ledger that is not there yet.

    Raises:
        LedgerUnavailableError: it can't be reached.
        UsageError: the URL, or what goes with it, can't be used.
    """
    return RemoteLedger.open(url) if is_remote(url) else Ledger.open(url, migrate=make)


def shown_url(url: str) -> str:
    """The URL as an open ledger names itself (`ledger.url`), with no password in it.

    Raises:
        LedgerUnavailableError, UsageError: it can't be read.
    """
    if is_remote(url):
        return checked_address(url)
    from tidegate.ledger.connect import hidden, parse_url

    return hidden(parse_url(url))
