"""All pickle streams of one file, one after another, and what lies between and behind them.

A loader that is called once reads the first stream; called again, the next. A stream may be
broken, or be followed by bytes that are no pickle. Always holds: every byte is either read by
the machine as part of a stream, or swept for streams and imports that hide there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from tidegate.scanners.pickle.machine import Machine
from tidegate.scanners.pickle.probe import probe_at
from tidegate.scanners.pickle.source import Break, Source
from tidegate.scanners.pickle.sweep import sweep
from tidegate.scanners.pickle.trace import Trace

MAX_STREAMS = 50_000


@dataclass(slots=True)
class Outcome:
    """How reading went. `end` is where the last whole stream ended, `steps` counts opcodes.

    `unread` says what could not be read as a pickle and why; None where all was read.
    """

    streams: int = 0
    end: int = 0
    steps: int = 0
    unread: str | None = None


def read_streams(stream: BinaryIO, size: int, trace: Trace) -> Outcome:
    """Read every stream of the file into `trace`."""
    outcome = Outcome()
    trace.stream = stream
    while outcome.streams < MAX_STREAMS:
        named = trace.named
        machine = Machine(Source(stream, size, outcome.end), trace)
        try:
            machine.read()
        except Break as broken:
            outcome.steps += machine.steps
            _note_break(trace, outcome, broken, named=trace.named > named)
            sweep(stream, size, broken.offset, trace)
            return outcome
        outcome.steps += machine.steps
        outcome.streams += 1
        outcome.end = machine.source.offset
        if outcome.end >= size:
            return outcome
        if not probe_at(stream, size, outcome.end):
            trace.note(
                "PICKLE-TRAILING",
                outcome.end,
                f"{size - outcome.end} bytes that are no pickle follow the end of the pickle.",
            )
            sweep(stream, size, outcome.end, trace)
            return outcome
    outcome.unread = f"more than {MAX_STREAMS} pickle streams one after another"
    return outcome


def _note_break(trace: Trace, outcome: Outcome, broken: Break, *, named: bool) -> None:
    outcome.unread = f"the pickle can't be read on from byte {broken.offset}: {broken.reason}"
    if named:
        trace.note(
            "PICKLE-MALFORMED",
            broken.offset,
            f"The pickle is broken at byte {broken.offset} ({broken.reason}), after it has"
            " already imported code.",
        )
