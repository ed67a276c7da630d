"""What the strings and bytes in an HDF5 file may be: configurations, pickles, other files.

An attribute or dataset is data, but loaders make more of some: Keras builds models from the JSON
in attributes, PyTables and pandas unpickle attributes and variable-length rows, others keep whole
files in arrays of bytes. Always holds: every string of an attribute is looked at; of a dataset,
as much as `MAX_CONTENT` holds, and where more could matter, the rest is unread.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace

from tidegate.artifact.formats import is_text
from tidegate.scanners.hdf5.attributes import Attribute, values_of
from tidegate.scanners.hdf5.filters import Filter, UnknownFilterError, undone
from tidegate.scanners.hdf5.heaps import global_places
from tidegate.scanners.hdf5.layout import Layout, Storage, chunks_of
from tidegate.scanners.hdf5.space import MAX_READ, BrokenError, Space, TooMuchError, is_defined
from tidegate.scanners.hdf5.types import Datatype, Kind
from tidegate.scanners.interface import Dispatcher, Report, Subject
from tidegate.scanners.pickle.probe import probe, probe_at
from tidegate.scanners.raw import scan_raw
from tidegate.scanners.streams import read_exactly, window

MAX_CONTENT = 16 << 20
_MAX_SUSPECTS = 5_000
_MAX_PICKLES = 256
_SMALLEST = 8
_TELLING_TEXT = re.compile(rb"\n|python/|\A\s*[{\[<#]")
_TELLING_ELEMENT = re.compile(rb"[\x80-\xff\0-\x08\n]|class_name")
_HEAP_START = re.compile(rb"GCOL\x01\x00\x00\x00")
_PICKLE_START = re.compile(
    rb"\x80[\x02-\x05](?:\x95.{6}\0\0|c[A-Za-z_]|[(\]}\x8cX])"
    rb"|c[A-Za-z_][\w.]{0,80}\n[A-Za-z_][\w.]{0,80}\n[()\x8cXpq]",
    re.DOTALL,
)


class Contents:
    """Looks at the values of one file and hands on what may be something of its own."""

    def __init__(
        self, space: Space, subject: Subject, report: Report, dispatcher: Dispatcher
    ) -> None:
        self._space = space
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._suspects = 0
        self._heaps: set[int] = set()

    def attribute(self, attribute: Attribute, member: str) -> None:
        """Look at every value of an attribute."""
        values = values_of(self._space, attribute.datatype, attribute.count, attribute.data)
        for _, padded in values:
            value = padded.rstrip(b"\0")
            if len(value) < _SMALLEST:
                continue
            if not is_text(value, whole=True):
                scan_raw(self._part(value, member), self._report, self._dispatcher)
            elif _TELLING_TEXT.search(value):
                self._dispatcher.dispatch(self._part(value, member), self._report)

    def dataset(
        self, datatype: Datatype, elements: int, layout: Layout, filters: list[Filter], member: str
    ) -> None:
        """Look at a dataset's bytes, as far as its type lets them be more than numbers."""
        places = tuple(_variable_places(datatype))
        if layout.storage is Storage.CONTIGUOUS and not places:
            self._contiguous(datatype, layout, member)
            return
        if not (places or datatype.holds_bytes):
            return
        kept: list[bytes] = []
        size = 0
        try:
            for data in self._pieces(layout, elements, datatype.size, filters):
                if places:
                    self._variable(data, datatype.size, places, member)
                elif datatype.kind is Kind.STRING:
                    self._strings(data, datatype.size, member)
                else:
                    kept.append(data)
                    size += len(data)
                    if size > MAX_CONTENT:
                        break
        except UnknownFilterError as filter_number:
            if datatype.kind is Kind.OPAQUE:
                part = self._part(b"", member)
                self._report.unread(part, f"bytes kept through the HDF5 filter {filter_number}")
            elif places:
                self._all_heaps(member)
        if kept:
            self._bytes(b"".join(kept), member)

    def _contiguous(self, datatype: Datatype, layout: Layout, member: str) -> None:
        space = self._space
        if not is_defined(layout.address, space) or not layout.size:
            return
        start = space.base + layout.address
        if start + layout.size > space.size:
            raise BrokenError("a dataset that reaches past the end of the file")
        stream = window(space.stream, start, layout.size)
        part = self._subject.inside(stream, layout.size, member)
        scan_raw(part, self._report, self._dispatcher)
        if datatype.holds_bytes:
            data = space.at(layout.address, min(layout.size, MAX_CONTENT))
            if datatype.kind is Kind.STRING:
                self._strings(data, datatype.size, member)
            else:
                self._pickles(data, member)

    def _pieces(
        self, layout: Layout, elements: int, element: int, filters: list[Filter]
    ) -> Iterator[bytes]:
        space = self._space
        if layout.storage is Storage.COMPACT:
            yield layout.data
        elif layout.storage is Storage.CONTIGUOUS and is_defined(layout.address, space):
            step = max(element, MAX_READ // element * element)
            for at in range(0, layout.size, step):
                yield space.at(layout.address + at, min(step, layout.size - at))
        elif layout.storage is Storage.CHUNKED:
            for chunk in chunks_of(space, layout, elements, element):
                raw = space.at(chunk.address, chunk.size)
                yield undone(raw, filters, chunk.mask, layout.chunk)

    def _variable(self, data: bytes, element: int, places: tuple[int, ...], member: str) -> None:
        """Look at all of the heaps that the elements' variable parts stand in."""
        width = self._space.offset
        for place in places:
            for at in range(place + 4, len(data) - width + 1, element):
                address = int.from_bytes(data[at : at + width], "little")
                if address in self._heaps or address in {0, self._space.undefined}:
                    continue
                self._heaps.add(address)
                self._heap(address, member)

    def _all_heaps(self, member: str) -> None:
        """The same for every heap of the file, where the elements themselves can't be read."""
        space, at, before = self._space, 0, b""
        space.stream.seek(0)
        while data := read_exactly(space.stream, 1 << 20):
            for match in _HEAP_START.finditer(before + data):
                address = at - len(before) + match.start() - space.base
                if address not in self._heaps and address >= 0:
                    self._heaps.add(address)
                    self._heap(address, member)
            at += len(data)
            before = data[-7:]
            space.stream.seek(at)

    def _heap(self, address: int, member: str) -> None:
        for place, count in global_places(self._space, address).values():
            if count < _SMALLEST:
                continue
            if count > MAX_CONTENT:
                start = self._space.base + place
                part = self._subject.inside(window(self._space.stream, start, count), count, member)
                self._dispatcher.dispatch(part, self._report)
                continue
            self._element(self._space.at(place, count), member)

    def _strings(self, data: bytes, size: int, member: str) -> None:
        if size < _SMALLEST or not _TELLING_ELEMENT.search(data.replace(b"\0", b" ")):
            return
        for at in range(0, len(data), size):
            self._element(data[at : at + size].rstrip(b"\0"), member)

    def _element(self, value: bytes, member: str) -> None:
        """Look at one string among many: most say nothing, and that must show at once."""
        if len(value) < _SMALLEST or not _TELLING_ELEMENT.search(value):
            return
        is_config = b"class_name" in value and value.lstrip()[:1] in {b"{", b"["}
        stream = io.BytesIO(value)
        if not is_config and not probe(stream, len(value)):
            return
        self._suspects += 1
        if self._suspects > _MAX_SUSPECTS:
            raise TooMuchError(f"more than {_MAX_SUSPECTS} strings that look like pickles")
        if is_config:
            self._dispatcher.dispatch(self._part(value, member), self._report)
        else:
            scan_raw(self._part(value, member), self._report, self._dispatcher)

    def _bytes(self, data: bytes, member: str) -> None:
        scan_raw(self._part(data, member), self._report, self._dispatcher)
        self._pickles(data, member)

    def _pickles(self, data: bytes, member: str) -> None:
        """Look for pickles that begin further on, as in rows of bytes."""
        stream = io.BytesIO(data)
        for number, match in enumerate(_PICKLE_START.finditer(data, 1)):
            if number >= _MAX_PICKLES:
                return
            if probe_at(stream, len(data), match.start()):
                part = self._part(data[match.start() :], f"{member}[{match.start()}]")
                scan_raw(replace(part, format=""), self._report, self._dispatcher)

    def _part(self, value: bytes, member: str) -> Subject:
        return self._subject.inside(io.BytesIO(value), len(value), member)


def _variable_places(datatype: Datatype, at: int = 0) -> Iterator[int]:
    """Where in an element its variable-length parts stand."""
    if datatype.kind is Kind.VARIABLE:
        yield at
    elif datatype.kind is Kind.COMPOUND:
        for part, offset in zip(datatype.parts, datatype.offsets, strict=True):
            yield from _variable_places(part, at + offset)
    elif datatype.kind is Kind.ARRAY and datatype.parts[0].size:
        (base,) = datatype.parts
        inner = tuple(_variable_places(base))
        for index in range(min(datatype.size // base.size, 1024) if inner else 0):
            yield from (at + index * base.size + place for place in inner)
