"""A ledger over HTTP: what a console adds to recording, asking how bytes stand, and reading.

The same SQLite file, written to and asked directly in one turn and through a console on this
machine in the next. Every record is a decision on new evidence; through the console it also has the
request's own row and statement.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from samples.consoles import console_at
from samples.ledger_records import a_manifest, an_evidence

from tidegate import Action, Gate
from tidegate.ledger.remote import RemoteLedger
from tidegate.policy import profile
from tidegate.scanners.registry import ruleset_version

TURNS = 5
EACH = 40
CLIENTS = 8


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["XDG_DATA_HOME"] = name
        url = f"sqlite:///{root / 'ledger.db'}"
        with console_at(root / "console", url) as console:
            remote = console.ledger()
            with (
                Gate.open(ledger=url, policy=profile("standard")) as near,
                Gate.open(ledger=remote) as far,
            ):
                compare(near, far)
            together(remote)


def compare(near: Gate, far: Gate) -> None:
    """Medians of single calls, direct and over HTTP in turn."""
    settle(near, "warm-near")
    settle(far, "warm-far")
    digest = a_manifest("warm-near").digest
    experiments: dict[str, Callable[[Gate, str], object]] = {
        "record": settle,
        "stand": lambda gate, _: gate.standing_of(digest, Action.LOAD),
        "read": lambda gate, _: gate.ledger.latest_decision(digest),
    }
    for what, do in experiments.items():
        spent: dict[str, list[float]] = {"near": [], "far": []}
        for turn in range(TURNS):
            for side, gate in (("near", near), ("far", far)):
                for number in range(EACH):
                    start = time.perf_counter()
                    do(gate, f"{what}-{side}-{turn}-{number}")
                    spent[side].append(time.perf_counter() - start)
        direct, over = (statistics.median(spent[side]) * 1e3 for side in ("near", "far"))
        print(f"{what}: {direct:.1f} ms directly, {over:.1f} ms over HTTP ({over / direct:.1f}x)")


def together(remote: RemoteLedger) -> None:
    """How many records a second, from several clients at once."""
    with Gate.open(ledger=remote) as gate, ThreadPoolExecutor(CLIENTS) as pool:
        names = [f"together-{number}" for number in range(TURNS * EACH)]
        start = time.perf_counter()
        list(pool.map(lambda name: settle(gate, name), names))
        print(f"{CLIENTS} clients at once: {len(names) / (time.perf_counter() - start):,.0f}/s")


def settle(gate: Gate, name: str) -> object:
    """Record a decision on evidence about an artifact of that name."""
    manifest = a_manifest(name)
    evidence = an_evidence(manifest, severity=None, ruleset=ruleset_version())
    return gate.settle(Action.REGISTER, manifest, evidence, subject=name)


if __name__ == "__main__":
    main()
