"""The 7z scanner: checks the structure, unfolds each folder once, and hands on every file."""

from __future__ import annotations

import io
import stat
import zlib
from collections.abc import Callable
from typing import BinaryIO

from tidegate.scanners.codecs.raw_lzma import UnsupportedError
from tidegate.scanners.expanding import BOMB_RATIO, BOMB_SIZE
from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.member_names import is_odd, key_of, leads_out
from tidegate.scanners.sevenzip.coders import EncryptedError, decoder_of
from tidegate.scanners.sevenzip.header import (
    SIGNATURE,
    File,
    Folder,
    Header,
    HeaderError,
    Streams,
    parse_header,
)
from tidegate.scanners.streams import (
    HEAD_KEPT,
    Codec,
    Expansion,
    expanded_stream,
    read_exactly,
    shown,
    window,
)

_START = 32
_MAX_HEADER = 32 << 20
_KEPT = 16 << 20
_CHUNK = 256 << 10
_UNIX = 0x8000
_REPARSE = 0x400


class SevenZipScanner(Scanner):
    """Reads 7z archives."""

    name = "7z"
    formats = frozenset({"7z"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the header, then each folder."""
        used: list[tuple[int, int]] = [(0, _START)]
        try:
            header, end = _read_header(subject, used)
        except EncryptedError:
            report.found("ARCHIVE-ENCRYPTED", subject, "The archive's list of files is encrypted.")
            report.unread(subject, "the archive is encrypted")
            return
        except (HeaderError, UnsupportedError) as problem:
            report.found("ARCHIVE-MALFORMED", subject, f"The archive can't be read: {problem}.")
            report.unread(subject, f"the archive can't be read: {problem}")
            _hand_on_rest(subject, min(_START, subject.size), report, dispatcher)
            return
        if end < subject.size:
            report.found(
                "ARCHIVE-HIDDEN-DATA",
                subject,
                f"{subject.size - end} bytes follow the archive.",
                offset=end,
            )
            _hand_on_rest(subject, end, report, dispatcher)
        start = _START + header.streams.pack_position
        used.append((start, start + sum(header.streams.pack_sizes)))
        _report_gaps(used, subject, report, dispatcher)
        _Unfolding(subject, report, dispatcher).run(header)


def _report_gaps(
    used: list[tuple[int, int]], subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    """Bytes of the archive that belong to no packed stream and no header."""
    reached = 0
    for start, end in sorted(used):
        if reached < start < subject.size:
            report.found(
                "ARCHIVE-HIDDEN-DATA",
                subject,
                f"{start - reached} bytes belong to no part of the archive.",
                offset=reached,
            )
            size = start - reached
            part = window(subject.stream, reached, size)
            dispatcher.dispatch(subject.inside(part, size, f"bytes@{reached}"), report)
        reached = max(reached, end)


def _read_header(subject: Subject, used: list[tuple[int, int]]) -> tuple[Header, int]:
    """The header, and where the archive ends; the stretches that were read join `used`."""
    stream = subject.stream
    stream.seek(0)
    start = read_exactly(stream, _START)
    if len(start) < _START or start[:6] != SIGNATURE:
        raise HeaderError("its start is cut off")
    if zlib.crc32(start[12:32]) != int.from_bytes(start[8:12], "little"):
        raise HeaderError("the checksum of its start does not hold")
    offset, size = (int.from_bytes(start[at : at + 8], "little") for at in (12, 20))
    end = _START + offset + size
    if end > subject.size:
        raise HeaderError("it is cut off before its header")
    if size > _MAX_HEADER:
        raise HeaderError("its header is larger than any")
    if size == 0:
        return Header(Streams(), []), _START
    stream.seek(_START + offset)
    raw = read_exactly(stream, size)
    used.append((_START + offset, end))
    if zlib.crc32(raw) != int.from_bytes(start[28:32], "little"):
        raise HeaderError("the checksum of its header does not hold")
    _refuse_archive(raw)
    for _ in range(4):
        parsed = parse_header(raw)
        if isinstance(parsed, Header):
            return parsed, end
        raw = _encoded_header(subject, parsed)
        begin = _START + parsed.pack_position
        used.append((begin, begin + sum(parsed.pack_sizes)))
    raise HeaderError("its header is packed again and again")


def _refuse_archive(raw: bytes) -> None:
    """A zip reader looks for its end record in the last bytes of a file, wherever they are."""
    if b"PK\5\6" in raw:
        raise HeaderError("its header holds the end of a zip archive")


def _encoded_header(subject: Subject, streams: Streams) -> bytes:
    if len(streams.folders) != 1 or len(streams.pack_sizes) != 1:
        raise HeaderError("its header is packed in an unusual way")
    folder = streams.folders[0]
    if folder.size > _MAX_HEADER:
        raise HeaderError("its header is larger than any")
    source = window(subject.stream, _START + streams.pack_position, streams.pack_sizes[0])
    if streams.pack_sizes[0] <= _MAX_HEADER:
        _refuse_archive(read_exactly(source, streams.pack_sizes[0]))
    source.seek(0)
    decoder = decoder_of(folder)
    if decoder is None:
        raw = read_exactly(source, folder.size)
    else:
        expansion = Expansion(source, decoder, several=False)
        raw = _read(expansion, folder.size)
    if len(raw) != folder.size:
        raise HeaderError("its header can't be unpacked")
    _refuse_archive(raw)
    return raw


def _read(expansion: Expansion, count: int) -> bytes:
    parts = []
    while count > 0 and (data := expansion.read(min(count, _CHUNK))):
        parts.append(data)
        count -= len(data)
    return b"".join(parts)


def _hand_on_rest(subject: Subject, at: int, report: Report, dispatcher: Dispatcher) -> None:
    size = subject.size - at
    if size > 0:
        part = subject.inside(window(subject.stream, at, size), size, f"bytes@{at}")
        dispatcher.dispatch(part, report)


class _Unfolding:
    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._names: dict[str, str] = {}

    def run(self, header: Header) -> None:
        subject, report = self._subject, self._report
        for file in header.files:
            self._judge_name(file)
        waiting = iter([file for file in header.files if file.has_stream])
        streams = header.streams
        at, taken = _START + streams.pack_position, 0
        for folder, sizes in zip(streams.folders, streams.substreams, strict=True):
            packed = streams.pack_sizes[taken : taken + len(folder.packed)]
            taken += len(folder.packed)
            files = [next(waiting, None) for _ in sizes]
            if len(packed) < len(folder.packed) or None in files:
                report.found(
                    "ARCHIVE-MALFORMED", subject, "The archive's folders and files do not match."
                )
                report.unread(subject, "the archive's folders and files do not match")
                return
            whole = sum(packed)
            if at + whole > subject.size:
                report.found("ARCHIVE-MALFORMED", subject, "A packed stream lies past the end.")
                report.unread(subject, "a packed stream lies past the end of the archive")
                return
            named = [file for file in files if file is not None]
            if not self._folder(folder, at, packed[0], list(zip(named, sizes, strict=True))):
                return
            at += whole
        if next(waiting, None) is not None:
            report.found("ARCHIVE-MALFORMED", subject, "Files have no content to be unfolded from.")
        if taken < len(streams.pack_sizes):
            report.unread(subject, "packed streams belong to no folder")

    def _folder(self, folder: Folder, at: int, packed: int, files: list[tuple[File, int]]) -> bool:
        """Hand on the files of one folder; False where the limits end it all."""
        subject, report, budget = self._subject, self._report, self._dispatcher.budget
        try:
            decoder = decoder_of(folder)
        except (HeaderError, UnsupportedError) as problem:
            for file, _ in files:
                part = subject.inside(subject.stream, 0, shown(file.name, 256))
                if isinstance(problem, EncryptedError):
                    report.found("ARCHIVE-ENCRYPTED", part, "The file is encrypted.")
                report.unread(part, f"the file can't be unfolded: {problem}")
            return True
        source = window(subject.stream, at, packed)
        begun = None if decoder is None else Expansion(source, decoder, several=False)
        offset = 0
        for file, told in files:
            size = told
            label = shown(file.name, 256)
            part = subject.inside(subject.stream, size, label)
            if not budget.take_member():
                report.unread(subject, f"more than {budget.limits.max_members} members in all")
                return False
            if decoder is None or begun is None:
                if offset + size > packed:
                    report.unread(part, "the file lies past the end of its folder")
                    return True
                stream: BinaryIO | None = window(subject.stream, at + offset, size)
            else:
                stream, size = self._unfold(source, decoder, begun, offset, size, part, packed)
            offset += size
            if stream is None:
                return True
            if size:
                self._dispatcher.dispatch(subject.inside(stream, size, label), report)
        return True

    def _unfold(
        self,
        source: BinaryIO,
        decoder: Callable[[], Codec],
        begun: Expansion,
        offset: int,
        size: int,
        part: Subject,
        packed: int,
    ) -> tuple[BinaryIO | None, int]:
        """The next `size` bytes of the folder as a stream, and how many there are of them."""
        report, budget = self._report, self._dispatcher.budget
        kept: io.BytesIO | None = io.BytesIO()
        head, tail, read = bytearray(), bytearray(), 0
        while read < size and (data := begun.read(min(_CHUNK, size - read))):
            read += len(data)
            if not budget.take_bytes(len(data)):
                report.unread(part, "the archive unfolds to more than is looked at")
                return None, read
            if offset + read > BOMB_SIZE and offset + read > BOMB_RATIO * max(1, packed):
                report.found(
                    "ARCHIVE-BOMB", part, f"{packed} bytes unfold to more than {offset + read}."
                )
                report.unread(part, "the archive unfolds to more than is looked at")
                return None, read
            if len(head) < HEAD_KEPT:
                head += data[: HEAD_KEPT - len(head)]
            tail = (tail + data)[-2 * HEAD_KEPT :]
            if kept is not None:
                kept.write(data)
                if read > _KEPT:
                    kept = None
        if read < size:
            report.found("ARCHIVE-MALFORMED", part, "The file can't be unfolded to its end.")
            report.unread(part, f"the file can't be unfolded: {begun.broken or 'it ends early'}")
        if kept is not None:
            kept.seek(0)
            return kept, read

        def begin() -> Expansion:
            again = Expansion(source, decoder, several=False)
            passed = 0
            while passed < offset and (data := again.read(min(_CHUNK, offset - passed))):
                passed += len(data)
            return again

        return expanded_stream(begin, read, bytes(head), bytes(tail)), read

    def _judge_name(self, file: File) -> None:
        report = self._report
        part = self._subject.inside(self._subject.stream, 0, shown(file.name, 256))
        if leads_out(file.name):
            report.found("ARCHIVE-PATH", part, "The file's name leads out of the archive's folder.")
        if is_odd(file.name):
            report.found(
                "ARCHIVE-MALFORMED",
                part,
                "The file's name is empty or holds characters that hide a part of it.",
            )
        mode = stat.S_IFMT(file.attributes >> 16) if file.attributes & _UNIX else 0
        if mode not in {0, stat.S_IFREG, stat.S_IFDIR} or file.attributes & _REPARSE:
            report.found("ARCHIVE-PATH", part, "The file is a link or a special file.")
        if file.is_anti:
            report.found("ARCHIVE-MALFORMED", part, "The entry is there to delete a file.")
        if file.is_folder:
            return
        key = key_of(file.name)
        if key in self._names:
            report.found("ARCHIVE-DUPLICATE", part, "The file has the name of another one.")
        self._names.setdefault(key, file.name)
