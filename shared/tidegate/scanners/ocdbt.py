"""OCDBT: the database files in which TensorStore, and so Orbax, keeps the arrays of a checkpoint.

A manifest names the data files that hold the root of a B-tree; each node of the tree names those
that hold what is below it (google.github.io/tensorstore/kvstore/ocdbt). A data file is a run of
values and nodes. The values are chunks of arrays, which are numbers to whoever loads them, and
small texts that describe them.

Always holds: of each node and manifest, exactly the stretches of data files to which it refers are
claimed as raw data, and the values that stand in the node itself are looked at; a node that breaks
the format is a finding. Bytes of a data file that are no node, and to which nothing refers, are
held.
"""

from __future__ import annotations

import io
import posixpath
import re

from tidegate.artifact.formats import is_text
from tidegate.scanners.codecs.zstd import frame
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.raw import scan_raw
from tidegate.scanners.streams import read_exactly, shown, window

MANIFEST, NODE = b"\x0c\xdb\x3a\x2a", b"\x0c\xdb\x20\xde"
_HEAD = 12
_CHECKSUM = 4
_TAIL = 4 << 20
_MAX_NODE = 16 << 20
_MAX_FILES = 100_000
_MAX_ENTRIES = 1_000_000
_DATA_FOLDER = "d"
_DATA_FILE = re.compile(r"(?:[A-Za-z0-9_][\w.-]{0,80}/){0,8}d/[0-9a-f]{32}", re.ASCII)
"""How TensorStore names data files; no other file is let through for being named."""

Places = dict[str, list[tuple[int, int]]]
"""Stretches of data files, as start and length, by the file's path."""


class _Reader:
    """Fields of one decoded structure; running out of it is a ValueError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > len(self._data) - self._at:
            raise ValueError("it is shorter than its fields")
        self._at += count
        return self._data[self._at - count : self._at]

    def varint(self) -> int:
        """The next number, seven bits in each byte."""
        value = 0
        for shift in range(0, 64, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a number is too long")

    def end(self) -> None:
        """Hold the structure to its end: nothing may follow its fields."""
        if self._at != len(self._data):
            raise ValueError("more follows its fields")

    def varints(self, count: int) -> list[int]:
        """The next numbers."""
        return [self.varint() for _ in range(count)]


class OcdbtScanner(Scanner):
    """Reads manifests, and data files that begin or end with a node."""

    name = "ocdbt"
    formats = frozenset({"ocdbt"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read every structure of the file that can be found without the others' help."""
        head = read_exactly(subject.stream, _MAX_NODE)
        at = read = 0
        while head[at : at + 4] in {MANIFEST, NODE}:
            length = int.from_bytes(head[at + 4 : at + _HEAD], "little")
            self._structure(head[at : at + length], at, length, subject, report, dispatcher)
            at += max(length, _HEAD)
            read += length
        # A broken length may lead anywhere.
        at = min(at, subject.size)
        before = max(at, subject.size - _TAIL)
        subject.stream.seek(before)
        tail = read_exactly(subject.stream, _TAIL)
        start = tail.find(NODE)
        while start >= 0:
            length = int.from_bytes(tail[start + 4 : start + _HEAD], "little")
            if _HEAD < length <= len(tail) - start:
                node = tail[start : start + length]
                self._structure(node, before + start, length, subject, report, dispatcher)
                read += length
                start += length - 4
            start = tail.find(NODE, start + 4)
        if read < subject.size:
            rest = max(0, subject.size - at)
            part = subject.inside(window(subject.stream, at, rest), rest, f"bytes@{at}")
            scan_raw(part, report, dispatcher)
            # A claim answers this, as for other raw data: the chunks of arrays stand there.
            report.unread(subject, "bytes that no node of the file describes")

    def _structure(
        self,
        data: bytes,
        at: int,
        length: int,
        subject: Subject,
        report: Report,
        dispatcher: Dispatcher,
    ) -> None:
        try:
            if len(data) != length or length < _HEAD + 2 + _CHECKSUM:
                raise ValueError("it breaks off")
            reader = _Reader(_decoded(data))
            if data[:4] == MANIFEST:
                paths = _manifest_files(reader)
                self._claim(_versions(reader, paths), subject, report, from_manifest=True)
                return
            height = reader.take(1)[0]
            paths = _files(reader)
            if height:
                self._claim(_children(reader, paths), subject, report, from_manifest=False)
            else:
                values, inline = _values(reader, paths)
                self._claim(values, subject, report, from_manifest=False)
                for value in inline:
                    _look_at(value, subject, report, dispatcher)
            # Others need not refer to a node of an earlier state; it was read all the same.
            report.claim(subject, subject.name, [(at, length)], optional=True)
        except ValueError as problem:
            report.found(
                "OCDBT-MALFORMED", subject, f"A structure of the database can't be read: {problem}."
            )

    def _claim(
        self, places: Places, subject: Subject, report: Report, *, from_manifest: bool
    ) -> None:
        """Claim the data files; a manifest lies beside their folder, a node inside of it."""
        if subject.name.startswith("bytes@"):
            # A piece of a data file, which is read as a whole as well.
            return
        inner = (subject.member or subject.path).rpartition("!")[2]
        folder = posixpath.dirname(inner.replace("\\", "/"))
        if not from_manifest and posixpath.basename(folder) != _DATA_FOLDER:
            if places:
                report.unread(subject, "an OCDBT node that lies in no folder of data files")
            return
        for path, ranges in places.items():
            if _DATA_FILE.fullmatch(path) is None:
                raise ValueError(f"it names {shown(path)}, which is no data file")
            location = path if from_manifest else f"../{path}"
            report.claim(subject, location, ranges, optional=True)


