"""The messages of each family of formats, from `data/protobuf/`.

tools/graphs/schemas.py makes those files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

VARINT, FIXED64, LENGTH, START, END, FIXED32 = 0, 1, 2, 3, 4, 5
"""The wire types of protobuf's encoding."""

_WIRE = {
    "varint": VARINT,
    "enum": VARINT,
    "fixed64": FIXED64,
    "fixed32": FIXED32,
    "string": LENGTH,
    "bytes": LENGTH,
    "message": LENGTH,
    "group": START,
}


@dataclass(slots=True, eq=False)
class Field:
    """One field of a message. `path` is its name behind that of its message: "NodeDef.op"."""

    name: str
    path: str
    kind: str
    wire: int
    repeats: bool
    message: Message | None = None
    values: dict[str, int] | None = None

    @property
    def packs(self) -> bool:
        """Whether several numbers may stand in one length-delimited run."""
        return self.repeats and self.wire in {VARINT, FIXED32, FIXED64}


@dataclass(slots=True, eq=False)
class Message:
    """One type of message, its fields by number and by name."""

    name: str
    by_number: dict[int, Field] = field(default_factory=dict)
    by_name: dict[str, Field] = field(default_factory=dict)


@cache
def family(name: str) -> dict[str, Message]:
    """The messages of that family, by their names without the package."""
    text = files("tidegate.scanners").joinpath(f"data/protobuf/{name}.json").read_text("utf-8")
    rows = json.loads(text)["messages"]
    messages = {full: Message(_short(full)) for full in rows}
    for full, fields in rows.items():
        message = messages[full]
        for number, (label, kind, repeats, holds) in fields.items():
            each = Field(label, f"{message.name}.{label}", kind, _WIRE[kind], repeats == "*")
            if isinstance(holds, dict):
                each.values = holds
            elif holds is not None:
                each.message = messages[holds]
            message.by_number[int(number)] = each
            message.by_name[label] = each
    short = {message.name: message for message in messages.values()}
    if len(short) != len(messages):
        raise ValueError(f"two messages of {name} have the same short name")
    return short


def _short(full: str) -> str:
    """The name without its package, which is in lower case; Keras' own names are told apart."""
    parts = full.split(".")
    first = next(i for i, part in enumerate(parts) if part[:1].isupper())
    return ("Keras." if "keras" in parts[:first] else "") + ".".join(parts[first:])
