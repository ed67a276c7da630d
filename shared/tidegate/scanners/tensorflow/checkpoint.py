"""Checkpoints: an index, which is a table of LevelDB's kind, and shards with the tensors' bytes.

The index says which bytes of which shard are which tensor. They are claimed for it
(`Report.claim`), so that a shard passes as raw data as far as the index describes it, and bytes
that belong to no tensor are held. The blocks of the index itself must cover it without gaps.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tidegate.artifact.formats.magic import TABLE_MAGIC
from tidegate.scanners.embedded import judge_text
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.protobuf.schema import Message, family
from tidegate.scanners.protobuf.tree import Frame, Judge
from tidegate.scanners.protobuf.wire import MalformedError, Source, walk
from tidegate.scanners.streams import shown, window

FOOTER = 48
_TRAILER = 5
_MAX_BLOCK = 64 << 20
_MAX_ENTRIES = 1_000_000
_BITS = {
    1: 32, 2: 64, 3: 32, 4: 8, 5: 16, 6: 8, 8: 64, 9: 64, 10: 8, 11: 8, 12: 8, 13: 32, 14: 16,
    15: 16, 16: 16, 17: 16, 18: 128, 19: 16, 22: 32, 23: 64,
}  # fmt: skip


class CheckpointScanner(Scanner):
    """Reads the index of a checkpoint."""

    name = "tf-checkpoint"
    formats = frozenset({"tf-checkpoint"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read every block and entry, and claim the shards."""
        table = _Table(subject, report)
        reader = _Entries(subject, report, dispatcher)
        try:
            for key, start, size in table.entries():
                reader.add(key, start, size)
        except MalformedError as error:
            _malformed(report, subject, f"its index {error.reason}", error.offset)
            return
        table.check_gaps()
        reader.claim()


def _malformed(report: Report, subject: Subject, what: str, offset: int) -> None:
    report.found("TF-MALFORMED", subject, f"The checkpoint is broken: {what}.", offset=offset)


class _Table:
    """The table's blocks, found from its footer."""

    def __init__(self, subject: Subject, report: Report) -> None:
        self._subject, self._report = subject, report
        self._source = Source(subject.stream, subject.size)
        self._blocks: list[tuple[int, int]] = []

    def entries(self) -> Iterator[tuple[bytes, int, int]]:
        """Each key, with the place and size of its value."""
        end = self._subject.size - FOOTER
        if end < 0:
            raise MalformedError("is too short", 0)
        at = end
        handles = []
        for _ in range(2):
            offset, at = self._source.varint(at)
            size, at = self._source.varint(at)
            handles.append((offset, size))
        if any(self._source.bytes_at(at, self._subject.size - len(TABLE_MAGIC) - at)):
            self._report.found(
                "EXTERNAL-DATA-HIDDEN",
                self._subject,
                "The footer of the index holds bytes of its own.",
                offset=at,
            )
        for _ in self._block(*handles[0]):
            raise MalformedError("has a filter, which no checkpoint has", handles[0][0])
        for _, start, size in list(self._block(*handles[1])):
            offset, then = self._source.varint(start)
            length, then = self._source.varint(then)
            if then != start + size:
                raise MalformedError("has a handle of another size", start)
            yield from self._block(offset, length)

    def _block(self, offset: int, size: int) -> Iterator[tuple[bytes, int, int]]:
        end = offset + size
        if end + _TRAILER > self._subject.size - FOOTER or size < 4:
            raise MalformedError("has a block outside of the file", offset)
        if size > _MAX_BLOCK or len(self._blocks) > _MAX_ENTRIES:
            raise MalformedError("has a block that is too large to read", offset)
        self._blocks.append((offset, size + _TRAILER))
        if self._source.bytes_at(end, 1) != b"\0":
            raise MalformedError("has a compressed block, which no checkpoint has", offset)
        (restarts,) = struct.unpack("<I", self._source.bytes_at(end - 4, 4))
        limit = end - 4 - 4 * restarts
        if limit < offset:
            raise MalformedError("has a block of too many parts", offset)
        at, key = offset, b""
        while at < limit:
            shared, at = self._source.varint(at)
            own, at = self._source.varint(at)
            length, at = self._source.varint(at)
            if shared > len(key) or at + own + length > limit or own > 1 << 16:
                raise MalformedError("has an entry that leaves its block", at)
            key = key[:shared] + self._source.bytes_at(at, own)
            at += own
            yield key, at, length
            at += length

    def check_gaps(self) -> None:
        """Between the blocks lies nothing."""
        at = 0
        for offset, size in [*sorted(set(self._blocks)), (self._subject.size - FOOTER, 0)]:
            if offset != at:
                self._report.found(
                    "EXTERNAL-DATA-HIDDEN",
                    self._subject,
                    f"Bytes {at} to {offset} of the index belong to none of its blocks.",
                    offset=at,
                    detail=f"{at}-{offset}",
                )
            at = offset + size


