"""Files of records as TensorFlow writes them: data sets (TFRecord) and TensorBoard's logs.

Each record has its length before it, and a checksum of the length, by which the file is told.
Records are examples, events or bytes of the writer's own; nothing reads more into them than
who wrote them, so their bytes are looked at for programs, archives and pickles.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from tidegate.scanners.embedded import judge_text
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.protobuf.probe import fits_whole
from tidegate.scanners.protobuf.schema import family
from tidegate.scanners.protobuf.wire import walk
from tidegate.scanners.raw import scan_raw
from tidegate.scanners.streams import read_exactly, window
from tidegate.scanners.tensorflow.framing import HEADER, begins_record
from tidegate.scanners.tensorflow.graphs import GraphJudge

_FOOTER = 4
_MESSAGES = ("Event", "Example", "SequenceExample")
_MAX_WALKED = 64 << 20
_SHORT = 4096


class RecordScanner(Scanner):
    """Follows the records to the end of the file."""

    name = "tf-records"
    formats = frozenset({"tf-records"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Look at each record; what is no record is said."""
        at, walked = 0, 0
        while at < subject.size:
            subject.stream.seek(at)
            head = read_exactly(subject.stream, HEADER)
            (length,) = struct.unpack_from("<Q", head.ljust(8, b"\0"))
            end = at + HEADER + length + _FOOTER
            if not begins_record(head) or end > subject.size:
                report.found(
                    "TF-MALFORMED",
                    subject,
                    "The records break off: what follows is none, or is cut off.",
                    offset=at,
                )
                rest = window(subject.stream, at, subject.size - at)
                part = subject.inside(rest, subject.size - at, f"bytes@{at}")
                scan_raw(part, report, dispatcher)
                return
            if not dispatcher.budget.take_member():
                report.unread(subject, f"more than {report.limits.max_members} records")
                return
            whole = walked + length <= _MAX_WALKED
            walked += length if whole else 0
            self._record(subject, at + HEADER, length, report, dispatcher, whole=whole)
            at = end

    def _record(
        self,
        subject: Subject,
        start: int,
        size: int,
        report: Report,
        dispatcher: Dispatcher,
        *,
        whole: bool,
    ) -> None:
        stream: BinaryIO = window(subject.stream, start, size)
        part = subject.inside(stream, size, f"record@{start - HEADER}")
        root = fits_whole(stream, size, "tensorflow", _MESSAGES) if whole else None
        if root is not None:
            judge = GraphJudge(part, report, dispatcher)
            walk(stream, 0, size, family("tensorflow")[root], judge)
            return
        if size <= _SHORT:
            stream.seek(0)
            judge_text(read_exactly(stream, size), "a record", start, subject, report, dispatcher)
        else:
            scan_raw(part, report, dispatcher)
