"""How a reader follows a message: each part is handed over once it is complete.

A `Judge` says which fields it wants to see; the others are checked and passed over. For each
message that ends, `done` is asked, innermost first; what it gives back stands in the message
around it for the field. So a reader sees a node with all its attributes, whatever their order,
and keeps no more of a graph than it asked for.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.protobuf.schema import Field, Message

MAX_DEPTH = 200
"""How deep messages nest; protobuf's own parsers stop at 100."""

MAX_VALUE = 1 << 20
"""The longest text or byte string that is kept as a value."""


@dataclass(slots=True)
class Blob:
    """A byte string, by its place; its bytes too where it came from a text."""

    offset: int
    size: int
    data: bytes | None = None


@dataclass(slots=True)
class Frame:
    """A message that is being read. `values` has the wanted fields, each with all its values."""

    message: Message
    field: Field | None
    offset: int
    end: int = 0
    values: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    seen: set[str] = dataclasses.field(default_factory=set)

    def all(self, name: str) -> list[Any]:
        """All values of the field; none where it is not there."""
        return self.values.get(name, [])

    def texts(self, name: str) -> list[str]:
        """The byte strings of the field as texts, each broken character escaped."""
        return [value.decode("utf-8", "backslashreplace") for value in self.all(name)]

    def text(self, name: str) -> str:
        """The last one, which counts for most parsers; "" where there is none."""
        return (self.texts(name) or [""])[-1]


class Judge(ABC):
    """Reads one message and all in it. Made anew for each."""

    kept: frozenset[str] = frozenset()
    """Paths of the scalar fields to keep."""

    packed: frozenset[str] = frozenset()
    """Those of them that are runs of numbers."""

    blobs: frozenset[str] = frozenset()
    """Paths of the byte strings to keep by their place."""

    twice: frozenset[str] = frozenset()
    """Paths of singular fields that honest writers write more than once."""

    def __init__(self, subject: Subject, report: Report, rule: str, what: str) -> None:
        self.subject = subject
        self.report = report
        self.rule = rule
        self.what = what

    @abstractmethod
    def done(self, frame: Frame) -> Any:
        """Judge a complete message; what the message around it keeps of it, or None."""

    def entered(self, frame: Frame) -> None:  # noqa: B027 - few need it
        """A message begins; nothing of it has been read."""

    def unknown(self, message: Message, number: object, offset: int, size: int) -> None:
        """A field that the schema does not have, or of another type than there."""
        self.report.found(
            "PROTOBUF-HIDDEN-DATA",
            self.subject,
            f"A {message.name} of the {self.what} has a field {number} of {size} bytes that the"
            " format does not know; readers pass over it.",
            offset=offset,
            detail=f"{message.name}:{number}",
        )

    def repeated(self, field: Field, offset: int) -> None:
        """A field that may stand once stands again."""
        if field.path in self.twice:
            return
        self.report.found(
            "PROTOBUF-AMBIGUOUS",
            self.subject,
            f"{field.path} of the {self.what} stands more than once; some readers take the last"
            " one, and some join them.",
            offset=offset,
            detail=field.path,
        )

    def broken(self, reason: str, offset: int) -> None:
        """The bytes are no message from there on."""
        self.report.found(
            self.rule, self.subject, f"The {self.what} {reason}.", offset=offset, detail=reason
        )

    def oversized(self, field: Field, blob: Blob) -> None:
        """A text or byte string that was to be kept is too long for that."""
        self.too_much(f"has a {field.path} of {blob.size} bytes")

    def finish(self) -> None:  # noqa: B027 - few need it
        """Judge what needed the whole message."""

    def too_much(self, reason: str) -> None:
        """A bound of this reader was reached."""
        self.report.unread(self.subject, f"the {self.what} {reason}")
