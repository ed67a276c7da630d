"""Real `tidegate console serve` processes for tests, on free ports of the loopback interface."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tidegate.ledger import Ledger, RemoteLedger
from tidegate.ledger.tokens import Scope, add

START_SECONDS = 60


@dataclass
class Console:
    """A console: its address, its folder, the URL of its ledger's database, and its process."""

    port: int
    folder: Path
    database: str
    process: subprocess.Popen[bytes] | None = None
    options: tuple[str, ...] = ()
    mallory: str = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tidegate", "console", "serve"),
                *("--port", str(self.port), *self.options),
            ],
            stdout=(self.folder / "console.log").open("ab"),
            stderr=subprocess.STDOUT,
            env=without_settings() | {"TIDEGATE_LEDGER": self.database},
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(self.log())
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the console did not answer in time:\n" + self.log())

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the server, by default as a power cut would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            self.process.wait(20)
            self.process = None

    def log(self) -> str:
        return (self.folder / "console.log").read_text()

    def token(self, holder: str = "ci", *scopes: Scope) -> str:
        """A new token of the console's ledger, made beside it; by default for evidence."""
        now = datetime.now(UTC)
        with Ledger.open(self.database, migrate=False) as ledger:
            _, secret = add(
                ledger,
                holder=holder,
                scopes=scopes or (Scope.WRITE_EVIDENCE,),
                expires_at=now + timedelta(days=1),
                actor="ada",
                now=now,
            )
        return secret

    def token_of_mallory(self) -> str:
        """One token for all that somebody tries who may do everything; made once."""
        self.mallory = self.mallory or self.token("mallory", *Scope)
        return self.mallory

    def ledger(self, token: str | None = None, *, patience: float = 10) -> RemoteLedger:
        """The console's ledger, as the holder of a token has it."""
        return RemoteLedger.open(self.address, token=token or self.token(), patience=patience)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One raw request; status and JSON. A body that is bytes goes as it is."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def without_settings() -> dict[str, str]:
    """This process's environment without anybody's settings of Tidegate."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}


@contextmanager
def console_at(folder: Path, database: str, *options: str) -> Iterator[Console]:
    """A running console over a database, made if it is new, with more options for its start."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Ledger.open(database):
        console = Console(port, folder, database, options=options)
    console.start()
    try:
        yield console
    finally:
        console.kill()
