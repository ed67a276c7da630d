"""What torch keeps where in its archives.

`torch.save` writes `NAME/data.pkl`, `NAME/version`, and one member `NAME/data/<number>` per
storage: raw numbers, in no format of their own. Only in an archive that has the first two are
such members taken for raw numbers. TorchScript adds `NAME/code/` and `NAME/constants.pkl`, models
for phones `NAME/bytecode.pkl`; `torch.export` keeps JSON and raw weights (`pt2`); `torch.package`
keeps Python sources beside its pickles.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.scanners.zip.directory import Member

_STORAGE = re.compile(r"(?:data|constants)/[0-9]{1,20}")  # torch 1.6 named them by address
_PT2_STORAGE = re.compile(r"data/(?:weights/weight|constants/tensor)_[0-9]{1,9}")
_PACKAGE_STORAGE = re.compile(r"\.data/[0-9]{1,9}\.storage")
_OLD_PROGRAM = "serialized_exported_program.json"
_PICKLES = ("data.pkl", "constants.pkl", "bytecode.pkl", "attributes.pkl",
            "mobile_debug_handles.pkl")  # fmt: skip


class Kind(enum.Enum):
    """Which of torch's writers made the archive."""

    SAVED = "saved"
    SCRIPT = "script"
    EXPORTED = "exported"
    OLD_EXPORTED = "old exported"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class TorchLayout:
    """Where the parts of one torch archive stand: `root` with its closing slash."""

    root: str
    kind: Kind

    @property
    def scripted(self) -> bool:
        """Whether the archive carries TorchScript."""
        return self.kind is Kind.SCRIPT

    def is_storage(self, name: str) -> bool:
        """Whether the member is one storage's raw numbers."""
        if not name.startswith(self.root) or self.kind is Kind.OLD_EXPORTED:
            return False
        pattern = {Kind.EXPORTED: _PT2_STORAGE, Kind.PACKAGE: _PACKAGE_STORAGE}.get(
            self.kind, _STORAGE
        )
        return pattern.fullmatch(name[len(self.root) :]) is not None

    def is_program(self, name: str) -> bool:
        """Whether the member is the graph of an exported program."""
        if self.kind is Kind.OLD_EXPORTED:
            return name.rsplit("/", 1)[-1] == _OLD_PROGRAM
        return self.kind is Kind.EXPORTED and name.startswith(f"{self.root}models/")

    def is_compiled(self, name: str) -> bool:
        """Whether the member is a part of a program that was compiled to native code."""
        return self.kind is Kind.EXPORTED and name.startswith(f"{self.root}data/aotinductor/")

    def is_pickle(self, name: str) -> bool:
        """Whether torch unpickles the member, whatever it looks like."""
        return (
            self.kind in {Kind.SAVED, Kind.SCRIPT}
            and name.startswith(self.root)
            and (name[len(self.root) :] in _PICKLES or name.endswith(".debug_pkl"))
        )

    def is_code(self, name: str) -> bool:
        """Whether the member is TorchScript source."""
        return self.scripted and name.startswith(f"{self.root}code/") and name.endswith(".py")

    def is_bytecode(self, name: str) -> bool:
        """Whether the member is what the interpreter for phones runs."""
        return self.scripted and name == f"{self.root}bytecode.pkl"


def torch_layout(members: Sequence[Member]) -> TorchLayout | None:
    """The layout, where the archive is torch's; torch takes the first member's folder for it."""
    if not members:
        return None
    names = {member.name for member in members}
    if any(name.rsplit("/", 1)[-1] == _OLD_PROGRAM for name in names):
        # Before torch 2.8 a program stood in the archive's own top folder, its weights pickled.
        return TorchLayout("", Kind.OLD_EXPORTED)
    root = members[0].name.split("/", 1)[0] + "/"
    versions = {f"{root}version", f"{root}.data/version"}
    if f"{root}data.pkl" in names and versions & names:
        scripted = f"{root}constants.pkl" in names or any(
            name.startswith(f"{root}code/") for name in names
        )
        return TorchLayout(root, Kind.SCRIPT if scripted else Kind.SAVED)
    if f"{root}archive_format" in names:
        return TorchLayout(root, Kind.EXPORTED)
    if f"{root}.data/extern_modules" in names and f"{root}.data/version" in names:
        return TorchLayout(root, Kind.PACKAGE)
    return None
