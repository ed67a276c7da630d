"""Binary protobuf messages, walked without recursion and without loading what nobody asked for.

Every field is decoded as protobuf's parsers decode it, in time linear in the number of fields;
a byte string is passed over by its length. Where the bytes are no message, all that came before
has been judged, and `Judge.broken` says so.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from tidegate.scanners.protobuf.schema import (
    END,
    FIXED32,
    FIXED64,
    LENGTH,
    START,
    VARINT,
    Field,
    Message,
)
from tidegate.scanners.protobuf.tree import MAX_DEPTH, MAX_VALUE, Blob, Frame, Judge
from tidegate.scanners.streams import read_exactly

_CHUNK = 256 << 10
_PADDING = bytes(16)
_LONGEST_NUMBER = 10
_MAX_NUMBERS = 100_000


class MalformedError(Exception):
    """The bytes at `offset` are no protobuf, for the given reason."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


class Source:
    """Positions in a stream, buffered; past its end stand zeros."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self.size = stream, size
        self._start, self._data = 0, b""

    def varint(self, at: int) -> tuple[int, int]:
        """The number at that place (64 bits, unsigned), and where it ends."""
        index = at - self._start
        if index < 0 or index + _LONGEST_NUMBER > len(self._data) - len(_PADDING):
            index = self._fill(at)
        data = self._data
        byte = data[index]
        if byte < 0x80:
            return byte, at + 1
        value, shift = byte & 0x7F, 7
        while True:
            index += 1
            byte = data[index]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at + shift // 7 + 1
            shift += 7
            if shift >= 70:
                raise MalformedError("has a number of more than ten bytes", at)

    def bytes_at(self, at: int, count: int) -> bytes:
        """The bytes from there; fewer only at the end."""
        index = at - self._start
        if index >= 0 and index + count <= len(self._data) - len(_PADDING):
            return self._data[index : index + count]
        self._stream.seek(at)
        return read_exactly(self._stream, min(count, max(0, self.size - at)))

    def _fill(self, at: int) -> int:
        self._stream.seek(at)
        wanted = _CHUNK if self._start + len(self._data) >= at >= self._start else 4096
        data = read_exactly(self._stream, min(wanted, max(0, self.size - at)))
        self._start, self._data = at, data + _PADDING
        return 0


def walk(stream: BinaryIO, start: int, end: int, root: Message, judge: Judge) -> bool:
    """Hand the message that the bytes from `start` to `end` are to the judge.

    Returns:
        Whether it was read to its end.
    """
    try:
        return _Walk(Source(stream, end), judge).run(start, end, root)
    except MalformedError as error:
        judge.broken(error.reason, error.offset)
        return False


class _Walk:
    def __init__(self, source: Source, judge: Judge) -> None:
        self._source = source
        self._judge = judge

    def run(self, at: int, end: int, root: Message) -> bool:
        """Walk all fields; the stack holds the messages that are open."""
        judge = self._judge
        frame = Frame(root, None, at, end)
        stack: list[Frame] = []
        judge.entered(frame)
        while True:
            if at >= frame.end:
                if at > frame.end:
                    raise MalformedError("has a part that is longer than what holds it", at)
                value = judge.done(frame)
                if not stack:
                    return True
                if value is not None and frame.field is not None:
                    stack[-1].values.setdefault(frame.field.name, []).append(value)
                frame = stack.pop()
                continue
            number, wire, size, then = self._header(at, frame.end)
            field = frame.message.by_number.get(number)
            if field is None or (wire != field.wire and not (wire == LENGTH and field.packs)):
                beyond = self._skip(then, wire, number, size, frame.end)
                judge.unknown(frame.message, number, at, beyond - then)
                at = beyond
                continue
            if not field.repeats:
                if field.name in frame.seen:
                    judge.repeated(field, at)
                frame.seen.add(field.name)
            if field.message is None:
                at = self._scalar(frame, field, wire, then, size)
                continue
            if wire != LENGTH:
                raise MalformedError(f"has a group at byte {at}", at)
            if len(stack) >= MAX_DEPTH:
                judge.too_much(f"nests more than {MAX_DEPTH} levels deep")
                return False
            stack.append(frame)
            frame = Frame(field.message, field, at, then + size)
            judge.entered(frame)
            at = then

    def _header(self, at: int, end: int) -> tuple[int, int, int, int]:
        """A field's number, wire type and length, and where its content begins."""
        tag, then = self._source.varint(at)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29 or wire > FIXED32 or wire == END:
            raise MalformedError(f"has no field at byte {at}", at)
        size = 0
        if wire == LENGTH:
            size, then = self._source.varint(then)
            if size > end - then:
                raise MalformedError(f"has a field at byte {at} that is cut off", at)
        return number, wire, size, then

    def _scalar(self, frame: Frame, field: Field, wire: int, at: int, size: int) -> int:
        """Keep what the judge wants of a number or a byte string; where it ends."""
        wanted = field.path in self._judge.kept
        value: Any = None
        if wire == VARINT:
            value, then = self._source.varint(at)
        elif wire == LENGTH:
            if field.path in self._judge.blobs:
                value, wanted = Blob(at, size), True
            elif wanted:
                self._keep(frame, field, at, size)
            then = at + size
        else:
            width = 8 if wire == FIXED64 else 4
            if wanted:
                value = int.from_bytes(self._source.bytes_at(at, width), "little")
            then = at + width
        if wanted and value is not None:
            frame.values.setdefault(field.name, []).append(value)
        return then

    def _keep(self, frame: Frame, field: Field, at: int, size: int) -> None:
        values = frame.values.setdefault(field.name, [])
        if size > MAX_VALUE:
            self._judge.oversized(field, Blob(at, size))
            return
        if not field.packs:
            values.append(self._source.bytes_at(at, size))
            return
        end = at + size
        while at < end:
            if len(values) >= _MAX_NUMBERS:
                self._judge.too_much(f"has more than {_MAX_NUMBERS} numbers in a {field.path}")
                return
            if field.wire == VARINT:
                value, at = self._source.varint(at)
            else:
                width = 8 if field.wire == FIXED64 else 4
                value = int.from_bytes(self._source.bytes_at(at, width), "little")
                at += width
            values.append(value)
        if at > end:
            raise MalformedError("has a number that is cut off", at)

    def _skip(self, at: int, wire: int, number: int, size: int, end: int) -> int:
        """Where a field that nobody knows ends, its groups included."""
        if wire == START:
            return self._skip_group(at, number, end)
        at = self._past(at, wire, size)
        if at > end:
            raise MalformedError("has a field that is cut off", at)
        return at

    def _past(self, at: int, wire: int, size: int) -> int:
        if wire == VARINT:
            return self._source.varint(at)[1]
        return at + {FIXED64: 8, FIXED32: 4}.get(wire, size)

    def _skip_group(self, at: int, number: int, end: int) -> int:
        opened = [number]
        while opened:
            if at >= end or len(opened) > MAX_DEPTH:
                raise MalformedError("has a group that does not end", at)
            tag, then = self._source.varint(at)
            inner, wire = tag >> 3, tag & 7
            if not 0 < inner < 1 << 29 or wire > FIXED32:
                raise MalformedError(f"has no field at byte {at}", at)
            if wire == START:
                opened.append(inner)
            elif wire == END:
                if opened.pop() != inner:
                    raise MalformedError("has a group that ends as another", at)
            else:
                size = 0
                if wire == LENGTH:
                    size, then = self._source.varint(then)
                then = self._past(then, wire, size)
                if then > end:
                    raise MalformedError("has a field that is cut off", at)
            at = then
        return at
