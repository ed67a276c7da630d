"""The storages of a torch archive against the pickles that refer to them.

A storage's member has no format of its own and passes by its place. So it must be one that a
pickle of the archive really refers to, and as long as the pickle says: else it is a file that
somebody put where nobody looks.
"""

from __future__ import annotations

from tidegate.scanners.interface import Report, Subject
from tidegate.scanners.streams import shown
from tidegate.scanners.zip.directory import Archive
from tidegate.scanners.zip.members import label
from tidegate.scanners.zip.torch import Kind, TorchLayout

_READ = {Kind.SAVED: ("data.pkl",), Kind.SCRIPT: ("data.pkl", "constants.pkl")}
_MAX_NAMED = 8


def check_storages(archive: Archive, torch: TorchLayout, subject: Subject, report: Report) -> None:
    """Report storages that no pickle names, those that are too long, and those that are missing."""
    if torch.kind not in _READ:
        return
    sizes: dict[str, int | None] = {}
    for pickled in _READ[torch.kind]:
        member = subject.inside(subject.stream, 0, label(f"{torch.root}{pickled}")).member
        if member not in report.storages and pickled == "data.pkl":
            # It could not be read to its end, and has been named for that.
            return
        folder = "constants/" if pickled == "constants.pkl" else "data/"
        for key, size in report.storages.get(member, {}).items():
            sizes[f"{folder}{key}"] = size
    if any(name.name == f"{torch.root}bytecode.pkl" for name in archive.members):
        # The interpreter for phones refers to storages from its bytecode, in ways of its own.
        return
    present = {}
    for each in archive.members:
        if torch.is_storage(each.name):
            present[each.name[len(torch.root) :]] = each
    for place, each in present.items():
        part = subject.inside(subject.stream, 0, label(each.name))
        if place not in sizes:
            report.found("TORCH-HIDDEN-DATA", part, "No pickle of the archive refers to it.")
            continue
        expected = sizes[place]
        if expected is not None and each.size != expected:
            report.found(
                "TORCH-HIDDEN-DATA",
                part,
                f"The storage has {each.size} bytes, and the pickle refers to {expected}.",
            )
    missing = sorted(place for place in sizes if place not in present)
    for place in missing[:_MAX_NAMED]:
        report.unread(subject, f"the pickle refers to {shown(place)}, which the archive lacks")
