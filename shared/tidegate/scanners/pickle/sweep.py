"""Looking for pickle code in bytes that are not part of a readable stream.

Behind a broken opcode or a STOP anything may lie: a further stream that another loader starts
at, or the payload that the break was to hide. The bytes are searched for the three forms in
which a pickle begins or imports, and each hit is run by the machine from there.
"""

from __future__ import annotations

import io
import re
from typing import BinaryIO

from tidegate.scanners.callables import Standing, is_known_module, judge
from tidegate.scanners.pickle.machine import Machine
from tidegate.scanners.pickle.opcodes import OPCODES
from tidegate.scanners.pickle.source import Break, Source
from tidegate.scanners.pickle.trace import Trace

WINDOW = 1 << 20
OVERLAP = 2048
MAX_HITS = 20_000
MAX_STEPS = 200_000

_OPCODE_BYTES = bytes(code for code, opcode in enumerate(OPCODES) if opcode is not None)
_NAME = rb"[A-Za-z_][\w.]{0,250}"
_CANDIDATE = re.compile(
    rb"(?P<proto>\x80[\x00-\x05][" + re.escape(_OPCODE_BYTES) + rb"])"
    rb"|[ci](?P<module>" + _NAME + rb")\n(?P<name>" + _NAME + rb")\n"
    rb"|(?:\x8c.|X.\0\0\0)(?P<module4>" + _NAME + rb")(?:\x94|q.|r....)?"
    rb"(?:\x8c.|X.\0\0\0)(?P<name4>" + _NAME + rb")(?:\x94|q.|r....)?\x93",
    re.DOTALL,
)


def sweep(stream: BinaryIO, size: int, start: int, trace: Trace) -> None:
    """Record in `trace` whatever pickle code the bytes from `start` on hold."""
    position, hits, steps, covered = start, 0, 0, start
    while position < size:
        stream.seek(position)
        window = stream.read(min(WINDOW + OVERLAP, size - position))
        if not window:
            return
        for match in _CANDIDATE.finditer(window):
            offset = position + match.start()
            if match.start() >= WINDOW:
                break
            if offset < covered or not _is_worth_it(match, window):
                continue
            hits += 1
            if hits > MAX_HITS or steps > MAX_STEPS:
                trace.overflowed = True
                return
            machine = Machine(Source(stream, size, offset), trace)
            try:
                machine.read(MAX_STEPS - steps)
            except Break as broken:
                covered = max(covered, min(broken.offset, offset + 1))
            else:
                covered = machine.source.offset
            steps += machine.steps
        position += WINDOW


def _is_worth_it(match: re.Match[bytes], window: bytes) -> bool:
    """True where the machine should read from here: chance alone makes many a short match."""
    if match["proto"] is not None:
        return _begins_stream(window[match.start() : match.start() + OVERLAP])
    module = (match["module"] or match["module4"]).decode("ascii", "replace")
    name = (match["name"] or match["name4"]).decode("ascii", "replace")
    if match["module4"] is not None:
        return True
    return is_known_module(module) or judge(module, name).standing is Standing.DANGEROUS


def _begins_stream(head: bytes) -> bool:
    """A short look, without recording anything: does this head import something or end well?"""
    trace = Trace()
    machine = Machine(Source(io.BytesIO(head), len(head)), trace)
    try:
        machine.read(200)
    except Break:
        return trace.named > 0
    return True
