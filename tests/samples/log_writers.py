"""What other processes of a test do to a ledger's log."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection

from samples.ledger_records import record

from tidegate.attestation import Subject
from tidegate.ledger import Ledger
from tidegate.ledger.log import Draft


def append_in_turn(url: str, worker: int, rounds: int) -> list[int]:
    """Append batches of one to three statements; their numbers."""
    numbers: list[int] = []
    with Ledger.open(url) as ledger:
        for turn in range(rounds):
            drafts = [
                Draft(
                    (Subject(f"{worker}/{turn}", f"sha256:{part:064x}"),),
                    "https://example.com/p/v1",
                    {},
                )
                for part in range(1 + turn % 3)
            ]
            numbers += ledger.append(drafts)
    return numbers


def record_and_say(url: str, seed: int, said: Connection) -> None:
    """Record for ever, and say each decision's number once it is on record."""
    with Ledger.open(url) as ledger:
        for turn in itertools.count():
            said.send(record(ledger, f"{seed}-{turn}.pkl").id)


def killed_writer(url: str, seed: int, seconds: float) -> list[int]:
    """Kill a writer that much after its first record; what it had said by then."""
    # Forked: what takes long to import is there already, and nothing here holds a connection open.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    writer = context.Process(target=record_and_say, args=(url, seed, theirs), daemon=True)
    writer.start()
    theirs.close()
    said = [ours.recv()]
    time.sleep(seconds)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    try:
        while True:
            said.append(ours.recv())
    except EOFError:
        ours.close()
    return said
