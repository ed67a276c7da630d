"""What a scanner is given and what it may say.

A scanner reads one file and reports findings and unread parts through a `Report`. It runs inside
a worker process that has no network, may start no process, write no file and load no pickle;
limits on time, memory and output end it from outside. So a scanner may assume nothing about
its input, and need not defend against its own crash: a crash is evidence too (`inconclusive`).

Always holds:

- A scanner never raises for hostile bytes: what it can't read it names with `Report.unread`.
- Nothing is dropped: a part that was not looked at, whatever the reason, is an `Unread`.
- Findings come in a stable order for the same bytes and ruleset; nothing that is installed on
  the machine changes them.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

_MAX_CLAIMS = 100_000


class Severity(enum.IntEnum):
    """How bad a finding is. Only the policy says what follows from it."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        """The name in lower case, as it stands in policies and reports."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> Severity:
        """The severity of that lower-case name; KeyError where there is none."""
        return cls[label.upper()]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that one check saw.

    `rule` is an id of the rule table (`tidegate.scanners.rules`), which also has the rule's
    severity and remedy; a finding's own `severity` overrides the rule's where the case is
    plainer or graver. `path` is relative to the artifact's root ("" for an artifact that is one
    file). `member` names the part inside the file, outermost first, joined by "!": a zip member,
    a nested stream. `offset` is a byte offset into that innermost part. `detail` is machine
    readable: for a pickle, the "module.name" that it is about.
    """

    rule: str
    severity: Severity
    path: str
    message: str
    member: str | None = None
    offset: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """A part that was not looked at, and why. One of these is enough to rule out `pass`."""

    path: str
    reason: str
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """That another file of the artifact holds raw data which this one describes.

    `location` is relative to the folder of the file that claims, with "/" between its parts.
    `ranges` are the stretches that the file describes, as start and length in bytes; None for
    the whole file, whatever its size. `member` is the part of a container that claims another
    part of the same container. Between stretches may lie padding shorter than
    `alignment`. A file that is not there is held against the claimant, unless the claim is
    `optional`. See `tidegate.scanners.claims` for what follows.
    """

    location: str
    ranges: tuple[tuple[int, int], ...] | None = None
    alignment: int = 1
    optional: bool = False
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one scan. Reaching one ends in `inconclusive`, never in `pass`.

    Times are seconds, sizes bytes. `file_seconds` bounds one file, which has a second more for each
    `bytes_per_second` of its size; `total_seconds` bounds the artifact.
    `memory` is a worker's address space. `output` is what a worker may print in all;
    `max_findings` bounds the findings kept for one file. `max_depth` is how far containers nest;
    `max_members` and `max_expanded` bound what one file may unfold to.
    """

    file_seconds: float = 120.0
    bytes_per_second: int = 4 << 20
    total_seconds: float = 900.0
    memory: int = 1 << 30
    output: int = 8 << 20
    max_findings: int = 500
    max_depth: int = 8
    max_members: int = 100_000
    max_expanded: int = 64 << 30


