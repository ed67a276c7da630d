"""What it costs the gate to ask where an artifact came from.

The same question about one artifact with an evidence on record: in a ledger without steps and
recalls, in one with both beside it, and for the last of a line of ten steps under a recall. The
ratio to the first is what recalls and lineage add.

    python benchmarks/recall.py
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from samples.ledger_records import NOW, a_file, a_manifest
from samples.lineages import made, passed

from tidegate.gate import Gate
from tidegate.ledger import Ledger
from tidegate.ledger.recalls import RecallKind
from tidegate.policy import profile

ROUNDS = 200


def median_ms(ask: Callable[[], object]) -> float:
    ask()
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        with Gate(profile("standard"), Ledger.open(url)) as gate:
            plain = a_manifest("plain.skops")
            passed(gate, plain)
            first = median_ms(lambda: gate.standing_of(plain.digest))
            print(f"no steps, no recalls:               {first:6.2f} ms")
            data = a_file("0.csv")
            before, line = data, []
            for number in range(1, 11):
                line.append(a_manifest(f"{number}.skops"))
                made(gate, [("data", before)], [line[-1]])
                passed(gate, line[-1])
                before = line[-1]
            for what, ask in (
                ("steps on record, none led here", lambda: gate.standing_of(plain.digest)),
                ("the last of ten steps", lambda: gate.standing_of(line[-1].digest)),
            ):
                took = median_ms(ask)
                print(f"{what + ':':<35} {took:6.2f} ms, {took / first:.1f} times")
            gate.ledger.add_recall(
                RecallKind.ARTIFACT, data.digest, actor="ada", reason="bad", now=NOW
            )
            for what, ask in (
                ("a recall that does not reach it", lambda: gate.standing_of(plain.digest)),
                ("a recall at the end of ten steps", lambda: gate.standing_of(line[-1].digest)),
            ):
                took = median_ms(ask)
                print(f"{what + ':':<35} {took:6.2f} ms, {took / first:.1f} times")


if __name__ == "__main__":
    main()
