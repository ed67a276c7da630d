"""Feeds over the network: only what is new is fetched, and nothing that could be half of it."""

import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from samples.advisory_feeds import record, zipped

from tidegate import feeds
from tidegate.cli import main
from tidegate.errors import OperatorError, UsageError
from tidegate.ledger import Ledger, advisories

NOW = datetime(2024, 6, 1, tzinfo=UTC)


class Mirror(BaseHTTPRequestHandler):
    """A mirror of one zip, with the ways in which one can go wrong."""

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("If-None-Match"))
        if self.path == "/moved":
            self.answer(302, b"", location=server.moved_to)
        elif self.path == "/gone":
            self.answer(404, b"no")
        elif self.headers.get("If-None-Match") == '"one"' and server.etag == '"one"':
            self.answer(304, b"")
        else:
            cut = len(server.body) // 2 if self.path == "/cut" else len(server.body)
            self.answer(200, server.body, cut=cut, etag=server.etag)

    def answer(self, status, body, *, cut=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *args):
        """Keep the tests' output to themselves."""


@pytest.fixture
def mirror(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.asked, server.etag, server.moved_to = [], '"one"', "/all.zip"
    server.body = zipped(tmp_path / "m.zip", record("A-1", "a", "1.0")).read_bytes()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def here(tmp_path):
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def test_what_has_not_changed_is_not_fetched_again(here, mirror):
    first = feeds.take(here, "m", f"{mirror.address}/all.zip", now=NOW)
    assert first.change == advisories.Change(1, 0, 0)
    later = NOW.replace(day=9)
    second = feeds.take(here, "m", f"{mirror.address}/all.zip", now=later)
    assert second.change is None
    assert second.feed.checked_at == later
    assert mirror.asked == [None, '"one"']


def test_what_has_changed_is_fetched_and_taken(here, mirror, tmp_path):
    feeds.take(here, "m", f"{mirror.address}/all.zip", now=NOW)
    new = [record("A-1", "a", "1.0"), record("A-2", "a", "2.0")]
    mirror.body, mirror.etag = zipped(tmp_path / "n.zip", *new).read_bytes(), '"two"'
    assert feeds.take(here, "m", f"{mirror.address}/all.zip", now=NOW).change.added == 1


@pytest.mark.parametrize("path", ["/cut", "/gone"])
def test_whatever_goes_wrong_leaves_the_old_set(here, mirror, path):
    feeds.take(here, "m", f"{mirror.address}/all.zip", now=NOW)
    mirror.etag = '"two"'
    with pytest.raises(OperatorError):
        feeds.take(here, "m", f"{mirror.address}{path}", now=NOW)
    assert [each.entries for each in advisories.feeds(here)] == [1]
    assert advisories.feed_of(here, "m").location.endswith("/all.zip")


def test_a_redirection_is_followed_but_not_away_from_tls(here, mirror):
    assert feeds.take(here, "m", f"{mirror.address}/moved", now=NOW).change.added == 1
    mirror.moved_to = "http://mirror.example/all.zip"
    with pytest.raises(UsageError):
        feeds.take(here, "n", f"{mirror.address}/moved", now=NOW)
    mirror.moved_to = "file:///etc/passwd"
    with pytest.raises(UsageError):
        feeds.take(here, "n", f"{mirror.address}/moved", now=NOW)
    mirror.moved_to = "/moved"
    with pytest.raises(OperatorError, match=r"redirects more than"):
        feeds.take(here, "n", f"{mirror.address}/moved", now=NOW)


@pytest.mark.parametrize("limit", ["MOST_BYTES", "SECONDS"])
def test_a_download_without_end_is_cut_off(here, mirror, monkeypatch, limit):
    monkeypatch.setattr(feeds, limit, -1)
    with pytest.raises(OperatorError, match=r"longer than"):
        feeds.take(here, "m", f"{mirror.address}/all.zip", now=NOW)
    assert advisories.feeds(here) == ()


@pytest.mark.parametrize("location", ["http://mirror.example/all.zip", "ftp://a/b", "file:///etc"])
def test_a_feed_comes_over_tls_or_from_here(here, location):
    with pytest.raises(UsageError):
        feeds.take(here, "m", location, now=NOW)


def test_the_commands_say_how_old_a_feed_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TIDEGATE_LEDGER", f"sqlite:///{tmp_path / 'cli.db'}")
    path = zipped(tmp_path / "all.zip", record("A-1", "a", "1.0"))
    assert main(["feeds", "add", "own", str(path)]) == 0
    assert main(["feeds", "status"]) == 3
    assert "STALE: it may be 7" in capsys.readouterr().out
    assert main(["feeds", "add", "own", str(path), "--max-age", "36500"]) == 0
    assert main(["feeds", "status"]) == 0
    path.write_bytes(path.read_bytes()[:-5])
    assert main(["feeds", "sync"]) == 3
    captured = capsys.readouterr()
    assert "no whole zip" in captured.err
    assert main(["feeds", "remove", "own"]) == 0
    assert main(["feeds", "status"]) == 3
    assert "nothing is known of any package" in capsys.readouterr().out