class _Entries(Judge):
    """The entries' messages: the header, then each tensor's place."""

    kept = frozenset({
        "BundleHeaderProto.num_shards", "BundleHeaderProto.endianness", "BundleEntryProto.dtype",
        "BundleEntryProto.shard_id", "BundleEntryProto.offset", "BundleEntryProto.size",
        "TensorShapeProto.Dim.size",
    })  # fmt: skip

    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        super().__init__(subject, report, "TF-MALFORMED", "checkpoint's index")
        self._dispatcher = dispatcher
        self._shards: int | None = None
        self._ranges: dict[int, list[tuple[int, int]]] = {}
        self._count = 0
        self._full = False

    def add(self, key: bytes, start: int, size: int) -> None:
        """Read one entry."""
        self._count += 1
        if self._count > _MAX_ENTRIES:
            if not self._full:
                self.too_much(f"has more than {_MAX_ENTRIES} entries")
            self._full = True
            return
        messages = family("tensorflow")
        root: Message = messages["BundleEntryProto" if key else "BundleHeaderProto"]
        judge_text(key, "a name", start, self.subject, self.report, self._dispatcher)
        walk(window(self.subject.stream, start, size), 0, size, root, self)

    def done(self, frame: Frame) -> int | None:
        """Keep what the header and the entries say."""
        name = frame.message.name
        if name == "BundleHeaderProto":
            self._shards = (frame.all("num_shards") or [0])[-1]
        elif name == "TensorShapeProto.Dim":
            return int((frame.all("size") or [0])[-1])
        elif name == "TensorShapeProto":
            count = 1
            for size in frame.all("dim"):
                count = min(count * (0 if size >> 63 else size), 1 << 62)
            return count
        elif name == "BundleEntryProto":
            self._entry(frame)
        return None

    def _entry(self, frame: Frame) -> None:
        shard, offset, size = (
            int((frame.all(field) or [0])[-1]) for field in ("shard_id", "offset", "size")
        )
        bits = _BITS.get((frame.all("dtype") or [0])[-1])
        if offset >> 62 or size >> 62:
            _malformed(self.report, self.subject, "a tensor lies nowhere", frame.offset)
            return
        for count in frame.all("shape"):
            # A tensor that is kept in slices has a shape, and no bytes of its own.
            if bits is not None and size not in {0, (count * bits + 7) // 8}:
                what = f"a tensor has {size} bytes, and its shape another size"
                _malformed(self.report, self.subject, what, frame.offset)
        if size:
            self._ranges.setdefault(shard, []).append((offset, size))

    def claim(self) -> None:
        """Say which bytes of which shard are described."""
        if self._shards is None:
            _malformed(self.report, self.subject, "its index has no header", 0)
            return
        name = self.subject.name
        if not name.endswith(".index"):
            self.report.unread(
                self.subject,
                f"an index called {shown(name)!r} does not say where its data are",
            )
            return
        for shard in range(min(self._shards, 10_000)):
            location = f"{name[: -len('.index')]}.data-{shard:05d}-of-{self._shards:05d}"
            # A shard without a tensor is an empty file, or none.
            ranges = self._ranges.pop(shard, [])
            self.report.claim(self.subject, location, ranges, optional=not ranges)
        if self._ranges:
            _malformed(self.report, self.subject, "it names shards that there are not", 0)
