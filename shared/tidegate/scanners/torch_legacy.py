"""torch's file format before 1.6: five pickles one after another, then the storages' bytes.

The first two pickles are numbers (a magic one and the version), the third a small dict, the
fourth the object, the fifth the storages' keys. What follows is raw, so only the pickles may be
read as pickles. Where the five can't be told apart beyond doubt, the whole file is read as
pickles: that finds too much rather than too little.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import IO, BinaryIO, cast

from tidegate.artifact.formats import TORCH_LEGACY_MAGIC
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, shown, window

_PICKLES = 5
_NAMES = ("magic number", "format version", "system information", "object", "storage keys")
_HARMLESS = frozenset({"PROTO", "FRAME", "LONG1", "LONG4", "LONG", "STOP"})
_MAX_OPCODES = 20_000_000


class TorchLegacyScanner(Scanner):
    """Reads torch files of the format before 1.6."""

    name = "torch-legacy"
    formats = frozenset({"torch-legacy"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Scan the pickles, then look at the start of what follows them."""
        report.found(
            "TORCH-LEGACY",
            subject,
            "The file is of torch's old format, which is several pickles one after another.",
        )
        bounds = _pickle_bounds(subject)
        if bounds is None:
            from tidegate.scanners.registry import scanner_named

            subject.stream.seek(0)
            scanner_named("pickle").scan(replace(subject, format="pickle"), report, dispatcher)
            return
        for name, start, end in zip(_NAMES[1:], bounds[:-1], bounds[1:], strict=True):
            size = end - start
            part = subject.inside(window(subject.stream, start, size), size, name, format="pickle")
            dispatcher.dispatch(part, report)
        _scan_storages(bounds, subject, report, dispatcher)


def _scan_storages(
    bounds: tuple[int, ...], subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Look at each storage's bytes, and at whatever follows the last one."""
    from tidegate.scanners.raw import scan_raw

    at, whole = bounds[-1], True
    for key, item in _storages(bounds, subject):
        subject.stream.seek(at)
        count = int.from_bytes(read_exactly(subject.stream, 8), "little", signed=True)
        if item is None or count < 0 or at + 8 + count * item > subject.size:
            whole = False
            break
        if count:
            part = window(subject.stream, at + 8, count * item)
            named = subject.inside(part, count * item, f"storage {shown(key)}")
            scan_raw(named, report, dispatcher)
        at += 8 + count * item
    size = subject.size - at
    if size <= 0:
        return
    rest = subject.inside(window(subject.stream, at, size), size, f"bytes@{at}")
    if not whole:
        report.unread(rest, "the storages do not have the sizes that the object gives them")
        scan_raw(rest, report, dispatcher)
        return
    report.found("TORCH-HIDDEN-DATA", subject, f"{size} bytes follow the last storage.", offset=at)
    dispatcher.dispatch(rest, report)


def _storages(bounds: tuple[int, ...], subject: Subject) -> list[tuple[str, int | None]]:
    """The storages' keys in their order, and the size of each one's elements where it is known."""
    from tidegate.scanners.torch_tensors.reader import MAX_PICKLE, BrokenPickleError, read_pickle

    reads = []
    for start, end in pairwise(bounds[2:]):
        subject.stream.seek(start)
        if end - start > MAX_PICKLE:
            return [("", None)]
        try:
            reads.append(read_pickle(read_exactly(subject.stream, end - start)))
        except BrokenPickleError:
            return [("", None)]
    stored, keys = reads
    if not isinstance(keys.value, list):
        return [("", None)]
    return [(str(key), stored.storages.get(str(key))) for key in keys.value]


class _Bounded:
    """What pickletools reads from. A lying length would make a buffered reader take that much."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size

    def read(self, count: int) -> bytes:
        return self._stream.read(max(0, min(count, self._size - self._stream.tell())))

    def readline(self) -> bytes:
        return self._stream.readline()

    def tell(self) -> int:
        return self._stream.tell()


def _pickle_bounds(subject: Subject) -> tuple[int, ...] | None:
    """Where the first five pickles end, or None where readers could differ about it."""
    ends = []
    at = 0
    for number in range(_PICKLES):
        end = _pickle_end(subject, at, magic=number == 0)
        if end is None:
            return None
        ends.append(end)
        at = end
    return tuple(ends)


def _pickle_end(subject: Subject, start: int, *, magic: bool) -> int | None:
    """The offset after the STOP of the pickle at `start`.

    A pickler closes its frame with the STOP; an unpickler that finds more in the frame skips it,
    and would see the next pickle elsewhere than we do. So a frame must end where the pickle ends.
    """
    import pickletools

    left = subject.size - start
    part = cast("IO[bytes]", _Bounded(window(subject.stream, start, left), left))
    frame_end = 0
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(part)):
            if position is None or count > _MAX_OPCODES:
                return None
            if magic and opcode.name not in _HARMLESS:
                return None
            if magic and opcode.name.startswith("LONG") and argument != TORCH_LEGACY_MAGIC:
                return None
            if opcode.name == "FRAME":
                if position < frame_end:
                    return None
                frame_end = position + 9 + int(argument or 0)
            elif opcode.name == "STOP":
                if frame_end and position + 1 != frame_end:
                    return None
                return start + position + 1
    except (ValueError, KeyError, IndexError, OverflowError, UnicodeError, EOFError):
        return None
    return None
