"""A server that keeps one text, as a checkpoint's address may be: with entity tags and a token."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "keep-it-there"


@dataclass
class Notes:
    """What the server keeps, and what it was asked; `meanwhile` runs once between GET and PUT."""

    text: str | None = None
    address: str = ""
    tags: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None

    def tag(self) -> str:
        return f'"{hashlib.sha256((self.text or "").encode()).hexdigest()[:16]}"'


@contextmanager
def note_server() -> Iterator[Notes]:
    """A running server on the loopback interface."""
    notes = Notes()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            if notes.text is not None and notes.tags:
                self.send_header("ETag", notes.tag())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def admitted(self) -> bool:
            if self.headers.get("Authorization") == f"Bearer {TOKEN}":
                return True
            self.answer(401)
            return False

        def do_GET(self) -> None:
            notes.asked.append(("GET", None))
            if not self.admitted():
                return
            if notes.text is None:
                self.answer(404)
            else:
                self.answer(200, notes.text.encode())

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            condition = self.headers.get("If-Match") or self.headers.get("If-None-Match")
            notes.asked.append((self.command, condition))
            if not self.admitted():
                return
            if notes.meanwhile is not None:
                happens, notes.meanwhile = notes.meanwhile, None
                happens()
            wanted, unwanted = self.headers.get("If-Match"), self.headers.get("If-None-Match")
            stands = notes.text is not None
            if (wanted and wanted != notes.tag()) or (unwanted == "*" and stands):
                self.answer(412)
                return
            notes.text = body
            self.answer(200 if stands else 201)

        do_POST = do_PUT

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    notes.address = f"http://127.0.0.1:{server.server_address[1]}/fraud-ledger.txt"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield notes
    finally:
        server.shutdown()
        server.server_close()