def _decoded(data: bytes) -> bytes:
    version, method = data[_HEAD], data[_HEAD + 1]
    body = data[_HEAD + 2 : -_CHECKSUM]
    if version != 0 or method > 1:
        raise ValueError("it is of a version that is not known")
    return frame(body, _MAX_NODE)[0] if method else body


def _manifest_files(reader: _Reader) -> list[str]:
    reader.take(16)
    kind = reader.varint()
    reader.varints(2)
    reader.take(1)
    if reader.varint() == 1:
        reader.take(4)
    if kind != 0:
        raise ValueError("a manifest that stands in several files")
    return _files(reader)


def _files(reader: _Reader) -> list[str]:
    """The table of data files, whose names share what they begin with."""
    count = reader.varint()
    if count > _MAX_FILES:
        raise ValueError("it names too many files")
    shared = [0, *reader.varints(count - 1)] if count else []
    own = reader.varints(count)
    reader.varints(count)
    paths: list[str] = []
    before = b""
    for prefix, suffix in zip(shared, own, strict=True):
        if prefix > len(before):
            raise ValueError("a name begins like none before it")
        before = before[:prefix] + reader.take(suffix)
        paths.append(before.decode("utf-8", "backslashreplace"))
    return paths


def _placed(paths: list[str], files: list[int], *columns: list[int]) -> Places:
    """The stretches by data file: columns of starts and lengths beside one of file numbers."""
    places: Places = {}
    for number, start, length in zip(files, *columns, strict=True):
        if number >= len(paths):
            raise ValueError("it refers to a file that it does not name")
        places.setdefault(paths[number], []).append((start, length))
    return places


def _versions(reader: _Reader, paths: list[str]) -> Places:
    """The roots of the versions that stand in a manifest, and the nodes of the older ones."""
    count = _entries(reader)
    reader.varints(count)
    heights = reader.take(count)
    places = _placed(paths, *(reader.varints(count) for _ in range(3)))
    for _ in range(3):
        reader.varints(count)
    reader.take(8 * count)
    del heights
    older = _entries(reader)
    if not older:
        reader.end()
    reader.varints(older)
    for path, ranges in _placed(paths, *(reader.varints(older) for _ in range(3))).items():
        places.setdefault(path, []).extend(ranges)
    return places


def _children(reader: _Reader, paths: list[str]) -> Places:
    """The nodes below an inner node."""
    count = _entries(reader)
    if not count:
        return {}
    reader.varints(count - 1)
    suffixes = reader.varints(count)
    reader.varints(count)
    for suffix in suffixes:
        reader.take(suffix)
    places = _placed(paths, *(reader.varints(count) for _ in range(3)))
    # How many keys, bytes of nodes and bytes of values lie below each.
    reader.varints(3 * count)
    reader.end()
    return places


def _values(reader: _Reader, paths: list[str]) -> tuple[Places, list[bytes]]:
    """The values of a leaf: where those in data files lie, and those that stand in the node."""
    count = _entries(reader)
    if not count:
        return {}, []
    reader.varints(count - 1)
    for suffix in reader.varints(count):
        reader.take(suffix)
    lengths = reader.varints(count)
    kinds = reader.take(count)
    if any(kind > 1 for kind in kinds):
        raise ValueError("a value of unknown kind")
    outside = sum(kinds)
    files, starts = reader.varints(outside), reader.varints(outside)
    sizes = [length for length, kind in zip(lengths, kinds, strict=True) if kind]
    inline = [reader.take(size) for size, kind in zip(lengths, kinds, strict=True) if kind == 0]
    reader.end()
    return _placed(paths, files, starts, sizes), inline


def _entries(reader: _Reader) -> int:
    count = reader.varint()
    if count > _MAX_ENTRIES:
        raise ValueError("it has too many entries")
    return count


def _look_at(value: bytes, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    if not value:
        return
    part = subject.inside(io.BytesIO(value), len(value), "value")
    if is_text(value, whole=True):
        dispatcher.dispatch(part, report)
    else:
        scan_raw(part, report, dispatcher)
