"""Bringing feeds of advisories up to date: from an address, a folder or a zip into the ledger.

Always holds: what comes over the network comes over TLS, or from this machine, also behind a
redirection; it is bounded in bytes and time and lies in a temporary file that is gone afterwards;
whatever goes wrong on the way leaves the old set as it was.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO
from urllib.parse import urljoin
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from tidegate import __version__
from tidegate.dependencies.feed_files import FeedRefusedError, read_feed
from tidegate.errors import OperatorError, UsageError
from tidegate.ledger import Ledger, advisories
from tidegate.ledger.address import checked_address, is_remote
from tidegate.ledger.advisories import Change, Feed

MOST_BYTES = 4 << 30
"""Of one download."""
SECONDS = 600.0
"""For one download, redirections included."""
_MOST_REDIRECTIONS = 5
_REDIRECTED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Synced:
    """What came of asking a feed's source; without a change it had nothing new."""

    feed: Feed
    change: Change | None


def take(
    ledger: Ledger,
    name: str,
    location: str,
    *,
    now: datetime,
    max_age_days: int | None = None,
    replace: bool = False,
) -> Synced:
    """Read a feed from an address or a path, and let it take the place of what is on record.

    Raises:
        FeedRefusedError: it is broken, or goes back in time; the old set stays.
        OperatorError: the address gives nothing.
        UsageError: the address can't be used.
    """
    etag: str | None = None
    if is_remote(location):
        known = {each.name: each for each in advisories.feeds(ledger)}.get(name)
        etag = known.etag if known is not None and known.location == location else None
        with tempfile.NamedTemporaryFile(suffix=".zip", prefix="tidegate-feed-") as file:
            tag = _download(location, file, None if replace else etag)
            if tag is None:
                advisories.note_unchanged(ledger, name, now=now)
                return Synced(advisories.feed_of(ledger, name), None)
            file.flush()
            content, etag = read_feed(file.name, name=name), tag or None
    elif "://" in location:
        raise UsageError(f"{location!r} is neither a path nor an https:// address")
    else:
        content, location = read_feed(location, name=name), str(Path(location).absolute())
    change = advisories.keep(
        ledger,
        name,
        content,
        location=location,
        now=now,
        etag=etag,
        max_age_days=max_age_days,
        replace=replace,
    )
    return Synced(advisories.feed_of(ledger, name), change)


def take_copy(ledger: Ledger, name: str, path: str, *, replace: bool = False) -> Synced:
    """Bring a feed up to date from a copy that somebody carried here; its source stays the same.

    How old it is then goes by the copy's newest record: nobody knows when the copy was made.

    Raises:
        RecordNotFoundError: there is no feed of that name.
        FeedRefusedError: the copy is broken, or goes back in time; the old set stays.
    """
    feed = advisories.feed_of(ledger, name)
    content = read_feed(path, name=name)
    newest = max(each.modified for each in content.advisories)
    change = advisories.keep(
        ledger, name, content, location=feed.location, now=newest, replace=replace
    )
    return Synced(advisories.feed_of(ledger, name), change)


def _download(address: str, file: IO[bytes], etag: str | None) -> str | None:
    """Put the body into the file; its ETag or "", or None where the server says: unchanged."""
    until = time.monotonic() + SECONDS
    headers = {"User-Agent": f"tidegate/{__version__}", "Accept-Encoding": "identity"}
    if etag is not None:
        headers["If-None-Match"] = etag
    for _ in range(_MOST_REDIRECTIONS + 1):
        checked_address(address.partition("?")[0])
        try:
            response = _pool(address).request(
                "GET",
                address,
                headers=headers,
                timeout=urllib3.Timeout(connect=10.0, read=60.0),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                if response.status in _REDIRECTED and (to := response.headers.get("location")):
                    address = urljoin(address, to)
                    continue
                if response.status == 304 and etag is not None:
                    return None
                if response.status != 200:
                    raise OperatorError(
                        f"the feed's server answers {address!r} with status {response.status}",
                        remedy="check the address; what is on record stays in use",
                    )
                _keep_body(response, file, until)
                return str(response.headers.get("etag", ""))
            finally:
                response.close()
        except (HTTPError, OSError) as error:
            raise OperatorError(
                f"the feed at {address!r} can't be fetched: {error}",
                remedy="check the network, or import a copy; what is on record stays in use",
            ) from error
    raise OperatorError(f"the feed at {address!r} redirects more than {_MOST_REDIRECTIONS} times")


def _keep_body(response: urllib3.BaseHTTPResponse, file: IO[bytes], until: float) -> None:
    size = 0
    for part in response.stream(1 << 16, decode_content=False):
        size += len(part)
        if size > MOST_BYTES:
            raise FeedRefusedError(f"the feed is longer than {MOST_BYTES} bytes")
        if time.monotonic() > until:
            raise FeedRefusedError(f"the feed takes longer than {SECONDS:.0f} s")
        file.write(part)


def _pool(address: str) -> urllib3.PoolManager:
    scheme, _, rest = address.partition("://")
    proxy = getproxies().get(scheme)
    if proxy and not proxy_bypass(rest.split("/", 1)[0]):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()
