"""The tar scanner: walks every header to the end of the file, and hands on every member.

Always holds: each byte of the file is a header, a member that was handed on, or zeros; anything
else is a finding and is handed on as well. Members after the end mark are read too, since GNU
tar's `--ignore-zeros` and Python's `ignore_zeros=True` read them.
"""

from __future__ import annotations

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.member_names import is_odd, key_of, leads_out
from tidegate.scanners.streams import read_exactly, shown, window
from tidegate.scanners.tar.headers import (
    BLOCK,
    DEVICES,
    FOLDER,
    HARD_LINK,
    REGULAR,
    SPARSE,
    SYMBOLIC_LINK,
    BrokenHeaderError,
    Header,
    read_block,
    read_header,
)

_ZEROS = bytes(1 << 20)
_RESUMED = 32 << 20
_MAX_BREAKS = 100


class TarScanner(Scanner):
    """Reads tar archives, several one after another too."""

    name = "tar"
    formats = frozenset({"tar"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Walk the whole file."""
        _Walk(subject, report, dispatcher).run()


class _Walk:
    def __init__(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        self._subject = subject
        self._report = report
        self._dispatcher = dispatcher
        self._names: dict[str, str] = {}
        self._files: set[str] = set()

    def run(self) -> None:
        subject, report = self._subject, self._report
        at, ended = 0, False
        breaks = 0
        while at < subject.size:
            block = read_block(subject.stream, at)
            if not any(block):
                at = _after_zeros(subject, at)
                ended = True
                continue
            if ended:
                report.found(
                    "ARCHIVE-MALFORMED",
                    subject,
                    "Bytes follow the end of the archive; some readers go on there.",
                    offset=at,
                )
            try:
                header = read_header(subject.stream, at, subject.size)
            except BrokenHeaderError as problem:
                again = self._broken(at, str(problem), ended=ended)
                breaks += 1
                if again is None or breaks >= _MAX_BREAKS:
                    return
                at = again
                continue
            ended = False
            if not self._dispatcher.budget.take_member():
                limit = self._dispatcher.budget.limits.max_members
                report.unread(subject, f"more than {limit} members in all")
                return
            at = self._member(header)
        if not ended:
            report.found(
                "ARCHIVE-UNUSUAL", subject, "The archive has no end mark.", offset=subject.size
            )

    def _broken(self, at: int, problem: str, *, ended: bool) -> int | None:
        """Report it, and where the next header stands that can be read, if there is one near."""
        subject, report = self._subject, self._report
        report.found(
            "ARCHIVE-MALFORMED",
            subject,
            f"The archive can't be read on: {problem}.",
            offset=at,
        )
        report.unread(subject, f"the archive can't be read from byte {at} on: {problem}")
        again = _next_header(subject, at + BLOCK)
        if again is not None and at + BLOCK < again:
            rest = at + BLOCK
            self._hand_on(rest, again - rest, f"bytes@{rest}", raw=True)
        self._hand_on(at, (again or subject.size) - at, f"bytes@{at}", raw=not ended)
        return again

    def _member(self, header: Header) -> int:
        """Judge and hand on one member; where the next header stands."""
        subject, report = self._subject, self._report
        label = shown(header.name, 256)
        part = subject.inside(subject.stream, 0, label)
        for problem in header.problems:
            report.found(
                "ARCHIVE-MALFORMED",
                part,
                f"{problem[:1].upper()}{problem[1:]}.",
                offset=header.start,
            )
        self._judge_name(header, part)
        if header.kind in {SYMBOLIC_LINK, HARD_LINK} or header.kind in DEVICES:
            self._judge_special(header, part)
        elif header.kind not in REGULAR and header.kind not in {FOLDER, SPARSE}:
            report.found(
                "ARCHIVE-MALFORMED",
                part,
                f"The member is of the unknown kind {shown(header.kind.decode('latin-1'))}.",
                offset=header.start,
            )
        if header.sparse:
            return self._sparse(header, part)
        room = subject.size - header.data
        size = min(header.size, room)
        if header.size > room:
            report.found("ARCHIVE-MALFORMED", part, "The archive ends inside the member.")
            report.unread(part, "the archive ends inside the member")
        if size > 0:
            self._hand_on(header.data, size, label)
        if header.kind in {FOLDER, SYMBOLIC_LINK, HARD_LINK} or header.kind in DEVICES:
            if header.size:
                report.found(
                    "ARCHIVE-MALFORMED",
                    part,
                    "A member that is no file has content: readers differ in what follows.",
                )
            # As Python's tarfile does: what would be content is read as headers.
            return header.data
        end = header.data + size
        padding = -end % BLOCK
        subject.stream.seek(end)
        if any(read_exactly(subject.stream, min(padding, subject.size - end))):
            report.found(
                "ARCHIVE-HIDDEN-DATA", part, "Bytes stand between this member and the next."
            )
            self._hand_on(end, min(padding, subject.size - end), f"bytes@{end}")
        return end + padding

    def _judge_name(self, header: Header, part: Subject) -> None:
        report = self._report
        if leads_out(header.name):
            report.found(
                "ARCHIVE-PATH", part, "The member's name leads out of the archive's folder."
            )
        if is_odd(header.name):
            report.found(
                "ARCHIVE-MALFORMED",
                part,
                "The member's name is empty or holds characters that hide a part of it.",
            )
        if header.kind == FOLDER:
            return
        key = key_of(header.name)
        if key in self._names:
            same = self._names[key] == header.name
            how = "the same name as another one" if same else "nearly the name of another one"
            report.found("ARCHIVE-DUPLICATE", part, f"The member at byte {header.start} has {how}.")
        self._names.setdefault(key, header.name)
        if header.kind in REGULAR:
            self._files.add(header.name)

    def _judge_special(self, header: Header, part: Subject) -> None:
        if header.kind == HARD_LINK and header.link in self._files:
            self._report.found(
                "ARCHIVE-UNUSUAL", part, "The member is a second name of another member."
            )
            return
        what = "a device or a pipe"
        if header.kind in {SYMBOLIC_LINK, HARD_LINK}:
            what = f"a link to {shown(header.link)}"
        self._report.found("ARCHIVE-PATH", part, f"The member is {what}.")

    def _sparse(self, header: Header, part: Subject) -> int:
        """Sparse files name holes in other bytes than those stored: not followed."""
        self._report.unread(part, "the member is stored as a sparse file")
        data = header.data
        if header.kind == SPARSE:
            block = read_block(self._subject.stream, header.data - BLOCK)
            more = block[482:483] not in {b"", b"\0"}
            while more and data < self._subject.size:
                more = read_block(self._subject.stream, data)[504:505] not in {b"", b"\0"}
                data += BLOCK
        size = min(header.size, self._subject.size - data)
        if size > 0:
            self._hand_on(data, size, shown(header.name, 256))
        return data + -(-max(size, 0) // BLOCK) * BLOCK

    def _hand_on(self, at: int, size: int, label: str, *, raw: bool = False) -> None:
        if size <= 0:
            return
        part = self._subject.inside(window(self._subject.stream, at, size), size, label)
        if raw:
            from tidegate.scanners.raw import scan_raw

            scan_raw(part, self._report, self._dispatcher)
            return
        self._dispatcher.dispatch(part, self._report)


def _next_header(subject: Subject, at: int) -> int | None:
    """Where a header stands whose checksum holds, in the next blocks."""
    for place in range(at, min(subject.size, at + _RESUMED), BLOCK):
        block = read_block(subject.stream, place)
        if block[257:262] != b"ustar":
            continue
        try:
            read_header(subject.stream, place, subject.size)
        except BrokenHeaderError:
            continue
        return place
    return None


def _after_zeros(subject: Subject, at: int) -> int:
    """Where the first block with something in it stands, from `at` on."""
    subject.stream.seek(at)
    while at < subject.size:
        chunk = read_exactly(subject.stream, min(len(_ZEROS), subject.size - at))
        if not chunk:
            return subject.size
        if chunk == _ZEROS[: len(chunk)]:
            at += len(chunk)
            continue
        first = len(chunk) - len(chunk.lstrip(b"\0"))
        return at + first // BLOCK * BLOCK
    return at
