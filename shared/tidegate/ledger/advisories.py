"""Feeds of advisories beside the ledger: what is known of packages, and how old that is.

    keep(ledger, "osv-pypi", content, location="…/all.zip", now=now)   # the new set takes over
    known = advisories_for(ledger, [("PyPI", "torch")])
    known.feeds                                                          # in every answer

These tables hold what anybody can fetch again. So they are no records: no statement covers them,
and a new set replaces the old one. Always holds: the change is one transaction; a feed that goes
back in time, or lost many of its records, is refused and the old set stays; an entry that is not
what was written raises, and is never passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from tidegate.dependencies.feed_files import FeedContent, FeedRefusedError
from tidegate.dependencies.interface import Advisory, base_of, normal_name
from tidegate.dependencies.plain import advisory_from, advisory_to
from tidegate.errors import RecordNotFoundError
from tidegate.ledger.reader import Reader
from tidegate.ledger.records import canonical, moment, stored_time, unaltered
from tidegate.ledger.writer import Writer

MAX_AGE_DAYS = 7
"""How old a feed may be by default."""
_VANISHED = 10
"""In a hundred: so many records may be gone from a feed without anybody's word."""
_AHEAD = timedelta(days=1)
"""How far another's clock may be ahead of ours."""
_PAGE = 500
_IMPORT_LOCK = int.from_bytes(b"tideadvs", "big") >> 1

metadata = MetaData()


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


