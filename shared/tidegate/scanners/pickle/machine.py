"""A symbolic unpickler: it keeps the stack, marks and memo of a loader, and builds nothing.

Each opcode does to symbolic values what CPython's unpickler does to objects. Always holds:

- Where a loader would go on, the machine goes on; where a loader would raise, so may the
  machine (`Break`). In doubt it goes on: what it reads then is more than a loader would run.
- Everything imported or called is in the trace before the next opcode is read.
- No recursion, and memory is bounded: the values on the stack are counted, the memo forgets.
"""

from __future__ import annotations

import struct

from tidegate.scanners.pickle import code_opcodes, stack_opcodes
from tidegate.scanners.pickle.memo import Memo
from tidegate.scanners.pickle.opcodes import OPCODES
from tidegate.scanners.pickle.source import Break, Source
from tidegate.scanners.pickle.stack_opcodes import EXAMINED_FROM
from tidegate.scanners.pickle.trace import Trace
from tidegate.scanners.pickle.values import KEPT_IN_ALL, KEPT_ITEMS, KEPT_MEMBERS, Items, Value

MAX_VALUES = 4_000_000
MAX_NESTED_ARRAYS = 64
_CHECK_EVERY = 4096
_MARK_WEIGHT = 8


class Machine:
    """One reading of one pickle stream. `read` runs it up to its STOP.

    A `second` reading takes joblib's arrays for opcodes, as an unpickler does that knows nothing
    of joblib; the first one follows them as joblib does.
    """

    def __init__(self, source: Source, trace: Trace, *, second: bool = False) -> None:
        self.source = source
        self.trace = trace
        self.second = second
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo = Memo()
        self.protocol = 0
        self.frame_end = 0
        self.steps = 0
        self.result: Value = None
        self.doubtful = False
        self._kept = 0
        self._below_marks = 0
        self._outer: list[tuple[list[Value], list[list[Value]], Memo, int, int]] = []

    def read(self, max_steps: int | None = None) -> bool:
        """Run to the STOP: True. False after `max_steps` opcodes. `Break` where it ends early."""
        source, handlers = self.source, _HANDLERS
        while True:
            if max_steps is None:
                self._read_plain_values()
            offset = source.offset
            code = source.byte()
            if code < 0:
                raise Break("the stream ends without a STOP", offset)
            opcode, handler = OPCODES[code], handlers[code]
            if opcode is None or handler is None:
                raise Break(f"byte 0x{code:02x} is no opcode", offset)
            operand = opcode.read(source) if opcode.read is not None else None
            self.steps += 1
            if not self.steps % _CHECK_EVERY:
                self._check_size(offset)
            handler(self, offset, operand)
            if code == _STOP and not self._leave_array(offset):
                return True
            if max_steps is not None and self.steps >= max_steps:
                return False

    def _read_plain_values(self) -> None:  # noqa: PLR0915 - spelled out, for speed
        """Take the opcodes that only push numbers, short texts and marks, or memoize, in a row.

        They are most of a large pickle, so each is spelled out here instead of being looked up;
        what they do is what their handlers do. Anything else is left to those.
        """
        source, memo, examine = self.source, self.memo, self.trace.examine
        chunk, at = source.in_memory()
        begun, room = at, len(chunk) - _LONGEST_PLAIN
        steps, bound = 0, _CHECK_EVERY - self.steps % _CHECK_EVERY
        stack = self.stack
        while at < room and steps < bound:
            code = chunk[at]
            if code == 0x94:  # MEMOIZE
                if not stack:
                    break
                memo.put(len(memo), stack[-1])
                at += 1
            elif code == 0x8C:  # SHORT_BINUNICODE
                end = at + 2 + chunk[at + 1]
                try:
                    text = chunk[at + 2 : end].decode("utf-8", "surrogatepass")
                except UnicodeDecodeError:
                    break
                if examine is not None and len(text) >= EXAMINED_FROM:
                    examine(text, source.offset + at - begun)
                stack.append(text)
                at = end
            elif code in (0x68, 0x6A):  # BINGET, LONG_BINGET: of texts, which names are
                index = chunk[at + 1] if code == 0x68 else _UINT(chunk, at + 1)[0]
                known = memo.text(index)
                if known is None:
                    break
                stack.append(known)
                at += 2 if code == 0x68 else 5
            elif code == 0x47:  # BINFLOAT
                stack.append(_FLOAT(chunk, at + 1)[0])
                at += 9
            elif code == 0x4B:  # BININT1
                stack.append(chunk[at + 1])
                at += 2
            elif code == 0x28:  # MARK
                self.push_mark()
                stack = self.stack
                at += 1
            elif code == 0x4D:  # BININT2
                stack.append(chunk[at + 1] | chunk[at + 2] << 8)
                at += 3
            elif code == 0x4A:  # BININT
                stack.append(_INT(chunk, at + 1)[0])
                at += 5
            elif code in (0x7D, 0x5D):  # EMPTY_DICT, EMPTY_LIST
                stack.append(Items("dict" if code == 0x7D else "list"))
                at += 1
            elif code in _CONSTANTS:
                stack.append(_CONSTANTS[code])
                at += 1
            else:
                break
            steps += 1
        if at != begun:
            # A step short of the next check, which the loop around this then makes.
            self.steps += min(steps, bound - 1)
            source.advance(at - begun)

    def fork(self, offset: int) -> Machine:
        """A machine in the same state that reads the same stream from `offset`."""
        other = Machine(
            Source(self.source.stream, self.source.size, offset), self.trace, second=True
        )
        other.stack = list(self.stack)
        other.marks = [list(values) for values in self.marks]
        other._below_marks = self._below_marks
        other.memo = Memo(self.memo)
        other.protocol = self.protocol
        return other

    def doubt(self) -> None:
        """Go on in a trace apart: what follows may be a misreading."""
        if not self.doubtful:
            self.doubtful = True
            self.trace = Trace(stream=self.trace.stream)

    def room(self, kind: str, count: int) -> int:
        """How many items a container of that kind may keep, when it is given `count` more."""
        self._kept += count
        if kind == "list" or self._kept > KEPT_IN_ALL:
            return KEPT_ITEMS
        return KEPT_MEMBERS

    def pop(self, offset: int) -> Value:
        """The topmost value above the last mark."""
        if not self.stack:
            raise Break("an opcode takes a value that is not on the stack", offset)
        return self.stack.pop()

    def top(self, offset: int) -> Value:
        """The topmost value, left where it is."""
        if not self.stack:
            raise Break("an opcode takes a value that is not on the stack", offset)
        return self.stack[-1]

    def pop_mark(self, offset: int) -> list[Value]:
        """All values above the last mark, and the mark."""
        if not self.marks:
            raise Break("an opcode takes a mark that is not on the stack", offset)
        values = self.stack
        self.stack = self.marks.pop()
        self._below_marks -= len(self.stack)
        return values

    def push_mark(self) -> None:
        """Set a mark."""
        self.marks.append(self.stack)
        self._below_marks += len(self.stack)
        self.stack = []

    def enter_array(self, offset: int) -> None:
        """An array of objects follows as a pickle of its own: read it, then go on here."""
        if len(self._outer) >= MAX_NESTED_ARRAYS:
            raise Break(
                f"more than {MAX_NESTED_ARRAYS} arrays of objects inside one another",
                offset,
                limit=True,
            )
        self._outer.append((self.stack, self.marks, self.memo, self.protocol, self._below_marks))
        self.stack, self.marks, self.memo = [], [], Memo()
        self.protocol = self._below_marks = self.frame_end = 0

    def _leave_array(self, offset: int) -> bool:
        """After a STOP: back to the stream around an array of objects, if there is one."""
        if not self._outer:
            return False
        if self.frame_end > self.source.offset:
            raise Break("an array of objects ends inside a frame", offset)
        array = self.result
        self.stack, self.marks, self.memo, self.protocol, self._below_marks = self._outer.pop()
        self.stack.append(array)
        self.frame_end = 0
        return True

    def _check_size(self, offset: int) -> None:
        outer = sum(len(stack) + below for stack, _, _, _, below in self._outer)
        marks = len(self.marks) + sum(len(marks) for _, marks, _, _, _ in self._outer)
        held = len(self.stack) + self._below_marks + outer + marks * _MARK_WEIGHT
        if held > MAX_VALUES:
            raise Break(f"more than {MAX_VALUES} values are held at once", offset, limit=True)


_LONGEST_PLAIN = 258
_FLOAT, _INT = struct.Struct(">d").unpack_from, struct.Struct("<i").unpack_from
_UINT = struct.Struct("<I").unpack_from
_CONSTANTS: dict[int, Value] = {0x4E: None, 0x88: True, 0x89: False}

_HANDLERS = tuple(
    {**stack_opcodes.HANDLERS, **code_opcodes.HANDLERS}[opcode.name] if opcode is not None else None
    for opcode in OPCODES
)
_STOP = ord(".")
