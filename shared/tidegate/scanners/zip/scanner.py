"""The zip scanner: structure, names, and every member by its own format."""

from __future__ import annotations

import stat
from collections.abc import Mapping

from tidegate.scanners.interface import Dispatcher, Report, Scanner, Subject
from tidegate.scanners.member_names import key_of, leads_out
from tidegate.scanners.streams import read_exactly, window
from tidegate.scanners.zip.directory import Archive, Gap, Member, read_archive
from tidegate.scanners.zip.members import label, open_member, report_structure
from tidegate.scanners.zip.salvage import find_members
from tidegate.scanners.zip.several import archive_bounds
from tidegate.scanners.zip.storages import check_storages
from tidegate.scanners.zip.torch import TorchLayout, torch_layout

_SPECIAL = frozenset({stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK})
_MAX_GAPS = 64


class ZipScanner(Scanner):
    """Reads zip archives and what is kept in them: torch's files, skops' files, npz, any other."""

    name = "zip"
    formats = frozenset({"zip", "torch-zip", "skops", "npz"})

    def scan(self, subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
        """Check the structure, then hand on every member, and the bytes between them."""
        budget = dispatcher.budget
        starts = archive_bounds(subject.stream, subject.size, budget.limits.max_members)
        if len(starts) > 1:
            _scan_several(starts, subject, report, dispatcher)
            return
        room = budget.limits.max_members - budget.members
        archive = read_archive(subject.stream, subject.size, max(0, room))
        report_structure(archive, subject, report)
        _check_names(archive, subject, report)
        torch = torch_layout(archive.members)
        if torch is not None and torch.scripted:
            report.found(
                "TORCH-SCRIPT",
                subject,
                "The archive carries TorchScript code, which torch's interpreter runs.",
            )
        raw = _skops_members(archive, subject, report, dispatcher)
        for member in archive.members:
            if not budget.take_member():
                report.unread(subject, f"more than {budget.limits.max_members} members in all")
                return
            _scan_member(member, subject, report, dispatcher, torch, raw)
        if torch is not None:
            check_storages(archive, torch, subject, report)
        if archive.unread and not archive.members:
            _scan_salvaged(subject, report, dispatcher)
        _scan_gaps(archive.gaps, subject, report, dispatcher)


def _scan_several(
    starts: list[int], subject: Subject, report: Report, dispatcher: Dispatcher
) -> None:
    report.found(
        "ARCHIVE-UNUSUAL", subject, f"The file is {len(starts)} archives one after another."
    )
    for start, end in zip(starts, [*starts[1:], subject.size], strict=True):
        if not dispatcher.budget.take_member():
            limit = dispatcher.budget.limits.max_members
            report.unread(subject, f"more than {limit} members in all")
            return
        size = end - start
        part = subject.inside(window(subject.stream, start, size), size, f"archive@{start}")
        dispatcher.dispatch(part, report)


def _check_names(archive: Archive, subject: Subject, report: Report) -> None:
    seen: dict[str, str] = {}
    for member in archive.members:
        part = subject.inside(subject.stream, 0, label(member.name))
        if leads_out(member.name):
            report.found("ZIP-PATH", part, "The member's name leads out of the archive's folder.")
        # Whatever system the entry says it comes from: some readers do not ask.
        if stat.S_IFMT(member.attributes >> 16) in _SPECIAL:
            report.found("ZIP-PATH", part, "The member is a link or a special file.")
        # torch looks members up without regard to case, and some file systems do.
        key = key_of(member.name)
        if key not in seen:
            seen[key] = member.name
            continue
        same = seen[key] == member.name
        how = "the same name as another one" if same else "nearly the same name as another one"
        report.found("ZIP-DUPLICATE", part, f"The member at byte {member.header} has {how}.")


def _skops_members(
    archive: Archive, subject: Subject, report: Report, dispatcher: Dispatcher
) -> Mapping[str, str]:
    """Read the archive as skops where it is one; the members that skops takes as raw bytes."""
    schemas = [member for member in archive.members if member.name == "schema.json"]
    if not schemas:
        return {}
    from tidegate.scanners.skops.scanner import scan_schema

    names = frozenset(member.name for member in archive.members)
    raw: dict[str, str] = {}
    for member in schemas:
        # The member pass checks its sizes and checksum; a second report would say the same.
        opened = open_member(subject, member, Report(report.limits), dispatcher)
        if opened is None:
            continue
        stream, size = opened
        raw.update(scan_schema(stream, size, subject, names, report))
    return raw


def _scan_member(
    member: Member,
    subject: Subject,
    report: Report,
    dispatcher: Dispatcher,
    torch: TorchLayout | None,
    raw: Mapping[str, str],
) -> None:
    opened = open_member(subject, member, report, dispatcher)
    if opened is None:
        return
    stream, size = opened
    part = subject.inside(stream, size, label(member.name))
    if member.is_folder:
        if size == 0:
            return
        report.found("ZIP-MALFORMED", part, "A folder's entry has content.")
    if (torch is not None and torch.is_storage(member.name)) or member.name in raw:
        from tidegate.scanners.raw import scan_raw

        scan_raw(part, report, dispatcher)
        return
    if torch is not None and torch.is_program(member.name):
        from tidegate.scanners.zip.exported import check_program

        check_program(part, report)
    if torch is not None and torch.is_compiled(member.name):
        report.found(
            "CODE-NATIVE", part, "The member belongs to a program compiled to native code."
        )
    if torch is not None and torch.is_code(member.name):
        from tidegate.scanners.torchscript.archive import scan_source

        scan_source(part, report)
        return
    if torch is not None and torch.is_pickle(member.name):
        part = subject.inside(stream, size, label(member.name), format="pickle")
        if torch.scripted:
            from tidegate.scanners.torchscript.archive import scan_bytecode, scan_script_pickle

            scan_script_pickle(part, report, dispatcher)
            if torch.is_bytecode(member.name):
                scan_bytecode(part, report)
            return
    dispatcher.dispatch(part, report)


def _scan_salvaged(subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Read what can be found of members that no directory lists."""
    for member in find_members(subject.stream, 0, subject.size):
        if not dispatcher.budget.take_member():
            return
        # Their headers are believed by nobody, so what is wrong with them is of no interest.
        opened = open_member(subject, member, Report(report.limits), dispatcher)
        if opened is not None and opened[1]:
            part = subject.inside(opened[0], opened[1], f"{label(member.name)}@{member.header}")
            dispatcher.dispatch(part, report)


def _scan_gaps(gaps: list[Gap], subject: Subject, report: Report, dispatcher: Dispatcher) -> None:
    """Whoever hides bytes between the members may have a way to reach them."""
    for gap in gaps[:_MAX_GAPS]:
        stream = window(subject.stream, gap.start, gap.size)
        if not any(read_exactly(stream, min(gap.size, 1 << 16))) and gap.size <= 1 << 16:
            continue
        stream.seek(0)
        part = subject.inside(stream, gap.size, f"bytes@{gap.start}")
        dispatcher.dispatch(part, report)
    if len(gaps) > _MAX_GAPS:
        report.unread(subject, f"{len(gaps) - _MAX_GAPS} more stretches outside the members")
