"""The HDF5 scanner: walks all objects of a file from its root group.

Always holds: an object is read once, however many links lead to it; what breaks the format is a
finding and does not keep the other objects from being read.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from tidegate.artifact.formats import Format, detect_formats
from tidegate.scanners.hdf5.attributes import attributes_of
from tidegate.scanners.hdf5.contents import Contents
from tidegate.scanners.hdf5.filters import BUILT_IN, REGISTERED, read_filters
from tidegate.scanners.hdf5.headers import (
    HIGHEST_KIND,
    HeaderMessage,
    Message,
    read_messages,
    resolved,
)
from tidegate.scanners.hdf5.layout import (
    Storage,
    external_files,
    read_layout,
    virtual_source,
)
from tidegate.scanners.hdf5.links import Link, LinkKind, links_of
from tidegate.scanners.hdf5.space import BrokenError, Cursor, Space, TooMuchError
from tidegate.scanners.hdf5.superblock import Superblock, places, read_superblock
from tidegate.scanners.hdf5.types import read_count, read_datatype
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.streams import read_exactly, shown, window

_MAX_PATH = 200
_BOMB_SIZE = 4 << 30
_BOMB_RATIO = 1000
_MATLAB_BLOCK = 512
_MAX_AT_HAND = 96 << 20


class Hdf5Scanner(Scanner):
    """Reads HDF5 files: Keras' weights and models, PyTables, netCDF-4, AnnData, MATLAB 7.3."""

    name = "hdf5"
    formats = frozenset({"hdf5"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the first superblock, as the library does, and all that hangs on it."""
        subject = _at_hand(subject, report)
        place = next(places(subject.stream, subject.size), None)
        if place is None:
            report.found("HDF5-MALFORMED", subject, "The file has no HDF5 superblock.")
            return
        try:
            superblock = read_superblock(subject.stream, subject.size, place)
        except BrokenError as problem:
            _malformed(subject, report, str(problem))
            return
        if superblock.has_driver:
            report.found(
                "HDF5-EXTERNAL",
                subject,
                "The file is one of several that only a driver of HDF5's own reads together.",
            )
        _check_ends(superblock, subject, report, dispatcher)
        _Walk(superblock, subject, report, dispatcher).run()


def _at_hand(subject: Subject, report: Report) -> Subject:
    """The subject in memory, where its stream would unfold anew for each step back."""
    if not getattr(getattr(subject.stream, "raw", None), "going_back_is_slow", False):
        return subject
    if subject.size > _MAX_AT_HAND:
        report.unread(subject, f"a compressed HDF5 file of more than {_MAX_AT_HAND >> 20} MiB")
        return subject
    subject.stream.seek(0)
    return replace(subject, stream=io.BytesIO(read_exactly(subject.stream, subject.size)))


def _malformed(subject: Subject, report: Report, problem: str) -> None:
    report.found("HDF5-MALFORMED", subject, f"The file breaks the format: {problem}.")


def _check_ends(
    superblock: Superblock, subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Settle where the address space lies, and look at what lies outside of it.

    The library corrects a base address that is not the superblock's own place.
    """
    space, place = superblock.space, superblock.place
    end = superblock.end + place - space.base
    space.base = place
    if not place < end <= subject.size:
        _malformed(subject, report, f"it claims to end at {end} and ends at {subject.size}")
        end = subject.size
    if place and set(detect_formats(subject.stream, subject.size, "")) - {Format.HDF5}:
        # Read as something else too, by a reader that accounts for all of it.
        return
    outside = [("user-block", 0, place), ("bytes-behind", end, subject.size - end)]
    for name, start, count in outside:
        if count <= 0 or _is_blank(subject, start, count):
            continue
        if start == 0 and _is_matlab(subject, count):
            continue
        part = subject.inside(window(subject.stream, start, count), count, name)
        report.found("HDF5-HIDDEN-DATA", part, f"{count} bytes lie outside the HDF5 file proper.")
        dispatcher.dispatch(part, report)


def _is_blank(subject: Subject, start: int, count: int) -> bool:
    stream = window(subject.stream, start, count)
    while data := stream.read(1 << 20):
        if data.strip(b"\0"):
            return False
    return True


def _is_matlab(subject: Subject, count: int) -> bool:
    """The block that MATLAB 7.3 puts in front: a text of 116 characters, version and byte order."""
    if count != _MATLAB_BLOCK:
        return False
    subject.stream.seek(0)
    block = read_exactly(subject.stream, _MATLAB_BLOCK)
    text = block[:116].rstrip(b" \0")
    return (
        text.startswith(b"MATLAB ")
        and all(0x20 <= code < 0x7F for code in text)
        and block[124:128] in {b"\0\2IM", b"\2\0MI"}
        and not block[128:].strip(b"\0")
    )


class _Walk:
    """One pass over the objects of one file."""

    def __init__(
        self, superblock: Superblock, subject: Subject, report: Report, dispatcher: Dispatcher
    ) -> None:
        self._superblock = superblock
        self._space: Space = superblock.space
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._contents = Contents(self._space, subject, report, dispatcher)

    def run(self) -> None:
        """Read every object that can be reached."""
        pending = [("", self._superblock.root)]
        if self._superblock.extension is not None:
            pending.append(("superblock-extension", self._superblock.extension))
        seen = {address for _, address in pending}
        budget = self._dispatcher.budget
        while pending:
            path, address = pending.pop()
            if not budget.take_member():
                self._report.unread(
                    self._subject, f"more than {budget.limits.max_members} objects in all"
                )
                return
            below: list[tuple[str, int]] = []
            self._guarded(path, lambda p=path, a=address, b=below: self._object(p, a, b))  # type: ignore[misc]
            for inner, child in below:
                if child not in seen:
                    seen.add(child)
                    pending.append((inner, child))

    def _about(self, path: str) -> Subject:
        return self._subject.inside(self._subject.stream, 0, _cut(path or "/"))

    def _guarded(self, path: str, step: Callable[[], None]) -> None:
        try:
            step()
        except BrokenError as problem:
            _malformed(self._about(path), self._report, str(problem))
        except TooMuchError as problem:
            self._report.unread(self._about(path), f"not read: {problem}")

    def _object(self, path: str, address: int, below: list[tuple[str, int]]) -> None:
        messages = read_messages(self._space, address)
        kinds = {message.kind for message in messages}
        if Message.SHARED_TABLE in kinds:
            raise TooMuchError("a file with a heap of shared messages")
        if Message.DRIVER in kinds:
            self._external(path, "The file needs a driver that joins several files", "driver")
        if max(kinds, default=0) > HIGHEST_KIND:
            raise TooMuchError("an object with messages that this version does not know")
        self._guarded(path, lambda: self._attributes(path, messages))
        self._guarded(path, lambda: self._links(path, messages, below))
        if Message.LAYOUT in kinds:
            self._guarded(path, lambda: self._dataset(path, messages))

    def _attributes(self, path: str, messages: list[HeaderMessage]) -> None:
        for attribute in attributes_of(self._space, messages):
            member = _cut(f"{path}/@{attribute.name}")
            self._guarded(
                member,
                lambda a=attribute, m=member: self._contents.attribute(a, m),  # type: ignore[misc]
            )

    def _links(
        self, path: str, messages: list[HeaderMessage], below: list[tuple[str, int]]
    ) -> None:
        for link in links_of(self._space, messages):
            if link.kind is LinkKind.HARD:
                below.append((_cut(f"{path}/{link.name}"), link.address))
            elif link.kind is not LinkKind.SOFT:
                self._leads_out(link, path)

    def _leads_out(self, link: Link, path: str) -> None:
        what = "leads to" if link.kind is LinkKind.EXTERNAL else "is"
        self._external(f"{path}/{link.name}", f"The link {what} {shown(link.target)}", link.target)

    def _external(self, path: str, message: str, target: str) -> None:
        self._report.found(
            "HDF5-EXTERNAL",
            self._about(path),
            f"{message}: reading the model reads what lies outside of it.",
            detail=shown(target, 200),
        )

    def _dataset(self, path: str, messages: list[HeaderMessage]) -> None:
        space = self._space

        def cursors(kind: Message) -> list[Cursor]:
            return [
                Cursor(resolved(space, message), space)
                for message in messages
                if message.kind == kind
            ]

        for cursor in cursors(Message.EXTERNAL_FILES):
            names = ", ".join(external_files(space, cursor))
            self._external(path, f"The dataset's bytes are those of {shown(names)}", names)
        filters = [each for cursor in cursors(Message.FILTERS) for each in read_filters(cursor)]
        for each in filters:
            if each.number not in BUILT_IN and each.number not in REGISTERED:
                self._report.found(
                    "HDF5-FILTER",
                    self._about(path),
                    f"The dataset's filter {each.number} is registered to nobody, and the library"
                    " looks for a plugin to load for it.",
                    detail=str(each.number),
                )
        types, spaces = cursors(Message.DATATYPE), cursors(Message.DATASPACE)
        if not types or not spaces:
            raise BrokenError("a dataset without type or shape")
        datatype, elements = read_datatype(types[0]), read_count(spaces[0])
        if elements * datatype.size > max(_BOMB_SIZE, _BOMB_RATIO * self._subject.size):
            self._report.found(
                "HDF5-BOMB",
                self._about(path),
                f"The dataset claims {elements * datatype.size} bytes in a file of"
                f" {self._subject.size}.",
            )
        is_elsewhere = any(message.kind == Message.EXTERNAL_FILES for message in messages)
        for cursor in cursors(Message.LAYOUT):
            layout = read_layout(cursor)
            if layout.storage is Storage.VIRTUAL:
                source = virtual_source(space, layout)
                self._external(path, f"The dataset is drawn from {shown(source)}", source)
            elif not is_elsewhere and datatype.size:
                self._contents.dataset(datatype, elements, layout, filters, _cut(path))


def _cut(path: str) -> str:
    return path if len(path) <= _MAX_PATH else f"{path[:80]}...{path[-100:]}"
