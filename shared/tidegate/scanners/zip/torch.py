"""What torch keeps where in its archives.

`torch.save` writes `NAME/data.pkl`, `NAME/version`, and one member `NAME/data/<number>` per
storage: raw numbers, in no format of their own. Only in an archive that has the first two are
such members taken for raw numbers. TorchScript adds `NAME/code/` and `NAME/constants.pkl`;
`torch.export` keeps JSON and raw weights (`pt2`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.scanners.zip.directory import Member

_STORAGE = re.compile(r"(?:data|constants)/[0-9]{1,9}")
_PT2_STORAGE = re.compile(r"data/(?:weights/weight|constants/tensor)_[0-9]{1,9}")
_OLD_PROGRAM = "serialized_exported_program.json"
_PICKLES = ("data.pkl", "constants.pkl")


@dataclass(frozen=True, slots=True)
class TorchLayout:
    """Where the parts of one torch archive stand: `root` with its closing slash."""

    root: str
    scripted: bool
    exported: bool

    def is_storage(self, name: str) -> bool:
        """Whether the member is one storage's raw numbers."""
        if not name.startswith(self.root):
            return False
        inner = name[len(self.root) :]
        if self.exported:
            return _PT2_STORAGE.fullmatch(inner) is not None
        return _STORAGE.fullmatch(inner) is not None

    def is_program(self, name: str) -> bool:
        """Whether the member is the graph of an exported program."""
        return self.exported and name.startswith(f"{self.root}models/")

    def is_pickle(self, name: str) -> bool:
        """Whether torch unpickles the member, whatever it looks like."""
        return name.startswith(self.root) and (
            name[len(self.root) :] in _PICKLES or name.endswith(".debug_pkl")
        )


def torch_layout(members: Sequence[Member]) -> TorchLayout | None:
    """The layout, where the archive is torch's; torch takes the first member's folder for it."""
    if not members:
        return None
    names = {member.name for member in members}
    if any(name.rsplit("/", 1)[-1] == _OLD_PROGRAM for name in names):
        # Before torch 2.8 a program stood in the archive's own top folder, its weights pickled.
        return TorchLayout("", scripted=True, exported=False)
    root = members[0].name.split("/", 1)[0] + "/"
    if f"{root}data.pkl" in names and f"{root}version" in names:
        scripted = f"{root}constants.pkl" in names or any(
            name.startswith(f"{root}code/") for name in names
        )
        return TorchLayout(root, scripted, exported=False)
    if f"{root}archive_format" in names:
        return TorchLayout(root, scripted=False, exported=True)
    return None
