"""joblib's arrays: raw bytes, or a pickle of their own, between the opcodes.

joblib writes an array as a `NumpyArrayWrapper` object and, right behind the BUILD that gives
the wrapper its state, the array's bytes. joblib's loader steps over them; any other unpickler
reads them as opcodes. Both readings are followed: the wrapper's state tells where joblib goes
on, and a second machine reads the raw bytes as opcodes for as long as they are any.

Where the state does not tell the array's length beyond doubt, reading ends with a `Break`.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from tidegate.scanners.callables import Standing, Use, is_allowed_name, judge
from tidegate.scanners.pickle.source import Break
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import MISSING, Call, Global, Items, Value, tuple_args

if TYPE_CHECKING:
    from tidegate.scanners.pickle.machine import Machine

MAX_SECOND_STEPS = 2_000_000
"""How many opcodes in all are read of raw arrays taken for opcodes; honest ones have none."""

_INT64 = 1 << 63
_TYPE_CODE = re.compile(r"[<>=|]?([biufcmMOSUV])(\d{1,18})")
_HAS_OBJECTS = 1


def is_wrapper(value: Call) -> bool:
    """True for what joblib's loader would replace by the array behind it."""
    return isinstance(value.callee, Global) and value.callee.name == "NumpyArrayWrapper"


def follow(machine: Machine, wrapper: Call, offset: int) -> None:
    """Go on behind the array, or inside it where it is a pickle of objects."""
    start = machine.source.offset
    _read_as_opcodes(machine, start)
    if start < machine.frame_end:
        raise Break("array data begin inside a frame, where joblib never writes them", offset)
    item_size, has_objects = _data_type(_state(wrapper, "dtype"), offset)
    if has_objects:
        machine.stack.pop()
        machine.enter_array(offset)
        return
    length = _count(_state(wrapper, "shape"), offset) * item_size
    if _state(wrapper, "numpy_array_alignment_bytes") not in (None, MISSING):
        padding = machine.source.byte()
        if padding < 0:
            raise Break("the stream ends before an array", offset)
        machine.source.skip(padding)
    machine.source.skip(length)


def _state(wrapper: Call, key: str) -> Value:
    """The attribute that the last BUILD to name it gave."""
    for state in reversed(wrapper.state):
        if not isinstance(state, Items) or state.kind != "dict" or not state.complete:
            raise Break("an array's wrapper has a state that can't be known", wrapper.offset)
        value = state.lookup(key)
        if value is not MISSING:
            return value
    return MISSING


def _count(shape: Value, offset: int) -> int:
    """The number of items; numpy multiplies in 64 bits, so more than that is a trick."""
    if not isinstance(shape, Items) or shape.kind not in ("tuple", "list") or not shape.complete:
        raise Break("an array's shape can't be known", offset)
    count, bound = 1, 1
    for length in shape.kept:
        if not isinstance(length, int) or not 0 <= length < _INT64:
            raise Break("an array's shape is made of something other than lengths", offset)
        count *= length
        bound *= max(length, 1)
    if bound >= _INT64:
        raise Break("an array's shape is larger than any array", offset)
    return count


def _data_type(dtype: Value, offset: int) -> tuple[int, bool]:
    """(bytes per item, whether items are Python objects) of a symbolic numpy.dtype."""
    if not isinstance(dtype, Call) or not isinstance(dtype.callee, Global):
        raise Break("an array's data type can't be known", offset)
    args = tuple_args(dtype.args)
    code = args[0] if args else None
    match = _TYPE_CODE.fullmatch(code) if isinstance(code, str) else None
    if dtype.callee.path != "numpy.dtype" or match is None or len(dtype.state) > 1:
        raise Break("an array's data type can't be known", offset)
    kind, number = match[1], int(match[2])
    # numpy counts the characters of U, four bytes each, and the bytes of all else; since the
    # code of a stretchable type may be 0 or any number, its state has the last word.
    size = 4 * number if kind == "U" else number
    has_objects = kind == "O"
    if not dtype.state:
        if kind == "V":
            raise Break("a structured data type has no state", offset)
        return size, has_objects
    state = dtype.state[0]
    fields = state.kept if isinstance(state, Items) and state.kind == "tuple" else []
    if len(fields) < 8 or fields[0] not in (3, 4) or not isinstance(fields[5], int):
        raise Break("a data type has a state that can't be known", offset)
    if kind in "USV":
        size = fields[5]
    elif fields[5] not in (-1, size):
        raise Break("a data type contradicts itself", offset)
    flags = fields[7]
    plain = fields[2] is None and fields[3] is None
    if not isinstance(flags, int) or (kind != "V" and not plain):
        raise Break("a data type has a state that can't be known", offset)
    if kind != "V" and bool(flags & _HAS_OBJECTS) != has_objects:
        raise Break("a data type contradicts itself", offset)
    has_objects = bool(flags & _HAS_OBJECTS)
    if size < 0:
        raise Break("a data type has a negative size", offset)
    return size, has_objects


def is_doubtful(module: str, name: str) -> bool:
    """True for what a second reading of an array of objects mistakes for an import.

    Such an array is a pickle with a memo of its own. Read with the memo of the stream around
    it, its modules are mistaken for other strings of the model, its names are not: what comes
    out is an allowed name ("dtype") of a module that has no such thing, and any loader stops
    there. But some module may have such a thing, so the rest is read on in doubt: what it names
    counts where it is dangerous, and nothing else of it does.
    """
    standing = judge(module, name).standing
    return standing in (Standing.UNLISTED, Standing.UNREVIEWED) and is_allowed_name(name)


def _read_as_opcodes(machine: Machine, start: int) -> None:
    """Read on as an unpickler would that knows nothing of joblib; where it ends does not matter."""
    trace = machine.trace
    if trace.second_steps >= MAX_SECOND_STEPS:
        trace.overflowed = True
        return
    second = machine.fork(start)
    with suppress(Break):  # raw numbers are no pickle: that it breaks is the ordinary case
        second.read(MAX_SECOND_STEPS - trace.second_steps)
    trace.second_steps += second.steps
    if second.trace is not trace:
        _take_over(trace, second.trace)


def _take_over(trace: Trace, doubtful: Trace) -> None:
    """Add to `trace` what a reading in doubt named that is dangerous, or called unlisted."""
    trace.doubtful.update(doubtful.references)
    trace.overflowed = trace.overflowed or doubtful.overflowed
    for key, found in doubtful.references.items():
        judgement = found.judgement
        grave = judgement.standing is Standing.DANGEROUS or (
            judgement.standing is Standing.UNLISTED
            and found.use is Use.CALL
            and not is_allowed_name(found.name)
        )
        plain = all(part.isidentifier() for part in f"{found.module}.{found.name}".split("."))
        if grave and plain and key not in trace.references:
            trace.references[key] = found
