"""What the symbolic machine saw, before it is put into findings.

Always holds: everything that a stream names is recorded once, with the most that any opcode did
with it, or the trace says that it overflowed. A trace outlives a broken stream: what was seen
before the break stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from tidegate.artifact.formats import TORCH_LEGACY_MAGIC
from tidegate.scanners.bytecode.facts import CodeFacts
from tidegate.scanners.callables import Judgement, Standing, Use
from tidegate.scanners.interface import Severity
from tidegate.scanners.pickle.opcodes import Text
from tidegate.scanners.pickle.values import Global, Value, show, show_args

MAX_REFERENCES = 20_000
MAX_NOTES = 2_000
MAX_CODES = 10_000
_TORCH_HEADS = tuple(
    proto + b"\x8a\x0a" + TORCH_LEGACY_MAGIC.to_bytes(10, "little") + b"."
    for proto in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
)

Constant = str | bytes | Text
Examine = Callable[[Constant, int], None]


def is_torch_file(head: bytes) -> bool:
    """True for the first bytes of a file of torch's old format, as torch itself begins it."""
    return head.startswith(_TORCH_HEADS)


@dataclass(slots=True)
class Reference:
    """One callable of the stream: where it is first named, and the most that is done with it.

    `call` is the text of the gravest use, "os.system('id')", and `call_offset` its place.
    `pushed` counts how often it came onto the stack, `excused` how often it was then called in a
    way that is known to be harmless.
    """

    module: str
    name: str
    judgement: Judgement
    offset: int
    use: Use = Use.NAME
    call: str | None = None
    call_offset: int = 0
    pushed: int = 0
    excused: int = 0

    @property
    def path(self) -> str:
        """The path "module.name"."""
        return f"{self.module}.{self.name}"

    @property
    def excused_always(self) -> bool:
        """True where every time that it came onto the stack it was called harmlessly."""
        return self.use is Use.NAME and 0 < self.pushed == self.excused

    @property
    def overused(self) -> bool:
        """True where an allowed callable is used for more than it is allowed."""
        return self.judgement.standing is Standing.ALLOWED and self.use > self.judgement.use


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is a finding by itself."""

    rule: str
    offset: int
    message: str
    detail: str | None = None
    severity: Severity | None = None


@dataclass(slots=True)
class Trace:
    """All that one file's streams name and do. `examine` is given each longer constant.

    `codes` are the code objects with their offsets, `modules` those that their globals hold.
    `stream` is the file itself, for constants that are read again.
    `doubtful` names what was only seen by a reading that may be a misreading.
    `torch_files` has the places of the long strings that `examine` had read as files of torch.
    `storages` are those of a torch archive that the stream refers to, by key, each with its bytes
    (None where its type does not tell).
    """

    examine: Examine | None = None
    references: dict[tuple[str, str], Reference] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    overflowed: bool = False
    calls: int = 0
    named: int = 0
    second_steps: int = 0
    codes: list[tuple[CodeFacts, int]] = field(default_factory=list)
    carries_code: bool = False
    modules: set[str] = field(default_factory=set)
    stream: BinaryIO | None = None
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    torch_files: set[int] = field(default_factory=set)
    storages: dict[str, int | None] = field(default_factory=dict)
    _noted: set[tuple[str, str]] = field(default_factory=set)

    def name(self, found: Global) -> None:
        """Something was imported."""
        self.named += 1
        key = (found.module, found.name)
        if key not in self.references:
            if len(self.references) >= MAX_REFERENCES:
                self.overflowed = True
                return
            self.references[key] = Reference(
                found.module, found.name, found.judgement, found.offset
            )
        self.references[key].pushed += 1

    def code(self, facts: CodeFacts, offset: int) -> None:
        """A code object is made."""
        if len(self.codes) >= MAX_CODES:
            self.overflowed = True
        else:
            self.codes.append((facts, offset))

    def read_text(self, text: Text) -> bytes | None:
        """The bytes of a long constant; None where the stream is not at hand, or ends before."""
        if self.stream is None:
            return None
        self.stream.seek(text.offset)
        raw = self.stream.read(text.length)
        return raw if len(raw) == text.length else None

    def push_again(self, value: Value) -> None:
        """Something came onto the stack once more, from the memo or as a duplicate."""
        if isinstance(value, Global) and (value.module, value.name) in self.references:
            self.references[value.module, value.name].pushed += 1

    def excuse(self, found: Global) -> None:
        """A dangerous callable is called in a way that is known to be harmless."""
        self.calls += 1
        reference = self.references.get((found.module, found.name))
        if reference is not None:
            reference.excused += 1

    def use(self, found: Global, use: Use, args: Value, offset: int, by: Value = None) -> None:
        """Something that was imported is made an instance of, or called, perhaps `by` another."""
        self.calls += 1
        reference = self.references.get((found.module, found.name))
        if reference is None or use <= reference.use:
            return
        reference.use = use
        if found.judgement.standing is not Standing.ALLOWED or reference.overused:
            reference.call = show(by if by is not None else found) + show_args(args)
            reference.call_offset = offset

    def note(
        self,
        rule: str,
        offset: int,
        message: str,
        detail: str | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Add a finding, once for each rule and detail."""
        key = (rule, detail or message)
        if key in self._noted:
            return
        if len(self.notes) >= MAX_NOTES:
            self.overflowed = True
            return
        self._noted.add(key)
        self.notes.append(Note(rule, offset, message, detail, severity))