class Budget:
    """What is left of one file's limits, shared by everything that unfolds inside that file."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.members = 0
        self.expanded = 0

    def take_member(self) -> bool:
        """Count one more container member; False when the limit is passed."""
        self.members += 1
        return self.members <= self.limits.max_members

    def take_bytes(self, count: int) -> bool:
        """Count decompressed bytes; False when the limit is passed."""
        self.expanded += count
        return self.expanded <= self.limits.max_expanded


@dataclass(frozen=True, slots=True)
class Subject:
    """The file, or the part of one, that a scanner looks at.

    `stream` is binary, seekable, and at position 0 when a scanner gets it; `size` its length.
    `name` is the innermost name (for hints in messages, never for a verdict that lets through).
    `format` is what the content says it is.
    """

    stream: BinaryIO
    size: int
    path: str
    format: str
    member: str | None = None
    depth: int = 0

    @property
    def name(self) -> str:
        """The last component of the innermost name."""
        inner = self.member.rsplit("!", 1)[-1] if self.member else self.path
        return inner.replace("\\", "/").rsplit("/", 1)[-1]

    def inside(self, stream: BinaryIO, size: int, member: str, format: str = "") -> Subject:
        """The subject for a part of this one, one level deeper."""
        name = f"{self.member}!{member}" if self.member else member
        return replace(
            self, stream=stream, size=size, member=name, format=format, depth=self.depth + 1
        )


@dataclass(slots=True)
class Report:
    """Where a scanner puts what it saw of one file. Bounded: the overflow becomes an `Unread`.

    `storages` are what each pickle of a torch archive refers to: the size in bytes by key.
    """

    limits: Limits = field(default_factory=Limits)
    findings: list[Finding] = field(default_factory=list)
    unread_parts: list[Unread] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    members: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    defines: list[str] = field(default_factory=list)
    storages: dict[str | None, dict[str, int | None]] = field(default_factory=dict)
    _seen: set[tuple[object, ...]] = field(default_factory=set)
    _full: bool = False

    def found(
        self,
        rule: str,
        subject: Subject,
        message: str,
        *,
        severity: Severity | None = None,
        offset: int | None = None,
        detail: str | None = None,
    ) -> None:
        """Add a finding about `subject`; the rule table gives the severity unless one is named.

        The same rule about the same detail of the same part is kept once, where it was first seen.
        """
        from tidegate.scanners.rules import rule_of

        grave = rule_of(rule).severity if severity is None else severity
        key = (rule, subject.path, subject.member, detail or (message, offset))
        if key in self._seen:
            return
        if len(self.findings) >= self.limits.max_findings:
            self._note_overflow(subject)
            return
        self._seen.add(key)
        self.findings.append(
            Finding(rule, grave, subject.path, message, subject.member, offset, detail)
        )

    def unread(self, subject: Subject, reason: str) -> None:
        """Say that `subject`, or a part of it that the reason names, was not looked at."""
        key = ("unread", subject.path, subject.member, reason)
        if key in self._seen:
            return
        if len(self.unread_parts) >= self.limits.max_findings:
            self._note_overflow(subject)
            return
        self._seen.add(key)
        self.unread_parts.append(Unread(subject.path, reason, subject.member))

    def claim(
        self,
        subject: Subject,
        location: str,
        ranges: Iterable[tuple[int, int]] | None = None,
        *,
        alignment: int = 1,
        optional: bool = False,
    ) -> None:
        """Say that the file at `location` holds raw data that `subject` describes (see `Claim`).

        For a subject inside a container, the file is another member of the same container.
        """
        from tidegate.scanners.claims import merged

        stretches = None if ranges is None else tuple(merged(ranges))
        kept = sum(len(each.ranges or ()) + 1 for each in self.claims)
        if kept + len(stretches or ()) >= _MAX_CLAIMS:
            self.unread(subject, f"describes more than {_MAX_CLAIMS} stretches of other files")
            return
        self.claims.append(Claim(location, stretches, alignment, optional, subject.member))

    def define(self, subject: Subject, names: Iterable[str]) -> None:
        """Say which classes and functions a source defines: see `scanners.carried_source`.

        For a subject inside a container nothing follows from it: no loader imports it from there.
        """
        if subject.member is None:
            self.defines.extend(names)

    def _note_overflow(self, subject: Subject) -> None:
        if not self._full:
            self._full = True
            self.unread_parts.append(
                Unread(
                    subject.path,
                    f"more than {self.limits.max_findings} findings; the rest were not kept",
                )
            )


class Dispatcher(ABC):
    """How a scanner hands a part of its file (a member, a nested stream) to the right scanners."""

    budget: Budget

    @abstractmethod
    def dispatch(self, subject: Subject, report: Report) -> None:
        """Tell the part's format by content and run its scanners; past the depth limit, unread."""


class Scanner(ABC):
    """One reader of one family of formats. Stateless: the same instance reads many files."""

    name: str
    formats: frozenset[str]
    """Values of `tidegate.artifact.Format` that this scanner reads."""

    @abstractmethod
    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Read the whole of `subject` and report. Must not close its stream."""


def iter_stream(stream: BinaryIO, chunk: int = 1 << 20) -> Iterator[bytes]:
    """The rest of the stream in chunks of at most `chunk` bytes."""
    while data := stream.read(chunk):
        yield data
