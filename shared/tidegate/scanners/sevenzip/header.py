"""The header of a 7z archive: folders of packed streams, and the files that they unfold to.

After `DOC/7zFormat.txt` of the LZMA SDK. Always holds: counts are checked against the bytes that
could hold them before anything is made of them; `HeaderError` for whatever does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SIGNATURE = b"7z\xbc\xaf\x27\x1c"
_MAX_COUNT = 1_000_000
_MAX_CODERS = 8

(_END, _HEADER, _PROPERTIES, _ADDITIONAL, _MAIN, _FILES, _PACK, _UNPACK, _SUBSTREAMS, _SIZE, _CRC,
 _FOLDER, _UNPACK_SIZE, _NUMBERS, _EMPTY_STREAM, _EMPTY_FILE, _ANTI,
 _NAMES) = range(18)  # fmt: skip
_ATTRIBUTES, ENCODED, _DUMMY = 0x15, 0x17, 0x19


class HeaderError(ValueError):
    """The header is not what a 7z archive has; the message says how."""


@dataclass(frozen=True, slots=True)
class Coder:
    """One step of unfolding: the method's id and its properties."""

    method: bytes
    properties: bytes
    inputs: int = 1
    outputs: int = 1


@dataclass(slots=True)
class Folder:
    """Coders that turn packed streams into one unpacked stream.

    `binds` pairs each input with the output that feeds it; `packed` lists the inputs that read
    packed streams. `sizes` are the outputs' sizes.
    """

    coders: list[Coder]
    binds: list[tuple[int, int]]
    packed: list[int]
    sizes: list[int] = field(default_factory=list)
    crc: int | None = None

    @property
    def size(self) -> int:
        """The size of the one output that feeds no other coder."""
        fed = {output for _, output in self.binds}
        free = [number for number in range(len(self.sizes)) if number not in fed]
        if len(free) != 1:
            raise HeaderError("a folder has no single output")
        return self.sizes[free[0]]


@dataclass(slots=True)
class Streams:
    """Packed streams, their folders, and the sizes of the files in each folder."""

    pack_position: int = 0
    pack_sizes: list[int] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)
    substreams: list[list[int]] = field(default_factory=list)


@dataclass(slots=True)
class File:
    """One file: its name, whether it has content, and its attributes."""

    name: str
    has_stream: bool = True
    is_folder: bool = False
    is_anti: bool = False
    attributes: int = 0


