"""Feeds beside the ledger: a new set takes over whole, and never a worse one."""

from datetime import UTC, datetime, timedelta

import pytest
from samples.advisory_feeds import record, zipped

from tidegate.dependencies.feed_files import FeedRefusedError, read_feed
from tidegate.errors import RecordNotFoundError
from tidegate.ledger import advisories

NOW = datetime(2024, 6, 1, tzinfo=UTC)


@pytest.fixture
def take(ledger, tmp_path):
    """Take over a set of records as the feed `f`."""

    def taken(*records, now=NOW, **options):
        content = read_feed(zipped(tmp_path / "all.zip", *records), name="f")
        return advisories.keep(ledger, "f", content, location="/all.zip", now=now, **options)

    return taken


def ids(ledger, *packages):
    known = advisories.advisories_for(ledger, packages)
    return {p[1]: [each.id for each in known.about(*p)] for p in packages}


def test_what_was_kept_is_what_is_found(ledger, take):
    take(record("A-1", "Some.Thing", "1.0"), record("B-1", "b", "2.0", ecosystem="Debian:12"))
    known = advisories.advisories_for(ledger, [("PyPI", "some_thing"), ("Debian:12", "b")])
    (found,) = known.about("PyPI", "SOME-thing")
    assert (found.id, found.feed, found.score) == ("A-1", "f", 9.8)
    assert [each.id for each in known.about("Debian:12", "b")] == ["B-1"]
    assert known.about("PyPI", "b") == ()
    assert [each.name for each in known.feeds] == ["f"]


def test_a_new_set_takes_the_place_of_the_old_one(ledger, take):
    old = [record(f"A-{n}", "a", "1.0") for n in range(20)]
    assert take(*old) == advisories.Change(20, 0, 0)
    assert take(*old) == advisories.Change(0, 0, 0)
    later = record("A-0", "moved", "1.0", modified="2024-05-02T00:00:00Z")
    assert take(later, *old[1:-1], record("A-99", "a", "3.0")) == advisories.Change(1, 1, 1)
    found = ids(ledger, ("PyPI", "a"), ("PyPI", "moved"))
    assert found["moved"] == ["A-0"]
    assert set(found["a"]) == {*(f"A-{n}" for n in range(1, 19)), "A-99"}


def test_a_feed_that_goes_back_in_time_is_refused_and_the_old_set_stays(ledger, take):
    newer = "2024-05-09T00:00:00Z"
    take(record("A-1", "a", "1.0", modified=newer), record("B-1", "b", "1.0"))
    worse = [
        [record("A-1", "a", "0.1"), record("B-1", "b", "1.0")],
        [
            record("A-1", "a", "1.0", modified=newer),
            record("B-1", "b", "0.1", modified="2023-01-01"),
        ],
    ]
    for records in worse:
        with pytest.raises(FeedRefusedError, match=r"back in time"):
            take(*records)
        (kept,) = advisories.advisories_for(ledger, [("PyPI", "a")]).about("PyPI", "a")
        assert kept.affected[0].ranges[0].events[1].version == "1.0"
    take(*worse[0], replace=True)
    (kept,) = advisories.advisories_for(ledger, [("PyPI", "a")]).about("PyPI", "a")
    assert kept.affected[0].ranges[0].events[1].version == "0.1"


def test_a_feed_without_its_newest_record_is_refused_though_no_other_changed(ledger, take):
    old = [record(f"A-{n}", "a", "1.0") for n in range(20)]
    take(*old, record("NEWS-1", "a", "2.0", modified="2024-05-09T00:00:00Z"))
    with pytest.raises(FeedRefusedError, match=r"back in time"):
        take(*old)
    assert "NEWS-1" in ids(ledger, ("PyPI", "a"))["a"]


def test_a_feed_that_lost_many_records_is_refused(ledger, take):
    records = [record(f"A-{n}", "a", "1.0") for n in range(20)]
    take(*records)
    with pytest.raises(FeedRefusedError, match=r"3 of the 20"):
        take(*records[3:])
    assert len(ids(ledger, ("PyPI", "a"))["a"]) == 20


def test_a_record_from_the_future_is_refused_for_it_would_stop_all_later_news(ledger, take):
    with pytest.raises(FeedRefusedError, match=r"from the future"):
        take(record("A-1", "a", "1.0", modified="2999-01-01T00:00:00Z"))
    assert advisories.feeds(ledger) == ()


def test_a_files_feed_is_as_old_as_its_newest_record(ledger, take):
    take(record("A-1", "a", "1.0", modified="2024-05-01T00:00:00Z"), max_age_days=40)
    feed = advisories.feed_of(ledger, "f")
    assert feed.age(NOW) == timedelta(days=31)
    assert not feed.is_stale(NOW)
    assert feed.is_stale(NOW + timedelta(days=10))


def test_a_forgotten_feed_leaves_nothing(ledger, take):
    take(record("A-1", "a", "1.0"))
    advisories.remove(ledger, "f")
    assert ids(ledger, ("PyPI", "a")) == {"a": []}
    assert advisories.feeds(ledger) == ()
    with pytest.raises(RecordNotFoundError):
        advisories.remove(ledger, "f")


def test_many_packages_are_asked_for_at_once(ledger, take):
    take(*(record(f"A-{n}", f"package-{n}", "1.0") for n in range(1200)))
    names = [("PyPI", f"package_{n}") for n in range(1200)]
    found = advisories.advisories_for(ledger, names).advisories
    assert all(len(each) == 1 for each in found.values())
    assert len(found) == 1200


def test_a_row_that_is_not_what_was_written_is_no_missing_advisory(ledger, take):
    take(record("A-1", "a", "1.0"))
    with ledger.writing_aside() as connection:
        connection.execute(advisories.advisory.update().values(body='{"id": "A-1"}'))
    with pytest.raises(Exception, match=r"A-1"):
        advisories.advisories_for(ledger, [("PyPI", "a")])
