"""`tidegate feeds`: where advisories come from, and how old they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.options import format_option, ledger_option, open_database
from tidegate.cli.output import emit, emit_error, working

if TYPE_CHECKING:
    from tidegate.feeds import Synced
    from tidegate.ledger import Ledger
    from tidegate.ledger.advisories import Feed

_replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Take it also where it goes back in time, or many of its records are gone.",
)


@click.group("feeds")
def command() -> None:
    """Keep advisories about packages, for `tidegate audit`.

    A feed is a set of records in the OSV format: a folder, a zip such as an ecosystem's all.zip,
    or the https:// address of one. It is kept beside the ledger. For PyPI:

    \b
      tidegate feeds add pypi https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip
    """  # noqa: D301 - click wants the character itself


@command.command("add")
@click.argument("name", metavar="NAME")
@click.argument("location", metavar="PATH|URL")
@click.option(
    "--max-age",
    type=click.IntRange(1, 36500),
    help="Days after which it is stale; by default 7. Since its server was asked; for a file, "
    "since its newest record.",
)
@_replace_option
@ledger_option
def add(
    name: str, location: str, *, max_age: int | None, replace: bool, ledger: str | None
) -> None:
    """Read a feed, and remember where it came from. An existing one is brought up to date."""
    from tidegate.errors import UsageError

    if not name.isprintable() or not name.strip() or len(name) > 100:
        raise UsageError("a feed's name is a printable text of at most 100 characters")
    with open_feeds(ledger, make=True) as opened:
        _take(opened, name, location, max_age=max_age, replace=replace)


@command.command("import")
@click.argument("name", metavar="NAME")
@click.argument("path", metavar="PATH")
@_replace_option
@ledger_option
def import_feed(name: str, path: str, *, replace: bool, ledger: str | None) -> None:
    """Bring a feed up to date from a copy, where its address can't be reached."""
    from tidegate import feeds

    with open_feeds(ledger) as opened, working(f"Reading the feed {name}"):
        done = feeds.take_copy(opened, name, path, replace=replace)
    _tell(done, datetime.now(UTC))


@command.command("sync")
@click.argument("names", metavar="[NAME…]", nargs=-1)
@_replace_option
@ledger_option
def sync(names: tuple[str, ...], *, replace: bool, ledger: str | None) -> int:
    """Ask the sources of all feeds, or of some, for what is new.

    Exit code 3 where one of them can't be brought up to date; its old records stay in use.
    """
    from tidegate.errors import OperatorError
    from tidegate.ledger import advisories

    failed = False
    with open_feeds(ledger) as opened:
        wanted = [advisories.feed_of(opened, name) for name in names] or advisories.feeds(opened)
        for each in wanted:
            try:
                _take(opened, each.name, each.location, replace=replace)
            except OperatorError as error:
                failed = True
                emit_error(error.explain())
    return 3 if failed else 0


@command.command("status")
@format_option("text", "json")
@ledger_option
def status(form: str, ledger: str | None) -> int:
    """Show all feeds with their age. Exit code 3 where there is none, or one is stale."""
    from tidegate.ledger import advisories

    now = datetime.now(UTC)
    with open_feeds(ledger) as opened:
        known = advisories.feeds(opened)
    if form == "json":
        rows = [feed_row(each, now) for each in known]
        emit(json.dumps({"schema": 1, "feeds": rows}, indent=2) + "\n")
    elif not known:
        emit("There is no feed: nothing is known of any package.\n")
    else:
        emit("".join(f"{feed_line(each, now)}\n" for each in known))
    return 3 if not known or any(each.is_stale(now) for each in known) else 0


@command.command("remove")
@click.argument("name", metavar="NAME")
@ledger_option
def remove(name: str, ledger: str | None) -> None:
    """Forget a feed and its records."""
    from tidegate.ledger import advisories

    with open_feeds(ledger) as opened:
        advisories.remove(opened, name)
    emit(f"The feed {name} is forgotten.\n")


def feed_row(feed: Feed, now: datetime) -> dict[str, Any]:
    """The feed in plain JSON types."""
    return {
        "name": feed.name,
        "location": feed.location,
        "entries": feed.entries,
        "newest": feed.newest.isoformat(),
        "checked_at": feed.checked_at.isoformat(),
        "age_days": round(feed.age(now).total_seconds() / 86400, 2),
        "max_age_days": feed.max_age_days,
        "stale": feed.is_stale(now),
        "unread": [{"path": place, "reason": why} for place, why in feed.unread],
    }


def feed_line(feed: Feed, now: datetime) -> str:
    """The feed in one line."""
    from tidegate.policy.explain import printable

    days = feed.age(now).days
    line = (
        f"{feed.name}: {feed.entries} advisories up to {feed.newest:%Y-%m-%d}, asked "
        f"{feed.checked_at:%Y-%m-%d %H:%M} UTC, {days} day{'' if days == 1 else 's'} old"
    )
    if feed.is_stale(now):
        line += f" (STALE: it may be {feed.max_age_days})"
    if feed.unread:
        line += f", {len(feed.unread)} records could not be read"
    return printable(line)


def _take(
    ledger: Ledger, name: str, location: str, *, max_age: int | None = None, replace: bool
) -> None:
    from tidegate import feeds

    now = datetime.now(UTC)
    with working(f"Reading the feed {name}"):
        done = feeds.take(ledger, name, location, now=now, max_age_days=max_age, replace=replace)
    _tell(done, now)


def _tell(done: Synced, now: datetime) -> None:
    change = done.change
    what = (
        "unchanged"
        if change is None
        else f"{change.added} new, {change.changed} changed, {change.removed} gone"
    )
    emit(f"{feed_line(done.feed, now)}: {what}\n")
    for place, why in done.feed.unread[:5]:
        emit_error(f"  not read: {place}: {why}")


def open_feeds(given: str | None, *, make: bool = False) -> Ledger:
    """The ledger beside which feeds are kept; UsageError for one behind a console's address."""
    return open_database(
        given,
        make=make,
        why="feeds are kept where the ledger's database is, and this is a console's address",
        remedy="run it beside the console, with --ledger and the database's URL",
    )