@dataclass(slots=True)
class Header:
    """The whole header."""

    streams: Streams
    files: list[File]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count < 0 or count > self.left:
            raise HeaderError("the header breaks off")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """7z's own form: the first byte's leading ones count the bytes that follow."""
        first = self.byte()
        mask, value = 0x80, 0
        for place in range(8):
            if not first & mask:
                return value + ((first & (mask - 1)) << (8 * place))
            value |= self.byte() << (8 * place)
            mask >>= 1
        return value

    def count(self) -> int:
        number = self.number()
        if number > _MAX_COUNT:
            raise HeaderError("the header counts more than an archive holds")
        return number

    def bits(self, count: int) -> list[bool]:
        raw = self.take(-(-count // 8))
        return [bool(raw[place >> 3] & (0x80 >> (place & 7))) for place in range(count)]

    def all_or_bits(self, count: int) -> list[bool]:
        return [True] * count if self.byte() else self.bits(count)

    def digests(self, count: int) -> list[int | None]:
        defined = self.all_or_bits(count)
        return [int.from_bytes(self.take(4), "little") if known else None for known in defined]

    def expect(self, kind: int) -> None:
        if self.byte() != kind:
            raise HeaderError("a part of the header is missing or out of order")


def parse_header(data: bytes) -> Header | Streams:
    """The header in `data`, or the streams that hold the real one (an encoded header)."""
    reader = _Reader(data)
    kind = reader.byte()
    if kind == ENCODED:
        return _streams(reader)
    if kind != _HEADER:
        raise HeaderError("the header is of an unknown kind")
    header = Header(Streams(), [])
    kind = reader.byte()
    if kind == _PROPERTIES:
        while (kind := reader.byte()) != _END:
            reader.take(reader.number())
        kind = reader.byte()
    if kind == _ADDITIONAL:
        raise HeaderError("the header has additional streams, which nothing writes")
    if kind == _MAIN:
        header.streams = _streams(reader)
        kind = reader.byte()
    if kind == _FILES:
        header.files = _files(reader)
        kind = reader.byte()
    if kind != _END:
        raise HeaderError("the header does not end where it should")
    if reader.left:
        raise HeaderError("bytes follow the end of the header")
    return header


def _streams(reader: _Reader) -> Streams:
    streams = Streams()
    while (kind := reader.byte()) != _END:
        if kind == _PACK:
            _pack_info(reader, streams)
        elif kind == _UNPACK:
            _unpack_info(reader, streams)
        elif kind == _SUBSTREAMS:
            _substreams(reader, streams)
        else:
            raise HeaderError("the header names an unknown kind of streams")
    if not streams.substreams:
        streams.substreams = [[folder.size] for folder in streams.folders]
    return streams


def _pack_info(reader: _Reader, streams: Streams) -> None:
    streams.pack_position = reader.number()
    count = reader.count()
    while (kind := reader.byte()) != _END:
        if kind == _SIZE:
            streams.pack_sizes = [reader.number() for _ in range(count)]
        elif kind == _CRC:
            reader.digests(count)
        else:
            raise HeaderError("the packed streams have an unknown property")


def _unpack_info(reader: _Reader, streams: Streams) -> None:
    reader.expect(_FOLDER)
    count = reader.count()
    if reader.byte():
        raise HeaderError("the folders are described outside the header")
    streams.folders = [_folder(reader) for _ in range(count)]
    reader.expect(_UNPACK_SIZE)
    for folder in streams.folders:
        folder.sizes = [
            reader.number() for _ in range(sum(coder.outputs for coder in folder.coders))
        ]
    while (kind := reader.byte()) != _END:
        if kind != _CRC:
            raise HeaderError("the folders have an unknown property")
        for folder, crc in zip(streams.folders, reader.digests(count), strict=True):
            folder.crc = crc


def _folder(reader: _Reader) -> Folder:
    count = reader.count()
    if not 0 < count <= _MAX_CODERS:
        raise HeaderError("a folder has no coder, or more than any archive has")
    coders = []
    for _ in range(count):
        flags = reader.byte()
        if flags & 0xC0:
            raise HeaderError("a coder is described in an unknown way")
        method = reader.take(flags & 0x0F)
        inputs = outputs = 1
        if flags & 0x10:
            inputs, outputs = reader.count(), reader.count()
        properties = reader.take(reader.count()) if flags & 0x20 else b""
        if not (0 < inputs <= _MAX_CODERS and outputs == 1):
            raise HeaderError("a coder has more inputs or outputs than any has")
        coders.append(Coder(method, properties, inputs, outputs))
    inputs, outputs = sum(c.inputs for c in coders), sum(c.outputs for c in coders)
    binds = [(reader.count(), reader.count()) for _ in range(outputs - 1)]
    packed_count = inputs - len(binds)
    if packed_count < 1:
        raise HeaderError("a folder reads no packed stream")
    bound = {source for source, _ in binds}
    packed = [number for number in range(inputs) if number not in bound]
    if packed_count > 1:
        packed = [reader.count() for _ in range(packed_count)]
    return Folder(coders, binds, packed)


def _substreams(reader: _Reader, streams: Streams) -> None:
    counts = [1] * len(streams.folders)
    kind = reader.byte()
    if kind == _NUMBERS:
        counts = [reader.count() for _ in streams.folders]
        kind = reader.byte()
    if sum(counts) > _MAX_COUNT:
        raise HeaderError("the header counts more than an archive holds")
    sizes: list[list[int]] = []
    for folder, count in zip(streams.folders, counts, strict=True):
        own = [reader.number() for _ in range(count - 1)] if kind == _SIZE else []
        rest = folder.size - sum(own)
        if rest < 0 or (count > 1 and kind != _SIZE):
            raise HeaderError("the files of a folder do not add up to its size")
        sizes.append([*own, rest] if count else [])
    if kind == _SIZE:
        kind = reader.byte()
    if kind == _CRC:
        unknown = sum(
            count
            for folder, count in zip(streams.folders, counts, strict=True)
            if not (count == 1 and folder.crc is not None)
        )
        reader.digests(unknown)
        kind = reader.byte()
    if kind != _END:
        raise HeaderError("the files' streams have an unknown property")
    streams.substreams = sizes


def _files(reader: _Reader) -> list[File]:
    count = reader.count()
    files = [File("") for _ in range(count)]
    empty: list[bool] = []
    named = False
    while (kind := reader.byte()) != _END:
        inner = _Reader(reader.take(reader.number()))
        if kind == _EMPTY_STREAM:
            empty = inner.bits(count)
            for file, is_empty in zip(files, empty, strict=True):
                file.has_stream = not is_empty
                file.is_folder = is_empty
        elif kind in {_EMPTY_FILE, _ANTI}:
            hollow = [file for file in files if not file.has_stream]
            for file, flag in zip(hollow, inner.bits(len(hollow)), strict=True):
                if kind == _EMPTY_FILE:
                    file.is_folder = not flag
                else:
                    file.is_anti = flag
        elif kind == _NAMES:
            if named or inner.byte():
                raise HeaderError("the names stand twice, or outside the header")
            named = True
            _names(inner, files)
        elif kind == _ATTRIBUTES:
            defined = inner.all_or_bits(count)
            if inner.byte():
                raise HeaderError("the attributes stand outside the header")
            for file, known in zip(files, defined, strict=True):
                file.attributes = int.from_bytes(inner.take(4), "little") if known else 0
        elif kind == _DUMMY and any(inner.take(inner.left)):
            raise HeaderError("the padding of the header holds something")
    if files and not named:
        raise HeaderError("the files have no names")
    return files


def _names(reader: _Reader, files: list[File]) -> None:
    raw = reader.take(reader.left)
    text = raw.decode("utf-16-le", errors="replace")
    names = text.split("\0")
    if len(names) != len(files) + 1 or names[-1]:
        raise HeaderError("there are not as many names as files")
    for file, name in zip(files, names[:-1], strict=True):
        file.name = name