feed = Table(
    "tidegate_feed",
    metadata,
    _text("name", primary_key=True),
    _text("location"),
    Column("etag", Text),
    Column("max_age_days", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    _text("newest"),
    _text("unread"),
    _text("checked_at"),
    sqlite_with_rowid=False,
)

advisory = Table(
    "tidegate_advisory",
    metadata,
    _text("feed", primary_key=True),
    _text("id", primary_key=True),
    _text("modified"),
    _text("body"),
    sqlite_with_rowid=False,
)

# The ecosystem without its release: which release an advisory is about stands in its body.
advisory_package = Table(
    "tidegate_advisory_package",
    metadata,
    _text("ecosystem", primary_key=True),
    _text("name", primary_key=True),
    _text("feed", primary_key=True),
    _text("advisory", primary_key=True),
    Index("tidegate_advisory_package_by_advisory", "feed", "advisory"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed and how it stands.

    `location` is a path or an address; `newest` when its newest record was changed; `checked_at`
    when its source was last asked; `unread` the records that could not be read, with the reasons.
    """

    name: str
    location: str
    etag: str | None
    max_age_days: int
    entries: int
    newest: datetime
    unread: tuple[tuple[str, str], ...]
    checked_at: datetime

    @property
    def is_remote(self) -> bool:
        """Whether it is fetched from an address."""
        return "://" in self.location

    def age(self, now: datetime) -> timedelta:
        """Since its server was asked; of a file, for which nobody vouches, of its newest record."""
        return max(now - (self.checked_at if self.is_remote else self.newest), timedelta(0))

    def is_stale(self, now: datetime) -> bool:
        """Whether it is older than it may be."""
        return self.age(now) > timedelta(days=self.max_age_days)


@dataclass(frozen=True, slots=True)
class Change:
    """What taking over a new set changed, in records."""

    added: int
    changed: int
    removed: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of some packages, and from which feeds: with none, nothing is known at all."""

    advisories: Mapping[tuple[str, str], tuple[Advisory, ...]]
    feeds: tuple[Feed, ...]
    covered: frozenset[str] = frozenset()
    """Of the ecosystems that were asked about, those of which any feed has an advisory."""

    def covers(self, ecosystem: str) -> bool:
        """Whether any feed speaks of an ecosystem that was asked about."""
        return base_of(ecosystem) in self.covered

    def about(self, ecosystem: str, name: str) -> tuple[Advisory, ...]:
        """The advisories that name a package."""
        return self.advisories.get((base_of(ecosystem), normal_name(ecosystem, name)), ())


def keep(
    ledger: Writer,
    name: str,
    content: FeedContent,
    *,
    location: str,
    now: datetime,
    etag: str | None = None,
    max_age_days: int | None = None,
    replace: bool = False,
) -> Change:
    """Let a new set take the place of the feed's old one.

    Args:
        ledger: beside which it is kept.
        name: of the feed; a new name makes a new feed.
        content: the whole new set.
        location: where it came from.
        now: when its source was asked.
        etag: what the server calls this state of it.
        max_age_days: how old it may be; by default as before, or `MAX_AGE_DAYS`.
        replace: also where it goes back in time, or many of its records are gone.

    Raises:
        FeedRefusedError: it does, or they are.
    """
    new = {each.id: each for each in content.advisories}
    bodies = {key: canonical(advisory_to(each)) for key, each in new.items()}
    newest = max(each.modified for each in content.advisories)
    if newest > datetime.now(UTC) + _AHEAD:
        # It would make everything that comes later a step back.
        raise FeedRefusedError(f"the feed {name!r} has a record from the future: {_shown(newest)}")
    with ledger.writing_aside() as connection:
        _one_at_a_time(connection)
        before = _feed(connection, name)
        rows = connection.execute(
            select(advisory.c.id, advisory.c.modified, advisory.c.body).where(
                advisory.c.feed == name
            )
        )
        old = {row.id: (row.modified, row.body) for row in rows}
        if before is not None and not replace:
            _refuse_older(before, old, new, newest)
        gone = old.keys() - new.keys()
        changed = {key for key in old.keys() & new.keys() if old[key][1] != bodies[key]}
        added = new.keys() - old.keys()
        _drop(connection, name, [*gone, *changed])
        _add(connection, name, [new[key] for key in [*changed, *added]], bodies)
        values = {
            "location": location,
            "etag": etag,
            "max_age_days": max_age_days
            or (MAX_AGE_DAYS if before is None else before.max_age_days),
            "entries": len(new),
            "newest": stored_time(newest, "time of the newest record"),
            "unread": json.dumps(content.unread[:100]),
            "checked_at": stored_time(now, "time of asking"),
        }
        if before is None:
            connection.execute(insert(feed).values(name=name, **values))
        else:
            connection.execute(update(feed).where(feed.c.name == name).values(**values))
    return Change(len(added), len(changed), len(gone))


def note_unchanged(ledger: Writer, name: str, *, now: datetime) -> None:
    """Note that the feed's source was asked, and had nothing new."""
    with ledger.writing_aside() as connection:
        asked = stored_time(now, "time of asking")
        connection.execute(update(feed).where(feed.c.name == name).values(checked_at=asked))


def remove(ledger: Writer, name: str) -> None:
    """Forget a feed and its records.

    Raises:
        RecordNotFoundError: there is none of that name.
    """
    with ledger.writing_aside() as connection:
        _one_at_a_time(connection)
        if _feed(connection, name) is None:
            raise _no_feed(name)
        connection.execute(delete(advisory_package).where(advisory_package.c.feed == name))
        connection.execute(delete(advisory).where(advisory.c.feed == name))
        connection.execute(delete(feed).where(feed.c.name == name))


def feeds(ledger: Reader) -> tuple[Feed, ...]:
    """All feeds, by name."""
    with ledger.reading() as connection:
        return _feeds(connection)


def feed_of(ledger: Reader, name: str) -> Feed:
    """The feed of a name; RecordNotFoundError where there is none."""
    with ledger.reading() as connection:
        found = _feed(connection, name)
    if found is None:
        raise _no_feed(name)
    return found


def advisories_for(ledger: Reader, packages: Iterable[tuple[str, str]]) -> Known:
    """What all feeds know of some packages, each by its ecosystem and name."""
    wanted: dict[str, set[str]] = {}
    for ecosystem, name in packages:
        wanted.setdefault(base_of(ecosystem), set()).add(normal_name(ecosystem, name))
    found: dict[tuple[str, str], list[Advisory]] = {}
    read: dict[tuple[str, str], Advisory] = {}
    covered = set()
    with ledger.reading() as connection:
        known_feeds = _feeds(connection)
        for ecosystem, names in wanted.items():
            if _speaks_of(connection, ecosystem):
                covered.add(ecosystem)
            for page in _pages(sorted(names)):
                for row in _rows_of(connection, ecosystem, page):
                    key = (row.feed, row.id)
                    if key not in read:
                        with unaltered(f"advisory {row.id!r} of the feed {row.feed!r}"):
                            read[key] = advisory_from(json.loads(row.body), feed=row.feed)
                    found.setdefault((ecosystem, row.name), []).append(read[key])
    about = {key: tuple(each) for key, each in found.items()}
    return Known(about, known_feeds, frozenset(covered))


def _one_at_a_time(connection: Connection) -> None:
    """Two imports of a feed take turns; on SQLite the transaction sees to that."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_IMPORT_LOCK)))


def _speaks_of(connection: Connection, ecosystem: str) -> bool:
    query = select(advisory_package.c.name).where(advisory_package.c.ecosystem == ecosystem)
    return connection.execute(query.limit(1)).first() is not None


def _rows_of(connection: Connection, ecosystem: str, names: list[str]) -> Iterable[Any]:
    named = advisory_package.c
    query = (
        select(named.name, advisory.c.feed, advisory.c.id, advisory.c.body)
        .join(advisory, (advisory.c.feed == named.feed) & (advisory.c.id == named.advisory))
        .where(named.ecosystem == ecosystem, named.name.in_(names))
        .order_by(named.name, advisory.c.feed, advisory.c.id)
    )
    return connection.execute(query)


def _refuse_older(
    before: Feed,
    old: Mapping[str, tuple[str, str]],
    new: Mapping[str, Advisory],
    newest: datetime,
) -> None:
    remedy = "find out why; `--replace` takes it all the same. What was on record stays in use"
    if newest < before.newest:
        raise FeedRefusedError(
            f"the feed {before.name!r} goes back in time: its newest record is of "
            f"{_shown(newest)}, and that on record of {_shown(before.newest)}",
            remedy=remedy,
        )
    for key in old.keys() & new.keys():
        if new[key].modified < moment(old[key][0]):
            raise FeedRefusedError(
                f"the feed {before.name!r} goes back in time: its record {key} is older than that "
                "on record",
                remedy=remedy,
            )
    gone = len(old.keys() - new.keys())
    if gone * 100 > len(old) * _VANISHED:
        raise FeedRefusedError(
            f"{gone} of the {len(old)} records of the feed {before.name!r} are gone: it may be "
            "half a download",
            remedy=remedy,
        )


def _shown(moment_: datetime) -> str:
    return f"{moment_:%Y-%m-%d %H:%M} UTC"


def _drop(connection: Connection, name: str, keys: list[str]) -> None:
    if not keys:
        return
    values = [{"key": key} for key in keys]
    named = advisory_package.c
    connection.execute(
        delete(advisory_package).where(named.feed == name, named.advisory == bindparam("key")),
        values,
    )
    connection.execute(
        delete(advisory).where(advisory.c.feed == name, advisory.c.id == bindparam("key")), values
    )


def _add(connection: Connection, name: str, new: list[Advisory], bodies: Mapping[str, str]) -> None:
    if not new:
        return
    connection.execute(
        insert(advisory),
        [
            {
                "feed": name,
                "id": each.id,
                "modified": stored_time(each.modified, "time of the record"),
                "body": bodies[each.id],
            }
            for each in new
        ],
    )
    named = {(base_of(one.ecosystem), one.name, each.id) for each in new for one in each.affected}
    if named:
        connection.execute(
            insert(advisory_package),
            [
                {"ecosystem": ecosystem, "name": package, "feed": name, "advisory": key}
                for ecosystem, package, key in sorted(named)
            ],
        )


def _feeds(connection: Connection) -> tuple[Feed, ...]:
    return tuple(_read(row) for row in connection.execute(select(feed).order_by(feed.c.name)))


def _feed(connection: Connection, name: str) -> Feed | None:
    row = connection.execute(select(feed).where(feed.c.name == name)).first()
    return None if row is None else _read(row)


def _read(row: Any) -> Feed:
    with unaltered(f"feed {row.name!r}"):
        return Feed(
            name=row.name,
            location=row.location,
            etag=row.etag,
            max_age_days=row.max_age_days,
            entries=row.entries,
            newest=moment(row.newest),
            unread=tuple((str(place), str(why)) for place, why in json.loads(row.unread)),
            checked_at=moment(row.checked_at).astimezone(UTC),
        )


def _pages(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _PAGE):
        yield names[start : start + _PAGE]


def _no_feed(name: str) -> RecordNotFoundError:
    return RecordNotFoundError(
        f"there is no feed {name!r}", remedy="`tidegate feeds status` shows them all"
    )
