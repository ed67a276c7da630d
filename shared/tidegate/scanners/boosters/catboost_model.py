"""CatBoost's binary models: a mark, the core's length, the core as a flatbuffer, further parts.

The core's table says which parts follow it (`TModelCore.ModelPartIds` in CatBoost's
`libs/model/flatbuffers/model.fbs`); where it names none, nothing may follow.
"""

from __future__ import annotations

from tidegate.scanners.cursor import BrokenError, Cursor
from tidegate.scanners.flatbuffer import Buffer
from tidegate.scanners.interface import Subject
from tidegate.scanners.markup.tables import CODE
from tidegate.scanners.streams import shown

_VERSION, _TREES, _INFO, _PARTS = range(4)
_KNOWN_PARTS = frozenset(
    {b"static_provider_v1", b"static_ctr_provider_v1", b"text_processing_collection_v1",
     b"text_process_v1",
     b"text_process_v2", b"embedding_process_v1"}
)  # fmt: skip
_HEAD = 8


def read_model(subject: Subject) -> tuple[int, int]:
    """Where the parts behind the core begin, and how many bytes they have."""
    cursor = Cursor(subject.stream, subject.size)
    if cursor.take(4) != b"CBM1":
        raise BrokenError("It does not begin with CatBoost's mark.")
    length = cursor.number("I")
    if length > cursor.left:
        raise BrokenError(f"The core claims {length} bytes, and {cursor.left} remain.")
    root = Buffer(subject.stream, _HEAD, length).root()
    version = root.text(_VERSION) or b""
    if not version.startswith((b"FlabuffersModel_v", b"FlatbuffersModel_v")):
        raise BrokenError(f"The core's version is {shown(version.decode('latin-1'))}.")
    if root.table(_TREES) is None:
        raise BrokenError("The core has no trees.")
    for pair in root.tables(_INFO):
        if CODE.search((pair.text(1) or b"").decode("latin-1")):
            raise BrokenError("A text beside the model holds code.")
    parts = root.texts(_PARTS)
    for part in parts:
        if part.rstrip(b"\0") not in _KNOWN_PARTS:
            raise BrokenError(f"The part {shown(part.decode('latin-1'))} is not one of CatBoost's.")
    behind = subject.size - _HEAD - length
    if behind and not parts:
        raise BrokenError(f"{behind} bytes follow a model that names no further parts.")
    return _HEAD + length, behind
