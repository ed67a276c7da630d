"""Telling whether bytes are a pickle.

Pickles have no magic number: from protocol 2 on they begin with 0x80 and a protocol, before
that with any opcode, and an unpickler takes any of them. So the symbolic machine is run over
the bytes, and they are a pickle when it comes far enough that a text or a picture would not:

- after a PROTO opcode, three more opcodes in order; or
- anything is called, or something dangerous is named, with a stack that allows it; or
- the STOP is reached, with all bytes read or with something imported on the way; or
- reading ends at a bound of this program, where a loader might go on.

A `thorough` look at bytes that end none of these ways also searches them for a place from which
something is called, lest a payload hides behind an operand that we misread.

"category,value", "channels:", Python source or JSON come to none of these. A list of words may
name something by chance ("cat" and "dog" read as "at.dog"), but calls nothing.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from tidegate.scanners.callables import Standing, Use
from tidegate.scanners.pickle.machine import Machine
from tidegate.scanners.pickle.opcodes import OPCODES
from tidegate.scanners.pickle.source import Break, Source
from tidegate.scanners.pickle.sweep import sweep
from tidegate.scanners.pickle.trace import Reference, Trace

MAX_STEPS = 100_000
_PROTO = 0x80
_HIGHEST_PROTOCOL = 5
_STEPS_AFTER_PROTO = 4
_WHITE = 4096


def probe(stream: BinaryIO, size: int, *, thorough: bool = False) -> bool:
    """True where the bytes from the stream's start decode as a pickle. Moves the position."""
    if probe_at(stream, size, 0):
        return True
    if not thorough:
        return False
    # Who reads a text may strip it before it is loaded.
    stream.seek(0)
    head = stream.read(_WHITE)
    start = len(head) - len(head.lstrip())
    return (0 < start < len(head) and probe_at(stream, size, start)) or _calls_anywhere(
        stream, size
    )


def probe_at(stream: BinaryIO, size: int, offset: int, max_steps: int = MAX_STEPS) -> bool:
    """The same for the bytes from `offset` on."""
    source = Source(stream, size, offset)
    if not _may_begin(source):
        return False
    trace = Trace()
    source.seek(offset)
    machine = Machine(source, trace)
    led_by_proto = _is_proto(source)
    steps = 0
    try:
        while not machine.read(machine.steps + 1):
            steps = machine.steps
            if trace.calls or (led_by_proto and steps >= _STEPS_AFTER_PROTO) or steps >= max_steps:
                return True
            if trace.named and _names_danger(trace):
                return True
    except Break as broken:
        return broken.limit or bool(trace.calls) or _names_danger(trace)
    return led_by_proto or source.offset >= size or _names_something(trace)


def looks_like_pickle(head: bytes) -> bool:
    """The same for the first bytes of a file, which may break off anywhere."""
    if probe(io.BytesIO(head), len(head)):
        return True
    return (
        len(head) > 2
        and head[0] == _PROTO
        and head[1] <= _HIGHEST_PROTOCOL
        and OPCODES[head[2]] is not None
    )


def _may_begin(source: Source) -> bool:
    first = source.byte()
    return first >= 0 and OPCODES[first] is not None


def _is_proto(source: Source) -> bool:
    start = source.offset
    first, second = source.byte(), source.byte()
    source.seek(start)
    return first == _PROTO and 0 <= second <= _HIGHEST_PROTOCOL


def _names_something(trace: Trace) -> bool:
    """True where a module is named that may exist; the first two lines of a table name none."""
    return any(
        _is_plausible(reference) or "/" in reference.module
        for reference in trace.references.values()
    )


def _names_danger(trace: Trace) -> bool:
    return any(
        reference.judgement.standing is Standing.DANGEROUS and _is_plausible(reference)
        for reference in trace.references.values()
    )


def _calls_anywhere(stream: BinaryIO, size: int) -> bool:
    """True where something named is made or called from some place in the bytes.

    A name alone is not enough here: lists of words and of modules have such lines
    ("acos" and "asin" on two lines read as "os.asin"). Bytes past the sweep's bounds are not
    looked at: this is a second net under the reading from the start.
    """
    if not _may_begin(Source(stream, size)):
        return False
    trace = Trace()
    sweep(stream, size, 0, trace)
    return any(
        reference.use > Use.NAME and _is_plausible(reference)
        for reference in trace.references.values()
    )


def _is_plausible(reference: Reference) -> bool:
    """A name that some module could have; in random bytes, most have none."""
    parts = f"{reference.module}.{reference.name}".split(".")
    return all(part.isidentifier() for part in parts)
